import type { JsonObject } from "../../attributes/index.js";
import type { Metadata__Output } from "../../proto/index.js";
import { fromStruct } from "../struct.js";

type Reader = (filter: string) => JsonObject | undefined;

const nothing: Reader = () => undefined;

/** Reads `filter_metadata` by namespace; a namespace is converted when it is first asked for. */
export function metadataReader(metadata: Metadata__Output | undefined): Reader {
  const filters = metadata?.filter_metadata;
  if (filters === undefined) return nothing;
  const read = new Map<string, JsonObject>();
  return (filter) => {
    if (!Object.hasOwn(filters, filter)) return undefined;
    const known = read.get(filter);
    if (known !== undefined) return known;
    // A map's entry without a value decodes to null.
    const object = fromStruct(filters[filter] ?? {});
    read.set(filter, object);
    return object;
  };
}
