// The network and the matte, beside the page's own thread: pictures in, what the shaders need out, in order.
import { BELIEVED, Doubt, TOLERANCE, WRONG } from "./doubt.js";
import { MatteStage } from "./matte.js";
import { Preparer } from "./prepare.js";

const EXAMINED_EVERY = 10000;
const SIDE = 4;

let open = null;
let queue = Promise.resolve();

// Loads ONNX Runtime with one engine. WebGPU's files are twice as large, so each is asked for only when it is to run.
async function runtime(engine, threads) {
  const folder = new URL("onnxruntime/", import.meta.url);
  const ort = await import(new URL(engine === "webgpu" ? "ort.webgpu.min.mjs" : "ort.wasm.min.mjs", folder));
  const stem = engine === "webgpu" ? "ort-wasm-simd-threaded.asyncify" : "ort-wasm-simd-threaded";
  ort.env.wasm.wasmPaths = { mjs: new URL(`${stem}.mjs`, folder).href, wasm: new URL(`${stem}.wasm`, folder).href };
  ort.env.wasm.numThreads = threads;
  ort.env.logLevel = "error";
  return ort;
}

async function bytes(name) {
  const answer = await fetch(new URL(name, import.meta.url));
  if (!answer.ok) throw new Error(`${name}: ${answer.status}`);
  return new Uint8Array(await answer.arrayBuffer());
}

async function begin({ network, engine, threads }) {
  const ort = await runtime(engine, threads);
  const session = await ort.InferenceSession.create(await bytes(`models/${network.file}`), {
    executionProviders: [engine],
    graphOptimizationLevel: "all",
  });
  const preparer = new Preparer(network);
  const known = await Promise.all(network.known.map(async ({ name, answer }) => ({ name, answer, picture: preparer.known(await bytes(`models/${network.name}-${name}.bin`)) })));
  const [width, height] = network.size;
  const shape = [1, 3, height, width];
  const input = session.inputNames[0];
  const output = session.outputNames[0];
  const run = async (picture) => {
    const found = await session.run({ [input]: new ort.Tensor("float32", picture, shape) });
    const tensor = found[output];
    const map = tensor.data.slice();
    tensor.dispose();
    if (map.length !== width * height) throw new Error(`the network gave ${map.length} values`);
    // what is no number would stay in the average over time for good
    for (let at = 0; at < map.length; at++) if (!(map[at] >= -TOLERANCE && map[at] <= 1 + TOLERANCE)) throw new Error("the network gave values that are no probabilities");
    return map;
  };
  open = {
    network, engine, preparer, run, known, turn: 0, proven: 0, examined: performance.now(), broken: false,
    matte: new MatteStage(network.size), doubt: new Doubt(width), release: () => session.release(),
  };
  // an engine may say that it works and be wrong: what is known must come out right
  for (let number = 0; number < known.length; number++) await examine();
}

// Shows the engine one known picture, each in its turn. Throws if its answer is wrong.
async function examine() {
  const { network, known, run } = open;
  const { name, answer, picture } = known[open.turn];
  open.turn = (open.turn + 1) % known.length;
  open.examined = performance.now();
  const found = grid(await run(picture), network.size);
  const worst = Math.max(...answer.flat().map((wanted, at) => Math.abs(wanted - found[at])));
  if (!(worst <= network.tolerance)) {
    open.broken = true;
    throw new Error(`${open.engine} is wrong by ${worst.toFixed(0)} % in the known picture "${name}"`);
  }
  open.proven++;
}

function grid(map, [width, height]) {
  const found = new Float64Array(SIDE * SIDE);
  for (let at = 0; at < map.length; at++) {
    const x = at % width;
    const cell = Math.floor((((at - x) / width) * SIDE) / height) * SIDE + Math.floor((x * SIDE) / width);
    found[cell] += map[at];
  }
  return found.map((sum) => (100 * sum * SIDE * SIDE) / map.length);
}

async function look({ seq, pixels, settings }) {
  const { preparer, run, matte, doubt } = open;
  if (open.broken) throw new Error(`${open.engine} gave wrong answers`);
  const start = performance.now();
  const picture = preparer.prepare(pixels);
  const prepared = performance.now();
  let map = await run(picture);
  if (doubt.repeats(preparer.luma, map)) {
    await examine();
    map = await run(picture);
  }
  const seen = performance.now();
  if (!doubt.looks) open.proven = 0;
  let verdict = doubt.judge(map, open.proven);
  if (verdict !== BELIEVED && verdict !== WRONG) {
    await examine();
    verdict = "doubted";
  }
  if (verdict !== BELIEVED) {
    matte.missed();
    return { kind: "refused", seq, reason: verdict };
  }
  const found = matte.update(map, preparer, settings);
  const ms = { prepare: prepared - start, network: seen - prepared, matte: performance.now() - seen };
  return { kind: "matte", seq, ...found, ms };
}

async function answer(message) {
  if (message.kind === "open") {
    try {
      await open?.release();
      await begin(message);
      return { kind: "ready", engine: open.engine };
    } catch (error) {
      open = null;
      return { kind: "failed", error: String(error?.message ?? error) };
    }
  }
  if (message.kind === "reset") {
    open?.matte.reset();
    open?.doubt.reset();
    return null;
  }
  try {
    if (!open) throw new Error("no engine runs");
    return await look(message);
  } catch (error) {
    return { kind: "refused", seq: message.seq, reason: "failed", error: String(error?.message ?? error) };
  }
}

self.onmessage = ({ data }) => {
  queue = queue.then(async () => {
    const said = await answer(data);
    if (said) self.postMessage(said, said.kind === "matte" ? [said.model.buffer, said.gain.buffer, said.room.buffer] : []);
    if (data.kind === "frame" && open && !open.broken && performance.now() - open.examined > EXAMINED_EVERY) {
      // the next frame learns of it
      await examine().catch(() => {});
    }
  });
};
