import { elementsOf, type ValueMemory } from "./memory.js";

/** Iterates over objects and sets in OPA's order, instead of that of the hash table they are. */
export interface Iteration {
  /** What OPA's `opa_value_iter` gives: the first key after 0, 0 after the last. */
  readonly next: (node: number, previous: number) => number;
  /** Forgets what it knows of values that the next evaluation overwrites. */
  readonly reset: () => void;
}

interface Order {
  /** As they are in the buckets. */
  readonly found: readonly number[];
  readonly sorted: readonly number[];
  /** Where the last key given is. */
  cursor: number;
  places: ReadonlyMap<number, number> | undefined;
}

/** How many orders of base data are kept. */
const maxKept = 100_000;

/** Collections larger than this take so long to sort that the clock is looked at. */
const large = 64;

/**
 * `compare` is the module's own. Orders of what lies below `permanentEnd`, which no evaluation changes, are kept in
 * `kept`. `spend` is called as time passes, and throws when it is used up.
 */
export function iterationOver(
  memory: ValueMemory,
  {
    compare,
    permanentEnd,
    kept,
    spend,
  }: {
    readonly compare: (a: number, b: number) => number;
    readonly permanentEnd: () => number;
    readonly kept: Map<number, Order>;
    readonly spend: () => void;
  },
): Iteration {
  const current = new Map<number, Order>();

  const ordered = (node: number, known: Order | undefined): Order => {
    const found = keysOf(memory.view(), node);
    if (found.length > large) spend();
    if (known !== undefined && sameList(known.found, found)) {
      known.cursor = 0;
      return known;
    }
    return { found, sorted: sortedKeys(memory, found, compare, spend), cursor: 0, places: undefined };
  };
  const start = (node: number): Order => {
    if (node < permanentEnd()) {
      const order = kept.get(node) ?? ordered(node, undefined);
      order.cursor = 0;
      if (kept.size < maxKept) kept.set(node, order);
      else current.set(node, order);
      return order;
    }
    const known = current.get(node);
    const order = ordered(node, known);
    if (order !== known) current.set(node, order);
    return order;
  };

  let lastNode = 0;
  let last: Order | undefined;
  return {
    next: (node, previous) => {
      if (previous === 0) {
        last = start(node);
        lastNode = node;
        return last.sorted[0] ?? 0;
      }
      const order = node === lastNode ? last : (current.get(node) ?? kept.get(node));
      if (order === undefined) throw new RangeError("an iteration goes on that did not begin");
      lastNode = node;
      last = order;
      if (order.sorted[order.cursor] !== previous) order.cursor = placeOf(order, previous);
      return order.sorted[++order.cursor] ?? 0;
    },
    reset: () => {
      lastNode = 0;
      last = undefined;
      if (current.size > 0) current.clear();
    },
  };
}

export type { Order };

/** Two loops over one collection have one cursor: the outer one looks its place up. */
function placeOf(order: Order, key: number): number {
  order.places ??= new Map(order.sorted.map((found, i) => [found, i]));
  const place = order.places.get(key);
  if (place === undefined) throw new RangeError("an iteration goes on from a key that is not there");
  return place;
}

function sameList(a: readonly number[], b: readonly number[]): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

function keysOf(view: DataView, node: number): number[] {
  const keys = elementsOf(view, node);
  for (let i = 0; i < keys.length; i++) keys[i] = view.getUint32(keys[i] ?? 0, true);
  return keys;
}

function sortedKeys(
  memory: ValueMemory,
  keys: readonly number[],
  compare: (a: number, b: number) => number,
  spend: () => void,
): readonly number[] {
  const view = memory.view();
  let compared = 0;
  const byString = (a: number, b: number): number => {
    if (++compared % 4_096 === 0) spend();
    return compareStringsAt(view, a, b);
  };
  const byValue = (a: number, b: number): number => {
    if (++compared % 64 === 0) spend();
    return compare(a, b);
  };
  return [...keys].sort(keys.every((key) => isStringAt(view, key)) ? byString : byValue);
}

function isStringAt(view: DataView, address: number): boolean {
  const type = view.getUint8(address);
  return type === 4 || type === 8;
}

function compareStringsAt(view: DataView, a: number, b: number): number {
  const [lengthA, lengthB] = [view.getUint32(a + 4, true), view.getUint32(b + 4, true)];
  const [textA, textB] = [view.getUint32(a + 8, true), view.getUint32(b + 8, true)];
  const length = Math.min(lengthA, lengthB);
  let i = 0;
  for (; i + 4 <= length; i += 4) {
    const [x, y] = [view.getUint32(textA + i), view.getUint32(textB + i)];
    if (x !== y) return x - y;
  }
  for (; i < length; i++) {
    const difference = view.getUint8(textA + i) - view.getUint8(textB + i);
    if (difference !== 0) return difference;
  }
  return lengthA - lengthB;
}
