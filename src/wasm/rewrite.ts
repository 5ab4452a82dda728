import type { Body, Charge } from "./costs.js";
import { growCost, loopPeriod } from "./costs.js";
import { type Chunk, join, leb, signedLeb } from "./encode.js";
import { i32, noResult, op } from "./instructions.js";

/** Where the counter and the functions that the pass adds are. */
export interface Meter {
  readonly fuel: number;
  /** Index of the function that asks the host for more. */
  readonly refill: number;
  /** Index of the function that takes its argument from the counter. */
  readonly charge: number;
}

/** A body with its charges in place, beginning with `prefix`. Gives it without its length. */
export function rewriteBody(
  bytes: Uint8Array,
  body: Body,
  {
    charge,
    meter,
    parameters,
    prefix,
  }: {
    readonly charge: Charge;
    readonly meter: Meter;
    readonly parameters: number;
    readonly prefix: readonly number[];
  },
): Uint8Array {
  const scratch = parameters + body.locals;
  const counter = scratch + 1;
  const chunks: Chunk[] = [localsOf(bytes, body), prefix];
  if (charge.entry > 0) chunks.push(entryCharge(meter, charge.entry, scratch));
  let at = body.code;
  const copyTo = (end: number): void => {
    chunks.push(bytes.subarray(at, end));
    at = end;
  };
  const grows = body.grows.map((start) => ({ start }));
  const places = [...body.parts.slice(1), ...grows].sort((a, b) => a.start - b.start);
  for (const part of places) {
    if (!("head" in part)) {
      copyTo(part.start);
      chunks.push([op.i32Const, ...signedLeb(growCost), op.call, ...leb(meter.charge)]);
      continue;
    }
    const charged = chargeWhenDue(meter, charge.loop, counter);
    if (!part.leaf) {
      copyTo(part.head);
      chunks.push(counted(counter), charged);
      continue;
    }
    // The charge is in a loop around it, since engines unroll and keep in registers only loops that do not call.
    copyTo(part.start);
    chunks.push([op.loop, noResult], charged);
    copyTo(part.head);
    chunks.push([...counted(counter), ...isDue(counter), op.brIf, 1]);
    for (const exit of part.exits) {
      copyTo(exit.at);
      chunks.push(leb(exit.depth + 1));
      at = exit.end;
    }
    copyTo(part.end);
    chunks.push([op.end]);
  }
  copyTo(body.end);
  return join(chunks);
}

/** The declarations, with two more of type i32 at the end. */
function localsOf(bytes: Uint8Array, body: Body): Uint8Array {
  const groups = bytes.subarray(body.start, body.code);
  let at = 0;
  let declared = 0;
  for (let shift = 0; ; shift += 7) {
    const next = groups[at++] ?? 0;
    declared += (next & 0x7f) * 2 ** shift;
    if (next < 0x80) break;
  }
  return join([leb(declared + 1), groups.subarray(at), [2, i32]]);
}

function entryCharge({ fuel, refill }: Meter, cost: number, scratch: number): number[] {
  return [
    ...[op.globalGet, ...leb(fuel), op.i32Const, ...signedLeb(cost), op.i32Sub, op.localTee, ...leb(scratch)],
    ...[op.globalSet, ...leb(fuel), op.localGet, ...leb(scratch), op.i32Const, 0, op.i32LtS],
    ...[op.if, noResult, op.call, ...leb(refill), op.end],
  ];
}

/** Passes are counted in a local, which is cheaper than a global, and several of them charged at once. */
function counted(counter: number): number[] {
  return [op.localGet, ...leb(counter), op.i32Const, 1, op.i32Add, op.localSet, ...leb(counter)];
}

function isDue(counter: number): number[] {
  return [op.localGet, ...leb(counter), op.i32Const, ...signedLeb(loopPeriod), op.i32GeU];
}

function chargeWhenDue({ charge }: Meter, cost: number, counter: number): number[] {
  return [
    ...[...isDue(counter), op.if, noResult, op.i32Const, ...signedLeb(cost), op.call, ...leb(charge)],
    ...[op.i32Const, 0, op.localSet, ...leb(counter), op.end],
  ];
}

/** The bodies, with their lengths, of the functions that the pass adds. */
export function meterFunctions(
  meter: Meter,
  host: { readonly function: number; readonly id: number },
): Chunk {
  const { fuel, refill } = meter;
  const ask = [
    ...[
      0,
      op.i32Const,
      ...signedLeb(host.id),
      op.i32Const,
      0,
      op.call,
      ...leb(host.function),
      op.drop,
      op.end,
    ],
  ];
  const take = [
    ...[0, op.globalGet, ...leb(fuel), op.localGet, 0, op.i32Sub, op.globalSet, ...leb(fuel)],
    ...[op.globalGet, ...leb(fuel), op.i32Const, 0, op.i32LtS],
    ...[op.if, noResult, op.call, ...leb(refill), op.end, op.end],
  ];
  return [...leb(ask.length), ...ask, ...leb(take.length), ...take];
}
