// From the frame's pixels at the network's size to the network's picture, by way of the planes that vcam works on.

// BT.601, limited range, from 8-bit RGB (vcam/colour.py)
const Y = [65.481 / 255, 128.553 / 255, 24.966 / 255];
const U = [-37.797 / 255, -74.203 / 255, 112 / 255];
const V = [112 / 255, -93.786 / 255, -18.214 / 255];

export class Preparer {
  // network: an entry of about.json
  constructor(network) {
    const [width, height] = network.size;
    this.width = width;
    this.height = height;
    this.mean = network.mean;
    this.scale = network.scale;
    // at which place of the picture red, green and blue go
    this.order = network.channels === "BGR" ? [2, 1, 0] : [0, 1, 2];
    // rounds and keeps within 0..255
    this.bytes = new Uint8ClampedArray(3);
    this.luma = new Uint8Array(width * height);
    this.cb = new Uint8Array((width / 2) * (height / 2));
    this.cr = new Uint8Array((width / 2) * (height / 2));
  }

  // Fills luma, cb and cr, and gives the network's picture, float32 1x3xHxW. pixels: RGBA, the top row first.
  prepare(pixels) {
    const { width, height, luma, cb, cr } = this;
    const count = width * height;
    for (let y = 0; y < height; y += 2) {
      for (let x = 0; x < width; x += 2) {
        let red = 0;
        let green = 0;
        let blue = 0;
        for (let part = 0; part < 4; part++) {
          const at = (y + (part >> 1)) * width + x + (part & 1);
          const r = pixels[4 * at];
          const g = pixels[4 * at + 1];
          const b = pixels[4 * at + 2];
          luma[at] = 16.5 + Y[0] * r + Y[1] * g + Y[2] * b;
          red += r;
          green += g;
          blue += b;
        }
        const half = (y >> 1) * (width >> 1) + (x >> 1);
        cb[half] = 128.5 + (U[0] * red + U[1] * green + U[2] * blue) / 4;
        cr[half] = 128.5 + (V[0] * red + V[1] * green + V[2] * blue) / 4;
      }
    }
    const picture = new Float32Array(3 * count);
    const [first, second, third] = this.order.map((place) => place * count);
    const [m0, m1, m2] = this.mean;
    const [s0, s1, s2] = this.scale;
    const { bytes } = this;
    // the network sees colour as coarse as the camera's, which is what it is shown everywhere else
    for (let y = 0, at = 0; y < height; y++) {
      const row = (y >> 1) * (width >> 1);
      for (let x = 0; x < width; x++, at++) {
        const light = 1.164383 * (luma[at] - 16);
        const blue = cb[row + (x >> 1)] - 128;
        const red = cr[row + (x >> 1)] - 128;
        bytes[0] = light + 1.596027 * red;
        bytes[1] = light - 0.391762 * blue - 0.812968 * red;
        bytes[2] = light + 2.017232 * blue;
        picture[first + at] = bytes[0];
        picture[second + at] = bytes[1];
        picture[third + at] = bytes[2];
      }
    }
    for (let at = 0; at < count; at++) {
      picture[at] = (picture[at] - m0) / s0;
      picture[count + at] = (picture[count + at] - m1) / s1;
      picture[2 * count + at] = (picture[2 * count + at] - m2) / s2;
    }
    return picture;
  }

  // What is known of in advance: RGB or BGR bytes as the network wants them, one pixel after the other.
  known(bytes) {
    const count = this.width * this.height;
    const picture = new Float32Array(3 * count);
    for (let at = 0; at < count; at++) {
      for (let channel = 0; channel < 3; channel++) {
        picture[channel * count + at] = (bytes[3 * at + channel] - this.mean[channel]) / this.scale[channel];
      }
    }
    return picture;
  }
}
