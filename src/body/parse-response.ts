import { codes, finding, show } from "../diagnostics/index.js";
import { asFields, type Fields, readFields, readList, readText, wrongType } from "../documents/index.js";
import { below, type Place, readEnum } from "./parse-fields.js";
import { readCondition, readHeaderRules } from "./parse-headers.js";
import { limitFields, readJsonLimits, readLimits } from "./parse-limits.js";
import { readDetectors, readFieldRules } from "./parse-redaction.js";
import { checkTruncation, readBodyRules, readMediaType } from "./parse-request.js";
import type { ResponsePart } from "./policy.js";
import { responseBodyVocabulary, responseVocabulary } from "./vocabulary.js";

const responseFields: ReadonlySet<string> = new Set(["match", "headers", "replaceErrors", "body"]);
const bodyFields: ReadonlySet<string> = new Set([
  ...limitFields,
  "delivery",
  "json",
  "fields",
  "detect",
  "rules",
]);

/** `spec.response`, and the file in which its schema stands. */
export function readResponsePart(
  spec: Fields,
  place: Place,
  namespace: string,
): { readonly part: ResponsePart | undefined; readonly schemaFile: string | undefined } {
  const given = readFields(spec, "response", place.at, place.out, responseFields);
  if (given === undefined) return { part: undefined, schemaFile: undefined };
  const here = below(place, "response");
  const match = readCondition(given, "match", here, responseVocabulary);
  const headers = readHeaderRules(given, here, responseVocabulary);
  const replaceErrors = readReplacements(given, here);
  const { body, schemaFile } = readBody(given, here, namespace);
  return { part: { match, headers, replaceErrors, body }, schemaFile };
}

function readBody(
  response: Fields,
  place: Place,
  namespace: string,
): { readonly body: ResponsePart["body"]; readonly schemaFile: string | undefined } {
  const { at, out } = place;
  const given = readFields(response, "body", at, out, bodyFields);
  if (given === undefined) return { body: undefined, schemaFile: undefined };
  const here = below(place, "body");
  const delivery = readEnum(given, "delivery", here, ["whole", "streamed"]);
  if (given["delivery"] === undefined) {
    const message =
      "`delivery` is missing, expected `whole` (nothing goes out before all was seen) or `streamed` (as it comes)";
    out.push(finding(codes.missingField, [...here.at, "delivery"], message));
  }
  if (delivery === "streamed") {
    for (const key of ["rules", "json"]) {
      if (given[key] === undefined) continue;
      const message = `\`${key}\` stands beside \`delivery: streamed\`, expected \`whole\`: a part has gone out before the rest is known`;
      out.push(finding(codes.bodyRuleOutOfPlace, [...here.at, key], message));
    }
  }
  const limits = readLimits(given, here, delivery !== "streamed");
  checkTruncation(given, limits.onLimit === "truncate", here);
  const { json, schemaFile } = readJsonLimits(given, here);
  const fields = readFieldRules(given, here);
  const detect = readDetectors(given, here);
  const rules = readBodyRules(given, here, {
    namespace,
    vocabulary: responseBodyVocabulary,
    isRequest: false,
  });
  return { body: { delivery: delivery ?? "whole", limits, fields, detect, rules, json }, schemaFile };
}

const replacementFields: ReadonlySet<string> = new Set(["codes", "body", "contentType"]);

function readReplacements(response: Fields, place: Place): ResponsePart["replaceErrors"] {
  const list = readList(response, "replaceErrors", place.at, place.out) ?? [];
  return list.flatMap((item, i) => {
    const here = below(place, "replaceErrors", i);
    const given = asFields(item, here.at, here.out, replacementFields);
    if (given === undefined) return [];
    const range = readCodes(given, here);
    const body = readText(given, "body", here.at, here.out);
    if (given["body"] === undefined) here.out.push(wrongType(undefined, [...here.at, "body"], "a string"));
    const contentType = readMediaType(given, here) ?? "text/plain";
    return range === undefined || body === undefined ? [] : [{ ...range, body, contentType }];
  });
}

/** `500`, `500-503` or `5xx`. */
function readCodes(given: Fields, { at, out }: Place): { from: number; to: number } | undefined {
  const value = given["codes"];
  const here = [...at, "codes"];
  const expected = "statuses from 400 to 599 such as `5xx`, `500` or `500-503`";
  if (typeof value !== "string" && typeof value !== "number") {
    out.push(wrongType(value, here, expected));
    return undefined;
  }
  const text = String(value);
  const [, from, to = from, hundred] = /^(?:([45]\d\d)(?:-([45]\d\d))?|([45])xx)$/.exec(text) ?? [];
  if (hundred !== undefined) return { from: Number(hundred) * 100, to: Number(hundred) * 100 + 99 };
  if (from !== undefined && Number(from) <= Number(to)) return { from: Number(from), to: Number(to) };
  out.push(finding(codes.invalidValue, here, `${show(text)} cannot be read, expected ${expected}`));
  return undefined;
}
