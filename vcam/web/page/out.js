// Where the picture goes: outputs, streams, recordings.
import { html, useState } from "./preact.js";
import { W } from "./words.js";
import { attempt, state } from "./net.js";
import { duration } from "./status.js";
import { Trouble } from "./widgets.js";

const size = (kb) => (kb < 1000 ? `${kb} kB` : kb < 1e6 ? `${(kb / 1000).toFixed(1)} MB` : `${(kb / 1e6).toFixed(2)} GB`);

function Coded({ output, stop }) {
  const { state: does, error, since_s: since, sound, level_db: level, encoder, bitrate_kbit: rate, sent_kb: sent, written_kb: written, dropped } = output;
  const good = does === "streaming" || does === "recording";
  const parts = [`${W.out_states[does] ?? does}, ${duration(since)}`, rate ? `${rate} kbit/s` : "", sent ? size(sent) : "",
    written !== undefined ? size(written) : "", encoder, sound && `${W.sound}: ${sound}${level === undefined ? "" : `, ${Math.round(level)} dB`}`, dropped ? `${dropped} ${W.dropped}` : ""];
  return html`<li class="out"><span class=${`dot ${good ? "on" : does === "failed" ? "bad" : ""}`}></span>
    <div><strong>${output.name ?? output.file}</strong>${output.url && html` <small>${output.url}</small>`}
      <small class="line">${parts.filter(Boolean).join(" · ")}</small>
      ${level !== undefined && html`<meter class="level" min="-60" max="0" low="-40" high="-6" optimum="-20" value=${level} aria-label=${W.level}>${Math.round(level)} dB</meter>`}${error && html`<p class="error">${error}</p>`}</div>
    <button aria-label=${`${W.stop}: ${output.name ?? output.file}`} onClick=${stop}>${W.stop}</button></li>`;
}

export function Out() {
  const [file, name] = useState("");
  const [url, address] = useState("");
  const [target, aim] = useState("");
  const now = state.status;
  if (!now) return html`<p>${W.gone}</p>`;
  const streams = now.outputs.filter(({ kind }) => kind === "stream");
  const recordings = now.outputs.filter(({ kind }) => kind === "record");
  const others = now.outputs.filter(({ kind }) => kind !== "stream" && kind !== "record" && kind !== "preview");
  const stream = async (e) => {
    e.preventDefault();
    const whole = url.trim();
    // it may hold a key: it is not kept on the page longer than it takes
    address("");
    if (whole) await attempt("stream", "stream_start", { url: whole });
  };
  return html`<section aria-label=${W.tabs.out}>
    <h2>${W.outputs}</h2>
    <ul class="plain">${others.map((output) => html`<li class="out"><span class=${`dot ${output.open ? "on" : output.given_up ? "bad" : ""}`}></span>
      <div><strong>${output.description}</strong>${output.dropped ? html` <small>${output.dropped} ${W.dropped}</small>` : ""}
        ${!output.open && html`<small class="line warn">${output.given_up ? W.given_up : W.not_open}</small>`}</div>
      ${output.target && others.length > 1 && html`<button aria-label=${`${W.remove}: ${output.description}`} onClick=${() => attempt("output", "output_remove", { target: output.target })}>${W.remove}</button>`}</li>`)}</ul>
    <form class="row" onSubmit=${(e) => { e.preventDefault(); if (target) attempt("output", "output_add", { target }); aim(""); }}>
      <label for="output">${W.add_output}</label>
      <input id="output" type="text" placeholder="/dev/video21, talk.mp4" value=${target} onInput=${(e) => aim(e.target.value)} spellcheck="false" />
      <button>${W.add_it}</button></form><${Trouble} at="output" />
    <h2>${W.recordings}</h2>
    <ul class="plain">${recordings.map((output) => html`<${Coded} key=${output.file} output=${output} stop=${() => attempt("record", "record_stop", {})} />`)}</ul>
    <form class="row" onSubmit=${(e) => { e.preventDefault(); attempt("record", "record_start", { file: file || W.record_file }); }}>
      <label for="record">${W.record_into}</label>
      <input id="record" type="text" placeholder=${W.record_file} value=${file} onInput=${(e) => name(e.target.value)} spellcheck="false" />
      <button class="main">${W.record}</button></form><${Trouble} at="record" />
    <h2>${W.streams}</h2>
    <ul class="plain">${streams.map((output) => html`<${Coded} key=${output.name} output=${output} stop=${() => attempt("stream", "stream_stop", { name: output.name })} />`)}</ul>
    <form class="row" autocomplete="off" onSubmit=${stream}><label for="stream">${W.stream_to}</label>
      <input id="stream" type="password" autocomplete="off" placeholder="rtmp://…/KEY" value=${url} onInput=${(e) => address(e.target.value)} spellcheck="false" aria-describedby="stream-hint" />
      <button class="main">${W.stream}</button></form><${Trouble} at="stream" />
    <p class="help" id="stream-hint">${W.stream_key_hint}</p>
  </section>`;
}
