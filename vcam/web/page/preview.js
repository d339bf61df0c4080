// The picture: as others see it, its matte, or the room beside it. The room is shown only after a click that says so.
import { html, useEffect, useRef, useState } from "./preact.js";
import { W } from "./words.js";
import { listen, look, lookAway, show, state } from "./net.js";

const VIEWS = ["shown", "matte", "both"];
// what comes: the first byte of a picture
const KINDS = ["placeholder", "shown", "matte", "both"];

function Glance() {
  const now = state.status;
  if (!now) return null;
  const latency = now.latency_ms?.p50;
  const facts = [
    [W.watched, now.watched ? W.watching : W.not_watching], [W.fps, Math.round(now.fps_out ?? 0)],
    [W.latency_now, latency ? Math.round(latency) : "-"], [W.cpu, Math.round(now.cpu_percent ?? 0)],
  ];
  return html`<dl class="glance">${facts.map(([name, value]) => html`<div><dt>${name}</dt><dd>${value}</dd></div>`)}</dl>`;
}

export function Preview() {
  const canvas = useRef();
  const sure = useRef();
  const [seen, see] = useState(null);
  const [on, turn] = useState(true);
  useEffect(() => {
    if (!on) {
      lookAway();
      see(null);
      return undefined;
    }
    look(async (blob, number) => {
      if (!blob) return see((before) => before ?? "none");
      const kind = KINDS[number] ?? "none";
      const picture = await createImageBitmap(blob);
      const target = canvas.current;
      // asked for before the page went back to what others see
      const stale = kind === "both" && state.view !== "both";
      if (target && !stale) {
        if (target.width !== picture.width || target.height !== picture.height) {
          target.width = picture.width;
          target.height = picture.height;
        }
        target.getContext("2d").drawImage(picture, 0, 0);
        target.dataset.frames = +(target.dataset.frames ?? 0) + 1;
        target.dataset.kind = kind;
      }
      picture.close();
      return stale ? undefined : see(kind);
    });
    return lookAway;
  }, [on]);
  // nothing of the room stays on the page when it is shown no longer: at once, since a hidden page draws nothing anew
  useEffect(() => listen(() => {
    const target = canvas.current;
    if (state.view !== "both" && target?.dataset.kind === "both") {
      target.getContext("2d").clearRect(0, 0, target.width, target.height);
      target.dataset.kind = "";
    }
  }), []);
  const choose = (view) => (view === "both" ? sure.current.showModal() : show(view));
  const agree = () => {
    sure.current.close();
    show("both");
  };
  const camera = state.status?.camera.on;
  const both = seen === "both" && state.view === "both";
  const said = seen === "placeholder" ? W.placeholder : state.view !== "shown" && seen === "shown" ? W.view_missing[state.view]
    : camera ? W.camera_hint : W.camera_off;
  return html`<figure class=${`preview ${both ? "both" : ""}`}>
    <div class="views" role="group" aria-label=${W.view}>
      ${VIEWS.map((view) => html`<button class="quiet" aria-pressed=${state.view === view} data-view=${view} disabled=${!on}
        onClick=${() => choose(view)}>${W.views[view]}</button>`)}</div>
    <div class="screen"><canvas ref=${canvas} width="640" height="360" role="img" aria-label=${W.seen[state.view]}></canvas>
      ${both && html`<span class="half left">${W.before}</span><span class="half right">${W.after}</span>`}
      ${(!on || seen === null || seen === "none") && html`<div class="veil">${on ? W.no_picture : html`<button onClick=${() => turn(true)}>${W.show_preview}</button>`}</div>`}
      ${camera && html`<span class="rec" title=${W.camera_hint}></span>`}</div>
    <figcaption><span>${both ? W.both_hint : said}</span>
      ${on && html`<button class="quiet" onClick=${() => { show("shown"); turn(false); }}>${W.hide_preview}</button>`}</figcaption>
    <${Glance} />
    <dialog ref=${sure} aria-labelledby="sure-title"><h2 id="sure-title">${W.room_sure}</h2>
      <p>${W.room_sure_more}</p>
      <div class="row end"><button onClick=${() => sure.current.close()}>${W.room_no}</button>
        <button class="main" id="show-room" onClick=${agree}>${W.room_yes}</button></div></dialog>
  </figure>`;
}
