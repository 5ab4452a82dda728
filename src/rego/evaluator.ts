import * as sdk from "@open-policy-agent/opa-wasm";
import { type Builtins, type Evaluation, isObject, builtins as pack, type Value } from "../builtins/index.js";
import { memoryPages } from "../wasm/index.js";
import { loadData } from "./data.js";
import { type Engine, type EngineParts, freshMemory, instantiate } from "./engine.js";
import { elementsOf } from "./memory.js";
import { type EvaluationOutcome, EvaluationStop } from "./outcome.js";
import type { DataPiece, EvaluationLimits, Program } from "./program.js";
import { pageBytes, type WasmMemory, webAssembly } from "./web-assembly.js";

export type { EvaluationOutcome } from "./outcome.js";

/** Port: time, chance and the environment. */
export interface EvaluatorPorts {
  /** Milliseconds, monotonic. */
  readonly now: () => number;
  /** Nanoseconds since the epoch. */
  readonly wallClockNs: () => bigint;
  readonly random: () => number;
  readonly randomBytes: (count: number) => Uint8Array;
  /** What `opa.runtime().env` shows. */
  readonly environment: ReadonlyMap<string, string>;
  /** Lets others use the thread while data is loaded. */
  readonly pause: () => Promise<void>;
}

/** What an evaluator is made of. */
export interface EvaluatorOptions {
  readonly program: Program;
  readonly data: readonly DataPiece[];
  readonly limits: EvaluationLimits;
  readonly ports: EvaluatorPorts;
  /** This server's own when undefined. */
  readonly pack?: Builtins;
}

/** A policy that is ready to be asked. */
export interface Evaluator {
  /**
   * Evaluates with an input document: JSON, in which sets may be written as OPA prints them; undefined: without one.
   * Synchronous, bounded by the limits, and never throws; one evaluation
   * leaves nothing behind for the next.
   */
  readonly evaluate: (inputJson: string | undefined) => EvaluationOutcome;
}

/** The types of the SDK describe what its default export is. */
const { LoadedPolicy } = (sdk as unknown as { readonly default: typeof sdk }).default;

/** So many evaluations run cold: the engine compiles, builtins load what they need. They have at least so much time. */
const coldEvaluations = 5;
const coldMs = 500;

/** An instance whose memory has grown by more than this over what it had at first is not kept. */
const maxGrowth = 16 * 1024 * 1024;

/** What a byte of JSON takes in memory, about. */
const bytesPerJson = 12;

const roomToEvaluate = 1024 * 1024;

/** No copy is kept of a larger memory, which is used again whatever happens: a copy would take as much once more. */
const maxImage = 32 * 1024 * 1024;

/**
 * Compiles a program and loads its data. Rejects with an EvaluationStop when they do not fit into the memory, or the
 * data is no JSON.
 */
export async function createEvaluator(options: EvaluatorOptions): Promise<Evaluator> {
  const { program, data, limits, ports } = options;
  const parts: EngineParts = {
    code: new webAssembly.Module(program.wasm),
    pack: options.pack ?? pack,
    now: ports.now,
    maxPages: Math.floor(limits.memoryBytes / pageBytes),
    kept: new Map(),
  };
  await ports.pause();
  const first = instantiate(parts, freshMemory(parts, firstBytes(program, data, parts.maxPages)));
  const { opa_wasm_abi_minor_version: minor } = first.exports;
  const policy = new LoadedPolicy({ instance: { exports: first.exports } }, first.wasmMemory, minor.value);
  const builtins = builtinsOf(first);
  const dataAddress = policy.dataAddr;
  await loadData(first, dataAddress, data, ports.pause);
  const heap = first.exports.opa_heap_ptr_get() >>> 0;
  const initialBytes = first.wasmMemory.buffer.byteLength;
  const image = heap > maxImage ? undefined : new Uint8Array(first.wasmMemory.buffer.slice(0, heap));
  first.settle(heap, builtins);

  /** Evaluations do not write below the heap's beginning: what was loaded stays when one is broken off. */
  const again = (memory: WasmMemory): Engine => {
    const engine = instantiate(parts, memory);
    engine.settle(heap, builtins);
    return engine;
  };
  const restored = (): Engine => {
    if (image === undefined || (memory !== undefined && mayStay(memory)))
      return again(memory ?? first.wasmMemory);
    const engine = again(freshMemory(parts, initialBytes));
    new Uint8Array(engine.wasmMemory.buffer).set(image);
    return engine;
  };
  const mayStay = ({ buffer }: WasmMemory): boolean => buffer.byteLength <= initialBytes + maxGrowth;
  let memory: WasmMemory | undefined = first.wasmMemory;
  let ready: Engine | undefined = first;
  let evaluations = 0;
  const evaluator: Evaluator = {
    evaluate: (inputJson) => {
      try {
        const engine = ready ?? restored();
        memory = engine.wasmMemory;
        // Until this evaluation has come to its end, there is no instance that another could use.
        ready = undefined;
        const limitMs =
          evaluations++ < coldEvaluations ? Math.max(limits.timeoutMs, coldMs) : limits.timeoutMs;
        engine.begin(ports.now() + limitMs, evaluationOf(ports));
        const address = run(engine, { heap, dataAddress, entrypoint: program.entrypoint }, inputJson);
        const outcome = outcomeOf(engine, address);
        if (image === undefined || mayStay(engine.wasmMemory)) ready = engine;
        return outcome;
      } catch (error) {
        // After a trap the memory is not trusted.
        if (error instanceof webAssembly.RuntimeError) memory = undefined;
        return failureOf(error);
      }
    },
  };
  await ports.pause();
  // Engines compile functions when they are first called: not while the first request waits.
  evaluator.evaluate("{}");
  return evaluator;
}

