import { readFileSync } from "node:fs";
import { brotliDecompressSync, gunzipSync } from "node:zlib";
import {
  BuiltinError,
  type Builtins,
  type Evaluation,
  parseValue,
  type Value,
  valueText,
} from "../../../src/builtins/index.js";
import { compareValues } from "../../../src/builtins/value.js";

/** A call of a builtin and what OPA answered (tools/opa-record). */
export interface Recorded {
  readonly name: string;
  readonly args: readonly string[];
  readonly now?: bigint;
  readonly result?: string;
  readonly error?: string;
}

/** The clock of the recorder, where a call names none. */
const defaultNow = 1_704_164_645_678_901_234n;

/** An evaluation at a time, whose randomness is zeros. */
export function anEvaluation(nowNs: bigint = defaultNow): Evaluation {
  return {
    nowNs,
    random: () => 0,
    randomBytes: (count) => new Uint8Array(count),
    environment: new Map(),
    memory: new Map(),
  };
}

/** The calls in a file of `recorded/`. */
export function recordedCalls(file: string): readonly Recorded[] {
  const packed = readFileSync(new URL(`recorded/${file}`, import.meta.url));
  const text = file.endsWith(".br") ? brotliDecompressSync(packed) : gunzipSync(packed);
  const lines = text.toString("utf8").split("\n");
  return lines.filter((line) => line !== "").map(readCall);
}

function readCall(line: string): Recorded {
  const now = /"now":([0-9]+)/.exec(line)?.[1];
  const call = JSON.parse(line) as Omit<Recorded, "now">;
  // Nanoseconds are beyond JavaScript's exact integers.
  return now === undefined ? call : { ...call, now: BigInt(now) };
}

/** What ours answers differently from OPA, in words; nothing when it is the same value, or an error for both. */
export function deviation(builtins: Builtins, call: Recorded): string | undefined {
  const builtin = builtins[call.name];
  if (builtin === undefined) return `${call.name}: missing`;
  const ours = answer(() => builtin(call.args.map(parseValue), anEvaluation(call.now ?? defaultNow)));
  const theirs = call.result === undefined ? undefined : parseValue(call.result);
  if (ours === undefined && theirs === undefined) return undefined;
  if (ours !== undefined && theirs !== undefined && compareValues(ours, theirs) === 0) return undefined;
  return `${call.name}(${call.args.join(", ")})\n  ours ${shown(ours)}\n  OPA  ${shown(theirs)} ${call.error ?? ""}`;
}

function shown(value: Value | undefined): string {
  return value === undefined ? "undefined" : valueText(value);
}

/** The deviations of all calls in a file, and how many calls there are. */
export function replay(
  builtins: Builtins,
  file: string,
): { readonly calls: number; readonly deviations: string[] } {
  const calls = recordedCalls(file);
  return { calls: calls.length, deviations: calls.flatMap((call) => deviation(builtins, call) ?? []) };
}

/** A BuiltinError is undefined; any other error is a fault of ours. */
function answer(call: () => Value | undefined): Value | undefined {
  try {
    return call();
  } catch (error) {
    if (error instanceof BuiltinError) return undefined;
    throw error;
  }
}
