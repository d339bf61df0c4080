// The page: camera, loop and engine put together; what it says; its address as the address of a source in OBS.
import { Camera } from "./camera.js";
import { Controls } from "./controls.js";
import { h } from "./dom.js";
import { Engine, engines } from "./engine.js";
import { Loop } from "./loop.js";
import { Painter } from "./painter.js";
import { canRecord, Recording, save } from "./record.js";
import { DEFAULTS, keep, load } from "./settings.js";
import { W } from "./words.js";

const WIDE = 1.5;
const LARGEST_OWN = 40 << 20;
const OWN = "vcam own";

const query = new URLSearchParams(location.search);
const bare = ["1", "true", ""].includes(query.get("bare"));
const root = document.getElementById("app");

class App {
  constructor(about) {
    this.about = about;
    this.settings = load(about, query);
    this.canvas = h("canvas", { role: "img", "aria-label": W.picture, width: 1280, height: 720 });
    this.video = h("video", { muted: true, playsinline: true, class: "unseen", "aria-hidden": "true", tabindex: -1 });
    this.painter = new Painter(this.canvas);
    this.loop = new Loop(this.painter, () => this.say());
    this.loop.settings = this.settings;
    this.camera = new Camera(this.video, (...frame) => this.frame(...frame), () => this.cameraChanged());
    this.recording = null;
    this.note = "";
    this.painter.placeholder();
    this.canvas.addEventListener("webglcontextlost", (event) => {
      event.preventDefault();
      this.lost = true;
      this.say();
    });
    this.canvas.addEventListener("webglcontextrestored", () => this.restore());
    // a window that is not looked at is shown no pictures: what it shows must not stay for whoever comes back
    addEventListener("pagehide", () => this.recording && this.endRecording());
    if (bare) this.showBare();
    else this.showAll();
    this.setBackground();
    this.say();
  }

  showBare() {
    document.documentElement.classList.add("bare");
    document.body.append(this.video);
    root.replaceChildren(this.canvas);
    this.turnOn();
  }

  showAll() {
    this.state = h("span", { class: "state", role: "status" });
    this.hint = h("p", { class: "veil" });
    this.alert = h("p", { class: "banner bad", role: "alert", hidden: true });
    this.noteLine = h("p", { class: "banner note", role: "status", hidden: true });
    this.power = h("button", { type: "button", class: "main", onclick: () => (this.camera.wanted ? this.turnOff() : this.turnOn()) });
    this.recorder = h("button", { type: "button", disabled: true, onclick: () => this.record() }, W.record);
    this.sound = h("input", { type: "checkbox", id: "sound", checked: this.settings.sound, onchange: (event) => this.set("sound", event.target.checked) });
    this.controls = new Controls(this.about, this.settings, (name, value) => this.set(name, value), { own: (file) => this.own(file), reset: () => this.reset() });
    const sound = h("label", { class: "check", for: "sound" }, this.sound, W.sound);
    root.replaceChildren(h("div", { class: "page" },
      h("header", {}, h("h1", {}, h("img", { src: "icon.svg", alt: "", width: 28, height: 28 }), W.title), this.state),
      this.alert, this.noteLine,
      h("main", {},
        h("figure", { class: "preview" }, h("div", { class: "screen" }, this.canvas, this.hint),
          h("figcaption", {}, this.power, this.recorder, canRecord() ? sound : h("span", {}, W.no_record)),
          h("p", { class: "help" }, W.lead)),
        this.controls.element),
      h("footer", {}, h("p", { class: "help" }, W.more, " ", h("a", { href: "LICENSES.txt" }, W.licences)))), this.video);
    addEventListener("dragover", (event) => event.preventDefault());
    addEventListener("drop", (event) => {
      event.preventDefault();
      if (event.dataTransfer.files.length) this.own(event.dataTransfer.files[0]);
    });
    setInterval(() => this.figures(), 1000);
  }

