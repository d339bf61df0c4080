// What people change most, and the filters in their order.
import { html, useState } from "./preact.js";
import { W } from "./words.js";
import { setChain, state } from "./net.js";
import { Profiles } from "./profiles.js";
import { Slider, Widget } from "./widgets.js";

function Parameter({ at, index, about, value, change }) {
  const id = `f-${index}-${about.name}`;
  const shown = value ?? about.default;
  return html`<div class="widget"><label for=${id}>${about.name}</label><div class="control">
    ${about.kind === "slider"
      ? html`<${Slider} id=${id} value=${shown} minimum=${about.minimum} maximum=${about.maximum} unit=${about.unit} change=${change} />`
      : about.kind === "choice"
        ? html`<select id=${id} value=${shown} onChange=${(e) => change(e.target.value)}>
            ${about.choices.map((choice) => html`<option selected=${choice === shown}>${choice}</option>`)}</select>`
        : html`<input type="text" id=${id} value=${shown} onChange=${(e) => change(e.target.value)} />`}
    </div><p class="help">${about.help}</p></div>`;
}

export function Looks() {
  const { settings, filters } = state.about;
  const chain = state.settings.chain;
  const [dragged, drag] = useState(-1);
  const move = (from, to) => {
    if (to < 0 || to >= chain.length || from === to) return;
    const moved = [...chain];
    moved.splice(to, 0, ...moved.splice(from, 1));
    setChain(moved);
  };
  const with_ = (index, values) => setChain(chain.map((entry, at) => (at === index ? { ...entry, values } : entry)));
  const error = state.errors["filters.chain"];
  return html`<section aria-label=${W.tabs.looks}>
    <h2>${W.most_used}</h2>
    <div class="widgets">${settings.filter(({ used_most: most }) => most).sort((one, other) => one.used_most - other.used_most)
      .map((about) => html`<${Widget} key=${about.key} about=${about} />`)}</div>
    <h2>${W.filters}</h2>
    ${!chain.length && html`<p class="help">${W.no_filters}</p>`}
    <ol class="chain">${chain.map((entry, index) => {
      const about = filters.find(({ name }) => name === entry.name);
      return html`<li key=${`${index}-${entry.name}`} class=${dragged === index ? "dragged" : ""} onDragOver=${(e) => e.preventDefault()}
          onDrop=${(e) => { if (dragged < 0) return; e.preventDefault(); e.stopPropagation(); move(dragged, index); drag(-1); }}>
        <div class="filter-head" draggable="true" onDragEnd=${() => drag(-1)}
          onDragStart=${(e) => { e.dataTransfer.setData("text/plain", entry.name); drag(index); }}><strong>${entry.name}</strong>
          <span class="buttons">
            <button class="quiet" aria-label=${`${W.up}: ${entry.name}`} disabled=${index === 0} onClick=${() => move(index, index - 1)}>↑</button>
            <button class="quiet" aria-label=${`${W.down}: ${entry.name}`} disabled=${index === chain.length - 1} onClick=${() => move(index, index + 1)}>↓</button>
            <button class="quiet" aria-label=${`${W.remove}: ${entry.name}`} onClick=${() => setChain(chain.filter((_, at) => at !== index))}>×</button>
          </span></div>
        ${about && html`<p class="help">${about.help}</p><div class="widgets">${about.parameters.map((parameter) =>
          html`<${Parameter} key=${parameter.name} index=${index} about=${parameter} value=${entry.values[parameter.name]}
            change=${(to) => with_(index, { ...entry.values, [parameter.name]: to })} />`)}</div>`}
      </li>`;
    })}</ol>
    ${error && html`<p class="error" role="alert">${error}</p>`}
    <div class="row"><label for="add-filter">${W.add_filter}</label>
      <select id="add-filter" disabled=${!!state.gone} onChange=${(e) => { if (e.target.value) setChain([...chain, { name: e.target.value, values: {}, known: true }]); e.target.value = ""; }}>
        <option value=""></option>
        ${filters.map(({ name, help }) => html`<option value=${name} title=${help}>${name}</option>`)}</select></div>
  </section>`;
}

export function Settings() {
  const [search, find] = useState("");
  const [only, onlyChanged] = useState(false);
  const wanted = state.about.settings.filter((about) => {
    const value = state.settings.values[about.key];
    if (about.secret || value === undefined || about.key === "filters.chain") return false;
    if (only && JSON.stringify(value) === JSON.stringify(about.default)) return false;
    return `${about.key} ${about.help}`.toLowerCase().includes(search.toLowerCase());
  });
  const sections = [...new Set(wanted.map(({ key }) => key.split(".")[0]))];
  return html`<section aria-label=${W.tabs.settings}>
    <${Profiles} />
    <h2>${W.every_setting}</h2>
    <div class="row"><label for="search">${W.search}</label>
      <input id="search" type="search" value=${search} onInput=${(e) => find(e.target.value)} />
      <label class="check"><input type="checkbox" checked=${only} onChange=${(e) => onlyChanged(e.target.checked)} /> ${W.only_changed}</label></div>
    ${sections.map((name) => html`<h2 key=${name}>${W.sections[name] ?? name}</h2>
      <div class="widgets">${wanted.filter(({ key }) => key.startsWith(`${name}.`)).map((about) => html`<${Widget} key=${about.key} about=${about} />`)}</div>`)}
  </section>`;
}
