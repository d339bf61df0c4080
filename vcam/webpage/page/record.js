// The picture as it is shown, with the microphone if wanted, into a file of the browser's.

const KINDS = ["video/mp4;codecs=avc1.42E01F,mp4a.40.2", "video/mp4;codecs=avc1.42E01F", "video/webm;codecs=vp9,opus", "video/webm;codecs=vp8,opus", "video/webm"];

export const canRecord = () => typeof MediaRecorder === "function" && !!HTMLCanvasElement.prototype.captureStream && !!kind();

function kind() {
  return KINDS.find((each) => MediaRecorder.isTypeSupported(each)) ?? "";
}

export class Recording {
  // Throws if there is no microphone where one is wanted, or nothing can be recorded.
  static async begin(canvas, sound) {
    const stream = canvas.captureStream(30);
    if (sound) (await navigator.mediaDevices.getUserMedia({ audio: true })).getAudioTracks().forEach((track) => stream.addTrack(track));
    try {
      return new Recording(stream);
    } catch (error) {
      stream.getTracks().forEach((track) => track.stop());
      throw error;
    }
  }

  constructor(stream) {
    this.stream = stream;
    this.parts = [];
    this.started = performance.now();
    this.recorder = new MediaRecorder(stream, { mimeType: kind(), videoBitsPerSecond: 6e6 });
    this.recorder.ondataavailable = ({ data }) => data.size && this.parts.push(data);
    this.ended = new Promise((resolve) => (this.recorder.onstop = resolve));
    // a piece each second, so that what there is survives whatever comes
    this.recorder.start(1000);
  }

  get seconds() {
    return (performance.now() - this.started) / 1000;
  }

  // The film, and the name that it is to have.
  async end() {
    if (this.recorder.state !== "inactive") this.recorder.stop();
    await this.ended;
    this.stream.getTracks().forEach((track) => track.stop());
    const type = this.recorder.mimeType.split(";")[0];
    const now = new Date(Date.now() - new Date().getTimezoneOffset() * 60000).toISOString().slice(0, 19).replaceAll(":", "-");
    return { film: new Blob(this.parts, { type }), name: `vcam ${now.replace("T", " ")}.${type.includes("mp4") ? "mp4" : "webm"}` };
  }
}

export function save(film, name) {
  const link = Object.assign(document.createElement("a"), { href: URL.createObjectURL(film), download: name });
  document.body.append(link);
  link.click();
  link.remove();
  // the download has its own hold on it
  setTimeout(() => URL.revokeObjectURL(link.href), 60000);
}
