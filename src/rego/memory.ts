import { Buffer } from "node:buffer";
import { bytesOf, numberOf, objectOf, setOf, textOf, type Value, valueText } from "../builtins/index.js";
import type { OpaExports, WasmMemory } from "./web-assembly.js";

/** Types of values, as OPA's wasm/src/value.h numbers them. */
export const type = {
  null: 1,
  boolean: 2,
  number: 3,
  string: 4,
  array: 5,
  object: 6,
  set: 7,
  internedString: 8,
  internedBoolean: 9,
} as const;

/** Deeper values are refused: whoever reads them would run out of stack. */
const maxDepth = 1_000;

/** Reads and writes values in the memory of a policy. */
export interface ValueMemory {
  /** The current view; not to be kept over a call of the module. */
  readonly view: () => DataView;
  readonly bytes: () => Buffer;
  /** The value at an address. `spend` is told of every hundred values read. Throws a RangeError when too deep. */
  readonly read: (address: number, spend?: () => void) => Value;
  /** Makes a value, and gives its address. */
  readonly write: (value: Value) => number;
  /** Copies a text into memory that is allocated for it. */
  readonly copyText: (text: string) => { readonly address: number; readonly length: number };
  /** The text up to the next zero byte. */
  readonly textAt: (address: number) => string;
}

export function valueMemory(memory: WasmMemory, exports: OpaExports): ValueMemory {
  let view = new DataView(memory.buffer);
  let bytes = Buffer.from(memory.buffer);

  /** Growing detaches the buffer: a detached one has no bytes. */
  const fresh = (): DataView => {
    if (bytes.length === 0) {
      view = new DataView(memory.buffer);
      bytes = Buffer.from(memory.buffer);
    }
    return view;
  };
  const numberAt = (address: number, length: number): string =>
    bytes.toString("latin1", address, address + length);
  const stringAt = (address: number, length: number): string => {
    const text = bytes.toString("utf8", address, address + length);
    // What is no UTF-8 came out as this character, and would be lost.
    return text.includes("\ufffd") ? textOf(bytes.subarray(address, address + length)) : text;
  };

  const read = (root: number, spend: () => void = () => {}): Value => {
    const at = fresh();
    let count = 0;
    const value = (address: number, depth: number): Value => {
      if (depth > maxDepth) throw new RangeError(`value is nested more than ${maxDepth} levels deep`);
      if (++count % 100 === 0) spend();
      switch (at.getUint8(address)) {
        case type.null:
          return null;
        case type.boolean:
        case type.internedBoolean:
          return at.getUint8(address + 1) !== 0;
        case type.number:
          if (at.getUint8(address + 1) !== 1) {
            return numberOf(numberAt(at.getUint32(address + 8, true), at.getUint32(address + 12, true)));
          }
          return integerAt(at, address + 8);
        case type.string:
        case type.internedString:
          return stringAt(at.getUint32(address + 8, true), at.getUint32(address + 4, true));
        case type.array: {
          const [elements, length] = [at.getUint32(address + 4, true), at.getUint32(address + 8, true)];
          const items: Value[] = [];
          for (let i = 0; i < length; i++)
            items.push(value(at.getUint32(elements + i * 8 + 4, true), depth + 1));
          return items;
        }
        case type.object: {
          const entries: [Value, Value][] = [];
          for (const element of elementsOf(at, address)) {
            const key = value(at.getUint32(element, true), depth + 1);
            entries.push([key, value(at.getUint32(element + 4, true), depth + 1)]);
          }
          return objectOf(entries);
        }
        case type.set:
          return setOf(elementsOf(at, address).map((member) => value(at.getUint32(member, true), depth + 1)));
        default:
          throw new RangeError("no value in the policy's memory");
      }
    };
    return value(root, 0);
  };

  const copyText = (text: string): { address: number; length: number } => {
    const length = Buffer.byteLength(text, "utf8");
    const address = exports.opa_malloc(length + 1) >>> 0;
    fresh();
    bytes.write(text, address, length, "utf8");
    return { address, length };
  };

  const copyBytes = (given: Uint8Array): { address: number; length: number } => {
    const address = exports.opa_malloc(given.length + 1) >>> 0;
    fresh();
    bytes.set(given, address);
    return { address, length: given.length };
  };

  const write = (value: Value): number => {
    if (typeof value === "string") {
      const { address, length } = loneSurrogate.test(value) ? copyBytes(bytesOf(value)) : copyText(value);
      const node = exports.opa_malloc(12) >>> 0;
      const at = fresh();
      at.setUint32(node, type.string | (1 << 8), true);
      at.setUint32(node + 4, length, true);
      at.setUint32(node + 8, address, true);
      return node;
    }
    const { address, length } = copyText(wellFormed(valueText(value)));
    const node = exports.opa_value_parse(address, length);
    if (node === 0) throw new RangeError("a builtin's answer cannot be written");
    return node;
  };

  return {
    view: fresh,
    bytes: () => {
      fresh();
      return bytes;
    },
    read,
    write,
    copyText,
    textAt: (address) => {
      fresh();
      const start = address >>> 0;
      return bytes.toString("utf8", start, bytes.indexOf(0, start));
    },
  };
}

/** Bytes that are no UTF-8, as the builtins have them. */
const loneSurrogate = /[\ud800-\udfff]/u;

/** Half of a surrogate pair, which JSON.stringify escapes, ends an evaluation in OPA's parser. */
function wellFormed(text: string): string {
  return text.includes("\\ud") ? text.replace(/(?<!\\)((?:\\\\)*)\\ud[89a-f][0-9a-f]{2}/g, "$1\ufffd") : text;
}

function integerAt(view: DataView, address: number): Value {
  const high = view.getInt32(address + 4, true);
  const low = view.getUint32(address, true);
  if (high === 0) return low;
  if (high === -1) return low - 4_294_967_296;
  const number = high * 4_294_967_296 + low;
  return Number.isSafeInteger(number) ? number : numberOf(view.getBigInt64(address, true).toString());
}

/** Addresses of the elements of an object (key, value, next) or a set (value, next), in the order of the buckets. */
export function elementsOf(view: DataView, address: number): number[] {
  const isObject = view.getUint8(address) === type.object;
  const buckets = view.getUint32(address + 4, true);
  const count = view.getUint32(address + 8, true);
  const length = view.getUint32(address + 12, true);
  const next = isObject ? 8 : 4;
  // Each is allocated on its own, behind a block's head: what says more goes around in circles.
  const most = Math.min(length, view.byteLength / 24);
  const found: number[] = [];
  for (let i = 0; i < count; i++) {
    for (let at = view.getUint32(buckets + i * 4, true); at !== 0; at = view.getUint32(at + next, true)) {
      if (found.length >= most) throw new RangeError("a collection of the policy is broken");
      found.push(at);
    }
  }
  return found;
}
