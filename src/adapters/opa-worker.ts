import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { promisify } from "node:util";
import { parentPort, workerData } from "node:worker_threads";
import { brotliDecompress } from "node:zlib";
import type { FromOpaThread, OpaRequest, OpaThreadData } from "./opa-messages.js";
import { createWasi } from "./opa-wasi.js";
import { type WasmMemory, type WasmModule, webAssembly } from "./opa-web-assembly.js";

/** The thread in which OPA runs: asked one request at a time. */

interface Reactor {
  readonly memory: WasmMemory;
  readonly _initialize: () => void;
  readonly alloc: (size: number) => number;
  readonly call: (size: number) => number;
  readonly len: () => number;
}

/** The places of an answer that need work. */
interface OpaWireAnswer {
  readonly failure?: string;
  readonly panicked?: boolean;
  readonly wasm?: string;
  readonly bundle?: { readonly wasm: readonly { readonly wasm: string; readonly entrypoint: string }[] };
}

const given = workerData as OpaThreadData;
const say = (message: FromOpaThread): void => parentPort?.postMessage(message);

let opa: Reactor | undefined;
// Listening from the start keeps the event loop alive: one that runs empty waits for all that the engine compiles in
// the background, which takes seconds.
parentPort?.on("message", (request: OpaRequest) => {
  if (opa !== undefined) say(answer(opa, request));
});
try {
  const module = given.module ?? (await compiled());
  opa = await instantiate(module);
  say({ type: "ready", module });
} catch (error) {
  say({ type: "unusable", message: reason(error) });
}

async function compiled(): Promise<WasmModule> {
  const [packed, checksums] = [await readFile(given.artifact), await readFile(given.checksums, "utf8")];
  const found = createHash("sha256").update(packed).digest("hex");
  if (!checksums.split("\n").includes(`${found}  opa.wasm.br`)) {
    throw new Error("the embedded OPA is not what its checksum says");
  }
  return webAssembly.compile(await promisify(brotliDecompress)(packed));
}

async function instantiate(module: WasmModule): Promise<Reactor> {
  const wasi = createWasi(module, given.maxMemoryBytes);
  const instance = await webAssembly.instantiate(module, { wasi_snapshot_preview1: wasi.imports });
  const opa = instance.exports as Reactor;
  wasi.attach(opa.memory);
  opa._initialize();
  return opa;
}

function answer(opa: Reactor, request: OpaRequest): FromOpaThread {
  try {
    const text = new TextEncoder().encode(JSON.stringify(toWire(request)));
    const at = opa.alloc(text.length);
    new Uint8Array(opa.memory.buffer, at >>> 0, text.length).set(text);
    const from = opa.call(text.length) >>> 0;
    const bytes = Buffer.from(opa.memory.buffer, from, opa.len());
    const found = JSON.parse(bytes.toString("utf8")) as OpaWireAnswer;
    if (found.failure !== undefined) {
      return { type: "failure", message: found.failure, broken: found.panicked === true };
    }
    return { type: "answer", answer: fromWire(found), memoryBytes: opa.memory.buffer.byteLength };
  } catch (error) {
    return { type: "failure", message: reason(error), broken: true };
  }
}

/** Bytes are base64; what is JSON already has other names, since it is text here. */
function toWire(request: OpaRequest): unknown {
  const wire: Record<string, unknown> = { ...request };
  if ("data" in request) [wire["data"], wire["dataText"]] = [undefined, request.data];
  if ("input" in request) [wire["input"], wire["inputText"]] = [undefined, request.input];
  if ("bundle" in request) {
    const { buffer, byteOffset, byteLength } = request.bundle;
    wire["bundle"] = Buffer.from(buffer, byteOffset, byteLength).toString("base64");
  }
  return wire;
}

function fromWire(found: OpaWireAnswer): unknown {
  if (found.wasm !== undefined) return { ...found, wasm: bytesOf(found.wasm) };
  if (found.bundle === undefined) return found;
  const wasm = found.bundle.wasm.map((each) => ({ ...each, wasm: bytesOf(each.wasm) }));
  return { ...found, bundle: { ...found.bundle, wasm } };
}

function bytesOf(base64: string): Uint8Array {
  return new Uint8Array(Buffer.from(base64, "base64"));
}

function reason(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