  // settings

  set(name, value) {
    this.settings[name] = value;
    if (!bare) keep(this.settings);
    this.controls?.show();
    if (["background", "blur", "color"].includes(name)) this.setBackground();
    if (name === "engine" && this.loop.engine) this.startEngine(this.loop.engine.network);
    if ((name === "camera" || name === "size") && this.camera.wanted) this.camera.open(this.wish());
  }

  reset() {
    const names = ["blur", "temporal", "edge", "softness", "islands", "lightWrap"];
    for (const name of names) this.settings[name] = { ...DEFAULTS, ...this.about.defaults }[name];
    this.set("blur", this.settings.blur);
  }

  async setBackground() {
    const { background, blur, color } = this.settings;
    const round = (this.backgroundRound = (this.backgroundRound ?? 0) + 1);
    let wish = { kind: "blur", strength: blur };
    if (background === "color") wish = { kind: "color", color };
    else if (background === "clear") wish = { kind: "clear" };
    else if (background !== "blur") {
      try {
        wish = { kind: "image", picture: await this.pictureOf(background) };
      } catch {
        // until it is known, and where it cannot be had: the room out of focus, which is vcam's default
        if (round === this.backgroundRound) this.settings.background = "blur";
      }
    }
    if (round !== this.backgroundRound) return;
    this.painter.backdrop.set(wish);
    if (this.loop.shown !== "person") this.loop.shown === "placeholder" ? this.painter.placeholder() : this.painter.alone();
    this.controls?.show();
  }

  async pictureOf(name) {
    const address = name === "own" ? null : `backgrounds/${encodeURIComponent(name)}.jpg`;
    const answer = address ? await fetch(address) : await (await caches.open(OWN)).match("own");
    if (!answer?.ok) throw new Error(name);
    const blob = await answer.blob();
    if (!address) this.controls?.haveOwn(URL.createObjectURL(blob));
    return createImageBitmap(blob);
  }

  async own(file) {
    if (file.size > LARGEST_OWN) return this.tell(W.own_large);
    try {
      (await createImageBitmap(file)).close();
    } catch {
      return this.tell(W.own_bad);
    }
    await (await caches.open(OWN)).put("own", new Response(file));
    return this.set("background", "own");
  }

  // camera and engine

  wish() {
    const [width, height] = this.settings.size.split("x").map(Number);
    return { device: this.settings.camera, width, height };
  }

  turnOn() {
    this.camera.open(this.wish());
    this.say();
  }

  turnOff() {
    if (this.recording) this.endRecording();
    this.camera.close();
  }

  async cameraChanged() {
    if (!this.camera.on) this.loop.nothing();
    this.say();
    this.controls?.cameras(await this.camera.list());
  }

  frame(source, width, height) {
    if (this.lost) return 0;
    const name = width / height >= WIDE ? this.about.wide : this.about.narrow;
    const network = this.about.networks.find((each) => each.name === name);
    if (this.loop.engine?.network !== network) this.startEngine(network);
    return this.loop.take(source, width, height);
  }

  async startEngine(network) {
    this.loop.engine?.close();
    const round = (this.engineRound = (this.engineRound ?? 0) + 1);
    // stands for the engine until it is known which there are
    this.loop.engine = { network, ready: false, close() {}, reset() {} };
    const choices = await engines(this.settings.engine);
    if (round !== this.engineRound) return;
    this.loop.engine = new Engine(network, choices, (said) => this.loop.found(said), () => this.say());
    this.say();
  }

  restore() {
    this.lost = false;
    this.painter = this.loop.painter = new Painter(this.canvas);
    this.loop.shown = "placeholder";
    this.painter.placeholder();
    this.setBackground();
    this.say();
  }

  // recording

