import type { Kind } from "./value.js";

/** What is known of a value at load; `dyn`: only the request tells, as for a claim. */
export interface Type {
  readonly kind: Kind | "dyn";
  /** Of a list its elements, of a map its values; keys are texts. */
  readonly element?: Type;
}

const of = (kind: Type["kind"]): Type => ({ kind });

/** The types without parts. */
export const types: Readonly<Record<Exclude<Kind, "list" | "map"> | "dyn", Type>> = {
  null: of("null"),
  bool: of("bool"),
  int: of("int"),
  double: of("double"),
  string: of("string"),
  timestamp: of("timestamp"),
  dyn: of("dyn"),
};

/** A list of elements of one type. */
export function listOf(element: Type): Type {
  return { kind: "list", element };
}

/** A map from texts to values of one type. */
export function mapOf(element: Type): Type {
  return { kind: "map", element };
}

/** What an element of a list or a value of a map is. */
export function elementOf(type: Type): Type {
  return type.element ?? types.dyn;
}

/** As messages show it: `list(string)`. */
export function typeName({ kind, element }: Type): string {
  if (kind === "list") return `list(${typeName(element ?? types.dyn)})`;
  return kind === "map" ? `map(string, ${typeName(element ?? types.dyn)})` : kind;
}

/** The type that both have, `dyn` where one is only known later; undefined where they exclude each other. */
export function unify(a: Type, b: Type): Type | undefined {
  if (a === b) return a;
  if (a.kind === "dyn" || b.kind === "dyn") return types.dyn;
  if (a.kind !== b.kind) return undefined;
  if (a.kind !== "list" && a.kind !== "map") return a;
  return { kind: a.kind, element: unify(elementOf(a), elementOf(b)) ?? types.dyn };
}

/** Whether values of the types can be equal: numbers are compared by what they mean. */
export function isComparable(a: Type, b: Type): boolean {
  if (unify(a, b) !== undefined) return true;
  return isNumber(a) && isNumber(b);
}

/** Whether it is a number for certain. */
export function isNumber({ kind }: Type): boolean {
  return kind === "int" || kind === "double";
}
