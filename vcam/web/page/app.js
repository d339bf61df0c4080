// The page: the preview beside the tabs, the bar above, shortcuts.
import { html, render, useEffect, useRef, useState } from "./preact.js";
import { W } from "./words.js";
import { ask, call, change, connect, enter, listen, loadBackgrounds, look, lookAway, set, setChain, state, undo } from "./net.js";
import { Backgrounds, blurBy, drop, nextBackground } from "./backgrounds.js";
import { Looks, Settings } from "./looks.js";
import { Doctor, Out, Status } from "./status.js";

const TABS = { background: Backgrounds, looks: Looks, settings: Settings, out: Out, status: Status, doctor: Doctor };

async function guarded(work) {
  try {
    await work();
  } catch (error) {
    change({ note: [error.message, error.hint].filter(Boolean).join(": ") });
  }
}

const pause = () => guarded(() => call(state.status?.state === "paused" ? "resume" : "pause", {}));

const keep = () =>
  guarded(async () => {
    const { saved, left, place } = await ask("/api/keep", {});
    const note = saved.length ? `${W.kept} ${place}` : left.length ? "" : W.nothing_to_keep;
    change({ note: left.length ? `${note} ${W.not_kept} ${left.join(", ")}` : note });
  });

function Preview() {
  const canvas = useRef();
  const [seen, see] = useState(null);
  const [on, turn] = useState(true);
  useEffect(() => {
    if (!on) {
      lookAway();
      see(null);
      return undefined;
    }
    look(async (blob, composited) => {
      if (!blob) return see((before) => before ?? "none");
      const picture = await createImageBitmap(blob);
      const target = canvas.current;
      if (target) {
        if (target.width !== picture.width || target.height !== picture.height) {
          target.width = picture.width;
          target.height = picture.height;
        }
        target.getContext("2d").drawImage(picture, 0, 0);
        target.dataset.frames = +(target.dataset.frames ?? 0) + 1;
      }
      picture.close();
      return see(composited ? "picture" : "placeholder");
    });
    return lookAway;
  }, [on]);
  const camera = state.status?.camera.on;
  return html`<figure class="preview">
    <div class="screen"><canvas ref=${canvas} width="640" height="360" role="img" aria-label=${W.preview}></canvas>
      ${(!on || seen === null || seen === "none") && html`<div class="veil">${on ? W.no_picture : html`<button onClick=${() => turn(true)}>${W.show_preview}</button>`}</div>`}
      ${camera && html`<span class="rec" title=${W.camera_hint}></span>`}</div>
    <figcaption><span>${seen === "placeholder" ? W.placeholder : camera ? W.camera_hint : W.camera_off}</span>
      ${on && html`<button class="quiet" onClick=${() => turn(false)}>${W.hide_preview}</button>`}</figcaption>
  </figure>`;
}

function Bar({ help }) {
  const word = state.gone || !state.status ? "gone" : state.status.state;
  const profiles = state.settings?.profiles ?? [];
  const [starting, begin] = useState(false);
  const start = async () => {
    begin(true);
    await guarded(() => ask("/api/start", {}));
    begin(false);
  };
  return html`<header>
    <h1><img src="/page/icon.svg" alt="" width="28" height="28" />${W.title}</h1>
    <span class=${`state ${word}`} role="status" title=${state.status?.cause ?? ""}>${W.states[word] ?? word}</span>
    <span class="actions">
      ${profiles.length > 0 && html`<label class="profile">${W.profile}
        <select value=${state.settings.profile} onChange=${(e) => guarded(() => call("profile", { name: e.target.value }))}>
          <option value="">${W.no_profile}</option>${profiles.map((name) => html`<option selected=${name === state.settings.profile}>${name}</option>`)}</select></label>`}
      ${word === "gone"
        ? html`<button class="main" disabled=${starting} onClick=${start}>${starting ? W.starting : W.start}</button>`
        : html`<button onClick=${pause}>${word === "paused" ? W.resume : W.pause}</button>`}
      <button disabled=${!state.undo.length} onClick=${undo}>${W.undo}</button>
      <button disabled=${word === "gone"} onClick=${keep}>${W.keep}</button>
      <button class="quiet" aria-label=${W.shortcuts} title=${W.shortcuts} onClick=${help}>?</button>
    </span></header>`;
}

