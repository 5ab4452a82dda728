import type { JsonObject, JsonValue } from "../../attributes/index.js";
import type { Metadata__Output, Struct__Output, Value__Output } from "../../proto/index.js";

type Reader = (filter: string) => JsonObject | undefined;

const nothing: Reader = () => undefined;

/** Reads `filter_metadata` by namespace; a namespace is converted when it is first asked for. */
export function metadataReader(metadata: Metadata__Output | undefined): Reader {
  const filters = metadata?.filter_metadata;
  if (filters === undefined) return nothing;
  const read = new Map<string, JsonObject>();
  return (filter) => {
    if (!Object.hasOwn(filters, filter)) return undefined;
    const struct = filters[filter];
    const known = read.get(filter);
    if (known !== undefined || struct === undefined) return known;
    const object = toObject(struct);
    read.set(filter, object);
    return object;
  };
}

/** google.protobuf.Struct as a JSON object, whatever its member names are. */
function toObject(struct: Struct__Output): JsonObject {
  return Object.fromEntries(
    Object.entries(struct.fields ?? {}).map(([name, value]) => [name, toJson(value)]),
  );
}

function toJson(value: Value__Output): JsonValue {
  if (value.stringValue !== undefined) return value.stringValue;
  if (value.structValue !== undefined) return toObject(value.structValue);
  if (value.listValue !== undefined) return (value.listValue.values ?? []).map(toJson);
  if (value.boolValue !== undefined) return value.boolValue;
  return value.numberValue === undefined ? null : Number(value.numberValue);
}
