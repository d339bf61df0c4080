// Small planes in typed arrays: what OpenCV does for vcam, at the network's size, where a pass takes microseconds.

// Means of windows of 2r+1 by 2r+1, float32, borders repeated; `target` may be `plane` itself.
export class BoxFilter {
  constructor(width, height) {
    this.width = width;
    this.height = height;
    this.rows = new Float32Array(width * height);
    this.sums = new Float64Array(width);
  }

  mean(plane, radius, target) {
    const { width, height, rows, sums } = this;
    const window = 2 * radius + 1;
    for (let y = 0, at = 0; y < height; y++, at += width) {
      let sum = (radius + 1) * plane[at];
      for (let x = 1; x <= radius; x++) sum += plane[at + Math.min(x, width - 1)];
      for (let x = 0; x < width; x++) {
        rows[at + x] = sum;
        sum += plane[at + Math.min(x + radius + 1, width - 1)] - plane[at + Math.max(x - radius, 0)];
      }
    }
    const share = 1 / (window * window);
    for (let x = 0; x < width; x++) sums[x] = (radius + 1) * rows[x];
    for (let y = 1; y <= radius; y++) {
      const at = Math.min(y, height - 1) * width;
      for (let x = 0; x < width; x++) sums[x] += rows[at + x];
    }
    for (let y = 0, at = 0; y < height; y++, at += width) {
      const enters = Math.min(y + radius + 1, height - 1) * width;
      const leaves = Math.max(y - radius, 0) * width;
      for (let x = 0; x < width; x++) {
        target[at + x] = sums[x] * share;
        sums[x] += rows[enters + x] - rows[leaves + x];
      }
    }
    return target;
  }
}

// Means of two by two samples, rounded as bytes round; odd last lines are left out.
export function halve(plane, width, target) {
  const wide = width >> 1;
  const high = Math.floor(plane.length / width) >> 1;
  for (let y = 0, at = 0; y < high; y++) {
    let from = 2 * y * width;
    for (let x = 0; x < wide; x++, at++, from += 2) {
      target[at] = (plane[from] + plane[from + 1] + plane[from + width] + plane[from + width + 1] + 2) >> 2;
    }
  }
  return target;
}

// The spans of a disc's rows, as OpenCV's MORPH_ELLIPSE of 2r+1 by 2r+1 has them: half widths for dy from -r to r.
export function disc(radius) {
  const spans = [];
  for (let dy = -radius; dy <= radius; dy++) {
    spans.push(radius ? roundEven(radius * Math.sqrt((radius * radius - dy * dy) / (radius * radius))) : 0);
  }
  return spans;
}

export function square(radius) {
  return new Array(2 * radius + 1).fill(radius);
}

export function roundEven(value) {
  const whole = Math.floor(value);
  const rest = value - whole;
  return rest > 0.5 || (rest === 0.5 && whole % 2) ? whole + 1 : whole;
}

// The highest (or lowest) sample within a shape around each pixel; what lies outside of the plane does not count.
// spans: of `disc` or `square`. target: another array than the plane.
export function stretch(plane, width, spans, target, lowest = false) {
  if (lowest) {
    // the lowest is the highest of what each lacks
    const lacking = scratch(2, plane.length);
    for (let at = 0; at < plane.length; at++) lacking[at] = 255 - plane[at];
    stretch(lacking, width, spans, target);
    for (let at = 0; at < plane.length; at++) target[at] = 255 - target[at];
    return target;
  }
  const radius = spans.length >> 1;
  if (spans.every((span) => span === radius)) {
    const rows = spread(plane, radius, width, true, scratch(3, plane.length));
    target.set(spread(rows, radius, width, false, scratch(4, plane.length)));
    return target;
  }
  target.fill(0);
  for (const span of new Set(spans)) {
    const rows = spread(plane, span, width, true, scratch(3, plane.length));
    for (let dy = -radius; dy <= radius; dy++) {
      if (spans[dy + radius] !== span) continue;
      const by = dy * width;
      const end = Math.min(plane.length, plane.length - by);
      for (let at = Math.max(0, -by); at < end; at++) if (rows[at + by] > target[at]) target[at] = rows[at + by];
    }
  }
  return target;
}

const buffers = [];

// Memory for passes on the way, by number and length.
function scratch(number, length) {
  if (buffers[number]?.length !== length) buffers[number] = new Uint8Array(length);
  return buffers[number];
}

// The highest of a line of 2 span + 1 samples, along rows or columns: by steps of one, two, four. The result may be
// the plane itself, `spare`, or a buffer that the next call uses again.
function spread(plane, span, width, rows, spare) {
  let from = plane;
  let reached = 0;
  let turn = spare;
  while (reached < span) {
    const by = Math.min(Math.max(reached, 1), span - reached);
    if (rows) alongRows(from, by, width, turn);
    else alongColumns(from, by * width, turn);
    from = turn;
    turn = turn === spare ? scratch(rows ? 0 : 1, plane.length) : spare;
    reached += by;
  }
  return from;
}

function alongRows(plane, by, width, target) {
  for (let start = 0; start < plane.length; start += width) {
    for (let x = 0; x < width; x++) {
      const at = start + x;
      let high = plane[at];
      if (x >= by && plane[at - by] > high) high = plane[at - by];
      if (x + by < width && plane[at + by] > high) high = plane[at + by];
      target[at] = high;
    }
  }
}

function alongColumns(plane, by, target) {
  const last = plane.length - by;
  for (let at = 0; at < plane.length; at++) {
    let high = plane[at];
    if (at >= by && plane[at - by] > high) high = plane[at - by];
    if (at < last && plane[at + by] > high) high = plane[at + by];
    target[at] = high;
  }
}

// A plane at another size, bilinear between the centres of pixels.
export function resize(plane, [width, height], [wide, high], target) {
  const across = steps(width, wide);
  const down = steps(height, high);
  for (let y = 0, at = 0; y < high; y++) {
    const { low: top, high: bottom, share: fy } = down[y];
    for (let x = 0; x < wide; x++, at++) {
      const { low, high: next, share } = across[x];
      const above = plane[top * width + low] * (1 - share) + plane[top * width + next] * share;
      const below = plane[bottom * width + low] * (1 - share) + plane[bottom * width + next] * share;
      target[at] = above * (1 - fy) + below * fy;
    }
  }
  return target;
}

function steps(length, target) {
  return Array.from({ length: target }, (_, at) => {
    const place = Math.min(Math.max(((at + 0.5) * length) / target - 0.5, 0), length - 1);
    const low = Math.floor(place);
    return { low, high: Math.min(low + 1, length - 1), share: place - low };
  });
}

export function clamp(value, low, high) {
  return value < low ? low : value > high ? high : value;
}
