// Backgrounds as pictures: vcam's own kinds, and the user's files.
import { html, useRef, useState } from "./preact.js";
import { W } from "./words.js";
import { ask, change, loadBackgrounds, set, state } from "./net.js";
import { Slider, Widget } from "./widgets.js";

const KEY = "background.spec";

function Tile({ spec, name, title, children, picture, remove }) {
  const now = String(state.settings.values[KEY]);
  const kind = spec.split(":")[0];
  const chosen = spec === now || (!spec.startsWith("/") && kind === now.split(":")[0]);
  return html`<li class="tile">
    <button class=${chosen ? "chosen" : ""} aria-pressed=${chosen} disabled=${!!state.gone} title=${title} onClick=${() => set(KEY, spec)}>
      ${picture ? html`<img src=${picture} alt="" loading="lazy" />` : html`<span class=${`swatch ${kind}`}></span>`}
      <span class="name">${name}</span>${children}</button>
    ${remove && html`<button class="quiet remove" aria-label=${`${W.remove}: ${name}`} title=${W.remove} onClick=${remove}>×</button>`}</li>`;
}

async function send(files) {
  for (const file of files) {
    change({ note: `${W.adding} ${file.name} …` });
    try {
      const added = await ask(`/api/backgrounds/${encodeURIComponent(file.name)}`, file, "PUT");
      await loadBackgrounds();
      await set(KEY, added.path);
      change({ note: "" });
    } catch (error) {
      change({ note: "", errors: { ...state.errors, [KEY]: [error.message, error.hint].filter(Boolean).join(": ") } });
    }
  }
}

export function drop(event) {
  event.preventDefault();
  if (event.dataTransfer && event.dataTransfer.files.length) send([...event.dataTransfer.files]);
}

export function nextBackground() {
  const all = ["blur", ...state.backgrounds.map(({ path }) => path), ...state.about.ready.map(({ name }) => name)];
  const at = all.indexOf(String(state.settings.values[KEY]));
  set(KEY, all[(at + 1) % all.length]);
}

export function Backgrounds() {
  const input = useRef();
  const [typed, type] = useState("");
  const now = String(state.settings.values[KEY]);
  const [kind, rest] = [now.split(":")[0], now.slice(now.indexOf(":") + 1)];
  const strength = kind === "blur" || kind === "pixelate" ? (now.includes(":") ? +rest || 25 : 25) : null;
  const colour = kind === "color" && /^#[0-9a-f]{6}$/i.test(rest) ? rest : "#0f766e";
  const error = state.errors[KEY];
  const pictures = state.backgrounds.filter(({ film }) => !film).length;
  const more = state.about.settings.filter(({ key }) => key === "background.fade" || key === (now === state.about.folder ? "background.interval" : "background.fit"));
  const remove = async (name) => {
    if (!confirm(`${W.remove_sure} ${name}?`)) return;
    try {
      await ask(`/api/backgrounds/${encodeURIComponent(name)}`, undefined, "DELETE");
    } catch (error) {
      change({ errors: { ...state.errors, [KEY]: [error.message, error.hint].filter(Boolean).join(": ") } });
    }
    loadBackgrounds();
  };
  return html`<section aria-label=${W.tabs.background}>
    <ul class="tiles">
      <${Tile} spec="blur" name=${W.blur} /><${Tile} spec="pixelate" name=${W.pixelate} />
      <${Tile} spec=${`color:${colour}`} name=${W.colour} /><${Tile} spec="green" name=${W.green} />
      <${Tile} spec="screen" name=${W.screen} /><${Tile} spec="none" name=${W.none} />
    </ul>
    ${strength !== null && html`<div class="widget"><label for="strength">${W.blur_strength}</label><div class="control">
      <${Slider} id="strength" value=${strength} minimum=${2} maximum=${100} whole=${true} change=${(to) => set(KEY, `${kind}:${to}`)} /></div></div>`}
    ${kind === "color" && html`<div class="widget"><label for="colour">${W.colour}</label><div class="control">
      <input id="colour" type="color" value=${colour} onInput=${(e) => set(KEY, `color:${e.target.value}`)} /></div></div>`}
    <h2>${W.ready}</h2>
    <ul class="tiles">${state.about.ready.map(({ name, about }) => html`<${Tile} key=${name} spec=${name}
      name=${name.replace("-", " ")} title=${about} picture=${`/api/ready/${name}`} />`)}</ul>
    <h2>${W.own}</h2>
    <ul class="tiles">
      ${state.backgrounds.map(({ name, path, film }) => html`<${Tile} key=${path} spec=${path} name=${name.replace(/\.[^.]+$/, "")}
          picture=${`/api/small/${encodeURIComponent(name)}`} remove=${path !== now && (() => remove(name))}>${film && html`<span class="badge">${W.film}</span>`}<//>`)}
      ${pictures > 1 && html`<${Tile} spec=${state.about.folder} name=${W.slide_show} title=${W.slide_show_hint}
        picture=${`/api/small/${encodeURIComponent(state.backgrounds.find(({ film }) => !film).name)}`}><span class="badge">${pictures} ${W.pictures}</span><//>`}
      <li class="tile add"><button onClick=${() => input.current.click()}><span class="swatch plus">+</span><span class="name">${W.add}</span></button>
        <input ref=${input} type="file" accept="image/*,video/*" multiple hidden onChange=${(e) => send([...e.target.files])} /></li>
    </ul>
    ${!state.backgrounds.length && html`<p class="help">${W.no_backgrounds}</p>`}
    <div class="widgets">${more.map((about) => html`<${Widget} key=${about.key} about=${about} />`)}</div>
    <form class="row" onSubmit=${(e) => { e.preventDefault(); if (typed) set(KEY, typed); type(""); }}>
      <label for="custom">${W.custom}</label>
      <input id="custom" type="text" spellcheck="false" placeholder=${now} value=${typed} onInput=${(e) => type(e.target.value)} />
      <button>${W.use}</button></form>
    ${error && html`<p class="error" role="alert">${error}</p>`}
  </section>`;
}
