import { Buffer } from "node:buffer";
import { BuiltinError, type Builtins, type Evaluation, LimitError, type Value } from "../builtins/index.js";
import { type Iteration, iterationOver, type Order } from "./iteration.js";
import { type ValueMemory, valueMemory } from "./memory.js";
import { hostIds, replacedNatives } from "./natives.js";
import { EvaluationStop, stopOfAbort } from "./outcome.js";
import { type OpaExports, pageBytes, type WasmCode, type WasmMemory, webAssembly } from "./web-assembly.js";

/** What all instances of one policy have in common. */
export interface EngineParts {
  readonly code: WasmCode;
  readonly pack: Builtins;
  /** Milliseconds, monotonic. */
  readonly now: () => number;
  readonly maxPages: number;
  /** Orders of collections in the base data. */
  readonly kept: Map<number, Order>;
}

/** An instance of a policy. It must not be used any more after anything was thrown through it. */
export interface Engine {
  readonly exports: OpaExports;
  readonly memory: ValueMemory;
  readonly wasmMemory: WasmMemory;
  /** Begins to count time; throws through the module an EvaluationStop when `deadline` is over. */
  readonly begin: (deadline: number, evaluation: Evaluation | undefined) => void;
  /** Throws when the deadline is over. */
  readonly spend: () => void;
  /** Says which builtins the module calls by which id, and that what lies below `heap` does not change any more. */
  readonly settle: (heap: number, builtins: ReadonlyMap<number, string>) => void;
}

/** Instructions (at most) between two looks at the clock. */
const fuelPerLook = 20_000_000;

/** A fresh memory of so many bytes at least. */
export function freshMemory({ maxPages }: EngineParts, bytes: number): WasmMemory {
  const pages = Math.max(1, Math.ceil(bytes / pageBytes));
  if (pages > maxPages)
    throw new EvaluationStop("memory", "the policy and its data do not fit into its memory");
  return new webAssembly.Memory({ initial: pages, maximum: maxPages });
}

/**
 * Makes an instance. In a memory that another one had it begins anew with all that is the runtime's own, and leaves
 * what lies on the heap as it is.
 */
export function instantiate(parts: EngineParts, wasmMemory: WasmMemory): Engine {
  const { code, pack, now, kept } = parts;
  let exports: OpaExports | undefined;
  let memory: ValueMemory | undefined;
  let iteration: Iteration | undefined;
  let names: ReadonlyMap<number, string> = new Map();
  let permanentEnd = 0;
  let deadline = Number.POSITIVE_INFINITY;
  let current: Evaluation | undefined;

  const spend = (): void => {
    if (now() > deadline) throw new EvaluationStop("timeout", "the policy takes longer than its time limit");
  };
  const refill = (): number => {
    if (exports === undefined) throw new EvaluationStop("timeout", "the policy takes too long to start");
    spend();
    exports.gatehouse_fuel.value = fuelPerLook;
    return 0;
  };
  const call = (id: number, args: readonly number[]): number => {
    const name = id >= hostIds.natives ? replacedNatives[id - hostIds.natives]?.builtin : names.get(id);
    if (name === undefined || !Object.hasOwn(pack, name) || memory === undefined || current === undefined) {
      throw new EvaluationStop("internal", `builtin \`${name ?? id}\` cannot be called`);
    }
    const { read } = memory;
    const values = args.map((address) => read(address, spend));
    const answer = answerOf(name, pack, values, current);
    spend();
    return answer === undefined ? 0 : memory.write(answer);
  };
  const env = {
    memory: wasmMemory,
    opa_abort: (address: number): never => {
      const message = memory?.textAt(address) ?? textAt(wasmMemory, address);
      throw stopOfAbort(message);
    },
    opa_println: (): void => {},
    opa_builtin0: (id: number): number => (id === hostIds.refill ? refill() : call(id, [])),
    opa_builtin1: (id: number, _: number, a: number): number => call(id, [a]),
    opa_builtin2: (id: number, _: number, a: number, b: number): number =>
      id === hostIds.iterate && iteration !== undefined ? iteration.next(a, b) : call(id, [a, b]),
    opa_builtin3: (id: number, _: number, a: number, b: number, c: number): number => call(id, [a, b, c]),
    opa_builtin4: (id: number, _: number, a: number, b: number, c: number, d: number): number =>
      call(id, [a, b, c, d]),
  };
  const instance = new webAssembly.Instance(code, { env });
  const made = instance.exports;
  const madeMemory = valueMemory(wasmMemory, made);
  exports = made;
  memory = madeMemory;
  iteration = iterationOver(madeMemory, {
    compare: made.opa_value_compare,
    permanentEnd: () => permanentEnd,
    kept,
    spend,
  });
  return {
    exports: made,
    memory: madeMemory,
    wasmMemory,
    begin: (until, evaluation) => {
      deadline = until;
      current = evaluation;
      made.gatehouse_fuel.value = fuelPerLook;
      iteration?.reset();
    },
    spend,
    settle: (heap, builtins) => {
      permanentEnd = heap;
      names = builtins;
    },
  };
}

/**
 * A BuiltinError makes the call undefined, unless OPA would have answered: a limit ends all. Whatever else a builtin
 * throws is its own fault, and ends all too.
 */
function answerOf(
  name: string,
  pack: Builtins,
  args: readonly Value[],
  evaluation: Evaluation,
): Value | undefined {
  try {
    return pack[name]?.(args, evaluation);
  } catch (error) {
    if (error instanceof LimitError)
      throw new EvaluationStop("abort", `builtin \`${name}\` gave up`, { cause: error });
    if (error instanceof BuiltinError) return undefined;
    throw new EvaluationStop("internal", `builtin \`${name}\` failed`, { cause: error });
  }
}

/** Before there is an instance to read with. */
function textAt({ buffer }: WasmMemory, address: number): string {
  const bytes = Buffer.from(buffer, address >>> 0);
  return bytes.toString("utf8", 0, bytes.indexOf(0));
}
