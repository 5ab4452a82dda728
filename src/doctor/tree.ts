import type { Path } from "../diagnostics/index.js";

/** A value in a document of Envoy's, and where it stands. */
export interface Tree {
  readonly value: unknown;
  /** Keys as they are written. */
  readonly path: Path;
}

/**
 * The field at the end of these names, which are Envoy's snake_case; a document may write lowerCamel.
 * Undefined when absent or null, or when something on the way is.
 */
export function at(tree: Tree | undefined, ...names: readonly string[]): Tree | undefined {
  let here = tree;
  for (const name of names) {
    const key = here === undefined ? undefined : keyOf(here.value, name);
    if (here === undefined || key === undefined) return undefined;
    here = { value: (here.value as Record<string, unknown>)[key], path: [...here.path, key] };
  }
  return here;
}

/** Where a field stands, or where it would have to be added: the message around it. */
export function placeOf(tree: Tree, ...names: readonly string[]): Path {
  let here = tree;
  for (const name of names) {
    const next = at(here, name);
    if (next === undefined) return here.path;
    here = next;
  }
  return here.path;
}

/** The items of a list; none when the field is absent or no list. */
export function items(tree: Tree | undefined, ...names: readonly string[]): readonly Tree[] {
  const list = at(tree, ...names);
  if (list === undefined || !Array.isArray(list.value)) return [];
  return list.value.map((value: unknown, i) => ({ value, path: [...list.path, i] }));
}

/** The entries of a mapping by their own keys; none when the field is absent or no mapping. */
export function entries(
  tree: Tree | undefined,
  ...names: readonly string[]
): readonly (readonly [key: string, tree: Tree])[] {
  const map = at(tree, ...names);
  if (map === undefined || !isMapping(map.value)) return [];
  return Object.entries(map.value).map(([key, value]) => [key, { value, path: [...map.path, key] }]);
}

/** A text; numbers and flags, which YAML makes of some texts, as they are printed. */
export function text(tree: Tree | undefined, ...names: readonly string[]): string | undefined {
  const value = at(tree, ...names)?.value;
  return typeof value === "string" || typeof value === "number" || typeof value === "boolean"
    ? String(value)
    : undefined;
}

/** The texts of a list. */
export function texts(tree: Tree | undefined, ...names: readonly string[]): readonly string[] {
  return items(tree, ...names).flatMap((item) => (typeof item.value === "string" ? [item.value] : []));
}

/** Texts that protobuf's reader of JSON takes for true, in any case (measured). */
const yes: ReadonlySet<string> = new Set(["true", "t", "yes", "y", "1"]);

/** True only when Envoy reads the field as true: a flag, or one of the texts that it takes for one. */
export function isOn(tree: Tree | undefined, ...names: readonly string[]): boolean {
  const value = unwrapped(at(tree, ...names)?.value);
  return value === true || (typeof value === "string" && yes.has(value.toLowerCase()));
}

/** A number, also one that is written as text: `"2"`, `"2.0"`, `"2e0"`, `"0x2"`. */
export function number(tree: Tree | undefined, ...names: readonly string[]): number | undefined {
  const value = unwrapped(at(tree, ...names)?.value);
  if (typeof value === "number") return Number.isFinite(value) ? value : undefined;
  if (typeof value !== "string") return undefined;
  if (/^0x[0-9a-f]{1,8}$/i.test(value)) return Number(value);
  return /^[-+]?(?:[0-9]{1,18}\.?[0-9]{0,18}|\.[0-9]{1,18})(?:e[-+]?[0-9]{1,2})?$/i.test(value)
    ? Number(value)
    : undefined;
}

/** A google.protobuf.Duration in milliseconds, `2s` or `{seconds: 2}`; undefined when absent or none. */
export function durationMs(tree: Tree | undefined, ...names: readonly string[]): number | undefined {
  const duration = at(tree, ...names);
  if (duration !== undefined && isMapping(duration.value)) {
    return (number(duration, "seconds") ?? 0) * 1000 + (number(duration, "nanos") ?? 0) / 1e6;
  }
  const written = /^(-?[0-9]{1,12}(?:\.[0-9]{1,9})?)s$/.exec(text(duration) ?? "");
  return written === null ? undefined : Math.round(Number(written[1]) * 1e9) / 1e6;
}

/** An enum's name, given by name in any case or by number, also as text; the first when absent or unknown. */
export function named<Name extends string>(
  names: readonly [Name, ...Name[]],
  tree: Tree | undefined,
  ...fields: readonly string[]
): Name {
  const value = text(tree, ...fields) ?? "";
  const found = /^\s*[-+]?[0-9]{1,9}\s*$/.test(value)
    ? names[Number(value)]
    : names.find((name) => name.toLowerCase() === value.toLowerCase());
  return found ?? names[0];
}

/** A wrapper (google.protobuf.BoolValue, UInt32Value) may be written as the message that it is. */
function unwrapped(value: unknown): unknown {
  return isMapping(value) && Object.keys(value).length === 1 && Object.hasOwn(value, "value")
    ? value["value"]
    : value;
}

/** Whether a value is a mapping. */
export function isMapping(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** A field's name in lowerCamel. */
export function camelOf(name: string): string {
  return name.replace(/_([a-z0-9])/g, (_, c: string) => c.toUpperCase());
}

function keyOf(value: unknown, name: string): string | undefined {
  if (!isMapping(value)) return undefined;
  return [name, camelOf(name)].find((key) => Object.hasOwn(value, key) && value[key] !== null);
}
