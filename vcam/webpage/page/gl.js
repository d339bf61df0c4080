// A little of WebGL2: programs, textures, passes.
import { FRAGMENTS, VERTEX } from "./shaders.js";

export class Gl {
  // Throws if the browser has no WebGL2. `options` go to the context.
  constructor(canvas, options) {
    const gl = canvas.getContext("webgl2", options);
    if (!gl) throw new Error("no WebGL2");
    this.gl = gl;
    // sums of weighted colours; bytes are a coarse stand-in where a browser has no such targets
    this.deep = gl.getExtension("EXT_color_buffer_float") || gl.getExtension("EXT_color_buffer_half_float") ? gl.RGBA16F : gl.RGBA8;
    // maps of a filter's model, which are enlarged
    this.exact = gl.getExtension("OES_texture_float_linear") ? gl.RGBA32F : gl.RGBA16F;
    const named = gl.getExtension("WEBGL_debug_renderer_info");
    this.software = /swiftshader|llvmpipe|software|basic render/i.test(named ? gl.getParameter(named.UNMASKED_RENDERER_WEBGL) : "");
    this.programs = {};
    gl.bindVertexArray(gl.createVertexArray());
    gl.pixelStorei(gl.UNPACK_ALIGNMENT, 1);
    gl.pixelStorei(gl.PACK_ALIGNMENT, 1);
    gl.disable(gl.DITHER);
  }

  program(name) {
    const { gl } = this;
    if (this.programs[name]) return this.programs[name];
    const program = gl.createProgram();
    for (const [kind, text] of [[gl.VERTEX_SHADER, VERTEX], [gl.FRAGMENT_SHADER, FRAGMENTS[name]]]) {
      const shader = gl.createShader(kind);
      gl.shaderSource(shader, text);
      gl.compileShader(shader);
      gl.attachShader(program, shader);
    }
    gl.linkProgram(program);
    if (!gl.getProgramParameter(program, gl.LINK_STATUS) && !gl.isContextLost()) {
      const logs = gl.getAttachedShaders(program).map((shader) => gl.getShaderInfoLog(shader));
      throw new Error(`shader ${name}: ${gl.getProgramInfoLog(program)} ${logs.join(" ")}`);
    }
    const places = {};
    const count = gl.getProgramParameter(program, gl.ACTIVE_UNIFORMS) ?? 0;
    for (let number = 0; number < count; number++) {
      const { name: uniform, type } = gl.getActiveUniform(program, number);
      places[uniform.replace("[0]", "")] = { at: gl.getUniformLocation(program, uniform), type };
    }
    return (this.programs[name] = { program, places });
  }

