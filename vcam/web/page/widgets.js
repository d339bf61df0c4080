// One widget for each kind of setting, made from what vcam says of it.
import { html, useState, useEffect } from "./preact.js";
import { W } from "./words.js";
import { set, state } from "./net.js";

export const label = (key) => {
  if (W.labels[key]) return W.labels[key];
  const name = key.split(".").pop().replaceAll("_", " ");
  return name[0].toUpperCase() + name.slice(1);
};

export function step(minimum, maximum, whole) {
  if (whole) return 1;
  const span = maximum - minimum;
  return span <= 2 ? 0.01 : span <= 20 ? 0.1 : Number.isInteger(minimum) ? 1 : 0.5;
}

export function Trouble({ at }) {
  return state.errors[at] ? html`<p class="error" role="alert">${state.errors[at]}</p>` : null;
}

export function Slider({ id, value, minimum, maximum, whole, by, unit, described, change, disabled }) {
  const shown = typeof value === "number" ? +value.toFixed(2) : value;
  return html`<span class="slide">
    <input type="range" id=${id} min=${minimum} max=${maximum} step=${by ?? step(minimum, maximum, whole)} value=${value}
      aria-describedby=${described} disabled=${disabled} onInput=${(e) => change(+e.target.value)} />
    <output for=${id}>${shown}${unit ? html` <small>${unit}</small>` : ""}</output></span>`;
}

function Text({ id, value, change, words, described, number, disabled }) {
  const [typed, type] = useState(null);
  useEffect(() => type(null), [value]);
  const done = () => {
    // nothing is no number
    if (typed !== null && typed !== String(value) && !(number && !typed.trim())) change(number ? +typed : typed);
    type(null);
  };
  const list = words && words.length ? `${id}-words` : undefined;
  return html`<input type=${number ? "number" : "text"} step="any" id=${id} value=${typed ?? value} list=${list} aria-describedby=${described}
      spellcheck="false" disabled=${disabled} onInput=${(e) => type(e.target.value)} onBlur=${done}
      onKeyDown=${(e) => e.key === "Enter" && done()} />
    ${list && html`<datalist id=${list}>${words.map((word) => html`<option value=${word} />`)}</datalist>`}`;
}

export function Widget({ about }) {
  const { key, kind, choices, minimum, maximum, unit, words, whole } = about;
  const value = state.settings.values[key];
  const id = `w-${key}`;
  const described = `h-${key}`;
  const error = state.errors[key];
  const disabled = !about.live || about.locked || !!state.gone;
  const change = (to) => set(key, to);
  let control;
  if (kind === "switch")
    control = html`<input type="checkbox" role="switch" id=${id} checked=${value} aria-describedby=${described} disabled=${disabled}
      onChange=${(e) => change(e.target.checked)} />`;
  else if (kind === "choice")
    control = html`<select id=${id} value=${value} aria-describedby=${described} disabled=${disabled} onChange=${(e) => change(e.target.value)}>
      ${choices.map((choice) => html`<option value=${choice} selected=${choice === value}>${choice}</option>`)}</select>`;
  else if (kind === "slider")
    control = html`<${Slider} ...${{ id, value, minimum, maximum, unit, described, change, whole, disabled }} />`;
  else
    control = html`<${Text} ...${{ id, change, words, described, disabled }} number=${kind === "number"}
      value=${Array.isArray(value) ? value.join(", ") : value ?? ""} />`;
  const differs = JSON.stringify(value) !== JSON.stringify(about.default);
  return html`<div class=${`widget ${kind}`}>
    <label for=${id}>${label(key)}</label>
    <div class="control">${control}
      ${differs && about.live && !about.locked && kind !== "list" &&
      html`<button class="quiet" title=${W.reset} aria-label=${`${W.reset}: ${label(key)}`} onClick=${() => set(key, about.default, { step: "reset" })}>↺</button>`}</div>
    <p class="help" id=${described}>${about.help}${!about.live ? ` (${W.not_live})` : ""}</p>
    ${about.locked && html`<p class="help warn">${W.locked}</p>`}
    ${error && html`<p class="error" role="alert">${error}</p>`}
  </div>`;
}