function Tabs({ tab, choose }) {
  const names = Object.keys(TABS);
  const step = (event) => {
    const by = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!by) return;
    const next = names[(names.indexOf(tab) + by + names.length) % names.length];
    choose(next);
    document.getElementById(`tab-${next}`)?.focus();
  };
  const Shown = TABS[tab];
  return html`<div class="side"><div role="tablist" aria-label=${W.title} onKeyDown=${step}>
      ${names.map((name) => html`<button role="tab" id=${`tab-${name}`} aria-selected=${name === tab} aria-controls="panel"
        tabindex=${name === tab ? 0 : -1} onClick=${() => choose(name)}>${W.tabs[name]}</button>`)}</div>
    <div role="tabpanel" id="panel" aria-labelledby=${`tab-${tab}`} tabindex="0">${state.settings ? html`<${Shown} />` : html`<p class="help">${W.gone}</p>`}</div></div>`;
}

function App() {
  const [, again] = useState(0);
  const [tab, choose] = useState("background");
  const dialog = useRef();
  const help = () => dialog.current.showModal();
  useEffect(() => listen(() => again((count) => count + 1)), []);
  useEffect(() => {
    const key = (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey || !state.settings) return;
      if (event.target.closest("input,select,textarea,dialog") && event.target.type !== "checkbox" && event.target.type !== "range") return;
      const flip = (name) => set(name, !state.settings.values[name]);
      const toggle = (name) => {
        const others = state.settings.chain.filter((entry) => entry.name !== name);
        setChain(others.length < state.settings.chain.length ? others : [...others, { name, values: {}, known: true }]);
      };
      const keys = {
        c: pause, m: () => flip("camera.mirror"), b: nextBackground, f: () => flip("framing.auto"), h: () => toggle("harmonise"),
        s: keep, u: undo,
        "+": () => blurBy(5), "-": () => blurBy(-5), "?": help,
      };
      const act = keys[event.key.toLowerCase()];
      if (act) {
        event.preventDefault();
        // a key that is held would switch to and fro
        if (!event.repeat || event.key === "+" || event.key === "-") act();
      }
    };
    addEventListener("keydown", key);
    return () => removeEventListener("keydown", key);
  }, []);
  return html`<div class="page" onDragOver=${(e) => e.preventDefault()} onDrop=${drop}>
    <${Bar} help=${help} />
    ${state.closed && html`<p class="banner bad" role="alert">${W.lost}</p>`}
    ${state.gone && !state.closed && html`<p class="banner bad" role="alert">${state.gone.error}. ${state.gone.hint}</p>`}
    ${state.note && html`<p class="banner note" role="status">${state.note} <button class="quiet" aria-label=${W.close} onClick=${() => change({ note: "" })}>×</button></p>`}
    <main><${Preview} /><${Tabs} tab=${tab} choose=${choose} /></main>
    <dialog ref=${dialog} aria-label=${W.shortcuts}><h2>${W.shortcuts}</h2>
      <dl class="facts">${W.shortcut_list.map(([key, does]) => html`<div><dt><kbd>${key}</kbd></dt><dd>${does}</dd></div>`)}</dl>
      <button onClick=${() => dialog.current.close()}>${W.close}</button></dialog>
  </div>`;
}

const root = document.getElementById("app");
try {
  await enter();
  connect();
  loadBackgrounds();
  render(html`<${App} />`, root);
} catch {
  render(html`<main class="alone"><img src="/page/icon.svg" alt="" width="64" height="64" /><p role="alert">${W.link_old}</p></main>`, root);
}
