// What can be set: defaults are vcam's (about.json), then what was chosen here before, then what the address says.

export const DEFAULTS = {
  background: "blur", blur: 50, color: "#0f766e", camera: "", size: "1280x720", mirror: false, temporal: 0.9, edge: 0.5, softness: 0.3,
  islands: 0.15, lightWrap: 0, engine: "auto", sound: false,
};

export const RANGES = {
  blur: { minimum: 1, maximum: 100, step: 1 },
  temporal: { minimum: 0, maximum: 1, step: 0.05 },
  edge: { minimum: -30, maximum: 30, step: 0.5 },
  softness: { minimum: 0, maximum: 1, step: 0.05 },
  islands: { minimum: 0, maximum: 5, step: 0.05 },
  lightWrap: { minimum: 0, maximum: 1, step: 0.05 },
};

export const SIZES = ["640x360", "640x480", "1280x720", "1920x1080"];
export const ENGINES = ["auto", "webgpu", "wasm"];
const KEPT = "vcam settings";

// A value as the kind that the default has, or undefined if it is none.
function checked(name, value) {
  if (name in RANGES) {
    const { minimum, maximum } = RANGES[name];
    const number = value === "" ? NaN : Number(value);
    return number >= minimum && number <= maximum ? number : undefined;
  }
  if (typeof DEFAULTS[name] === "boolean") return { true: true, 1: true, "": true, false: false, 0: false }[String(value)];
  if (typeof value !== "string" || value.length > 300) return undefined;
  if (name === "color") return /^#[0-9a-f]{6}$/i.test(value) ? value : undefined;
  if (name === "size") return /^[1-9]\d{1,3}x[1-9]\d{1,3}$/.test(value) ? value : undefined;
  if (name === "engine") return ENGINES.includes(value) ? value : undefined;
  return value;
}

// about: the defaults that vcam wrote down. The address takes ?background=blur:30, color:#204060, office, green or clear.
export function load(about, query) {
  const found = { ...DEFAULTS, ...about.defaults };
  let before = {};
  try {
    before = JSON.parse(localStorage.getItem(KEPT) ?? "{}") ?? {};
  } catch {
    // nothing can be kept here, or what was kept is broken
  }
  const wished = Object.fromEntries(query);
  const [kind, value] = (wished.background ?? "").split(/:(.*)/s);
  if (kind === "blur" && value) Object.assign(wished, { background: "blur", blur: value });
  if (kind === "color" && value) Object.assign(wished, { background: "color", color: value });
  if (kind === "green") Object.assign(wished, { background: "color", color: "#00ff00" });
  for (const source of [before, wished]) {
    for (const name of Object.keys(DEFAULTS)) {
      const each = name in source ? checked(name, source[name]) : undefined;
      if (each !== undefined) found[name] = each;
    }
  }
  return found;
}

export function keep(settings) {
  try {
    localStorage.setItem(KEPT, JSON.stringify(settings));
  } catch {
    // a browser that keeps nothing: they last until the page is closed
  }
}
