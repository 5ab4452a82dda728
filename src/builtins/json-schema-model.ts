import type { RE2JS } from "re2js";
import type { ExactNumber } from "./number.js";

/** A number of a schema or a document. */
export type Numeric = number | ExactNumber;

/** The names of types that `type` may list. */
export const typeNames: readonly string[] = [
  "array",
  "boolean",
  "integer",
  "number",
  "null",
  "object",
  "string",
];

/** Draft 4, 6 or 7; `hybrid` when a schema does not say: all that any of them knows. */
export type Draft = 4 | 6 | 7 | "hybrid";

/**
 * A compiled schema. `pass` is set for `true` and `false`; when `reference` is set nothing else counts. Filled in
 * steps, since schemas refer to each other.
 */
export interface Schema {
  draft: Draft;
  pass: boolean | undefined;
  reference: Schema | undefined;
  types: string[];
  properties: Map<string, Schema>;
  patternProperties: { readonly pattern: RE2JS; readonly schema: Schema }[];
  additionalProperties: boolean | Schema;
  propertyNames: Schema | undefined;
  dependencies: Map<string, Schema | readonly string[]>;
  items: Schema | Schema[] | undefined;
  additionalItems: boolean | Schema;
  contains: Schema | undefined;
  multipleOf: Numeric | undefined;
  minimum: Numeric | undefined;
  exclusiveMinimum: Numeric | undefined;
  maximum: Numeric | undefined;
  exclusiveMaximum: Numeric | undefined;
  minLength: number | undefined;
  maxLength: number | undefined;
  pattern: { readonly text: string; readonly regex: RE2JS } | undefined;
  format: string;
  minProperties: number | undefined;
  maxProperties: number | undefined;
  required: string[];
  minItems: number | undefined;
  maxItems: number | undefined;
  uniqueItems: boolean;
  /** Values are compared as their JSON, with numbers as doubles. */
  constant: string | undefined;
  enumeration: string[] | undefined;
  oneOf: Schema[];
  anyOf: Schema[];
  allOf: Schema[];
  not: Schema | undefined;
  if: Schema | undefined;
  /** `then` and `else`. */
  consequence: Schema | undefined;
  alternative: Schema | undefined;
}

/** A schema that anything matches. */
export function anySchema(draft: Draft): Schema {
  return {
    draft,
    pass: undefined,
    reference: undefined,
    types: [],
    properties: new Map(),
    patternProperties: [],
    additionalProperties: true,
    propertyNames: undefined,
    dependencies: new Map(),
    items: undefined,
    additionalItems: true,
    contains: undefined,
    multipleOf: undefined,
    minimum: undefined,
    exclusiveMinimum: undefined,
    maximum: undefined,
    exclusiveMaximum: undefined,
    minLength: undefined,
    maxLength: undefined,
    pattern: undefined,
    format: "",
    minProperties: undefined,
    maxProperties: undefined,
    required: [],
    minItems: undefined,
    maxItems: undefined,
    uniqueItems: false,
    constant: undefined,
    enumeration: undefined,
    oneOf: [],
    anyOf: [],
    allOf: [],
    not: undefined,
    if: undefined,
    consequence: undefined,
    alternative: undefined,
  };
}

/** Whether a schema's draft has what draft 6, or 7, brought. */
export function since(draft: Draft, version: 6 | 7): boolean {
  return draft === "hybrid" || draft >= version;
}
