// The frame on its way through the shaders. A slot holds one frame, from the camera's picture to its matte: whatever
// is drawn with a matte comes from the slot of that very frame.
import { Gl } from "./gl.js";
import { Backdrop } from "./backdrop.js";

const NEARLY = 1.75;
const REFINED_LINES = 540;
const WRAP_WIDTH = 24;
const REDUCED = 8;
const LINES = 720;
export const SLOTS = 2;

// The sizes on the way down to less than twice the target (vcam/scaling.py, halvings_apart).
export function halvings([width, height], target) {
  const sizes = [];
  for (;;) {
    const wide = width / target[0];
    const tall = height / target[1];
    const across = width % 2 === 0 && wide >= NEARLY;
    const down = height % 2 === 0 && tall >= NEARLY;
    if (Math.max(wide, tall) < 2 || !(across || down)) return sizes;
    width /= 1 + across;
    height /= 1 + down;
    sizes.push([width, height]);
  }
}

// How many times smaller than the frame the refinement works.
export function workingScale(width, height) {
  let scale = 1;
  while (height > REFINED_LINES * scale && width >= 8 * scale) scale *= 2;
  return scale;
}

export class Painter {
  // Throws if there is no WebGL2.
  constructor(canvas) {
    this.canvas = canvas;
    this.tools = new Gl(canvas, { alpha: true, premultipliedAlpha: true, antialias: false, depth: false, powerPreference: "high-performance" });
    this.backdrop = new Backdrop(this.tools);
    this.slots = [];
    this.size = null;
    this.last = null;
  }

  // Gets ready for frames of a size and a network of a size. Frames on their way are lost.
  fit(size, sight) {
    const { tools, canvas } = this;
    const { gl } = tools;
    const key = `${size} ${sight}`;
    if (key === this.key) return;
    this.free();
    this.key = key;
    [this.size, this.sight] = [size, sight];
    [canvas.width, canvas.height] = size;
    const by = workingScale(...size);
    const working = [Math.floor(size[0] / by), Math.floor(size[1] / by)];
    this.working = working;
    const half = [sight[0] >> 1, sight[1] >> 1];
    this.slots = Array.from({ length: SLOTS }, () => ({
      seq: -1,
      frame: tools.target(...size),
      steps: [...halvings(size, sight), sight].map((each) => tools.target(...each)),
      // where the way down leads past this size
      worked: null,
    }));
    for (const slot of this.slots) {
      const found = by === 1 ? slot.frame : slot.steps.find((step) => step.width === working[0] && step.height === working[1]);
      slot.worked = found ?? tools.target(...working);
      slot.own = !found;
    }
    this.mattes = [0, 1].map(() => tools.target(...working, gl.R8));
    this.model = tools.texture(...half, tools.exact);
    this.gain = tools.texture(...sight, gl.R8);
    this.grown = tools.texture(...sight, gl.R8);
    this.small = [Math.max(2, Math.floor(size[0] / REDUCED)), Math.max(2, Math.floor(size[1] / REDUCED))];
    this.around = [0, 1].map(() => tools.target(...this.small, gl.R8));
    this.pixels = new Uint8Array(4 * sight[0] * sight[1]);
    this.backdrop.fit(size);
  }

  free() {
    const { tools } = this;
    for (const slot of this.slots) tools.free(slot.frame, ...slot.steps, slot.own ? slot.worked : null);
    if (this.size) tools.free(...this.mattes, this.model, this.gain, this.grown, ...this.around);
    this.slots = [];
    this.key = this.last = null;
  }

  // A slot that holds no frame on its way, or null.
  vacant() {
    return this.slots.find((slot) => slot.seq < 0) ?? null;
  }

  // Takes a picture of the fitted size as the frame of this number; gives its pixels at the network's size.
  take(source, seq) {
    const slot = this.vacant();
    slot.seq = slot.holds = seq;
    const { tools } = this;
    tools.fill(slot.frame, source);
    let from = slot.frame;
    for (const step of slot.steps) {
      tools.copy(from, step);
      from = step;
    }
    if (slot.own) tools.copy(slot.frame, slot.worked);
    tools.read(from, this.pixels);
    return this.pixels.slice();
  }

