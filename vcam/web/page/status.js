// What vcam does and costs, where the picture goes, and what is wrong.
import { html, useState } from "./preact.js";
import { W } from "./words.js";
import { ask, call, change, state } from "./net.js";

const refused = (key, error) =>
  change({ errors: { ...state.errors, [key]: [error.message, error.hint].filter(Boolean).join(": ") } });

async function attempt(key, method, params) {
  const errors = { ...state.errors };
  delete errors[key];
  change({ errors });
  try {
    return await call(method, params);
  } catch (error) {
    refused(key, error);
    return null;
  }
}

function Trouble({ at }) {
  return state.errors[at] ? html`<p class="error" role="alert">${state.errors[at]}</p>` : null;
}

function Chart({ values, unit, name }) {
  if (values.length < 2) return null;
  const most = Math.max(1, ...values);
  const points = values.map((value, at) => `${(at / (values.length - 1)) * 300},${60 - (value / most) * 56}`).join(" ");
  const last = values[values.length - 1];
  return html`<figure class="chart"><figcaption><strong>${Math.round(last)}</strong> ${name}</figcaption>
    <svg viewBox="0 0 300 62" preserveAspectRatio="none" role="img" aria-label=${`${name}: ${Math.round(last)}`}>
      <polygon points=${`0,62 ${points} 300,62`} /><polyline points=${points} /></svg></figure>`;
}

function duration(seconds) {
  const minutes = Math.floor(seconds / 60);
  return minutes < 1 ? `${Math.round(seconds)} s` : minutes < 120 ? `${minutes} min` : `${Math.floor(minutes / 60)} h`;
}

export function Status() {
  const now = state.status;
  if (!now) return html`<p>${W.gone}</p>`;
  const cost = Object.entries(now.cpu_ms ?? {});
  const rows = [
    [W.camera, now.camera.description || now.camera.source], [W.engine, now.segmenter || "-"],
    [W.size, `${now.size.replace("x", " × ")}, ${now.fps} fps`], [now.watched ? W.watched : W.nobody, now.watched ? W.yes : ""],
    [W.latency, now.latency_ms ? `${Math.round(now.latency_ms.p50)} / ${Math.round(now.latency_ms.p99)}` : "-"],
    [W.dropped, now.dropped], [W.memory, Math.round(now.rss_mb)], [W.uptime, duration(now.uptime_s)],
    [W.cost, cost.map(([stage, ms]) => `${stage} ${ms.toFixed(1)}`).join(", ")],
  ];
  return html`<section aria-label=${W.tabs.status}>
    <div class="charts"><${Chart} name=${W.cpu} values=${state.history.map(({ cpu }) => cpu ?? 0)} />
      <${Chart} name=${W.fps} values=${state.history.map(({ fps }) => fps ?? 0)} /></div>
    <dl class="facts">${rows.map(([name, value]) => html`<div><dt>${name}</dt><dd>${value}</dd></div>`)}</dl>
    ${now.last_error && html`<h2>${W.last_error}</h2><p class="error">${now.last_error.message}</p><p class="help">${now.last_error.hint}</p>`}
    <${Room} />
  </section>`;
}

function Room() {
  const room = state.status.room;
  const learning = state.status.state === "learning" && state.learning;
  const known = room.kept ? `${room.kept}, ${Math.round((room.known ?? 0) * 100)} % ${W.known}` : room.rests || "-";
  const learn = async () => {
    const told = await attempt("room", "room_learn", { wait: 5 });
    if (told) change({ note: W.room_learnt });
  };
  return html`<h2>${W.room}</h2><p>${known}${room.kept && room.rests ? ` (${room.rests})` : ""}</p>
    <p class="help">${W.learn_hint}</p>
    ${learning && html`<p role="status">${W.learning_steps[learning.step] ?? learning.step}
      ${learning.step === "countdown" ? ` ${Math.ceil(learning.left_s)}` : html` <progress aria-label=${W.learning_steps[learning.step] ?? learning.step} value=${learning.done}></progress>`}</p>`}
    <div class="row"><button onClick=${learn} disabled=${!!learning}>${W.learn_room}</button>
      <button class="quiet" onClick=${() => attempt("room", "room_forget", {})}>${W.forget_room}</button></div><${Trouble} at="room" />`;
}

export function Out() {
  const [file, name] = useState("");
  const now = state.status;
  if (!now) return html`<p>${W.gone}</p>`;
  const recording = now.outputs.filter(({ description }) => /record/i.test(description));
  return html`<section aria-label=${W.tabs.out}>
    <h2>${W.outputs}</h2>
    <ul class="plain">${now.outputs.map((output) => html`<li><span class=${`dot ${output.open ? "on" : output.given_up ? "bad" : ""}`}></span>
      ${output.description} ${output.dropped ? html`<small>${output.dropped} ${W.dropped}</small>` : ""}</li>`)}</ul>
    <h2>${W.streams}</h2>
    <form class="row" onSubmit=${(e) => { e.preventDefault(); attempt("record", "record_start", { file: file || W.record_file }); }}>
      <label for="record">${W.record_into}</label>
      <input id="record" type="text" placeholder=${W.record_file} value=${file} onInput=${(e) => name(e.target.value)} spellcheck="false" />
      <button>${W.record}</button></form>
    <div class="row"><button onClick=${() => attempt("record", "record_stop", {})}>${W.stop}: ${W.record}</button>
      <button onClick=${() => attempt("record", "stream_stop", {})}>${W.stop}: ${W.streams}</button></div>
    <${Trouble} at="record" />
    <p class="help">${W.stream_key_hint}</p><p><code>${W.stream_start}</code></p>
  </section>`;
}

export function Doctor() {
  const [found, find] = useState(null);
  const [copied, note] = useState("");
  const run = async () => {
    find("looking");
    try {
      find(await ask("/api/doctor", {}));
    } catch (error) {
      find([]);
      refused("doctor", error);
    }
  };
  const copy = async (text) => {
    await navigator.clipboard.writeText(text).catch(() => {});
    note(text);
  };
  const bad = Array.isArray(found) ? found.filter(({ status }) => status !== "ok") : [];
  return html`<section aria-label=${W.tabs.doctor}>
    <div class="row"><button onClick=${run} disabled=${found === "looking"}>${found === "looking" ? W.looking : W.look_again}</button>
      ${Array.isArray(found) && found.length && !bad.length ? html`<span>${W.all_well}</span>` : ""}</div><${Trouble} at="doctor" />
    <ul class="findings">${Array.isArray(found) && found.map(({ name, status, seen, cure }) => html`<li class=${status}>
      <strong>${name}</strong> <span class="word">${status}</span><p>${seen}</p>
      ${cure.map((text) => html`<div class="cure"><code>${text}</code>
        <button class="quiet" onClick=${() => copy(text)}>${copied === text ? W.copied : W.copy}</button></div>`)}</li>`)}</ul>
  </section>`;
}
