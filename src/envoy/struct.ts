import { type JsonObject, type JsonValue, wellFormed } from "../attributes/index.js";
import type { Struct, Struct__Output, Value, Value__Output } from "../proto/index.js";

/** google.protobuf.Struct as a JSON object, whatever its members are called. */
export function fromStruct({ fields = {} }: Struct__Output): JsonObject {
  return Object.fromEntries(Object.entries(fields).map(([name, value]) => [name, fromValue(value)]));
}

/** A map's entry without a value decodes to null; the value it stands for is one that is not set. */
function fromValue(value: Value__Output | null): JsonValue {
  if (value === null) return null;
  if (value.stringValue !== undefined) return value.stringValue;
  if (value.structValue !== undefined) return fromStruct(value.structValue);
  if (value.listValue !== undefined) return (value.listValue.values ?? []).map(fromValue);
  if (value.boolValue !== undefined) return value.boolValue;
  return value.numberValue === undefined ? null : Number(value.numberValue);
}

/**
 * A JSON object as google.protobuf.Struct, whatever its members are called. What JSON does not have becomes
 * null.
 */
export function toStruct(
  object: Readonly<Record<string, unknown>>,
): Struct & Required<Pick<Struct, "fields">> {
  const fields = Object.entries(object).map(([name, value]) => [wellFormed(name), toValue(value)]);
  return { fields: Object.fromEntries(fields) };
}

/** JSON as google.protobuf.Value. */
export function toValue(value: unknown): Value {
  if (typeof value === "string") return { stringValue: wellFormed(value) };
  if (typeof value === "number") return { numberValue: value };
  if (typeof value === "boolean") return { boolValue: value };
  if (Array.isArray(value)) return { listValue: { values: value.map(toValue) } };
  if (typeof value !== "object" || value === null) return { nullValue: 0 };
  return { structValue: toStruct(value as Record<string, unknown>) };
}
