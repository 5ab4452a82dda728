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

/** True only when the field says so. */
export function isOn(tree: Tree | undefined, ...names: readonly string[]): boolean {
  return text(tree, ...names)?.toLowerCase() === "true";
}

/** A number, also one that is written as text. */
export function number(tree: Tree | undefined, ...names: readonly string[]): number | undefined {
  const value = text(tree, ...names);
  return value !== undefined && /^-?[0-9]{1,18}(?:\.[0-9]+)?$/.test(value) ? Number(value) : undefined;
}

/** A google.protobuf.Duration in milliseconds; undefined when absent or none. */
export function durationMs(tree: Tree | undefined, ...names: readonly string[]): number | undefined {
  const written = /^(-?[0-9]{1,12}(?:\.[0-9]{1,9})?)s$/.exec(text(tree, ...names) ?? "");
  return written === null ? undefined : Number(written[1]) * 1000;
}

/** An enum's name, given by name or number; the first when absent or unknown. */
export function named<Name extends string>(
  names: readonly [Name, ...Name[]],
  tree: Tree | undefined,
  ...fields: readonly string[]
): Name {
  const value = at(tree, ...fields)?.value;
  const found = typeof value === "number" ? names[value] : names.find((name) => name === value);
  return found ?? names[0];
}

/** Whether a value is a mapping. */
export function isMapping(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function keyOf(value: unknown, name: string): string | undefined {
  if (!isMapping(value)) return undefined;
  const camel = name.replace(/_([a-z0-9])/g, (_, c: string) => c.toUpperCase());
  return [name, camel].find((key) => Object.hasOwn(value, key) && value[key] !== null);
}
