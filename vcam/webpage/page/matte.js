// From the network's map to what the shaders need: filter over time, soft step, islands, edge, and the guided model.
// It follows vcam/matte/soft.py and its neighbours, with their constants; motion alone is not sought here.
import { clamp, disc, halve, roundEven, square, stretch } from "./planes.js";
import { GuidedModel, radiusOf, REACH } from "./guided.js";
import { Islands } from "./islands.js";

const STILL = 0.15;
const MOVING = 0.85;
const SAME = 6;
const OTHER = 18;
const CUT = 20;
const CENTRE = 0.55;
const CALM = 6;
const MOVED = 20;
const LINES = 720;
const MARGIN = 14;

export const leastGain = (strength) => 1 - 0.9 * strength;

// The curve from probability to matte, for bytes.
export function softStep(softness) {
  const width = 0.02 + 0.96 * softness;
  return Uint8Array.from({ length: 256 }, (_, level) => {
    const p = level / 255;
    const centred = p < CENTRE ? (0.5 * p) / CENTRE : 0.5 + (0.5 * (p - CENTRE)) / (1 - CENTRE);
    const t = clamp((centred - 0.5) / width + 0.5, 0, 1);
    return roundEven(255 * (t * t * (3 - 2 * t)));
  });
}

// The average over time whose weight follows the change of each pixel: what the picture or the network changes at once
// is taken at once. vcam moves the average with the picture first; here a pixel that has changed begins anew.
class OverTime {
  constructor(width, height) {
    this.width = width;
    this.half = [width >> 1, height >> 1];
    const small = this.half[0] * this.half[1];
    this.mean = new Float32Array(width * height);
    this.luma = new Uint8Array(small);
    this.before = new Uint8Array(small);
    this.doubt = new Float32Array(small);
    this.known = false;
  }

  update(probability, luma, strength) {
    const { mean, half } = this;
    [this.luma, this.before] = [this.before, this.luma];
    halve(luma, this.width, this.luma);
    let apart = 0;
    for (let at = 0; at < this.luma.length; at++) apart += Math.abs(this.luma[at] - this.before[at]);
    const begins = !this.known || apart > CUT * this.luma.length;
    this.known = true;
    if (begins || !strength) {
      mean.set(probability);
      return begins;
    }
    const floor = leastGain(strength);
    const slope = (1 - floor) / (MOVING - STILL);
    this.measure(floor);
    for (let y = 0, at = 0; at < mean.length; y++) {
      const row = Math.min(y >> 1, half[1] - 1) * half[0];
      for (let x = 0; x < this.width; x++, at++) {
        const change = probability[at] - mean[at];
        const gain = Math.max(floor + (Math.abs(change) - STILL) * slope, this.doubt[row + Math.min(x >> 1, half[0] - 1)]);
        mean[at] += clamp(gain, floor, 1) * change;
      }
    }
    return false;
  }

  // The least gain of each pixel, by the change of the picture round it.
  measure(floor) {
    const [width, height] = this.half;
    const { luma, before, doubt } = this;
    for (let y = 0, at = 0; y < height; y++) {
      for (let x = 0; x < width; x++, at++) {
        let sum = 0;
        for (let dy = -1; dy <= 1; dy++) {
          const row = clamp(y + dy, 0, height - 1) * width;
          for (let dx = -1; dx <= 1; dx++) {
            const from = row + clamp(x + dx, 0, width - 1);
            sum += Math.abs(luma[from] - before[from]);
          }
        }
        doubt[at] = floor + (1 - floor) * clamp((sum / 9 - SAME) / (OTHER - SAME), 0, 1);
      }
    }
  }
}

export class MatteStage {
  constructor([width, height]) {
    this.width = width;
    this.height = height;
    const count = width * height;
    const half = [width >> 1, height >> 1];
    this.time = new OverTime(width, height);
    this.islands = new Islands(width, height);
    this.guided = new GuidedModel(...half);
    this.bytes = new Uint8Array(count);
    this.before = new Uint8Array(count);
    this.step = new Uint8Array(count);
    this.grown = new Uint8Array(count);
    this.nearer = new Uint8Array(count);
    this.small = new Uint8Array(half[0] * half[1]);
    this.guide = new Uint8Array(half[0] * half[1]);
    this.settings = "";
    this.applied = false;
  }

