import { LRUCache } from "lru-cache";
import { BuiltinError, type Builtins } from "./builtin.js";
import { checkDocument, documentKey, documentOf } from "./json-schema-check.js";
import { compileSchema } from "./json-schema-compile.js";
import type { Schema } from "./json-schema-model.js";
import { readJson } from "./json-text.js";
import { LimitError } from "./limit.js";
import { objectOf, type Value } from "./value.js";

/**
 * JSON schema of drafts 4, 6 and 7 (v1/topdown/jsonschema.go over gojsonschema). References to other documents are
 * refused: an evaluation never asks the network.
 */
export const jsonSchema: Builtins = {
  "json.match_schema": ([document = null, schema = null]) => {
    const given = read(document);
    const mismatches = checkDocument(compiled(schema), given).map(({ type, field, description }) =>
      objectOf([
        ["error", `${field}: ${description}`],
        ["type", type],
        ["field", field],
        ["desc", description],
      ]),
    );
    return [mismatches.length === 0, mismatches];
  },
  "json.verify_schema": ([schema = null]) => {
    try {
      compiled(schema);
      return [true, null];
    } catch (error) {
      if (error instanceof BuiltinError && !(error instanceof LimitError))
        return [false, `jsonschema: ${error.message}`];
      throw error;
    }
  },
};

function read(value: Value): Value {
  if (typeof value !== "string") {
    const document = documentOf(value);
    if (document === undefined) throw new BuiltinError("wrong type, expected string or object");
    return document;
  }
  try {
    return readJson(value);
  } catch (error) {
    throw error instanceof LimitError ? error : new BuiltinError("invalid JSON string");
  }
}

/** Compiled schemas by their JSON; the one that was not asked for the longest goes first. */
const cache = new LRUCache<string, Schema>({ max: 64 });
const maxCachedUnits = 64 * 1024;

function compiled(schema: Value): Schema {
  const key = documentKey(schema);
  const known = cache.get(key);
  if (known !== undefined) return known;
  const fresh = compileSchema(read(schema));
  if (key.length <= maxCachedUnits) cache.set(key, fresh);
  return fresh;
}

/**
 * A schema from its JSON text, ready to be asked whether the JSON text of a document has the form. Throws a
 * BuiltinError that says what is wrong with the schema; the predicate throws one for what is no JSON, a
 * LimitError for a document that takes too long to check.
 */
export function compileJsonSchema(schema: string): (document: string) => boolean {
  const root = compileSchema(read(schema));
  return (document) => checkDocument(root, read(document)).length === 0;
}
