import { compileJsonSchema } from "../builtins/index.js";
import { codes, finding, show } from "../diagnostics/index.js";
import { type Fields, readFields, readText, readTexts } from "../documents/index.js";
import { isContentTypePattern } from "./content-types.js";
import { below, type Place, readBytes, readEnum, readWhole } from "./parse-fields.js";
import type { BodyLimits, JsonLimits } from "./policy.js";

/** The fields of a body that {@link readLimits} reads. */
export const limitFields = [
  "maxBytes",
  "onLimit",
  "encodings",
  "maxRatio",
  "contentTypes",
  "otherContentTypes",
] as const;

const mebibyte = 1024 * 1024;
/** Of what is held as a whole when nothing is said: Envoy's own limit for buffers is as high. */
const defaultMaxBytes = mebibyte;
const mostHeld = 64 * mebibyte;
const mostStreamed = 4096 * mebibyte;

const jsonTypes: readonly string[] = ["application/json", "application/*+json"];

/**
 * Limits of a body. What is held as a whole has always one: 1 MiB, beyond which it is refused. With `json`
 * and without `contentTypes` only JSON is taken, so that nothing passes the schema under another name.
 */
export function readLimits(body: Fields, place: Place, isHeld: boolean): BodyLimits {
  const { at, out } = place;
  const maxBytes = readBytes(body, "maxBytes", place, isHeld ? mostHeld : mostStreamed);
  const onLimit = readEnum(body, "onLimit", place, ["deny", "pass", "truncate"]);
  if (body["maxBytes"] !== undefined && body["onLimit"] === undefined) {
    const message = "`maxBytes` stands without `onLimit`, expected deny, pass or truncate";
    out.push(finding(codes.bodyLimitWithoutAction, [...at, "maxBytes"], message));
  } else if (body["maxBytes"] === undefined && body["onLimit"] !== undefined) {
    const message = "`onLimit` stands without `maxBytes`, expected a number of bytes";
    out.push(finding(codes.bodyLimitWithoutAction, [...at, "onLimit"], message));
  }
  const given = readTexts(body, "contentTypes", at, out)?.map((text) => text.toLowerCase());
  given?.forEach((text, i) => {
    if (isContentTypePattern(text)) return;
    const message = `content type ${show(text)} cannot be read, expected for example \`application/json\`, \`text/*\` or \`application/*+json\``;
    out.push(finding(codes.invalidValue, [...at, "contentTypes", i], message));
  });
  const contentTypes = given ?? (body["json"] === undefined ? [] : jsonTypes);
  const other = readEnum(body, "otherContentTypes", place, ["deny", "pass"]);
  if (other !== undefined && contentTypes.length === 0) {
    const message = "`otherContentTypes` has no effect without `contentTypes`";
    out.push(finding(codes.bodyFieldWithoutEffect, [...at, "otherContentTypes"], message));
  }
  return {
    maxBytes: maxBytes ?? (isHeld ? defaultMaxBytes : undefined),
    onLimit: onLimit ?? "deny",
    encodings: readEnum(body, "encodings", place, ["decode", "deny"]) ?? "decode",
    maxRatio: readWhole(body, "maxRatio", place, [1, 1_000_000]) ?? 100,
    contentTypes,
    otherContentTypes: other ?? "deny",
  };
}

const jsonFields: ReadonlySet<string> = new Set(["maxDepth", "duplicateKeys", "schema", "schemaFile"]);

/**
 * How JSON has to be where nothing is said. Objects with a name twice are what two readers read in two ways.
 */
export const defaultJson: JsonLimits = { maxDepth: 100, duplicateKeys: "deny", schema: undefined };

/** `json` of a body, and the file in which its schema stands. */
export function readJsonLimits(
  body: Fields,
  place: Place,
): { readonly json: JsonLimits | undefined; readonly schemaFile: string | undefined } {
  const { at, out } = place;
  const here = below(place, "json");
  const given = readFields(body, "json", at, out, jsonFields);
  if (given === undefined) return { json: undefined, schemaFile: undefined };
  const schemaFile = readText(given, "schemaFile", here.at, out);
  if (schemaFile === "")
    out.push(finding(codes.emptyValue, [...here.at, "schemaFile"], "`schemaFile` is empty"));
  if (schemaFile !== undefined && given["schema"] !== undefined) {
    const message = "`schemaFile` stands beside `schema`, expected one of them";
    out.push(finding(codes.conflictingFields, [...here.at, "schemaFile"], message));
  }
  const schema = given["schema"] === undefined ? undefined : JSON.stringify(given["schema"]);
  if (schema !== undefined) checkSchema(schema, below(here, "schema"));
  const json: JsonLimits = {
    maxDepth: readWhole(given, "maxDepth", here, [1, 500]) ?? defaultJson.maxDepth,
    duplicateKeys: readEnum(given, "duplicateKeys", here, ["deny", "keepLast"]) ?? "deny",
    schema,
  };
  return { json, schemaFile };
}

/** Says what is wrong with the JSON text of a schema. */
export function checkSchema(schema: string, { at, out }: Place): void {
  try {
    compileJsonSchema(schema);
  } catch (error) {
    const why = error instanceof Error ? error.message : "it cannot be read";
    out.push(finding(codes.badBodySchema, at, `the JSON schema cannot be used: ${why}`));
  }
}
