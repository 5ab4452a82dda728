import { breaksLine, isEditableHeader, isFieldName, lowerAscii, toBytes } from "../attributes/index.js";
import {
  type ClaimHeader,
  defaultPlaces,
  type HeaderPlace,
  type JwtRule,
  sortPlaces,
  type TokenPlaces,
  wordClaims,
} from "../authn/index.js";
import { codes, type Finding, finding, type Path, show } from "../diagnostics/index.js";
import {
  asFields,
  type Fields,
  nameOf,
  type Reference,
  readList,
  readText,
  readTexts,
  wrongType,
} from "../documents/index.js";
import { keyFields, readKeys } from "./parse-jwt-keys.js";
import { checkLength, checkValues } from "./validate-values.js";

/** One of `jwtRules`, and what of it is not for the rule itself. */
export interface ReadJwtRule {
  readonly rule: JwtRule;
  /** The file that its keys are in. */
  readonly file: Reference | undefined;
  /** `presence: REQUIRED`. */
  readonly required: boolean;
}

const ruleFields: ReadonlySet<string> = new Set([
  "issuer",
  "audiences",
  ...keyFields,
  "fromHeaders",
  "fromParams",
  "fromCookies",
  "forwardOriginalToken",
  "outputPayloadToHeader",
  "outputClaimToHeaders",
  "timeout",
  "spaceDelimitedClaims",
  "presence",
]);
const placeFields: ReadonlySet<string> = new Set(["name", "prefix"]);
const claimFields: ReadonlySet<string> = new Set(["header", "claim"]);
const maxSpaceDelimited = 64;

/** An item of `jwtRules`; undefined, with a finding, when it is no mapping. */
export function readJwtRule(value: unknown, at: Path, out: Finding[]): ReadJwtRule | undefined {
  const fields = asFields(value, at, out, ruleFields);
  if (fields === undefined) return undefined;
  const issuer = readFilled(fields, "issuer", at, out) ?? "";
  const { keys, file } = readKeys(fields, issuer, at, out);
  const spaceDelimited = readFilledTexts(fields, "spaceDelimitedClaims", at, out);
  checkLength(spaceDelimited, maxSpaceDelimited, [...at, "spaceDelimitedClaims"], out);
  const rule = {
    issuer,
    audiences: readFilledTexts(fields, "audiences", at, out),
    keys,
    places: readPlaces(fields, at, out),
    forwardOriginalToken: readFlag(fields, "forwardOriginalToken", at, out),
    outputPayloadToHeader: readPayloadHeader(fields, at, out),
    outputClaimToHeaders: readClaimHeaders(fields, at, out),
    spaceDelimitedClaims: [...new Set([...wordClaims, ...spaceDelimited])],
  };
  return { rule, file, required: readPresence(fields, at, out) };
}

/** Names and prefixes become bytes, since they are compared with those of requests. */
function readPlaces(rule: Fields, at: Path, out: Finding[]): TokenPlaces {
  const headers = (readList(rule, "fromHeaders", at, out) ?? []).flatMap((item, i) => {
    const path: Path = [...at, "fromHeaders", i];
    const places = readHeaderPlace(item, path, out);
    if (rule["forwardOriginalToken"] !== true) checkRemovable(places, path, out);
    return places;
  });
  const params = readFilledTexts(rule, "fromParams", at, out).map(toBytes);
  const cookies = readFilledTexts(rule, "fromCookies", at, out).map(toBytes);
  if (headers.length + params.length + cookies.length === 0) return defaultPlaces;
  return sortPlaces({ headers, params, cookies });
}

/** Istio accepts the name, and in Envoy's own filter it is removed; a name that no header has needs no word. */
function checkRemovable(places: readonly HeaderPlace[], at: Path, out: Finding[]): void {
  for (const { name } of places) {
    if (isEditableHeader(name) || !(isFieldName(name) || name.startsWith(":"))) continue;
    const message = `a token cannot be removed from header ${show(name)}, so that it is forwarded as with \`forwardOriginalToken: true\`; expected another header`;
    out.push(finding(codes.tokenStays, [...at, "name"], message));
  }
}

