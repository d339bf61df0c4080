// The shaders, WebGL2. In every texture the first row is the top one; only what goes onto the canvas is turned over.

export const VERTEX = `#version 300 es
uniform float upside;
out vec2 uv;
void main() {
  vec2 corner = vec2(gl_VertexID & 1, gl_VertexID >> 1) * 2.0;
  uv = vec2(corner.x, mix(corner.y, 1.0 - corner.y, upside));
  gl_Position = vec4(corner * 2.0 - 1.0, 0, 1);
}`;

const HEAD = `#version 300 es
precision highp float;
precision highp sampler2D;
in vec2 uv;
out vec4 found;
`;

// BT.601 in levels of the limited range (vcam/colour.py)
const COLOUR = `
float luma(vec3 c) { return 16.0 + dot(c, vec3(65.481, 128.553, 24.966)); }
vec2 chroma(vec3 c) { return 128.0 + vec2(dot(c, vec3(-37.797, -74.203, 112.0)), dot(c, vec3(112.0, -93.786, -18.214))); }
`;

export const FRAGMENTS = {
  // another size; to half of it, bilinear samples are means of two by two
  copy: `${HEAD}
uniform sampler2D source;
uniform float flip;
void main() { found = texture(source, vec2(flip > 0.0 ? 1.0 - uv.x : uv.x, uv.y)); }`,

  // the refined matte at working size, averaged over time where the map stands still (vcam/matte/average.py)
  refine: `${HEAD}${COLOUR}
uniform sampler2D source, coarse, model, gain, kept;
uniform float grain;
float light() {
  if (grain == 0.0) return floor(luma(texelFetch(source, ivec2(gl_FragCoord.xy), 0).rgb) + 0.5);
  // a blur of three by three, sigma 0.6, against the grain of pictures that are refined at full size
  vec2 pixel = 1.0 / vec2(textureSize(source, 0));
  float sum = 0.0;
  for (int y = -1; y <= 1; y++) for (int x = -1; x <= 1; x++) {
    float weight = (x == 0 ? 0.664 : 0.168) * (y == 0 ? 0.664 : 0.168);
    sum += weight * luma(texture(source, uv + pixel * vec2(x, y)).rgb);
  }
  return sum;
}
void main() {
  vec4 m = texture(model, uv);
  float q = m.w;
  if (m.xyz != vec3(0)) q += dot(m.xyz, vec3(light(), chroma(texture(coarse, uv).rgb)));
  q = floor(clamp(q, 0.0, 255.0) + 0.5);
  float before = floor(255.0 * texelFetch(kept, ivec2(gl_FragCoord.xy), 0).r + 0.5), share = floor(255.0 * texture(gain, uv).r + 0.5);
  float by = min(abs(q - before), floor((abs(q - before) * share + 255.0) / 256.0));
  found = vec4((before + sign(q - before) * by) / 255.0);
}`,

  // the person alone, to lie over what is behind; the frame is the one that the matte was made from
  person: `${HEAD}${COLOUR}
uniform sampler2D frame, matte, light, wrap;
uniform float flip, flipLight, strength, view;
void main() {
  vec2 mine = vec2(flip > 0.0 ? 1.0 - uv.x : uv.x, uv.y);
  float a = texture(matte, mine).r;
  if (view > 0.0) { found = vec4(vec3(a), 1); return; }
  if (a == 0.0) { found = vec4(0); return; }
  vec3 front = texelFetch(frame, ivec2(mine * vec2(textureSize(frame, 0))), 0).rgb;
  // deep inside the person no light comes, and each read counts where there is no graphics processor
  float near = strength > 0.0 ? texture(wrap, mine).r : 0.0;
  if (near > 0.0) {
    vec3 shine = texture(light, vec2(flipLight > 0.0 ? mine.x : uv.x, uv.y)).rgb;
    float share = strength * clamp((luma(shine) - 16.0) / 219.0, 0.0, 1.0) * near;
    front = mix(front, shine, share);
  }
  found = vec4(front * a, a);
}`,

  // a calm dark card, as vcam shows where nothing else may be shown
  placeholder: `${HEAD}
void main() {
  float noise = fract(sin(dot(gl_FragCoord.xy, vec2(12.9898, 78.233))) * 43758.5453);
  float level = floor(mix(52.0, 30.0, uv.y) + noise - 16.0) / 219.0;
  found = vec4(vec3(level) + vec3(-0.002, 0.0, 0.006), 1);
}`,

  // the room alone, at a fraction of the size: colour times weight, and weight (vcam/compose/backgrounds/behind.py)
  room: `${HEAD}
uniform sampler2D source, grown;
uniform float taps;
uniform vec2 pixel;
void main() {
  vec3 sum = vec3(0);
  float mask = 0.0;
  for (float y = 0.5; y < taps; y += 1.0) for (float x = 0.5; x < taps; x += 1.0) {
    vec2 at = uv + pixel * (vec2(x, y) / taps - 0.5);
    sum += texture(source, at).rgb;
    mask += texture(grown, at).r;
  }
  float weight = clamp((64.0 - 255.0 * mask / (taps * taps)) / 48.0, 0.0, 1.0);
  found = vec4(sum / (taps * taps) * weight, weight);
}`,

  // one direction of a blur
  blur: `${HEAD}
uniform sampler2D source;
uniform float kernel[24];
uniform int reach;
uniform vec2 along;
void main() {
  vec4 sum = kernel[0] * texture(source, uv);
  for (int tap = 1; tap <= reach; tap++) {
    vec2 by = along * float(tap);
    sum += kernel[tap] * (texture(source, uv + by) + texture(source, uv - by));
  }
  found = sum;
}`,

  // the coarsest level: from sums to colours, and plain dark grey where there is no room at all
  top: `${HEAD}
uniform sampler2D source;
void main() {
  vec4 sum = texture(source, uv);
  found = vec4((sum.rgb + 0.001 * 0.247) / (sum.a + 0.001), 1);
}`,

  // a finer level: its own colours, and those of the coarser one where it has little of its own
  complete: `${HEAD}
uniform sampler2D source, coarser;
void main() {
  vec4 sum = texture(source, uv);
  float lack = 0.01 * (1.0 - sum.a), whole = sum.a + lack;
  found = vec4((sum.rgb + lack * texture(coarser, uv).rgb) / whole, 1);
}`,

  // how much of the background is round each pixel of the person (vcam/compose/filters/edge.py)
  around: `${HEAD}
uniform sampler2D matte;
uniform float taps;
uniform vec2 pixel;
void main() {
  float sum = 0.0;
  for (float y = 0.5; y < taps; y += 1.0) for (float x = 0.5; x < taps; x += 1.0) {
    sum += texture(matte, uv + pixel * (vec2(x, y) / taps - 0.5)).r;
  }
  found = vec4(1.0 - sum / (taps * taps));
}`,
};
