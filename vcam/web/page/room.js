// The empty room behind whoever sits there: what is known of it, learning it, and what it brings.
import { html, useState } from "./preact.js";
import { W } from "./words.js";
import { attempt, change, set, state } from "./net.js";
import { Trouble, Widget } from "./widgets.js";

const KEY = "segment.room";

export function Room() {
  const [before, put] = useState("");
  const room = state.status?.room;
  if (!room) return null;
  const learning = state.status.state === "learning" && state.learning;
  const share = Math.round((room.known ?? 0) * 100);
  const learn = async () => {
    const told = await attempt("room", "room_learn", { wait: 5 });
    if (told) change({ note: W.room_learnt });
  };
  const setting = state.settings.values[KEY];
  // off and back: the matte with what is known, and without it
  const compare = () => {
    if (setting === "off") {
      set(KEY, before || "told");
      put("");
    } else {
      put(setting);
      set(KEY, "off");
    }
  };
  const about = state.about.settings.find(({ key }) => key === KEY);
  const says = W.learning_steps[learning?.step] ?? learning?.step;
  return html`<h2>${W.room}</h2>
    <dl class="facts"><div><dt>${W.room_known}</dt><dd>${room.kept ? `${W.room_kept[room.kept] ?? room.kept}, ${share} %` : "-"}</dd></div>
      ${room.agreement !== null && room.agreement !== undefined && html`<div><dt>${W.agreement}</dt><dd>${Math.round(room.agreement * 100)} %</dd></div>`}
      ${room.when && html`<div><dt>${W.room_when}</dt><dd>${new Date(room.when * 1000).toLocaleString()}</dd></div>`}
      ${room.rests && html`<div><dt>${W.room_rests}</dt><dd>${room.rests}</dd></div>`}</dl>
    ${learning ? html`<div class="lesson" role="status"><strong>${learning.step === "countdown" ? Math.ceil(learning.left_s) : ""}</strong><span>${says}</span>
        ${learning.step !== "countdown" && html`<progress aria-label=${says} value=${learning.done}></progress>`}</div>`
      : html`<p class="help">${W.learn_hint}</p>`}
    <div class="row"><button class="main" onClick=${learn} disabled=${!!learning}>${W.learn_room}</button>
      ${room.kept || before ? html`<button aria-pressed=${setting === "off"} onClick=${compare}>${W.without_room}</button>` : null}
      <button class="quiet" disabled=${!room.kept} onClick=${() => attempt("room", "room_forget", {})}>${W.forget_room}</button></div>
    <${Trouble} at="room" />
    <div class="widgets"><${Widget} about=${about} /></div>`;
}
