import { BuiltinError } from "./builtin.js";
import { bytesOf, textOf } from "./bytes.js";
import { printed } from "./sprintf.js";
import {
  type Item,
  isJsonNumber,
  isList,
  isMap,
  isTrue,
  itemText,
  kindOf,
  lengthOf,
  operandOf,
} from "./template-value.js";
import { compareStrings } from "./value.js";

type Function = (args: readonly Item[]) => Item;

/** A function of templates by name; `and` and `or` are not here, for they do not evaluate all arguments. */
export function templateFunction(name: string): Function | undefined {
  return functions.get(name);
}

const functions: ReadonlyMap<string, Function> = new Map<string, Function>([
  ["eq", (args) => isEqual(args)],
  ["ge", pair((a, b) => !isLess(a, b))],
  ["gt", pair((a, b) => !isLess(a, b) && !isEqual([a, b]))],
  ["html", (args) => escapedHtml(joined(args.map(printable)))],
  ["index", ([item, ...keys]) => keys.reduce(indexed, item ?? missing())],
  ["le", pair((a, b) => isLess(a, b) || isEqual([a, b]))],
  ["len", (args) => BigInt(lengthOf(single(args)))],
  ["lt", pair(isLess)],
  ["ne", pair((a, b) => !isEqual([a, b]))],
  ["not", (args) => !isTrue(single(args))],
  ["print", joined],
  ["printf", ([format, ...args]) => formatted(format, args)],
  ["println", (args) => `${args.map(itemText).join(" ")}\n`],
  ["slice", sliced],
  ["urlquery", (args) => escapedQuery(joined(args.map(printable)))],
]);

function missing(): never {
  throw new BuiltinError("wrong number or type of arguments in a template");
}

function single(args: readonly Item[]): Item {
  return args.length === 1 ? args[0] : missing();
}

function pair(decide: (a: Item, b: Item) => boolean): Function {
  return (args) => (args.length === 2 ? decide(args[0], args[1]) : missing());
}

function formatted(format: Item, args: readonly Item[]): string {
  return typeof format === "string" ? printed(format, args.map(operandOf)) : missing();
}

/** Go's fmt.Sprint: spaces only between two that are no texts. */
function joined(args: readonly Item[]): string {
  const isText = (item: Item): boolean => kindOf(item) === "string";
  return args
    .map((arg, i) => (i > 0 && !isText(arg) && !isText(args[i - 1]) ? ` ${itemText(arg)}` : itemText(arg)))
    .join("");
}

function printable(item: Item): Item {
  return item ?? "<no value>";
}

function comparable(item: Item): bigint | number | boolean | string | undefined {
  if (isJsonNumber(item)) return item.text;
  return typeof item === "object" ? undefined : item;
}

/** Whether the first is equal to any other. */
function isEqual([first, ...others]: readonly Item[]): boolean {
  if (others.length === 0) missing();
  return others.some((other) => {
    const [kind, otherKind] = [kindOf(first), kindOf(other)];
    const isAbsent = (item: Item): boolean => item === undefined || item === null;
    if (kind === otherKind && kind !== "none") return comparable(first) === comparable(other);
    if (!isAbsent(first) && !isAbsent(other)) throw new BuiltinError("incompatible types for comparison");
    return isAbsent(first) && isAbsent(other);
  });
}

function isLess(a: Item, b: Item): boolean {
  const [x, y] = [comparable(a), comparable(b)];
  const kind = kindOf(a);
  if (kind !== kindOf(b) || kind === "none" || kind === "bool") {
    throw new BuiltinError("incompatible types for comparison");
  }
  if (typeof x === "string" && typeof y === "string") return compareStrings(x, y) < 0;
  return (x ?? 0) < (y ?? 0);
}

function place(index: Item, length: number): number {
  if (typeof index !== "bigint") throw new BuiltinError("cannot index with what is no integer");
  if (index < 0n || index > BigInt(length)) throw new BuiltinError("index out of range");
  return Number(index);
}

/** Of texts the byte. */
function indexed(item: Item, key: Item): Item {
  if (isMap(item)) return typeof key === "string" ? (item.get(key) ?? null) : missing();
  const values = typeof item === "string" || isJsonNumber(item) ? bytesOf(itemText(item)) : item;
  if (values === undefined || values === null || !(isList(values as Item) || values instanceof Uint8Array)) {
    throw new BuiltinError("cannot index this");
  }
  const list = values as ArrayLike<Item>;
  const at = place(key, list.length);
  if (at === list.length) throw new BuiltinError("index out of range");
  const found = list[at];
  return values instanceof Uint8Array ? BigInt(found as number) : found;
}

function sliced([item, ...ends]: readonly Item[]): Item {
  if (isJsonNumber(item)) return { text: itemText(sliced([item.text, ...ends])) };
  const values = typeof item === "string" ? bytesOf(item) : isList(item) ? item : undefined;
  if (values === undefined || ends.length > 2) throw new BuiltinError("cannot slice this");
  const [from = 0, to = values.length] = ends.map((end) => place(end, values.length));
  if (from > to) throw new BuiltinError("invalid slice index");
  return values instanceof Uint8Array ? textOf(values.subarray(from, to)) : values.slice(from, to);
}

const htmlEscapes: ReadonlyMap<string, string> = new Map([
  ["\0", "\ufffd"],
  ['"', "&#34;"],
  ["'", "&#39;"],
  ["&", "&amp;"],
  ["<", "&lt;"],
  [">", "&gt;"],
]);

function escapedHtml(text: string): string {
  return text.replace(/[\0"'&<>]/g, (char) => htmlEscapes.get(char) ?? char);
}

function escapedQuery(text: string): string {
  return Array.from(bytesOf(text), (byte) => {
    const char = String.fromCharCode(byte);
    if (/[A-Za-z0-9_.~-]/.test(char)) return char;
    return char === " " ? "+" : `%${byte.toString(16).toUpperCase().padStart(2, "0")}`;
  }).join("");
}
