import { fromStruct } from "../envoy/index.js";
import type { CheckResponse__Output } from "../proto/index.js";
import { jsonName } from "./proto-json.js";

/**
 * A CheckResponse in proto3 JSON: lowerCamel names, Struct as plain JSON, base64 bytes; enums stay numbers.
 */
export function responseJson(response: CheckResponse__Output): unknown {
  const { dynamic_metadata: metadata, http_response: _oneof, ...rest } = response;
  const json = toJson(rest) as Record<string, unknown>;
  return metadata === undefined ? json : { ...json, dynamicMetadata: fromStruct(metadata) };
}

function toJson(value: unknown): unknown {
  if (Buffer.isBuffer(value)) return value.toString("base64");
  if (Array.isArray(value)) return value.map(toJson);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, member]) => [jsonName(name), toJson(member)]));
}
