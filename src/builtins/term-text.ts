import { quoted } from "./go-quote.js";
import { numberText } from "./number.js";
import { isArray, isNumber, isObject, type Value } from "./value.js";

/**
 * A value as OPA prints it in texts (`Value.String()` of v1/ast): `{"a": [1, 2]}`, sets `{1, 2}`, or `set()`.
 */
export function termText(value: Value): string {
  if (typeof value === "string") return quoted(value);
  if (value === null || typeof value === "boolean") return String(value);
  if (isNumber(value)) return numberText(value);
  if (isArray(value)) return `[${value.map(termText).join(", ")}]`;
  if (isObject(value)) {
    return `{${[...value].map(([key, member]) => `${termText(key)}: ${termText(member)}`).join(", ")}}`;
  }
  return value.size === 0 ? "set()" : `{${[...value].map(termText).join(", ")}}`;
}
