// The page: the preview beside the tabs, the bar above, shortcuts.
import { html, render, useEffect, useRef, useState } from "./preact.js";
import { W } from "./words.js";
import { ask, call, change, connect, enter, listen, loadBackgrounds, set, setChain, state, undo } from "./net.js";
import { Backgrounds, drop, nextBackground } from "./backgrounds.js";
import { Cameras } from "./camera.js";
import { Looks, Settings } from "./looks.js";
import { Out } from "./out.js";
import { Preview } from "./preview.js";
import { Doctor, Status } from "./status.js";

const TABS = { background: Backgrounds, looks: Looks, camera: Cameras, out: Out, settings: Settings, status: Status, doctor: Doctor };
// as in vcam's window
const FILTERS = { c: "color-transfer", s: "seamless-clone", m: "smoothstep", h: "harmonise" };

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

const flip = (name) => set(name, !state.settings.values[name]);
const has = (filter) => state.about.filters.some(({ name }) => name === filter);

function toggleFilter(name) {
  const without = state.settings.chain.filter((entry) => entry.name !== name);
  setChain(without.length < state.settings.chain.length ? without : [...without, { name, values: {}, known: true }]);
}

const steady = (by) => set("matte.temporal", Math.round(Math.min(1, Math.max(0, state.settings.values["matte.temporal"] + by)) * 1000) / 1000);

function keyed(event, help) {
  const key = event.key.toLowerCase();
  if (event.ctrlKey || event.metaKey) return { s: keep, z: undo }[key];
  if (FILTERS[key]) return has(FILTERS[key]) ? () => toggleFilter(FILTERS[key]) : undefined;
  return {
    b: nextBackground, "+": () => steady(0.1), "=": () => steady(0.1), "-": () => steady(-0.1), f: () => flip("segment.skip_still"),
    p: pause, x: () => flip("camera.mirror"), a: () => flip("framing.auto"), u: undo, "?": help,
  }[key];
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
      if (event.altKey || !state.settings) return;
      if (event.target.closest("input,select,textarea,dialog") && event.target.type !== "checkbox" && event.target.type !== "range") return;
      const act = keyed(event, help);
      if (act) {
        event.preventDefault();
        // a key that is held would switch to and fro
        if (!event.repeat || "+=-".includes(event.key)) act();
      }
    };
    addEventListener("keydown", key);
    return () => removeEventListener("keydown", key);
  }, []);
  return html`<div class="page" onDragOver=${(e) => e.preventDefault()} onDrop=${drop}>
    <${Bar} help=${help} />
    ${state.closed && html`<p class="banner bad" role="alert">${W.lost}</p>`}
    ${state.gone && !state.closed && html`<p class="banner bad" role="alert">${state.gone.error}. ${state.gone.hint}</p>`}
    ${state.blind && html`<p class="banner bad" role="alert">${state.blind.error}. ${state.blind.hint}</p>`}
    ${state.note && html`<p class="banner note" role="status">${state.note} <button class="quiet" aria-label=${W.close} onClick=${() => change({ note: "" })}>×</button></p>`}
    <main><${Preview} /><${Tabs} tab=${tab} choose=${choose} /></main>
    <dialog ref=${dialog} aria-label=${W.shortcuts}><h2>${W.shortcuts}</h2>
      <dl class="facts">${W.shortcut_list.filter(([, , filter]) => !filter || has(filter)).map(([key, does]) => html`<div><dt><kbd>${key}</kbd></dt><dd>${does}</dd></div>`)}</dl>
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