  async record() {
    if (this.recording) return this.endRecording();
    if (this.beginning) return undefined;
    this.beginning = true;
    try {
      this.recording = await Recording.begin(this.canvas, this.settings.sound);
      this.tell("");
      // it was turned off while the microphone was asked for
      if (!this.camera.wanted) return this.endRecording();
    } catch (error) {
      this.tell(`${W.record_failed} ${W.camera_errors[error.name] ?? error.message}`);
    } finally {
      this.beginning = false;
    }
    return this.say();
  }

  async endRecording() {
    const { recording } = this;
    this.recording = null;
    this.say();
    const { film, name } = await recording.end();
    save(film, name);
    this.tell(`${W.saved} ${name}`);
  }

  // words

  tell(note) {
    this.note = note;
    this.say();
  }

  trouble() {
    const { engine } = this.loop;
    if (this.lost) return W.gl_lost;
    if (this.camera.error) return this.camera.error;
    if (engine?.error && !engine.choices.length) return `${W.engine_failed} ${engine.error}`;
    return "";
  }

  say() {
    if (!this.state) return;
    const trouble = this.trouble();
    const { shown, engine } = this.loop;
    let word = this.camera.wanted ? "opening" : "off";
    if (trouble) word = "trouble";
    else if (this.camera.on) word = shown !== "placeholder" ? shown : engine?.ready ? "placeholder" : "loading";
    const put = (element, property, value) => {
      // what is read aloud is read again when it is written again
      if (element[property] !== value) element[property] = value;
    };
    put(this.state, "textContent", W.states[word]);
    put(this.state, "className", `state ${word}`);
    const hints = { off: W.hint_off, loading: W.hint_loading, placeholder: this.loop.reason === "doubted" ? W.hint_doubt : "" };
    put(this.hint, "textContent", hints[word] ?? "");
    put(this.hint, "hidden", !hints[word]);
    put(this.alert, "textContent", trouble);
    put(this.alert, "hidden", !trouble);
    put(this.noteLine, "textContent", this.note);
    put(this.noteLine, "hidden", !this.note);
    put(this.power, "textContent", this.camera.wanted ? W.stop : W.start);
    put(this.recorder, "disabled", !this.recording && (!canRecord() || word !== "person"));
    put(this.recorder, "textContent", this.recording ? W.end_record : W.record);
    put(this.recorder, "className", this.recording ? "recording" : "");
  }

  figures() {
    const { ms } = this.loop.figures;
    const { rate } = this.loop.rate();
    const { engine } = this.loop;
    const F = W.figures;
    this.lastRate = rate;
    const rows = [[F.rate, rate.toFixed(1)], [F.engine, engine?.name ? W.engines[engine.name] : "…"], [F.threads, String(engine?.threads ?? 1)]];
    for (const name of ["take", "network", "matte", "draw"]) rows.push([F[name], ms[name] === undefined ? "…" : `${ms[name].toFixed(1)} ${W.ms}`]);
    rows.push([F.drawn, this.painter.tools.software ? W.software : W.hardware]);
    rows.push([F.offline, navigator.serviceWorker?.controller ? W.yes : W.not_yet]);
    this.controls.facts(rows);
  }
}

function alone(words) {
  root.replaceChildren(h("main", { class: "alone" }, h("img", { src: "icon.svg", alt: "", width: 64, height: 64 }), h("p", { role: "alert" }, words)));
}

async function main() {
  if (typeof WebAssembly !== "object") return alone(W.no_wasm);
  let about;
  try {
    const answer = await fetch("about.json");
    if (!answer.ok) throw new Error(String(answer.status));
    about = await answer.json();
  } catch {
    return alone(W.broken);
  }
  let app;
  try {
    app = new App(about);
  } catch (error) {
    if (error.message === "no WebGL2") return alone(W.no_webgl);
    throw error;
  }
  // offline from the next time on
  navigator.serviceWorker?.register("sw.js").catch(() => {});
  if (query.has("test")) {
    const { attach } = await import("./test.js");
    attach(app);
  }
  return app;
}

await main();
