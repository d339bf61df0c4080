// A frame's way through the page: taken, shown to the network, composited with its own matte, or not at all.
import { DEFAULTS } from "./settings.js";

export class Loop {
  // painter, engine: see their files. changed: told when what is shown becomes another kind of thing.
  constructor(painter, changed) {
    this.painter = painter;
    this.changed = changed;
    this.engine = null;
    this.seq = 0;
    this.shown = "placeholder";
    this.settings = { ...DEFAULTS };
    this.figures = { frames: 0, dropped: 0, since: performance.now(), ms: {} };
    this.waiting = new Map();
  }

  get busy() {
    return this.painter.slots.some((slot) => slot.seq >= 0);
  }

  // Shows a picture to the network; what comes of it is shown when the matte is there. Gives the frame's number, or 0
  // if frames are on their way already or no engine is ready.
  take(source, width, height) {
    const { painter, engine } = this;
    if (!engine?.ready) {
      this.nothing();
      return 0;
    }
    // planes of colour are half as large
    const size = [width & ~1, height & ~1];
    if (`${size} ${engine.network.size}` !== painter.key) {
      if (this.busy) painter.forget();
      painter.fit(size, engine.network.size);
      engine.reset();
    }
    if (!painter.vacant()) {
      this.figures.dropped++;
      return 0;
    }
    const seq = ++this.seq;
    const start = performance.now();
    const pixels = painter.take(source, seq);
    this.spend({ take: performance.now() - start });
    engine.look(seq, pixels, this.settings);
    return seq;
  }

  // The engine has looked at a frame.
  found(said) {
    const { painter } = this;
    if (!painter.slots.some((slot) => slot.seq === said.seq)) return;
    const start = performance.now();
    if (said.kind === "matte") {
      painter.show(said, this.settings);
      this.show("person");
      this.spend({ ...said.ms, draw: performance.now() - start });
      this.figures.frames++;
    } else {
      painter.withoutPerson(said.seq);
      this.show(painter.backdrop.fromFrame ? "placeholder" : "background");
      this.reason = said.reason;
    }
    this.waiting.get(said.seq)?.(said);
    this.waiting.delete(said.seq);
  }

  spend(parts) {
    const { ms } = this.figures;
    // a mean of the last frames or so
    for (const [name, value] of Object.entries(parts)) ms[name] = ms[name] === undefined ? value : ms[name] + (value - ms[name]) / 30;
  }

  // No camera or no engine: the placeholder, and nothing of frames that are on their way.
  nothing() {
    this.painter.forget();
    // what the last frames had in their edges must not weigh in when the camera is back
    this.engine?.reset();
    if (this.shown === "placeholder") return;
    this.painter.placeholder();
    this.show("placeholder");
  }

  show(kind) {
    if (kind === this.shown) return;
    this.shown = kind;
    this.changed(kind);
  }

  // Frames a second since the last question.
  rate() {
    const { figures } = this;
    const now = performance.now();
    const rate = (1000 * figures.frames) / (now - figures.since);
    const dropped = figures.dropped;
    Object.assign(figures, { frames: 0, dropped: 0, since: now });
    return { rate, dropped };
  }
}