  // probability: float32 of the map; planes: luma at its size, cb and cr at half of it.
  // Gives { model, gain, room, box }: float32 x4 at half size; uint8 gains for the average of the refined matte; the
  // matte grown by a margin, for what is shown of the room; and where the person is, as shares of the sides.
  update(probability, { luma, cb, cr }, settings) {
    this.choose(settings);
    const begins = this.time.update(probability, luma, settings.temporal) || !this.applied;
    const { bytes, step, width, height } = this;
    const { mean } = this.time;
    for (let at = 0; at < bytes.length; at++) {
      bytes[at] = Math.min(255, Math.round(255 * mean[at]));
      step[at] = this.curve[bytes[at]];
    }
    this.islands.apply(step, settings.islands);
    this.moveEdge(settings.edge);
    const box = this.findBox();
    halve(step, width, this.small);
    halve(luma, width, this.guide);
    const model = box
      ? this.guided.find(this.small, [this.guide, cb, cr], radiusOf(box[3] - box[1], height))
      : new Float32Array(4 * this.small.length);
    const gain = this.gains(begins, settings.temporal);
    this.before.set(bytes);
    this.applied = true;
    const reach = Math.ceil((MARGIN * height) / LINES);
    const room = stretch(step, width, square(reach), new Uint8Array(step.length));
    const [left, top, right, bottom] = box ?? [0, 0, 0, 0];
    return { model, gain, room, box: [left / width, top / height, right / width, bottom / height] };
  }

  choose(settings) {
    const key = `${settings.softness} ${settings.edge}`;
    if (key === this.settings) return;
    this.settings = key;
    this.curve = softStep(settings.softness);
    const radius = (Math.abs(settings.edge) * this.height) / LINES;
    this.whole = Math.floor(radius);
    this.rest = radius - this.whole;
    this.discs = [disc(this.whole), disc(this.whole + 1)];
  }

  moveEdge(edge) {
    if (!edge) return;
    const { step, grown, nearer, width, rest, whole } = this;
    const inward = edge < 0;
    const inner = whole ? stretch(step, width, this.discs[0], nearer, inward) : step;
    if (!rest) {
      step.set(inner);
      return;
    }
    stretch(step, width, this.discs[1], grown, inward);
    for (let at = 0; at < step.length; at++) step[at] = Math.round(grown[at] * rest + inner[at] * (1 - rest));
  }

  // Where the person is, with what the refinement reaches beyond: left, top, right, bottom in pixels of the map; null
  // if there is nobody.
  findBox() {
    const { step, width, height } = this;
    let [left, top, right, bottom] = [width, height, -1, -1];
    for (let y = 0, at = 0; y < height; y++) {
      for (let x = 0; x < width; x++, at++) {
        if (!step[at]) continue;
        if (x < left) left = x;
        if (x > right) right = x;
        if (y < top) top = y;
        bottom = y;
      }
    }
    if (right < 0) return null;
    return [Math.max(left - REACH, 0), Math.max(top - REACH, 0), Math.min(right + 1 + REACH, width), Math.min(bottom + 1 + REACH, height)];
  }

  // How much of the refined matte is new: all of it where the map has changed.
  gains(begins, strength) {
    const { bytes, before, width } = this;
    const gain = new Uint8Array(bytes.length);
    if (begins || !strength) return gain.fill(255);
    for (let at = 0; at < bytes.length; at++) gain[at] = Math.abs(bytes[at] - before[at]);
    const change = stretch(gain, width, square(1), this.grown);
    const least = Math.round(256 * leastGain(strength));
    const gains = Uint8Array.from({ length: 256 }, (_, by) => Math.min(255, Math.round(least + (256 - least) * clamp((by - CALM) / (MOVED - CALM), 0, 1))));
    for (let at = 0; at < change.length; at++) gain[at] = gains[change[at]];
    return gain;
  }

  // What comes next has nothing to do with what went before.
  reset() {
    this.time.known = false;
    this.applied = false;
  }

  // There was no matte of a frame: the average of the refined matte begins anew with the next.
  missed() {
    this.applied = false;
  }
}
