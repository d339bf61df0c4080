// What is not believed: a map that shows all of the frame as a person all of a sudden, one that is the same everywhere,
// and one that an engine left over from the picture before. See vcam/segment/doubt.py and repeats.py.
const THERE = 0.25;
const FULL = 0.8;
const NEAR = 0.65;
const LOOKS = 4;
const FLAT = 0.02;
const SOME = 0.1;
const SURE = 0.9;
const ROUGH = 0.12;

// By how much a probability may lie beside 0 to 1.
export const TOLERANCE = 1e-3;

export const BELIEVED = "believed";
export const WAIT = "wait";
export const WRONG = "wrong";

export class Doubt {
  constructor(width) {
    this.width = width;
    this.step = Math.floor(width / 64) | 1;
    this.reset();
  }

  reset() {
    this.trusted = false;
    this.near = false;
    this.looks = 0;
    this.last = null;
    this.picture = null;
  }

  // BELIEVED, WRONG, or WAIT: not yet. `proven` is how many known pictures have come out right since the first doubt.
  judge(map, proven) {
    const { flat, share, nonsense } = this.look(map);
    if (nonsense) {
      this.reset();
      return WRONG;
    }
    if (share < FULL) {
      this.near = share >= NEAR;
      this.trusted = false;
      this.looks = 0;
      return BELIEVED;
    }
    if (this.trusted || (this.near && !flat)) {
      this.trusted = true;
      return BELIEVED;
    }
    this.looks++;
    if (this.looks < LOOKS || proven < LOOKS) return WAIT;
    this.trusted = true;
    this.looks = 0;
    return BELIEVED;
  }

  look(map) {
    const { width, step } = this;
    const high = map.length / width;
    let low = Infinity;
    let top = -Infinity;
    let there = 0;
    let count = 0;
    let across = 0;
    let down = 0;
    for (let y = 0; y < high; y += step) {
      for (let x = 0; x < width; x += step, count++) {
        const value = map[y * width + x];
        if (!(value >= -TOLERANCE && value <= 1 + TOLERANCE)) return { nonsense: true };
        low = Math.min(low, value);
        top = Math.max(top, value);
        if (value > THERE) there++;
        if (x >= step) across += Math.abs(value - map[y * width + x - step]);
        if (y >= step) down += Math.abs(value - map[(y - step) * width + x]);
      }
    }
    const flat = top - low < FLAT;
    const limit = Math.max(ROUGH, 8 / Math.ceil(width / step));
    const nonsense = flat ? top > SOME && low < SURE : Math.max(across, down) / count > limit;
    return { flat, share: there / count, nonsense };
  }

  // Whether a map is that of the last picture to the bit, though the picture is another.
  repeats(luma, map) {
    const { last, picture } = this;
    this.last = map.filter((_, at) => at % 13 === 0);
    this.picture = luma.filter((_, at) => at % 53 === 0);
    if (!last || !this.last.every((value, at) => value === last[at])) return false;
    if (this.last.filter((value) => value > 0.01 && value < 0.99).length < 16) return false;
    return this.picture.filter((value, at) => Math.abs(value - picture[at]) > 24).length > 0.005 * picture.length;
  }
}