  // A texture of this size and format.
  texture(width, height, format = this.gl.RGBA8) {
    const { gl } = this;
    const texture = gl.createTexture();
    gl.bindTexture(gl.TEXTURE_2D, texture);
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MIN_FILTER, gl.LINEAR);
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MAG_FILTER, gl.LINEAR);
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_WRAP_S, gl.CLAMP_TO_EDGE);
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_WRAP_T, gl.CLAMP_TO_EDGE);
    gl.texStorage2D(gl.TEXTURE_2D, 1, format, width, height);
    return { texture, width, height, format };
  }

  // The same, to be drawn into; its content is black.
  target(width, height, format = this.gl.RGBA8) {
    const { gl } = this;
    const target = this.texture(width, height, format);
    target.buffer = gl.createFramebuffer();
    gl.bindFramebuffer(gl.FRAMEBUFFER, target.buffer);
    gl.framebufferTexture2D(gl.FRAMEBUFFER, gl.COLOR_ATTACHMENT0, gl.TEXTURE_2D, target.texture, 0);
    this.clear(target);
    return target;
  }

  clear(target) {
    const { gl } = this;
    gl.bindFramebuffer(gl.FRAMEBUFFER, target?.buffer ?? null);
    gl.clearColor(0, 0, 0, 0);
    gl.clear(gl.COLOR_BUFFER_BIT);
  }

  free(...targets) {
    for (const target of targets) {
      if (!target) continue;
      this.gl.deleteTexture(target.texture);
      if (target.buffer) this.gl.deleteFramebuffer(target.buffer);
    }
  }

  // Fills a texture with a picture (video, bitmap, canvas) or with an array of its size.
  fill(target, source) {
    const { gl } = this;
    gl.bindTexture(gl.TEXTURE_2D, target.texture);
    const { width, height } = target;
    if (ArrayBuffer.isView(source)) {
      const [format, type] = target.format === gl.R8 ? [gl.RED, gl.UNSIGNED_BYTE] : [gl.RGBA, target.format !== gl.RGBA8 ? gl.FLOAT : gl.UNSIGNED_BYTE];
      gl.texSubImage2D(gl.TEXTURE_2D, 0, 0, 0, width, height, format, type, source);
    } else {
      // of a picture with an odd side, the last line is left out
      gl.texSubImage2D(gl.TEXTURE_2D, 0, 0, 0, width, height, gl.RGBA, gl.UNSIGNED_BYTE, source);
    }
  }

  // The whole of a texture that can be drawn into, at any size, in all of a target (null: the canvas). flip: mirrored.
  copy(source, target, flip = false) {
    const { gl } = this;
    const [wide, high] = [target?.width ?? gl.drawingBufferWidth, target?.height ?? gl.drawingBufferHeight];
    if (flip || source.width !== wide || source.height !== high) {
      this.pass("copy", target, { source, flip: flip ? 1 : 0 });
      return;
    }
    // cheaper than a shader
    gl.bindFramebuffer(gl.READ_FRAMEBUFFER, source.buffer);
    gl.bindFramebuffer(gl.DRAW_FRAMEBUFFER, target?.buffer ?? null);
    const [top, bottom] = target ? [0, high] : [high, 0];
    gl.blitFramebuffer(0, 0, wide, high, 0, top, wide, bottom, gl.COLOR_BUFFER_BIT, gl.NEAREST);
  }

  // Draws into a target (null: the canvas) by one of the shaders. Textures and numbers go by their names. box: the part
  // that is drawn, as shares of the sides: left, top, right, bottom.
  pass(name, target, values = {}, box = null) {
    const { gl } = this;
    const { program, places } = this.program(name);
    gl.useProgram(program);
    gl.bindFramebuffer(gl.FRAMEBUFFER, target?.buffer ?? null);
    const [wide, high] = [target?.width ?? gl.drawingBufferWidth, target?.height ?? gl.drawingBufferHeight];
    gl.viewport(0, 0, wide, high);
    if (box) {
      const [left, right] = [Math.floor(box[0] * wide), Math.ceil(box[2] * wide)];
      const [top, bottom] = [Math.floor(box[1] * high), Math.ceil(box[3] * high)];
      gl.enable(gl.SCISSOR_TEST);
      gl.scissor(left, target ? top : high - bottom, right - left, bottom - top);
    }
    let unit = 0;
    for (const [key, value] of Object.entries({ upside: target ? 0 : 1, ...values })) {
      const place = places[key];
      if (!place) continue;
      if (place.type === gl.SAMPLER_2D) {
        gl.activeTexture(gl.TEXTURE0 + unit);
        gl.bindTexture(gl.TEXTURE_2D, value.texture);
        gl.uniform1i(place.at, unit++);
      } else if (place.type === gl.INT) gl.uniform1i(place.at, value);
      else if (place.type === gl.FLOAT_VEC2) gl.uniform2fv(place.at, value);
      else if (Array.isArray(value)) gl.uniform1fv(place.at, value);
      else gl.uniform1f(place.at, value);
    }
    gl.activeTexture(gl.TEXTURE0);
    gl.drawArrays(gl.TRIANGLES, 0, 3);
    gl.disable(gl.SCISSOR_TEST);
  }

  // All of a target's pixels, RGBA, the top row first.
  read(target, into = new Uint8Array(4 * target.width * target.height)) {
    const { gl } = this;
    gl.bindFramebuffer(gl.FRAMEBUFFER, target.buffer);
    gl.readPixels(0, 0, target.width, target.height, gl.RGBA, gl.UNSIGNED_BYTE, into);
    return into;
  }
}
