import type { JsonObject, JsonValue } from "../../attributes/index.js";
import { readValue } from "../read-struct.js";
import { readText, type TextCursor } from "../text.js";
import { readEnd, readTag, skipValue } from "../wire.js";
import { bodyOf, type ReportedBody } from "./body.js";

/**
 * What the metadata of the ext_authz or ext_proc filter say, see `toMetadata` of ext-authz; undefined what they do not,
 * or say in another form.
 */
export interface DecisionFacts {
  decisionId: string;
  /** Milliseconds, of Envoy itself; not when the check was refused. */
  durationMs: number | undefined;
  /** They are of a decision of ours. */
  isOurs: boolean;
  allowed: boolean | undefined;
  code: number | undefined;
  stage: string;
  reason: string;
  policy: string;
  rule: number | undefined;
  snapshot: number | undefined;
  failedOpen: boolean;
  principal: string;
  quota: readonly JsonObject[];
  dryRun: readonly JsonObject[];
  obligations: readonly string[];
  /** What body policies did; of ext_proc only. */
  body: ReportedBody | undefined;
}

/** A day: no check takes longer. */
const MAX_DURATION_MS = 86_400_000;

type Take = (facts: DecisionFacts, name: string, cursor: TextCursor, end: number) => void;

const noObjects: readonly JsonObject[] = [];
const noTexts: readonly string[] = [];

/**
 * Reads the facts off the bytes of a google.protobuf.Struct, without making an object of it: its members come in
 * any order, and JavaScript would have a hidden class for each.
 */
export function readDecision(cursor: TextCursor, end: number): DecisionFacts {
  const facts: DecisionFacts = {
    decisionId: "",
    durationMs: undefined,
    isOurs: false,
    allowed: undefined,
    code: undefined,
    stage: "",
    reason: "",
    policy: "",
    rule: undefined,
    snapshot: undefined,
    failedOpen: false,
    principal: "",
    quota: noObjects,
    dryRun: noObjects,
    obligations: noTexts,
    body: undefined,
  };
  readMembers(cursor, end, facts, takeTop);
  return facts;
}

const takeTop: Take = (facts, name, cursor, end) => {
  if (name === "decision_id") facts.decisionId = text(readValue(cursor, end, 0));
  else if (name === "ext_authz_duration") {
    const duration = readValue(cursor, end, 0);
    // A sum that an infinite number is added to stays infinite.
    if (typeof duration === "number" && duration >= 0 && duration <= MAX_DURATION_MS)
      facts.durationMs = duration;
  } else if (name === "gatehouse") {
    facts.isOurs = true;
    readObject(cursor, end, facts, takeOurs);
  }
};

const takeOurs: Take = (facts, name, cursor, end) => {
  if (name === "authn") {
    readObject(cursor, end, facts, takeCaller);
    return;
  }
  const value = readValue(cursor, end, 0);
  if (name === "allowed") facts.allowed = typeof value === "boolean" ? value : undefined;
  else if (name === "code") facts.code = integer(value);
  else if (name === "stage") facts.stage = text(value);
  else if (name === "reason") facts.reason = text(value);
  else if (name === "policy") facts.policy = text(value);
  else if (name === "rule") facts.rule = integer(value);
  else if (name === "snapshot") facts.snapshot = integer(value);
  else if (name === "failed_open") facts.failedOpen = value === true;
  else if (name === "quota") facts.quota = objects(value);
  else if (name === "dry_run") facts.dryRun = objects(value);
  else if (name === "obligations") facts.obligations = texts(value);
  else if (name === "body") facts.body = bodyOf(value);
};

const takeCaller: Take = (facts, name, cursor, end) => {
  if (name === "principal") facts.principal = text(readValue(cursor, end, 0));
};

/** A google.protobuf.Value, where it is a struct. */
function readObject(cursor: TextCursor, end: number, facts: DecisionFacts, take: Take): void {
  while (cursor.at < end) {
    const tag = readTag(cursor, end);
    if (tag === 0x2a) readMembers(cursor, readEnd(cursor, end), facts, take);
    else skipValue(cursor, end, tag);
  }
}

function readMembers(cursor: TextCursor, end: number, facts: DecisionFacts, take: Take): void {
  while (cursor.at < end) {
    const tag = readTag(cursor, end);
    if (tag === 0x0a) readMember(cursor, readEnd(cursor, end), facts, take);
    else skipValue(cursor, end, tag);
  }
}

/** Maps are written with the key in front. */
function readMember(cursor: TextCursor, end: number, facts: DecisionFacts, take: Take): void {
  let name = "";
  while (cursor.at < end) {
    const tag = readTag(cursor, end);
    if (tag === 0x0a) name = readText(cursor, end);
    else if (tag === 0x12) {
      const valueEnd = readEnd(cursor, end);
      take(facts, name, cursor, valueEnd);
      cursor.at = valueEnd;
    } else skipValue(cursor, end, tag);
  }
}

function text(value: JsonValue): string {
  return typeof value === "string" ? value : "";
}

function integer(value: JsonValue): number | undefined {
  return typeof value === "number" && Number.isInteger(value) ? value : undefined;
}

function objects(value: JsonValue): readonly JsonObject[] {
  if (!Array.isArray(value)) return noObjects;
  return (value as readonly JsonValue[]).filter(
    (item): item is JsonObject => typeof item === "object" && item !== null && !Array.isArray(item),
  );
}

function texts(value: JsonValue): readonly string[] {
  if (!Array.isArray(value)) return noTexts;
  return (value as readonly JsonValue[]).filter((item): item is string => typeof item === "string");
}
