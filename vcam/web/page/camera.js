// Cameras by device, what their drivers let be set, and the empty room behind whoever sits there.
import { html, useEffect, useState } from "./preact.js";
import { W } from "./words.js";
import { ask, set, state } from "./net.js";
import { Room } from "./room.js";
import { Slider, Widget } from "./widgets.js";

const SOURCE = "camera.source";
const CONTROLS = "camera.controls";

const pairs = (text) =>
  String(text).split(",").map((part) => part.trim()).filter(Boolean).map((part) => {
    const at = part.indexOf("=");
    return [part.slice(0, at).trim(), part.slice(at + 1).trim()];
  });

const told = (error) => [error.message, error.hint].filter(Boolean).join(": ");

// Other controls of the list stay as they are, and in their order: a driver may need its automatic switched off first.
function withControl(text, name, value) {
  const rest = pairs(text).filter(([known]) => known !== name);
  return [...rest, [name, value]].map(([known, wished]) => `${known}=${wished}`).join(",");
}

function Camera({ source, name, note, mode, chosen, usable = true }) {
  return html`<label class=${`pick ${chosen ? "chosen" : ""}`}>
    <input type="radio" name="camera" checked=${chosen} disabled=${!usable || !!state.gone} onChange=${() => set(SOURCE, source)} />
    <span><strong>${name}</strong>${mode && html`<small>${mode}</small>`}${note && html`<small class="warn">${note}</small>`}</span></label>`;
}

function Control({ about, change, error }) {
  const { name, kind, minimum, maximum, step, choices, active } = about;
  const wished = pairs(state.settings.values[CONTROLS]).find(([known]) => known === name)?.[1];
  const value = wished !== undefined && wished !== "" && !Number.isNaN(+wished) ? +wished : (about.value ?? about.default);
  const id = `k-${name}`;
  const label = name[0].toUpperCase() + name.slice(1).replaceAll("_", " ");
  const disabled = !active || !!state.gone;
  let control;
  if (kind === "boolean")
    control = html`<input type="checkbox" role="switch" id=${id} checked=${!!value} disabled=${disabled} onChange=${(e) => change(name, +e.target.checked)} />`;
  else if (kind === "menu")
    control = html`<select id=${id} disabled=${disabled} onChange=${(e) => change(name, +e.target.value)}>
      ${choices.map(([number, words]) => html`<option value=${number} selected=${number === value}>${words}</option>`)}</select>`;
  else if (maximum - minimum <= 100_000)
    control = html`<${Slider} id=${id} value=${value} minimum=${minimum} maximum=${maximum} whole=${true} by=${step} disabled=${disabled} change=${(to) => change(name, to)} />`;
  else
    control = html`<input type="number" id=${id} value=${value} min=${minimum} max=${maximum} step=${step} disabled=${disabled}
      onChange=${(e) => e.target.value && change(name, +e.target.value)} />`;
  return html`<div class=${`widget ${kind}`}><label for=${id}>${label}</label><div class="control">${control}
    ${value !== about.default && !disabled && html`<button class="quiet" title=${W.reset} aria-label=${`${W.reset}: ${label}`} onClick=${() => change(name, about.default, " reset")}>↺</button>`}</div>
    ${!active && html`<p class="help">${W.overruled}</p>`}
    ${error && html`<p class="error" role="alert">${error}</p>`}</div>`;
}

export function Cameras() {
  const [found, find] = useState(null);
  const [trouble, mind] = useState("");
  const [touched, touch] = useState("");
  const [asked, again] = useState(0);
  const { source, description } = state.status?.camera ?? {};
  const wished = state.settings.values[CONTROLS];
  // another camera, or an automatic that was switched: what can be set is another then
  useEffect(() => {
    let over = false;
    const later = setTimeout(async () => {
      try {
        const now = await ask("/api/cameras", {});
        if (!over) {
          find(now);
          mind("");
        }
      } catch (error) {
        if (!over) mind(told(error));
      }
    }, found ? 400 : 0);
    return () => {
      over = true;
      clearTimeout(later);
    };
  }, [asked, source, description, wished, !!state.gone]);
  const change = (name, value, reset = "") => {
    touch(name);
    set(CONTROLS, withControl(state.settings.values[CONTROLS], name, value), { step: name + reset });
  };
  const now = String(state.settings.values[SOURCE]);
  const cameras = found?.cameras ?? [];
  const known = cameras.some((camera) => camera.source === now || camera.path === now);
  const controls = found?.controls ?? [];
  const error = state.errors[CONTROLS];
  const using = cameras.find(({ used }) => used);
  return html`<section aria-label=${W.tabs.camera}>
    <div class="head"><h2>${W.cameras}</h2><button class="quiet" onClick=${() => again(asked + 1)}>${W.look_again}</button></div>
    <div class="plain" role="radiogroup" aria-label=${W.cameras}>
      <${Camera} source="auto" name=${W.camera_auto} note="" mode=${now === "auto" && using ? using.name : ""} chosen=${now === "auto"} />
      ${cameras.map((camera) => html`<${Camera} key=${camera.path} ...${camera} chosen=${camera.source === now || camera.path === now} />`)}
      <${Camera} source="demo" name=${W.camera_demo} chosen=${now === "demo"} />
      ${!known && now !== "auto" && now !== "demo" && html`<${Camera} source=${now} name=${now} chosen=${true} />`}
    </div>
    ${found && !cameras.length && html`<p class="help">${W.no_cameras}</p>`}
    ${trouble && html`<p class="error" role="alert">${trouble}</p>`}
    ${state.errors[SOURCE] && html`<p class="error" role="alert">${state.errors[SOURCE]}</p>`}
    <h2>${W.framing}</h2>
    <div class="widgets">${state.about.settings.filter(({ framed }) => framed).map((about) => html`<${Widget} key=${about.key} about=${about} />`)}</div>
    ${(controls.length > 0 || using) && html`<h2>${W.controls}</h2>
      <div class="widgets">${controls.map((about) => html`<${Control} key=${about.name} about=${about} change=${change} error=${touched === about.name && error} />`)}</div>
      ${!controls.length && html`<p class="help">${W.no_controls}</p>`}
      ${error && !controls.some(({ name }) => name === touched) && html`<p class="error" role="alert">${error}</p>`}`}
    <${Room} />
  </section>`;
}
