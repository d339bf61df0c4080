// Small islands of the matte are removed and small holes filled, as vcam/matte/islands.py does.
const LEVEL = 127;
const SKIRT = 2;
// the four straight neighbours come first
const ACROSS = [1, -1, 0, 0, 1, 1, -1, -1];
const DOWN = [0, 0, 1, -1, 1, -1, 1, -1];

export class Islands {
  constructor(width, height) {
    this.width = width;
    this.height = height;
    this.labels = new Int32Array(width * height);
    this.stack = new Int32Array(width * height);
  }

  // Changes a matte, uint8, in place; percent: the share of the picture below which it is small, 0 for none.
  apply(matte, percent) {
    if (!percent) return;
    const { labels, width } = this;
    const least = (matte.length * percent) / 100;
    labels.fill(0);
    const parts = [];
    for (let at = 0; at < matte.length; at++) {
      if (!labels[at]) parts.push(this.flood(matte, at, parts.length + 1));
    }
    const people = parts.filter((part) => part.person);
    const holes = parts.filter((part) => !part.person && !part.open);
    // one person without a hole, or one small island that is all there is: nothing to compare with
    if (people.length + holes.length < 2) return;
    for (let number = 1; number <= parts.length; number++) {
      const part = parts[number - 1];
      if (part.person ? part.area < least : !part.open && part.area < least) this.paint(matte, number, part.person ? 0 : 255, width);
    }
  }

  // Labels what hangs together: people by eight neighbours, what is none by four.
  flood(matte, start, label) {
    const { labels, stack, width, height } = this;
    const person = matte[start] > LEVEL;
    const [lastColumn, lastRow] = [width - 1, height - 1];
    let count = 0;
    let rim = 0;
    let open = false;
    let left = 1;
    stack[0] = start;
    labels[start] = label;
    while (left) {
      const at = stack[--left];
      const x = at % width;
      const y = (at - x) / width;
      count++;
      let inner = 0;
      const border = x === 0 || y === 0 || x === lastColumn || y === lastRow;
      open ||= border;
      for (let number = 0; number < (person ? 8 : 4); number++) {
        const nx = x + ACROSS[number];
        const ny = y + DOWN[number];
        if (border && (nx < 0 || ny < 0 || nx > lastColumn || ny > lastRow)) continue;
        const next = ny * width + nx;
        if (matte[next] > LEVEL !== person) continue;
        if (number < 4) inner++;
        if (!labels[next]) {
          labels[next] = label;
          stack[left++] = next;
        }
      }
      if (inner < 4) rim++;
    }
    // the area within the outline through the centres of the pixels on it; that of a hole runs round it
    const area = person ? count - rim / 2 - 1 : count + rim / 2 + 1;
    return { person, open, area };
  }

  paint(matte, label, value, width) {
    const { labels, height } = this;
    for (let at = 0; at < matte.length; at++) {
      if (labels[at] !== label) continue;
      matte[at] = value;
      if (value) continue;
      // no soft rim stays behind
      const x = at % width;
      const y = (at - x) / width;
      for (let ny = Math.max(0, y - SKIRT); ny <= Math.min(height - 1, y + SKIRT); ny++) {
        for (let nx = Math.max(0, x - SKIRT); nx <= Math.min(width - 1, x + SKIRT); nx++) matte[ny * width + nx] = 0;
      }
    }
  }
}
