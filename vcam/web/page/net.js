// The way to the panel's process, and one place where all that it tells is kept.
import { W } from "./words.js";

const listeners = new Set();
export const state = {
  about: null, status: null, settings: null, learning: null, gone: null, closed: false, errors: {}, undo: [], note: "", history: [],
  backgrounds: [], view: "shown", blind: null,
};

export function change(part) {
  Object.assign(state, part);
  for (const listener of listeners) listener();
}

export function listen(listener) {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

export class Refused extends Error {
  constructor(told) {
    super(told.error || "it failed");
    this.hint = told.hint || "";
  }
}

export async function ask(path, body, method = "POST") {
  let answer;
  try {
    answer = await fetch(path, { method, body: body === undefined ? undefined : body instanceof Blob ? body : JSON.stringify(body) });
  } catch {
    throw new Refused({ error: "the panel does not answer", hint: "vcam panel" });
  }
  if (answer.status === 403) throw new Refused({ error: "this page may not ask", hint: "vcam panel" });
  const told = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Refused(told);
  return told;
}

export const call = (method, params) => ask("/api/call", { method, params });

const sending = new Map();

const told = (error) => [error.message, error.hint].filter(Boolean).join(": ");

export const refused = (key, error) => change({ errors: { ...state.errors, [key]: told(error) } });

// Has vcam do something; what is refused is said where `key` stands, and null comes back.
export async function attempt(key, method, params) {
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

// When a change of a setting was answered last, and what vcam said of all settings since.
const settled = new Map();
const RECENT = 1000;
let newest = null;

// What vcam says may have been on its way before a change of this page; what this page wants counts for a moment.
function adopt(is) {
  newest = is;
  const now = performance.now();
  const mine = [...settled].filter(([, { at }]) => now - at < RECENT);
  const values = { ...is.values };
  let chain = is.chain;
  for (const [key, { whole }] of [...sending, ...mine]) {
    if (whole) chain = state.settings.chain;
    values[key] = state.settings.values[key];
  }
  change({ settings: { ...is, values, chain } });
  if (mine.length) setTimeout(() => newest === is && adopt(is), RECENT);
}

// Sends one change of a setting at once; while one is under way the newest waits, so that a slider never queues up, and
// none overtakes another. What is refused goes back to what was taken last.
async function deliver(key, item, good) {
  const under = sending.get(key);
  if (under) {
    under.next = item;
    change({});
    return;
  }
  const mine = { next: null, whole: item.whole };
  sending.set(key, mine);
  for (let now = item; now; now = mine.next) {
    mine.next = null;
    mine.whole = now.whole;
    const errors = { ...state.errors };
    delete errors[key];
    change({ errors });
    try {
      const { changed = {} } = (await now.send(now.value)) ?? {};
      good = now;
      settled.set(key, { at: performance.now(), whole: now.whole });
      if (!mine.next && key in changed) {
        // as vcam writes it: a path in full, a number as it counts
        state.settings.values[key] = changed[key];
        const last = state.undo.at(-1);
        if (last?.key === key) last.after = changed[key];
      }
    } catch (error) {
      change({ errors: { ...state.errors, [key]: told(error) } });
      if (!mine.next) {
        good.put(good.value);
        if (state.undo.at(-1)?.key === key) state.undo.pop();
      }
    }
  }
  sending.delete(key);
  change({});
}

// step: what is undone by itself, where several of one setting follow each other.
export async function set(key, value, { remember = true, step = "" } = {}) {
  const before = state.settings.values[key];
  if (remember) noteUndo(key, before, value, step);
  const put = (to) => (state.settings.values[key] = to);
  put(value);
  await deliver(key, { value, put, send: (to) => call("set", { [key]: to }) }, { value: before, put });
}

export async function setChain(chain) {
  const before = state.settings.chain;
  noteUndo("filters.chain", state.settings.values["filters.chain"], null);
  const put = (to) => (state.settings = { ...state.settings, chain: to });
  put(chain);
  await deliver("filters.chain", { value: chain, put, whole: true, send: (to) => ask("/api/filters", { chain: to }) }, { value: before, put });
}

function noteUndo(key, before, after, step = "") {
  const last = state.undo[state.undo.length - 1];
  const now = performance.now();
  // a slider that is dragged is one step
  if (last && last.key === key && last.step === step && now - last.at < 1500) last.at = now;
  else if (JSON.stringify(before) !== JSON.stringify(after)) state.undo.push({ key, before, step, at: now });
  else return;
  state.undo.at(-1).after = after ?? undefined;
  if (state.undo.length > 50) state.undo.shift();
}

export async function undo() {
  const last = state.undo.pop();
  if (!last) return;
  // somebody else has changed it since: theirs is not to be lost
  const theirs = last.after !== undefined && JSON.stringify(state.settings.values[last.key]) !== JSON.stringify(last.after);
  change(theirs ? { note: `${W.not_undone} ${last.key}` } : {});
  if (!theirs) await set(last.key, last.before, { remember: false });
}

export async function loadBackgrounds() {
  const answer = await fetch("/api/backgrounds");
  if (answer.ok) change({ backgrounds: await answer.json() });
}

let socket = null;
let painter = null;
let wanted = false;

export function look(paint) {
  painter = paint;
  wanted = true;
  want();
}

// What is looked at from now on; the room beside the picture never outlasts a page that is hidden.
export function show(view) {
  change({ view });
  want();
}

export function lookAway() {
  wanted = false;
  painter = null;
  if (state.blind) change({ blind: null });
  if (socket && socket.readyState === WebSocket.OPEN) socket.send(JSON.stringify({ look: false }));
}

let asked = 0;
// Pictures that are still to come. A page that is quick asks for some at once, one that is not never has more waiting.
let coming = 0;
let quick = false;
const AHEAD = 4;
const QUICK = 30;

// An answer that was lost is asked for again.
setInterval(() => wanted && performance.now() - asked > 3000 && want(), 1000);

function want() {
  asked = performance.now();
  if (wanted && socket && socket.readyState === WebSocket.OPEN && document.visibilityState === "visible") {
    coming = quick && state.view !== "both" ? AHEAD : 1;
    socket.send(JSON.stringify({ look: true, view: state.view, pictures: coming }));
  }
}

export function connect() {
  socket = new WebSocket(`ws://${location.host}/api/live`);
  socket.binaryType = "arraybuffer";
  socket.onopen = want;
  socket.onmessage = async ({ data }) => {
    if (typeof data !== "string") {
      const bytes = new Uint8Array(data);
      const began = performance.now();
      asked = began;
      coming -= 1;
      if (state.blind) change({ blind: null });
      try {
        if (painter) await painter(new Blob([bytes.subarray(1)], { type: "image/jpeg" }), bytes[0]);
      } finally {
        quick = performance.now() - began < QUICK;
        if (coming <= 0) want();
      }
      return;
    }
    const { event, is } = JSON.parse(data);
    if (event === "status") {
      const history = [...state.history, { cpu: is.cpu_percent, fps: is.fps_out }].slice(-600);
      change({ status: is, gone: null, history });
    } else if (event === "settings") {
      adopt(is);
    } else if (event === "learning") change({ learning: is });
    else if (event === "gone") change({ gone: is, status: null, view: "shown", blind: null });
    else if (event === "no picture") {
      // why vcam lets nobody look; that it is gone is said already
      if (is.error && !state.gone) change({ blind: is });
      if (painter) painter(null, 0);
      want();
    }
  };
  socket.onclose = () => {
    change({ closed: true, view: "shown", blind: null });
    setTimeout(connect, 2000);
  };
  socket.addEventListener("open", () => change({ closed: false }));
}

document.addEventListener("visibilitychange", () => {
  if (document.visibilityState === "visible") want();
  else {
    change({ view: "shown" });
    if (socket && socket.readyState === WebSocket.OPEN) socket.send(JSON.stringify({ look: false }));
  }
});

export async function enter() {
  const token = location.hash.slice(1);
  if (token) {
    history.replaceState(null, "", "/");
    await ask("/api/enter", { token });
  }
  const answer = await fetch("/api/about");
  if (!answer.ok) throw new Refused({ error: "link" });
  change({ about: await answer.json() });
}