  // Composites the frame of this number with its matte, onto the canvas. Throws if that frame is not there.
  show({ seq, model, gain, room, box }, look) {
    const slot = this.slots.find((each) => each.seq === seq);
    if (!slot) throw new Error(`the matte of frame ${seq}, which is not there`);
    const { tools } = this;
    tools.fill(this.model, model);
    tools.fill(this.gain, gain);
    const [before, matte] = this.mattes;
    this.mattes.reverse();
    const coarse = slot.steps.find((step) => step.width <= slot.worked.width / 2) ?? slot.steps.at(-1);
    // outside of the box is nobody
    tools.clear(matte);
    tools.pass("refine", matte, {
      source: slot.worked, coarse, model: this.model, gain: this.gain, kept: before, grain: slot.worked === slot.frame ? 1 : 0,
    }, box);
    if (this.backdrop.fromFrame) {
      tools.fill(this.grown, room);
      this.backdrop.update(slot, this.grown);
    }
    if (look.lightWrap) this.wrap(matte);
    this.last = { slot, matte, seq, box };
    this.compose(null, look);
    slot.seq = -1;
  }

  wrap(matte) {
    const { tools, small } = this;
    const [one, other] = this.around;
    tools.pass("around", one, { matte, taps: REDUCED / 2 / (matte.width / small[0] > 4 ? 1 : 2), pixel: [1 / small[0], 1 / small[1]] });
    const side = Math.max(1, Math.round((WRAP_WIDTH * this.size[1]) / LINES / REDUCED)) | 1;
    const kernel = new Array(24).fill(1 / side);
    tools.pass("blur", other, { source: one, kernel, reach: side >> 1, along: [1 / small[0], 0] });
    tools.pass("blur", one, { source: other, kernel, reach: side >> 1, along: [0, 1 / small[1]] });
  }

  compose(target, look) {
    const { slot, matte, seq, box } = this.last;
    if (slot.holds !== seq) throw new Error(`the matte of frame ${seq} for frame ${slot.holds}`);
    const { tools } = this;
    const { gl } = tools;
    const { light, fromFrame, clear } = this.backdrop;
    this.behind(target, look);
    const part = look.mirror ? [1 - box[2], box[1], 1 - box[0], box[3]] : box;
    gl.enable(gl.BLEND);
    gl.blendFunc(gl.ONE, gl.ONE_MINUS_SRC_ALPHA);
    tools.pass("person", target, {
      frame: slot.frame, matte, light: light ?? slot.frame, wrap: this.around[0], flip: look.mirror ? 1 : 0, flipLight: fromFrame ? 1 : 0,
      strength: clear ? 0 : look.lightWrap, view: look.view === "matte" ? 1 : 0,
    }, part);
    gl.disable(gl.BLEND);
  }

  // What is behind the person, where it is shown.
  behind(target, look) {
    const { tools, backdrop } = this;
    if (backdrop.clear || look.view === "matte") tools.clear(target);
    else tools.copy(backdrop.plate, target, backdrop.fromFrame && look.mirror);
  }

  // There is no matte for a frame: the background alone, or the placeholder where it is made from frames.
  withoutPerson(seq) {
    const slot = this.slots.find((each) => each.seq === seq);
    if (slot) slot.seq = -1;
    this.alone();
  }

  alone() {
    const { tools, backdrop } = this;
    this.last = null;
    if (this.size && !backdrop.fromFrame && (backdrop.plate || backdrop.clear)) this.behind(null, {});
    else tools.pass("placeholder", null);
  }

  placeholder() {
    this.last = null;
    this.tools.pass("placeholder", null);
  }

  // Frames on their way are given up.
  forget() {
    for (const slot of this.slots) slot.seq = -1;
    this.last = null;
  }

  // What was composited last, RGBA at full size, the top row first; the matte with view "matte". For tests.
  read(look) {
    const { tools } = this;
    const target = tools.target(...this.size);
    if (this.last) this.compose(target, look);
    const pixels = tools.read(target);
    tools.free(target);
    return pixels;
  }
}
