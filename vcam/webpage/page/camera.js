// The camera: opened when asked for, lost and found again.
import { W } from "./words.js";

const RETRY = 2000;
const STALLED = 2500;

export class Camera {
  // frame: told of each new picture of the video; changed: that it came, went or failed.
  constructor(video, frame, changed) {
    this.video = video;
    this.frame = frame;
    this.changed = changed;
    this.wanted = null;
    this.stream = null;
    this.error = "";
    this.refused = false;
    this.round = 0;
    navigator.mediaDevices?.addEventListener?.("devicechange", () => {
      this.changed();
      if (this.wanted && !this.stream && !this.refused) this.open(this.wanted);
    });
  }

  get on() {
    return !!this.stream;
  }

  // Cameras by name; names are told only once one has been allowed.
  async list() {
    const all = (await navigator.mediaDevices?.enumerateDevices?.()) ?? [];
    return all.filter((each) => each.kind === "videoinput").map(({ deviceId, label }) => ({ id: deviceId, label }));
  }

  // wish: { device: an id or part of a name, width, height }. Never throws; `error` says what went wrong.
  async open(wish) {
    const round = ++this.round;
    this.wanted = wish;
    this.refused = false;
    this.stop();
    // no picture of the camera before stays while this one is asked for
    this.changed();
    clearTimeout(this.timer);
    if (!navigator.mediaDevices?.getUserMedia) {
      this.error = isSecureContext ? W.no_camera_here : W.insecure;
      this.changed();
      return;
    }
    try {
      const device = await this.find(wish.device);
      const video = { width: { ideal: wish.width }, height: { ideal: wish.height }, frameRate: { ideal: 30 } };
      const stream = await navigator.mediaDevices.getUserMedia({ video: device ? { ...video, deviceId: { exact: device } } : video });
      if (round !== this.round) {
        stream.getTracks().forEach((track) => track.stop());
        return;
      }
      this.begin(stream, round);
      await this.video.play();
    } catch (error) {
      if (round !== this.round) return;
      this.stop();
      this.error = W.camera_errors[error.name] ?? `${W.camera_failed} ${error.message}`;
      // one that is busy or gone may come back; a refusal stays
      this.refused = error.name === "NotAllowedError" || error.name === "SecurityError";
      if (!this.refused) this.timer = setTimeout(() => this.open(wish), RETRY);
      this.changed();
    }
  }

  async find(device) {
    if (!device) return "";
    const all = await this.list();
    const word = device.toLowerCase();
    return (all.find((each) => each.id === device) ?? all.find((each) => each.label.toLowerCase().includes(word)))?.id ?? "";
  }

  begin(stream, round) {
    this.stream = stream;
    this.error = "";
    this.video.srcObject = stream;
    const [track] = stream.getVideoTracks();
    const lost = (words) => {
      if (round !== this.round) return;
      this.stop();
      this.error = words;
      this.changed();
      this.timer = setTimeout(() => round === this.round && this.open(this.wanted), RETRY);
    };
    track.addEventListener("ended", () => lost(W.camera_lost));
    this.seen = performance.now();
    this.watch = setInterval(() => {
      // a page that is hidden is shown no pictures
      if (document.hidden || performance.now() - this.seen < STALLED) {
        if (document.hidden) this.seen = performance.now();
        return;
      }
      lost(W.camera_stalled);
    }, 500);
    this.follow(round);
    this.changed();
  }

  follow(round) {
    const { video } = this;
    let last = -1;
    const next = (_, about) => {
      if (round !== this.round || !this.stream) return;
      const now = about?.presentedFrames ?? video.currentTime;
      if (now !== last && video.videoWidth) {
        last = now;
        this.seen = performance.now();
        this.frame(video, video.videoWidth, video.videoHeight);
      }
      wait();
    };
    const wait = () => (video.requestVideoFrameCallback ? video.requestVideoFrameCallback(next) : requestAnimationFrame(next));
    wait();
  }

  stop() {
    clearInterval(this.watch);
    this.stream?.getTracks().forEach((track) => track.stop());
    this.stream = null;
    this.video.srcObject = null;
  }

  close() {
    this.round++;
    this.wanted = null;
    clearTimeout(this.timer);
    this.stop();
    this.error = "";
    this.changed();
  }
}