/** Growing page by page, as OPA's runtime does, costs seconds for large data; what is not touched costs nothing. */
function firstBytes({ wasm }: Program, data: readonly DataPiece[], maxPages: number): number {
  const least = memoryPages(wasm) * pageBytes;
  const dataBytes = data.reduce((sum, { json }) => sum + json.length, 0) * bytesPerJson;
  return Math.max(least, Math.min(least + roomToEvaluate + dataBytes, maxPages * pageBytes));
}

function evaluationOf(ports: EvaluatorPorts): Evaluation {
  const { random, randomBytes, environment } = ports;
  return { nowNs: ports.wallClockNs(), random, randomBytes, environment, memory: new Map() };
}

/** OPA's names of the builtins that a module expects from its host, by the ids that it calls them by. */
export function builtinsOf({ exports, memory }: Engine): ReadonlyMap<number, string> {
  const found = memory.read(exports.builtins());
  const names = isObject(found) ? [...found] : [];
  return new Map(names.map(([name, id]) => [Number(id), String(name)]));
}

interface Entry {
  readonly heap: number;
  readonly dataAddress: number;
  readonly entrypoint: number;
}

/** The address of the result set. */
function run(
  { exports, memory }: Engine,
  { heap, dataAddress, entrypoint }: Entry,
  inputJson: string | undefined,
): number {
  exports.opa_heap_ptr_set(heap);
  let input = 0;
  if (inputJson !== undefined) {
    const { address, length } = memory.copyText(inputJson);
    input = exports.opa_value_parse(address, length);
    if (input === 0) throw new EvaluationStop("internal", "the input is no JSON");
  }
  const context = exports.opa_eval_ctx_new();
  exports.opa_eval_ctx_set_input(context, input);
  exports.opa_eval_ctx_set_data(context, dataAddress);
  exports.opa_eval_ctx_set_entrypoint(context, entrypoint);
  exports.eval(context);
  return exports.opa_eval_ctx_get_result(context) >>> 0;
}

/** The result set has no member, or one object whose only member is the answer. */
function outcomeOf({ memory, spend }: Engine, address: number): EvaluationOutcome {
  const view = memory.view();
  const [member, ...more] = elementsOf(view, address);
  if (member === undefined) return { kind: "undefined" };
  const result = view.getUint32(member, true);
  const [entry, ...others] = elementsOf(view, result);
  if (entry === undefined || more.length > 0 || others.length > 0) {
    throw new EvaluationStop("internal", "the policy gave no single answer");
  }
  const value: Value = memory.read(view.getUint32(entry + 4, true), spend);
  return { kind: "value", value };
}

function failureOf(error: unknown): EvaluationOutcome {
  if (error instanceof EvaluationStop) {
    const why = error.cause instanceof Error ? `: ${error.cause.message}` : "";
    return { kind: "failed", reason: error.reason, message: `${error.message}${why}` };
  }
  const message = error instanceof Error ? error.message : String(error);
  // Running out of stack is the policy's or the input's doing, like a trap; whatever else should not happen.
  const native = error instanceof webAssembly.RuntimeError || error instanceof RangeError;
  return { kind: "failed", reason: native ? "abort" : "internal", message };
}
