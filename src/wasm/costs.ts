import { WasmError } from "./error.js";
import { instruction, type Label, noResult, op } from "./instructions.js";
import type { WasmModule } from "./module.js";
import { count, readerOf, skipNumber, unsigned } from "./reader.js";

/** Passes through loop heads of one call of a function between two charges. */
export const loopPeriod = 32;

/** A function that surely takes fewer instructions than this is not charged at its entry, but to its callers. */
const cheap = 2_000;

/** What growing the memory counts as: the engine may collect garbage for it. */
export const growCost = 2_000_000;

/** What a call of the host counts as. */
const hostCall = 100;

/** No single charge is more, so that a charge cannot overflow the counter. */
const maxCharge = 20_000_000;

/** A loop of a function, or (the first part) the function itself: what is in it and not in a loop within it. */
export interface Part {
  /** Of its opcode, and behind that and its type. */
  readonly start: number;
  readonly head: number;
  /** Behind its `end`. */
  end: number;
  /** Whether it neither calls nor contains another loop, and takes nothing from the stack. */
  leaf: boolean;
  /** Labels of blocks around a leaf. */
  readonly exits: Label[];
  /** Index of the part around it; the function's own is around itself. */
  readonly around: number;
  /** Instructions. */
  cost: number;
  /** Functions called. */
  readonly calls: number[];
}

/** What the pass knows of a function's body. */
export interface Body {
  /** Number of its locals without parameters. */
  readonly locals: number;
  /** Where its local declarations begin, end, and where it ends. */
  readonly start: number;
  readonly code: number;
  readonly end: number;
  /** The function, then its loops in order. */
  readonly parts: readonly Part[];
  readonly calls: readonly number[];
  /** Where memory is grown. */
  readonly grows: readonly number[];
}

/** What a function is charged, in instructions: never less than it executes between two charges. */
export interface Charge {
  /** At its entry; 0: its callers pay. */
  readonly entry: number;
  /** At every {@link loopPeriod}th pass through any of its loop heads. */
  readonly loop: number;
}

/** Reads a body. Throws a WasmError where it has an instruction that is not known. */
export function readBody(module: WasmModule, place: { readonly start: number; readonly end: number }): Body {
  const reader = readerOf(module.bytes, place.start, place.end);
  let locals = 0;
  for (let groups = count(reader); groups > 0; groups--) {
    locals += unsigned(reader);
    skipNumber(reader, 1);
  }
  if (locals > 50_000) throw new WasmError("malformed", "a function of the module has too many locals");
  const code = reader.at;
  const partAt = (start: number, head: number, around: number, leaf: boolean): Part => {
    return { start, head, end: 0, leaf, exits: [], around, cost: 1, calls: [] };
  };
  const parts: Part[] = [partAt(code, code, 0, false)];
  const calls: number[] = [];
  const grows: number[] = [];
  // Of each open block the part that goes on behind it; the outermost block is the function.
  const open: number[] = [0];
  // How many blocks were open when each part began.
  const depths: number[] = [0];
  let current = 0;
  while (reader.at < reader.end) {
    const part = parts[current];
    if (open.length === 0 || part === undefined)
      throw new WasmError("malformed", "a function goes on behind its end");
    const start = reader.at;
    const opcode = module.bytes[start];
    const labels: Label[] = [];
    const called = instruction(reader, labels);
    part.cost++;
    for (const label of labels)
      if (label.depth >= open.length - (depths[current] ?? 0)) part.exits.push(label);
    if (opcode === op.memoryGrow) grows.push(start);
    if (called >= 0 || opcode === op.callIndirect || opcode === op.memoryGrow) part.leaf = false;
    if (called >= 0) {
      part.calls.push(called);
      calls.push(called);
    }
    if (opcode === op.block || opcode === op.if || opcode === op.loop) open.push(current);
    if (opcode === op.loop) {
      part.leaf = false;
      const plain = reader.at === start + 2 && module.bytes[start + 1] === noResult;
      depths.push(open.length - 1);
      parts.push(partAt(start, reader.at, current, plain));
      current = parts.length - 1;
    } else if (opcode === op.end) {
      const behind = open.pop() ?? 0;
      if (behind !== current) part.end = reader.at;
      current = behind;
    }
  }
  if (open.length > 0) throw new WasmError("malformed", "a function of the module does not end");
  return { locals, start: place.start, code, end: place.end, parts, calls, grows };
}

