// The fast guided filter with a guide of colours, as vcam/matte/guided.py has it: four small maps a, b with
// matte = a . (Y, Cb, Cr) + b, which the shader enlarges and applies to the frame.
import { BoxFilter, square, stretch } from "./planes.js";

const EPSILON = 1e-3 * 255 * 255;
const CONTRAST = 1.6;
const BLIND = 6;
const SURE = 24;
const FLAT = 1;
export const RADIUS = 3;
export const REACH = 2 * RADIUS;
const REFERENCE_ROWS = 48;

// What half a window's side is for a box of so many rows of the map.
export function radiusOf(boxRows, rows) {
  return Math.min(2 * boxRows >= rows ? RADIUS : RADIUS >> 1, Math.max(Math.floor(rows / REFERENCE_ROWS), 1));
}

export class GuidedModel {
  constructor(width, height) {
    this.width = width;
    this.box = new BoxFilter(width, height);
    const count = width * height;
    this.maps = Array.from({ length: 22 }, () => new Float32Array(count));
    this.near = new Uint8Array(count);
    this.far = new Uint8Array(count);
  }

  // matte and the three guides: uint8 at half the map's size. Gives float32, four for each pixel: a of Y, Cb, Cr, and b.
  find(p, guide, radius) {
    const count = p.length;
    const { box } = this;
    const [product, meanP, m0, m1, m2, c0, c1, c2, yy, yu, yv, uu, uv, vv, s0, s1, s2, offset, explained, blind, other, variance] = this.maps;
    const mean = (plane, target) => box.mean(plane, radius, target);
    const meanOf = (a, b, target) => {
      for (let at = 0; at < count; at++) product[at] = a[at] * b[at];
      return mean(product, target);
    };
    mean(p, meanP);
    const means = [m0, m1, m2];
    const toP = [c0, c1, c2];
    guide.forEach((plane, index) => {
      mean(plane, means[index]);
      meanOf(plane, p, toP[index]);
    });
    [[yy, 0, 0], [yu, 0, 1], [yv, 0, 2], [uu, 1, 1], [uv, 1, 2], [vv, 2, 2]].forEach(([target, i, j]) => meanOf(guide[i], guide[j], target));
    meanOf(p, p, variance);
    const least = EPSILON ** 3;
    for (let at = 0; at < count; at++) {
      const a = m0[at];
      const b = m1[at];
      const c = m2[at];
      const q = meanP[at];
      const y = c0[at] - a * q;
      const u = c1[at] - b * q;
      const v = c2[at] - c * q;
      const kyy = yy[at] - a * a + EPSILON;
      const kyu = yu[at] - a * b;
      const kyv = yv[at] - a * c;
      const kuu = uu[at] - b * b + EPSILON;
      const kuv = uv[at] - b * c;
      const kvv = vv[at] - c * c + EPSILON;
      const fyy = kuu * kvv - kuv * kuv;
      const fyu = kyv * kuv - kyu * kvv;
      const fyv = kyu * kuv - kyv * kuu;
      const fuu = kyy * kvv - kyv * kyv;
      const fuv = kyu * kyv - kyy * kuv;
      const fvv = kyy * kuu - kyu * kyu;
      const whole = Math.max(kyy * fyy + kyu * fyu + kyv * fyv, least);
      const sy = (fyy * y + fyu * u + fyv * v) / whole;
      const su = (fyu * y + fuu * u + fuv * v) / whole;
      const sv = (fyv * y + fuv * u + fvv * v) / whole;
      s0[at] = sy;
      s1[at] = su;
      s2[at] = sv;
      offset[at] = q - sy * a - su * b - sv * c;
      const share = (sy * y + su * u + sv * v) / Math.max(variance[at] - q * q, FLAT);
      explained[at] = 1 - Math.min(1, Math.max(0, share));
    }
    for (const plane of [s0, s1, s2, offset]) mean(plane, plane);
    mean(explained, blind);
    stretch(p, this.width, square(1), this.far);
    stretch(p, this.width, square(1), this.near, true);
    const [Y, U, V] = guide;
    const found = new Float32Array(4 * count);
    for (let at = 0; at < count; at++) {
      if (this.far[at] <= SURE) {
        other[at] = 0;
      } else if (this.near[at] >= 255 - SURE) {
        found[4 * at + 3] = 255;
      } else {
        let dark = blind[at];
        for (let power = 0; power < BLIND; power++) dark *= dark;
        const missing = p[at] - offset[at] - s0[at] * Y[at] - s1[at] * U[at] - s2[at] * V[at];
        found[4 * at] = s0[at];
        found[4 * at + 1] = s1[at];
        found[4 * at + 2] = s2[at];
        found[4 * at + 3] = offset[at] + missing * dark;
      }
    }
    // the contrast rides in the small maps
    for (let at = 0; at < count; at++) {
      found[4 * at] *= CONTRAST;
      found[4 * at + 1] *= CONTRAST;
      found[4 * at + 2] *= CONTRAST;
      found[4 * at + 3] = found[4 * at + 3] * CONTRAST + 255 * (0.5 - 0.5 * CONTRAST);
    }
    return found;
  }
}
