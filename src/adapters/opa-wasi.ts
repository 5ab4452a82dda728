import { randomFillSync } from "node:crypto";
import { type WasmImports, type WasmMemory, type WasmModule, webAssembly } from "./opa-web-assembly.js";

/** The end of the instance: Go called exit (a fatal error, which recover does not catch) or has too much memory. */
export class OpaStopped extends Error {}

/** The part of WASI that Go's runtime needs, once the instance's memory is known. */
export interface Wasi {
  readonly imports: WasmImports;
  /** To be called once, before any code of the module runs. */
  attach(memory: WasmMemory): void;
}

/** WASI preview 1: errno. */
const SUCCESS = 0;
const BAD_FILE = 8;
const NO_SYSTEM_CALL = 52;
const REALTIME = 0;
/** Sizes of `subscription` and `event` of poll_oneoff. */
const SUBSCRIPTION_BYTES = 48;
const EVENT_BYTES = 32;
const ABSOLUTE_TIME = 1;
const MAX_STDERR_CHARACTERS = 4_000;

/**
 * Clock, randomness and stderr; no files, no network, no arguments, no environment: every other call answers that
 * there is no such one.
 */
export function createWasi(module: WasmModule, maxMemoryBytes: number): Wasi {
  let memory: WasmMemory | undefined;
  let stderr = "";
  const sleeper = new Int32Array(new SharedArrayBuffer(4));
  const view = (): DataView => {
    if (memory === undefined) throw new OpaStopped("no memory is attached");
    return new DataView(memory.buffer);
  };
  const nowNs = (clock: number): bigint =>
    clock === REALTIME ? BigInt(Date.now()) * 1_000_000n : process.hrtime.bigint();

  const known: WasmImports = {
    args_sizes_get: none(2),
    args_get: () => SUCCESS,
    environ_sizes_get: none(2),
    environ_get: () => SUCCESS,
    fd_prestat_get: () => BAD_FILE,
    fd_fdstat_get(_fd: number, at: number) {
      new Uint8Array(view().buffer, at, 24).fill(0);
      // A character device, which Go neither seeks nor polls.
      view().setUint8(at, 2);
      return SUCCESS;
    },
    fd_fdstat_set_flags: () => SUCCESS,
    sched_yield: () => SUCCESS,
    clock_time_get(clock: number, _precision: bigint, at: number) {
      // Go asks often, so this is where growth without end is seen.
      if (view().byteLength > maxMemoryBytes) {
        throw new OpaStopped(`more than ${maxMemoryBytes} bytes of memory were needed`);
      }
      view().setBigUint64(at, nowNs(clock), true);
      return SUCCESS;
    },
    random_get(at: number, length: number) {
      randomFillSync(new Uint8Array(view().buffer, at, length));
      return SUCCESS;
    },
    fd_write(_fd: number, vectors: number, count: number, writtenAt: number) {
      let written = 0;
      for (let i = 0; i < count; i++) {
        const at = view().getUint32(vectors + 8 * i, true);
        const length = view().getUint32(vectors + 8 * i + 4, true);
        if (stderr.length < MAX_STDERR_CHARACTERS) {
          stderr += Buffer.from(view().buffer, at, Math.min(length, MAX_STDERR_CHARACTERS)).toString();
        }
        written += length;
      }
      view().setUint32(writtenAt, written, true);
      return SUCCESS;
    },
    poll_oneoff(subscriptions: number, events: number, count: number, countAt: number) {
      let [wait, first] = [Number.POSITIVE_INFINITY, -1];
      for (let i = 0; i < count; i++) {
        const at = subscriptions + SUBSCRIPTION_BYTES * i;
        if (view().getUint8(at + 8) !== 0) continue;
        const timeout = view().getBigUint64(at + 24, true);
        const isAbsolute = (view().getUint16(at + 40, true) & ABSOLUTE_TIME) !== 0;
        const left = isAbsolute ? timeout - nowNs(view().getUint32(at + 16, true)) : timeout;
        if (Number(left) < wait) [wait, first] = [Number(left), at];
      }
      if (first < 0) return NO_SYSTEM_CALL;
      Atomics.wait(sleeper, 0, 0, Math.max(0, wait / 1e6));
      new Uint8Array(view().buffer, events, EVENT_BYTES).fill(0);
      view().setBigUint64(events, view().getBigUint64(first, true), true);
      view().setUint32(countAt, 1, true);
      return SUCCESS;
    },
    proc_exit(code: number) {
      throw new OpaStopped(`exit ${code}: ${stderr.trim()}`);
    },
  };

  function none(results: number): (...at: number[]) => number {
    return (...at) => {
      for (const each of at.slice(0, results)) view().setUint32(each, 0, true);
      return SUCCESS;
    };
  }

  const unknown = (): number => NO_SYSTEM_CALL;
  const imports: WasmImports = {};
  for (const { module: from, name } of webAssembly.Module.imports(module)) {
    if (from !== "wasi_snapshot_preview1") throw new OpaStopped(`unknown import \`${from}.${name}\``);
    imports[name] = (Object.hasOwn(known, name) ? known[name] : undefined) ?? unknown;
  }
  return {
    imports,
    attach(given) {
      memory = given;
    },
  };
}
