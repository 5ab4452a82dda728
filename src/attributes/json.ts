/** A JSON value, as metadata and token claims carry it. */
export type JsonValue = null | boolean | number | string | readonly JsonValue[] | JsonObject;

/**
 * A JSON object from outside. INVARIANT: read it with {@link member} only, since `constructor` and
 * `__proto__` are ordinary names there.
 */
export interface JsonObject {
  readonly [name: string]: JsonValue;
}

/** The own member `name` of `value`, or undefined if `value` is no object or has none. */
export function member(value: JsonValue | undefined, name: string): JsonValue | undefined {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return undefined;
  return Object.hasOwn(value, name) ? (value as JsonObject)[name] : undefined;
}
