import { isWellFormed } from "../attributes/index.js";
import { codes, finding, show } from "../diagnostics/index.js";
import { asFields, type Fields, readList, readText, wrongType } from "../documents/index.js";
import { checkPattern, type DetectorRule, detectorNames, type FieldAction } from "../redaction/index.js";
import { below, type Place, readEnum, readWhole } from "./parse-fields.js";
import { readCondition } from "./parse-headers.js";
import { readPath } from "./parse-request.js";
import type { ConditionalField } from "./policy.js";
import { responseVocabulary } from "./vocabulary.js";

const actions = ["mask", "remove", "hash", "tokenise"] as const;
const common = ["name", "path", "action", "when"] as const;
const maskFields: ReadonlySet<string> = new Set([
  ...common,
  "keepFirst",
  "keepLast",
  "character",
  "replacement",
]);

/** `fields` of a response body. */
export function readFieldRules(body: Fields, place: Place): readonly ConditionalField[] {
  const list = readList(body, "fields", place.at, place.out) ?? [];
  const taken = new Set<string>();
  return list.flatMap((item, i) => {
    const here = below(place, "fields", i);
    const given = asFields(item, here.at, here.out, maskFields);
    if (given === undefined) return [];
    const path = readPath(given, "path", here);
    const action = readAction(given, here);
    const when = readCondition(given, "when", here, responseVocabulary);
    const name = readRuleName(given, here, taken, String(given["path"]));
    if (path?.length === 0 && given["action"] === "remove") {
      const message = "path `$` is the whole body, expected a part of it";
      here.out.push(finding(codes.badBodyPath, [...here.at, "path"], message));
    }
    return path === undefined || action === undefined ? [] : [{ field: { name, path, action }, when }];
  });
}

function readAction(given: Fields, place: Place): FieldAction | undefined {
  const { at, out } = place;
  const kind = readEnum(given, "action", place, actions);
  if (given["action"] === undefined) {
    out.push(wrongType(undefined, [...at, "action"], `one of ${actions.join(", ")}`));
  }
  const replacement = readText(given, "replacement", at, out);
  const keepFirst = readWhole(given, "keepFirst", place, [0, 64]) ?? 0;
  const keepLast = readWhole(given, "keepLast", place, [0, 64]) ?? 0;
  const character = readCharacter(given, place);
  const ofMask = ["keepFirst", "keepLast", "character", "replacement"].filter(
    (key) => given[key] !== undefined,
  );
  if (kind !== "mask") {
    for (const key of ofMask) {
      const message = `\`${key}\` has no effect without \`action: mask\``;
      out.push(finding(codes.bodyFieldWithoutEffect, [...at, key], message));
    }
    return kind === undefined ? undefined : { kind };
  }
  const second = ofMask.find((key) => key !== "replacement");
  if (replacement !== undefined && second !== undefined) {
    const message = `\`${second}\` stands beside \`replacement\`, expected one of them: the whole value is replaced`;
    out.push(finding(codes.conflictingFields, [...at, second], message));
  }
  return { kind, keepFirst, keepLast, character, replacement };
}

function readCharacter(given: Fields, { at, out }: Place): string {
  const text = readText(given, "character", at, out);
  if (text === undefined) return "*";
  if ([...text].length === 1 && isWellFormed(text)) return text;
  out.push(
    finding(
      codes.invalidValue,
      [...at, "character"],
      `\`character\` is ${show(text)}, expected one character`,
    ),
  );
  return "*";
}

/** Characters of a pattern. */
const maxPattern = 1024;

const detectorFields: ReadonlySet<string> = new Set([
  "name",
  "detector",
  "pattern",
  "maxLength",
  "action",
  "replacement",
]);

/** `detect` of a response body. */
export function readDetectors(body: Fields, place: Place): readonly DetectorRule[] {
  const list = readList(body, "detect", place.at, place.out) ?? [];
  const taken = new Set<string>();
  return list.flatMap((item, i) => {
    const here = below(place, "detect", i);
    const given = asFields(item, here.at, here.out, detectorFields);
    if (given === undefined) return [];
    const what = readWhat(given, here);
    const action = readEnum(given, "action", here, ["redact", "deny"]);
    if (given["action"] === undefined) {
      here.out.push(wrongType(undefined, [...here.at, "action"], "one of redact, deny"));
    }
    if (given["pattern"] !== undefined && given["name"] === undefined) {
      here.out.push(wrongType(undefined, [...here.at, "name"], "a name for what the pattern finds"));
    }
    const name = readRuleName(given, here, taken, String(given["detector"] ?? ""));
    const replacement = readText(given, "replacement", here.at, here.out);
    if (replacement !== undefined && action === "deny") {
      const message = "`replacement` has no effect with `action: deny`";
      here.out.push(finding(codes.bodyFieldWithoutEffect, [...here.at, "replacement"], message));
    }
    if (what === undefined || action === undefined) return [];
    return [{ name, what, action, replacement: replacement ?? `[${name}]` }];
  });
}

function readWhat(given: Fields, place: Place): DetectorRule["what"] | undefined {
  const { at, out } = place;
  if ((given["detector"] === undefined) === (given["pattern"] === undefined)) {
    out.push(finding(codes.conflictingFields, at, "expected one of `detector` and `pattern`"));
    return undefined;
  }
  if (given["detector"] !== undefined) {
    const detector = readEnum(given, "detector", place, detectorNames);
    if (given["maxLength"] !== undefined) {
      const message = "`maxLength` has no effect without `pattern`";
      out.push(finding(codes.bodyFieldWithoutEffect, [...at, "maxLength"], message));
    }
    return detector === undefined ? undefined : { detector };
  }
  const pattern = readText(given, "pattern", at, out);
  const maxLength = readWhole(given, "maxLength", place, [1, 4096]);
  if (given["maxLength"] === undefined) {
    const expected = "the bytes of the longest match, from 1 to 4096";
    out.push(wrongType(undefined, [...at, "maxLength"], expected));
  }
  if (pattern === undefined || maxLength === undefined) return undefined;
  const fault =
    pattern.length > maxPattern
      ? `is longer than ${maxPattern} characters`
      : checkPattern(pattern, maxLength);
  if (fault === undefined) return { pattern, maxLength };
  out.push(finding(codes.badBodyPattern, [...at, "pattern"], `pattern ${show(pattern)} ${fault}`));
  return undefined;
}

const ruleName = /^[\w.-]{1,63}$/;

/** The name in records and metrics; `other` when none is given. */
function readRuleName(given: Fields, { at, out }: Place, taken: Set<string>, other: string): string {
  const named = readText(given, "name", at, out);
  const name = named ?? other;
  if (named !== undefined && !ruleName.test(named)) {
    const message = `name ${show(named)} cannot be used, expected at most 63 letters, digits, \`.\`, \`_\` and \`-\``;
    out.push(finding(codes.invalidValue, [...at, "name"], message));
  } else if (name !== "" && taken.has(name)) {
    const message = `name ${show(name)} stands at another rule already, expected \`name\` to be one of its own`;
    out.push(finding(codes.bodyRuleNameTaken, named === undefined ? at : [...at, "name"], message));
  }
  taken.add(name);
  return name;
}
