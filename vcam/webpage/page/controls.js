// What can be changed, beside the picture: every control is a native one, named by its label.
import { h } from "./dom.js";
import { ENGINES, RANGES, SIZES } from "./settings.js";
import { W } from "./words.js";

let number = 0;
const named = (text, control, ...more) => {
  control.id ||= `c${++number}`;
  return h("div", { class: "widget" }, h("label", { for: control.id }, text), h("div", { class: "control" }, control, ...more));
};

// Each control calls set(name, value) and can be brought up to date by `show`.
export class Controls {
  // about: about.json. act: what the buttons do.
  constructor(about, settings, set, act) {
    this.settings = settings;
    this.set = set;
    this.refreshers = [];
    this.devices = this.select("camera", [["", W.any_camera]]);
    this.figures = h("dl", { class: "facts" });
    this.strength = this.slider("blur", W.blur_strength);
    this.colour = named(W.color_pick, this.bound(h("input", { type: "color" }), "color", "input"));
    this.element = h("div", { class: "side" },
      h("section", {}, h("h2", {}, W.background), this.tiles(about.backgrounds, act.own), this.strength, this.colour, h("p", { class: "help" }, W.drop)),
      h("section", {}, h("h2", {}, W.edge), this.slider("lightWrap", W.lightWrap), this.slider("temporal", W.temporal), this.slider("edge", W.edge_by),
        this.slider("softness", W.softness), this.slider("islands", W.islands, "%"), h("button", { type: "button", class: "quiet", onclick: act.reset }, W.reset)),
      h("section", {}, h("h2", {}, W.camera), named(W.camera, this.devices), named(W.size, this.select("size", SIZES.map((size) => [size, size.replace("x", " × ")]))),
        this.check("mirror", W.mirror)),
      h("details", {}, h("summary", {}, W.how), named(W.engine, this.select("engine", ENGINES.map((name) => [name, W.engines[name]]))), this.figures));
    this.show();
  }

  bound(control, name, event, read = (each) => each.value) {
    control.addEventListener(event, () => this.set(name, read(control)));
    this.refreshers.push(() => {
      const value = this.settings[name];
      if (control.type === "checkbox") control.checked = value;
      else if (control.value !== String(value)) control.value = value;
    });
    return control;
  }

  slider(name, text, unit = "") {
    const { minimum, maximum, step } = RANGES[name];
    const control = h("input", { type: "range", min: String(minimum), max: String(maximum), step: String(step) });
    const shown = h("output");
    this.bound(control, name, "input", (each) => Number(each.value));
    this.refreshers.push(() => (shown.textContent = `${Number(this.settings[name].toFixed(2))}${unit}`));
    return named(text, control, shown);
  }

  check(name, text) {
    return named(text, this.bound(h("input", { type: "checkbox", role: "switch" }), name, "change", (each) => each.checked));
  }

  select(name, choices) {
    const control = h("select", {}, choices.map(([value, text]) => h("option", { value }, text)));
    return this.bound(control, name, "change");
  }

  tiles(backgrounds, own) {
    const group = h("fieldset", { class: "tiles" }, h("legend", { class: "unseen" }, W.background));
    const tile = (value, text, picture) => {
      const radio = h("input", { type: "radio", name: "background", value, class: "unseen" });
      radio.addEventListener("change", () => this.set("background", value));
      this.refreshers.push(() => (radio.checked = this.settings.background === value));
      return h("label", { class: "tile" }, radio, h("span", { class: "face" }, picture, h("span", { class: "name" }, text)));
    };
    const swatch = (kind) => h("span", { class: `swatch ${kind}` });
    this.ownPicture = h("img", { alt: "", hidden: true });
    this.ownTile = tile("own", W.own, this.ownPicture);
    this.ownTile.hidden = true;
    const file = h("input", { type: "file", accept: "image/*", class: "unseen", "aria-label": W.add });
    file.addEventListener("change", () => {
      if (file.files.length) own(file.files[0]);
      file.value = "";
    });
    group.append(tile("blur", W.blur, swatch("blur")), tile("color", W.color, swatch("color")),
      ...backgrounds.map(({ name, text }) => tile(name, text, h("img", { alt: "", src: `backgrounds/${name}-small.jpg`, loading: "lazy" }))),
      this.ownTile, h("label", { class: "tile" }, file, h("span", { class: "face" }, h("span", { class: "swatch plus", "aria-hidden": "true" }, "+"), h("span", { class: "name" }, W.add))),
      tile("clear", W.clear, swatch("clear")));
    return group;
  }

  haveOwn(address) {
    this.ownPicture.src = address;
    this.ownPicture.hidden = this.ownTile.hidden = false;
  }

  cameras(found) {
    const known = found.filter(({ label }) => label);
    this.devices.replaceChildren(h("option", { value: "" }, W.any_camera), ...known.map(({ id, label }) => h("option", { value: id }, label)));
    const word = this.settings.camera.toLowerCase();
    const chosen = word && (known.find(({ id }) => id === this.settings.camera) ?? known.find(({ label }) => label.toLowerCase().includes(word)));
    this.devices.value = chosen ? chosen.id : "";
  }

  facts(rows) {
    this.figures.replaceChildren(...rows.map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value))));
  }

  // Shows the settings as they are now.
  show() {
    this.refreshers.forEach((refresh) => refresh());
    this.strength.hidden = this.settings.background !== "blur";
    this.colour.hidden = this.settings.background !== "color";
  }
}