/**
 * Decides where functions are charged: all in tables, at least one of every cycle of calls, and whoever costs more
 * than a caller should pay. So between two charges no more is executed than the second one says, whatever the module
 * does. `imports` is how many functions come before the bodies; calling them is free here.
 */
export function chargesOf(
  bodies: readonly Body[],
  imports: number,
  tabled: readonly number[],
): readonly Charge[] {
  const charged = new Set(tabled.map((index) => index - imports));
  const bounds = new Array<number>(bodies.length).fill(0);
  const costOfCall = (called: number): number => {
    const index = called - imports;
    return index < 0 ? hostCall : charged.has(index) ? 1 : (bounds[index] ?? 1);
  };
  for (const index of calleesFirst(bodies, imports, charged)) {
    const body = bodies[index];
    if (body === undefined) continue;
    const { entry } = chargeOf(body, costOfCall);
    bounds[index] = entry;
    if (entry > cheap) charged.add(index);
  }
  return bodies.map((body, index) => {
    const { entry, loop } = chargeOf(body, costOfCall);
    return { entry: charged.has(index) ? entry : 0, loop };
  });
}

/** Entry: all of the body once, and the loops as often as they are free. A loop's cost includes those within it. */
function chargeOf({ parts }: Body, costOfCall: (called: number) => number): Charge {
  const costs = parts.map((part) => part.calls.reduce((sum, called) => sum + costOfCall(called), part.cost));
  let dearest = 0;
  for (let i = parts.length - 1; i > 0; i--) {
    const cost = costs[i] ?? 0;
    dearest = Math.max(dearest, cost);
    const around = parts[i]?.around ?? 0;
    costs[around] = (costs[around] ?? 0) + cost;
  }
  const loop = Math.min(maxCharge, loopPeriod * dearest);
  return { entry: Math.min(maxCharge, (costs[0] ?? 0) + loop), loop };
}

/**
 * The functions in an order in which callees that are not charged come before their callers. At least one function of
 * each cycle of calls is added to `charged`: the one that is called from the fewest places.
 */
function calleesFirst(bodies: readonly Body[], imports: number, charged: Set<number>): number[] {
  const callers = new Map<number, number>();
  for (const { calls } of bodies)
    for (const called of calls) callers.set(called, (callers.get(called) ?? 0) + 1);
  const rarity = (index: number): number => callers.get(index + imports) ?? 0;
  for (let round = 0; ; round++) {
    const before = charged.size;
    const order = visit(bodies, imports, charged, (path, target) => {
      const cycle = path.slice(path.lastIndexOf(target));
      // However many cycles there are, charging every function that a call goes back to breaks all of them.
      charged.add(round < 8 ? cycle.reduce((a, b) => (rarity(b) < rarity(a) ? b : a)) : target);
    });
    if (charged.size === before) return order;
  }
}

/** Callees before callers; tells of each call that goes back to a function on the path to its caller. */
function visit(
  bodies: readonly Body[],
  imports: number,
  charged: ReadonlySet<number>,
  goesBack: (path: readonly number[], target: number) => void,
): number[] {
  const order: number[] = [];
  const [fresh, active, done] = [0, 1, 2];
  const state = new Uint8Array(bodies.length).fill(fresh);
  for (let root = 0; root < bodies.length; root++) {
    if (state[root] !== fresh) continue;
    const path = [root];
    const next = [0];
    state[root] = active;
    for (let top = path.at(-1); top !== undefined; top = path.at(-1)) {
      const nth = next.at(-1) ?? 0;
      next[next.length - 1] = nth + 1;
      const called = bodies[top]?.calls[nth];
      if (called === undefined) {
        state[top] = done;
        order.push(top);
        path.pop();
        next.pop();
        continue;
      }
      const index = called - imports;
      if (index < 0 || index >= bodies.length || charged.has(index)) continue;
      if (state[index] === active) goesBack(path, index);
      else if (state[index] === fresh) {
        state[index] = active;
        path.push(index);
        next.push(0);
      }
    }
  }
  return order;
}
