// The page's side of the worker: the best engine that is there, and the next one when it fails.
import { W } from "./words.js";

// Threads of the network on the CPU, where the browser lets threads share memory. More gain nothing on so small a one.
const THREADS = 2;
const ATTEMPTS = 2;
const PATIENCE = 20000;

// The engines to try, best first. wish: auto, webgpu or wasm.
export async function engines(wish) {
  const found = [];
  if (wish !== "wasm" && (await hasGpu())) found.push("webgpu");
  if (wish !== "webgpu" && typeof WebAssembly === "object") found.push("wasm");
  return found;
}

async function hasGpu() {
  try {
    const adapter = await navigator.gpu?.requestAdapter();
    // one in software is slower than WebAssembly
    return !!adapter && !adapter.isFallbackAdapter && !adapter.info?.isFallbackAdapter;
  } catch {
    return false;
  }
}

export class Engine {
  // found: told of each frame's matte, or that there is none: { kind: "matte" | "refused", seq, ... }.
  constructor(network, choices, found, changed) {
    this.network = network;
    this.choices = [...choices];
    this.found = found;
    this.changed = changed;
    this.name = "";
    this.threads = 1;
    this.error = "";
    this.failures = 0;
    this.waiting = new Set();
    this.start();
  }

  get ready() {
    return !!this.name;
  }

  start() {
    this.end();
    const [engine] = this.choices;
    if (!engine) {
      this.error ||= W.no_engine;
      this.changed(this);
      return;
    }
    this.threads = engine === "wasm" && globalThis.crossOriginIsolated ? Math.max(1, Math.min(THREADS, (navigator.hardwareConcurrency ?? 1) >> 1)) : 1;
    this.worker = new Worker(new URL("worker.js", import.meta.url), { type: "module" });
    this.worker.onmessage = ({ data }) => this.hear(data);
    this.worker.onerror = (event) => this.fail(event.message || W.no_worker);
    this.worker.postMessage({ kind: "open", network: this.network, engine, threads: this.threads });
    this.changed(this);
  }

  hear(said) {
    if (said.kind === "ready") {
      this.name = said.engine;
      this.error = "";
      this.changed(this);
    } else if (said.kind === "failed") {
      this.fail(said.error);
    } else if (this.waiting.delete(said.seq)) {
      this.found(said);
      if (said.reason === "failed" && ++this.failures >= ATTEMPTS) this.fail(said.error);
      else if (said.kind === "matte") this.failures = 0;
    }
  }

  // This engine is done with; frames that it was shown get no matte.
  fail(error) {
    this.error = error;
    this.failures = 0;
    this.choices.shift();
    this.start();
  }

  // Ends the worker. What it may have said already is not heard any more: it would be taken for the next one's.
  end() {
    if (this.worker) {
      this.worker.onmessage = this.worker.onerror = null;
      this.worker.terminate();
    }
    this.name = "";
    const lost = [...this.waiting];
    this.waiting.clear();
    for (const seq of lost) this.found({ kind: "refused", seq, reason: "failed" });
  }

  look(seq, pixels, settings) {
    this.waiting.add(seq);
    // one that never answers would leave its last picture standing
    setTimeout(() => this.waiting.has(seq) && this.fail(W.no_answer), PATIENCE);
    this.worker.postMessage({ kind: "frame", seq, pixels, settings }, [pixels.buffer]);
  }

  reset() {
    if (this.ready) this.worker.postMessage({ kind: "reset" });
  }

  close() {
    this.end();
  }
}
