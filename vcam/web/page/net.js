// The way to the panel's process, and one place where all that it tells is kept.

const listeners = new Set();
export const state = {
  about: null, status: null, settings: null, learning: null, gone: null, closed: false, errors: {}, undo: [], note: "", history: [],
  backgrounds: [],
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

// Sets a setting at once; while one is under way the newest value waits, so that a slider never queues up.
export async function set(key, value, { remember = true } = {}) {
  if (remember) noteUndo(key, state.settings.values[key], value);
  if (state.settings) state.settings.values[key] = value;
  if (sending.has(key)) {
    sending.set(key, { value });
    change({});
    return;
  }
  sending.set(key, null);
  const errors = { ...state.errors };
  delete errors[key];
  change({ errors });
  let next = { value };
  while (next) {
    sending.set(key, null);
    try {
      await call("set", { [key]: next.value });
    } catch (error) {
      change({ errors: { ...state.errors, [key]: [error.message, error.hint].filter(Boolean).join(": ") } });
    }
    next = sending.get(key);
  }
  sending.delete(key);
}

export async function setChain(chain) {
  noteUndo("filters.chain", state.settings.values["filters.chain"], null);
  const errors = { ...state.errors };
  delete errors["filters.chain"];
  change({ settings: { ...state.settings, chain }, errors });
  try {
    await ask("/api/filters", { chain });
  } catch (error) {
    change({ errors: { ...state.errors, "filters.chain": [error.message, error.hint].filter(Boolean).join(": ") } });
  }
}

function noteUndo(key, before, after) {
  const last = state.undo[state.undo.length - 1];
  const now = performance.now();
  // a slider that is dragged is one step
  if (last && last.key === key && now - last.at < 1500) last.at = now;
  else if (JSON.stringify(before) !== JSON.stringify(after)) state.undo.push({ key, before, at: now });
  if (state.undo.length > 50) state.undo.shift();
}

export async function undo() {
  const last = state.undo.pop();
  change({});
  if (last) await set(last.key, last.before, { remember: false });
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

export function lookAway() {
  wanted = false;
  painter = null;
  if (socket && socket.readyState === WebSocket.OPEN) socket.send(JSON.stringify({ look: false }));
}

let asked = 0;

// An answer that was lost is asked for again.
setInterval(() => wanted && performance.now() - asked > 3000 && want(), 1000);

function want() {
  asked = performance.now();
  if (wanted && socket && socket.readyState === WebSocket.OPEN && document.visibilityState === "visible") {
    socket.send(JSON.stringify({ look: true }));
  }
}

export function connect() {
  socket = new WebSocket(`ws://${location.host}/api/live`);
  socket.binaryType = "arraybuffer";
  socket.onopen = want;
  socket.onmessage = async ({ data }) => {
    if (typeof data !== "string") {
      const bytes = new Uint8Array(data);
      try {
        if (painter) await painter(new Blob([bytes.subarray(1)], { type: "image/jpeg" }), bytes[0] === 1);
      } finally {
        want();
      }
      return;
    }
    const { event, is } = JSON.parse(data);
    if (event === "status") {
      const history = [...state.history, { cpu: is.cpu_percent, fps: is.fps_out }].slice(-600);
      change({ status: is, gone: null, history });
    } else if (event === "settings") {
      // a value on its way is newer than what came
      for (const key of sending.keys()) is.values[key] = state.settings.values[key];
      change({ settings: is });
    } else if (event === "learning") change({ learning: is });
    else if (event === "gone") change({ gone: is, status: null });
    else if (event === "no picture") {
      if (painter) painter(null, false);
      want();
    }
  };
  socket.onclose = () => {
    change({ closed: true });
    setTimeout(connect, 2000);
  };
  socket.addEventListener("open", () => change({ closed: false }));
}

document.addEventListener("visibilitychange", () => {
  if (document.visibilityState === "visible") want();
  else if (socket && socket.readyState === WebSocket.OPEN) socket.send(JSON.stringify({ look: false }));
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
