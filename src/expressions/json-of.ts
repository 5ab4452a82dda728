import type { Value } from "./value.js";

/**
 * A value as JSON text; undefined for what JSON does not have: a timestamp, a number that is not finite, a
 * map of the request such as its headers.
 */
export function jsonOf(value: Value): string | undefined {
  if (typeof value === "bigint") return String(value);
  if (typeof value === "number") return Number.isFinite(value) ? JSON.stringify(value) : undefined;
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  if (Array.isArray(value)) {
    const items = value.map((item) => jsonOf(item as Value));
    return items.includes(undefined) ? undefined : `[${items.join(",")}]`;
  }
  if (value instanceof Date || Object.getOwnPropertySymbols(value).length > 0) return undefined;
  const members: string[] = [];
  for (const [name, member] of Object.entries(value)) {
    const written = jsonOf(member as Value);
    if (written === undefined) return undefined;
    members.push(`${JSON.stringify(name)}:${written}`);
  }
  return `{${members.join(",")}}`;
}
