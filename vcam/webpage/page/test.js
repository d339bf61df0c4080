// For tests, at ?test: frames one by one instead of from a camera, and what came of them.

const base64 = (bytes) => {
  let text = "";
  for (let at = 0; at < bytes.length; at += 0x8000) text += String.fromCharCode(...bytes.subarray(at, at + 0x8000));
  return btoa(text);
};

export function attach(app) {
  const { loop } = app;
  globalThis.vcam = {
    app,
    // Shows a picture (its address or base64 of a file) to the network as the next frame. Gives what was said of it,
    // and with `read` the composited picture or the matte: base64 of RGBA.
    async frame(picture, read = "") {
      const data = Uint8Array.from(atob(picture), (letter) => letter.charCodeAt(0));
      const bitmap = await createImageBitmap(new Blob([data]), { colorSpaceConversion: "none", premultiplyAlpha: "none" });
      let seq = 0;
      while (!(seq = app.frame(bitmap, bitmap.width, bitmap.height))) {
        if (loop.engine?.error && !loop.engine.choices.length) throw new Error(loop.engine.error);
        await new Promise((resolve) => setTimeout(resolve, 10));
      }
      const said = await new Promise((resolve) => loop.waiting.set(seq, resolve));
      bitmap.close();
      const pixels = read ? base64(app.painter.read({ ...app.settings, view: read })) : "";
      return { kind: said.kind, seq, reason: said.reason ?? "", error: said.error ?? "", shown: loop.shown, size: app.painter.size, pixels };
    },
  };
}
