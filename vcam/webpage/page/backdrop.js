// What is behind the person: a colour, a picture, nothing at all, or the room out of focus.

const LINES = 720;
const SIGMA_AT_1 = 3;
const SIGMA_AT_100 = 38;
const VARIANCE = 1 / 12 + 1 / 6;
const VARIANCE_HALFWAY = 1 / 12 + 1 / 6 + 1 / 8 + 1 / 24;
const TOP_LINES = 12;
const TOP_SIGMA = 2;
const REDUCED = 8;
const MOST = 23;

// The blur's standard deviation in lines of 720, for a strength of 1 to 100 (vcam/compose/backgrounds/fromframe.py).
export const sigmaOf = (strength) => SIGMA_AT_1 + ((strength - 1) / 99) * (SIGMA_AT_100 - SIGMA_AT_1);

// Half of a Gaussian, the centre first, cut at three sigma; its whole sums to 1.
export function gaussian(sigma) {
  const reach = Math.min(Math.ceil(3 * sigma), MOST);
  const half = Array.from({ length: reach + 1 }, (_, at) => Math.exp((-at * at) / (2 * sigma * sigma)));
  const sum = half[0] + 2 * half.slice(1).reduce((total, value) => total + value, 0);
  return { kernel: Array.from({ length: MOST + 1 }, (_, at) => (half[at] ?? 0) / sum), reach };
}

export class Backdrop {
  constructor(tools) {
    this.tools = tools;
    this.size = null;
    this.plate = this.light = null;
    this.fromFrame = this.clear = false;
    this.wish = { kind: "color", color: "#000000" };
    this.made = [];
  }

  fit(size) {
    this.size = size;
    this.set(this.wish);
  }

  // wish: { kind: "blur", strength }, { kind: "color", color }, { kind: "clear" } or { kind: "image", picture }.
  set(wish) {
    this.wish = wish;
    if (!this.size) return;
    this.tools.free(...this.made);
    this.made = [];
    this.fromFrame = wish.kind === "blur";
    this.clear = wish.kind === "clear";
    this.plate = this.light = null;
    if (this.fromFrame) this.beginBlur(wish.strength);
    else if (!this.clear) this.draw(wish);
  }

  own(...targets) {
    this.made.push(...targets);
    return targets;
  }

  // A still plate, drawn once, and its light: the same at an eighth, twice averaged.
  draw(wish) {
    const { tools } = this;
    const [width, height] = this.size;
    const sheet = Object.assign(document.createElement("canvas"), { width, height });
    const pen = sheet.getContext("2d");
    pen.fillStyle = wish.kind === "color" ? wish.color : "#000";
    pen.fillRect(0, 0, width, height);
    if (wish.kind === "image") {
      const { picture } = wish;
      const scale = Math.max(width / picture.width, height / picture.height);
      pen.imageSmoothingQuality = "high";
      pen.drawImage(picture, (width - picture.width * scale) / 2, (height - picture.height * scale) / 2, picture.width * scale, picture.height * scale);
    }
    [this.plate] = this.own(tools.target(width, height));
    tools.fill(this.plate, sheet);
    const small = [Math.max(2, Math.floor(width / REDUCED)), Math.max(2, Math.floor(height / REDUCED))];
    const tiny = Object.assign(document.createElement("canvas"), { width: small[0], height: small[1] });
    const brush = tiny.getContext("2d");
    brush.imageSmoothingQuality = "high";
    brush.drawImage(sheet, 0, 0, ...small);
    const [one, other] = this.own(tools.target(...small), tools.target(...small));
    tools.fill(one, tiny);
    const side = Math.max(1, Math.round((24 * height) / LINES / REDUCED)) | 1;
    // two means of `side` are one tent
    const kernel = Array.from({ length: MOST + 1 }, (_, at) => Math.max(0, side - at) / (side * side));
    tools.pass("blur", other, { source: one, kernel, reach: side - 1, along: [1 / small[0], 0] });
    tools.pass("blur", one, { source: other, kernel, reach: side - 1, along: [0, 1 / small[1]] });
    this.light = one;
  }

  beginBlur(strength) {
    const { tools } = this;
    const [width, height] = this.size;
    const sigma = (sigmaOf(strength) * height) / LINES;
    const factor = [16, 8].find((each) => sigma >= 1.1 * each) ?? 4;
    const small = [Math.ceil(width / factor), Math.ceil(height / factor)];
    // a blur that spans hardly more than a small pixel would show their grid if it were enlarged in one go
    const halfway = factor > 4 && sigma < 1.8 * factor;
    this.kernel = gaussian(Math.max(0.5, Math.sqrt(Math.max(0, (sigma / factor) ** 2 - (halfway ? VARIANCE_HALFWAY : VARIANCE)))));
    const levels = 1 + Math.max(1, Math.round(Math.log2(small[1] / TOP_LINES)));
    const sizes = [small];
    while (sizes.length < levels) sizes.push(sizes.at(-1).map((side) => (side + 1) >> 1));
    this.sums = this.own(...sizes.map((size) => tools.target(...size, tools.deep)));
    this.spare = this.own(tools.target(...small, tools.deep), tools.target(...sizes.at(-1), tools.deep));
    this.full = this.own(...sizes.map((size) => tools.target(...size)));
    this.twice = halfway ? this.own(...[0, 1].map(() => tools.target(2 * small[0], 2 * small[1]))) : null;
    this.spread = gaussian((TOP_SIGMA * sizes.at(-1)[1]) / TOP_LINES);
    this.plate = this.light = this.twice ? this.twice[1] : this.full[0];
  }

  // What is behind the person in this very frame; nothing to do for what is still.
  update(slot, grown) {
    if (!this.fromFrame) return;
    const { tools, sums, full, spare } = this;
    const [first] = sums;
    const [width, height] = [first.width, first.height];
    const source = [...slot.steps].slice(0, -1).reverse().find((step) => step.width >= width && step.height >= height) ?? slot.frame;
    const taps = Math.max(1, Math.round(source.width / width / 2));
    tools.pass("room", first, { source, grown, taps, pixel: [1 / width, 1 / height] });
    this.blur(first, spare[0], this.kernel);
    for (let level = 1; level < sums.length; level++) tools.copy(sums[level - 1], sums[level]);
    this.blur(sums.at(-1), spare[1], this.spread);
    tools.pass("top", full.at(-1), { source: sums.at(-1) });
    for (let level = sums.length - 2; level >= 0; level--) tools.pass("complete", full[level], { source: sums[level], coarser: full[level + 1] });
    if (!this.twice) return;
    const [one, other] = this.twice;
    tools.copy(full[0], other);
    this.blur(other, one, { kernel: [0.5, 0.25, ...new Array(22).fill(0)], reach: 1 });
  }

  // Both directions; the result is where it was.
  blur(target, between, { kernel, reach }) {
    const { tools } = this;
    tools.pass("blur", between, { source: target, kernel, reach, along: [1 / target.width, 0] });
    tools.pass("blur", target, { source: between, kernel, reach, along: [0, 1 / target.height] });
  }
}
