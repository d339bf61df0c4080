// What vcam does and costs, and what is wrong.
import { html, useState } from "./preact.js";
import { W } from "./words.js";
import { ask, refused, state } from "./net.js";
import { Trouble } from "./widgets.js";

function Chart({ values, unit, name }) {
  if (values.length < 2) return null;
  const most = Math.max(1, ...values);
  const points = values.map((value, at) => `${(at / (values.length - 1)) * 300},${60 - (value / most) * 56}`).join(" ");
  const last = values[values.length - 1];
  return html`<figure class="chart"><figcaption><strong>${Math.round(last)}</strong> ${name}</figcaption>
    <svg viewBox="0 0 300 62" preserveAspectRatio="none" role="img" aria-label=${`${name}: ${Math.round(last)}`}>
      <polygon points=${`0,62 ${points} 300,62`} /><polyline points=${points} /></svg></figure>`;
}

export function duration(seconds) {
  const minutes = Math.floor(seconds / 60);
  return minutes < 1 ? `${Math.round(seconds)} s` : minutes < 120 ? `${minutes} min` : `${Math.floor(minutes / 60)} h`;
}

export function Status() {
  const now = state.status;
  if (!now) return html`<p>${W.gone}</p>`;
  const cost = Object.entries(now.cpu_ms ?? {});
  const looks = now.outputs.find(({ kind }) => kind === "preview")?.viewers ?? 0;
  const rows = [
    [W.camera, now.camera.description || now.camera.source], [W.engine, now.segmenter || "-"],
    [W.size, `${now.size.replace("x", " × ")}, ${now.fps} fps`], [W.watched, `${now.watched ? W.watching : W.not_watching}${looks ? `, ${W.looking_on} ${looks}` : ""}`],
    [W.latency, now.latency_ms ? `${Math.round(now.latency_ms.p50)} / ${Math.round(now.latency_ms.p99)}` : "-"],
    [W.lost, now.dropped], [W.memory, Math.round(now.rss_mb)], [W.uptime, duration(now.uptime_s)],
    [W.cost, cost.map(([stage, ms]) => `${stage} ${ms.toFixed(1)}`).join(", ")],
  ];
  return html`<section aria-label=${W.tabs.status}>
    <div class="charts"><${Chart} name=${W.cpu} values=${state.history.map(({ cpu }) => cpu ?? 0)} />
      <${Chart} name=${W.fps} values=${state.history.map(({ fps }) => fps ?? 0)} /></div>
    <dl class="facts">${rows.map(([name, value]) => html`<div><dt>${name}</dt><dd>${value}</dd></div>`)}</dl>
    ${now.last_error && html`<h2>${W.last_error}</h2><p class="error">${now.last_error.message}</p><p class="help">${now.last_error.hint}</p>`}
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
