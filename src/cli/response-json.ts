import type { CheckResponse__Output, Struct__Output, Value__Output } from "../proto/index.js";

/** A CheckResponse in proto3 JSON: lowerCamel names, Struct as plain JSON, base64 bytes; enums stay numbers. */
export function responseJson(response: CheckResponse__Output): unknown {
  const { dynamic_metadata: metadata, http_response: _oneof, ...rest } = response;
  const json = toJson(rest) as Record<string, unknown>;
  return metadata === undefined ? json : { ...json, dynamicMetadata: structJson(metadata) };
}

function toJson(value: unknown): unknown {
  if (Buffer.isBuffer(value)) return value.toString("base64");
  if (Array.isArray(value)) return value.map(toJson);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, member]) => [camel(name), toJson(member)]));
}

function structJson({ fields = {} }: Struct__Output): unknown {
  return Object.fromEntries(Object.entries(fields).map(([name, value]) => [name, valueJson(value)]));
}

function valueJson(value: Value__Output): unknown {
  if (value.structValue !== undefined) return structJson(value.structValue);
  if (value.listValue !== undefined) return (value.listValue.values ?? []).map(valueJson);
  return value.stringValue ?? value.numberValue ?? value.boolValue ?? null;
}

function camel(name: string): string {
  return name.replace(/_([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());
}