function readHeaderPlace(value: unknown, at: Path, out: Finding[]): HeaderPlace[] {
  const fields = asFields(value, at, out, placeFields);
  if (fields === undefined) return [];
  const name = readRequired(fields, "name", at, out);
  const prefix = readText(fields, "prefix", at, out) ?? "";
  checkLine(name, [...at, "name"], out);
  checkLine(prefix, [...at, "prefix"], out);
  return [{ name: lowerAscii(toBytes(name)), prefix: toBytes(prefix) }];
}

/** Envoy refuses these characters in names and prefixes. */
function checkLine(text: string, at: Path, out: Finding[]): void {
  if (!breaksLine(text)) return;
  const message = `${nameOf(at)} is ${show(text)}, with a line break or NUL; expected none`;
  out.push(finding(codes.envoyRefuses, at, message));
}

/** The name is not checked as strictly as that of a claim's header: Istio takes any. */
function readPayloadHeader(rule: Fields, at: Path, out: Finding[]): string {
  const name = readText(rule, "outputPayloadToHeader", at, out) ?? "";
  if (name === "") return "";
  const path: Path = [...at, "outputPayloadToHeader"];
  checkLine(name, path, out);
  return outputName(name, path, out) ?? "";
}

function readClaimHeaders(rule: Fields, at: Path, out: Finding[]): ClaimHeader[] {
  const list = readList(rule, "outputClaimToHeaders", at, out) ?? [];
  return list.flatMap((item, i) => readClaimHeader(item, [...at, "outputClaimToHeaders", i], out));
}

function readClaimHeader(value: unknown, at: Path, out: Finding[]): ClaimHeader[] {
  const fields = asFields(value, at, out, claimFields);
  if (fields === undefined) return [];
  const name = readRequired(fields, "header", at, out);
  const claim = readRequired(fields, "claim", at, out);
  const path: Path = [...at, "header"];
  if (name !== "" && !/^[-_A-Za-z0-9]+$/.test(name)) {
    const message = `${nameOf(path)} is ${show(name)}, expected letters, digits, \`-\` and \`_\``;
    out.push(finding(codes.invalidValue, path, message));
  }
  const header = name === "" ? undefined : outputName(name, path, out);
  return header === undefined ? [] : [{ header, claim }];
}

/** The name in lower case, when a header of that name may be set on a request. */
function outputName(name: string, at: Path, out: Finding[]): string | undefined {
  const header = name.toLowerCase();
  if (isEditableHeader(header)) return header;
  const message = `header ${show(name)} cannot be set on a request, so that it is left out; expected another name`;
  out.push(finding(codes.headerNotSet, at, message));
  return undefined;
}

function readPresence(rule: Fields, at: Path, out: Finding[]): boolean {
  const presence = readText(rule, "presence", at, out) ?? "OPTIONAL";
  if (presence === "REQUIRED") return true;
  if (presence !== "OPTIONAL") {
    const message = `unknown presence ${show(presence)}, expected OPTIONAL or REQUIRED`;
    out.push(finding(codes.wrongEnum, [...at, "presence"], message));
  }
  return false;
}

function readFlag(owner: Fields, key: string, at: Path, out: Finding[]): boolean {
  const value = owner[key];
  if (value !== undefined && typeof value !== "boolean") {
    out.push(wrongType(value, [...at, key], "true or false"));
  }
  return value === true;
}

/** A string that may be absent, but not empty. */
function readFilled(owner: Fields, key: string, at: Path, out: Finding[]): string | undefined {
  const text = readText(owner, key, at, out);
  if (text === "") {
    const path: Path = [...at, key];
    out.push(finding(codes.emptyValue, path, `${nameOf(path)} is empty, expected a non-empty string`));
  }
  return text;
}

/** A string that may be neither absent nor empty; empty when it is, with a finding. */
function readRequired(owner: Fields, key: string, at: Path, out: Finding[]): string {
  if (owner[key] === undefined) out.push(wrongType(undefined, [...at, key], "a string"));
  return readFilled(owner, key, at, out) ?? "";
}

/** A list of strings none of which may be empty. */
function readFilledTexts(owner: Fields, key: string, at: Path, out: Finding[]): readonly string[] {
  const texts = readTexts(owner, key, at, out) ?? [];
  checkValues(texts, [...at, key], out);
  return texts;
}
