import { type Attributes, member, toText } from "../attributes/index.js";
import type { TokenPlaces } from "../authn/index.js";
import { grpcCode } from "../engine/index.js";
import type { BodyEvent, DecisionRecord } from "../telemetry/index.js";
import { compileRule, type RuleFailed } from "./decision-rules.js";
import type { DecisionLogSettings, FieldMask } from "./decision-settings.js";
import type { DecisionInput } from "./decision-vocabulary.js";
import { compileMasks, type Masks, maskText } from "./mask.js";

/** What is written of a decision: JSON, and the record as its masks left it. */
export interface DecisionText {
  readonly text: string;
  readonly record: Readonly<Record<string, unknown>>;
}

/** What a line tells: a decision, or what body policies did with what it allowed. */
export interface Told {
  readonly record: DecisionRecord | BodyEvent;
  /** As the request came. */
  readonly attributes: Attributes | undefined;
  readonly input: DecisionInput;
}

/** Makes the line of what is told. */
export type DecisionLine = (told: Told) => DecisionText;

/** What a line is made by. */
export interface LineOptions {
  readonly settings: DecisionLogSettings;
  /** Of one sink, beside those of the log. */
  readonly mask: { readonly headers: readonly string[]; readonly rules: readonly FieldMask[] };
  readonly places: readonly TokenPlaces[];
  readonly failed: RuleFailed;
}

/** Claims that are no secret and no one's affair but the record's. */
const writtenClaims = ["iss", "sub", "aud", "azp", "exp"] as const;
/** Of a header's value, in bytes; the rest is cut off. */
const maxValue = 1024;
/** Of one request; more are not written. */
const maxHeaders = 128;

/**
 * Keys in a stable order: `level` and `time` first, `msg` last, as pino writes them, so that its tools read the line.
 */
export function compileDecisionLine({ settings, mask, places, failed }: LineOptions): DecisionLine {
  const { include } = settings;
  const general = settings.mask;
  const masks = compileMasks({ ...general, headers: [...general.headers, ...mask.headers] }, places);
  const hide = compileHides([...general.rules, ...mask.rules], failed);
  const extras = [
    ...(include.requestHeaders.length > 0 ? [headersOf(include.requestHeaders, masks)] : []),
    ...(include.query ? [queryOf(masks)] : []),
    ...(include.claims ? [claimsOf] : []),
  ];
  return (told) => {
    const { record, input } = told;
    let shown = record as unknown as Record<string, unknown>;
    if (extras.length > 0) {
      shown = { ...shown };
      for (const extra of extras) extra(told, shown);
    }
    shown = hide(shown, input, extras.length === 0);
    const json = JSON.stringify(shown);
    const msg = "event" in record ? record.event : "decision";
    const level = levels[severityOf(record)];
    return { text: `{"level":${level},${json.slice(1, -1)},"msg":"${msg}"}`, record: shown };
  };
}

/** pino's numbers. */
const levels = { info: 30, warn: 40, error: 50 } as const;

/** Info for what passes, warn for what is refused or passed unasked, error for a fault of ours. */
export function severityOf(record: DecisionRecord | BodyEvent): "info" | "warn" | "error" {
  if ("event" in record) {
    if (record.code === grpcCode.internal) return "error";
    return record.allowed && !record.body.unscanned ? "info" : "warn";
  }
  if (record.stage === "internal") return "error";
  return record.allowed && !record.failed_open ? "info" : "warn";
}

type Shown = Record<string, unknown>;
type Hide = (shown: Shown, input: DecisionInput, isShared: boolean) => Shown;

/** `isShared`: the record is not ours to change. */
function compileHides(rules: readonly FieldMask[], failed: RuleFailed): Hide {
  if (rules.length === 0) return (shown) => shown;
  const compiled = rules.map(({ match, fields, op }) => ({
    matches:
      match === undefined ? () => true : compileRule(match, { place: "mask", otherwise: true, failed }),
    fields,
    op,
  }));
  return (shown, input, isShared) => {
    let own = isShared ? undefined : shown;
    for (const { matches, fields, op } of compiled) {
      if (!matches(input)) continue;
      own ??= { ...shown };
      for (const field of fields) {
        if (op === "remove") delete own[field];
        else if (own[field] !== undefined && own[field] !== null) own[field] = maskText;
      }
    }
    return own ?? shown;
  };
}

type Extra = (told: Told, shown: Shown) => void;

function headersOf(names: readonly string[], masks: Masks): Extra {
  const all = names.includes("*");
  return ({ attributes }, shown) => {
    const headers = attributes?.request?.headers;
    if (headers === undefined) return;
    const found: [string, string][] = [];
    for (const name of all ? headers.keys() : names) {
      const lines = headers.get(name);
      if (lines === undefined || found.length >= maxHeaders) continue;
      found.push([
        brief(name),
        lines.length === 1 ? brief(masks.header(name, lines[0] ?? "")) : brief(joined(name, lines, masks)),
      ]);
    }
    // `__proto__` is a name like any other.
    shown["headers"] = Object.fromEntries(found);
  };
}

function joined(name: string, lines: readonly string[], masks: Masks): string {
  return lines.map((line) => masks.header(name, line)).join(",");
}

function queryOf(masks: Masks): Extra {
  return ({ attributes }, shown) => {
    const path = attributes?.request?.path;
    if (path !== undefined) shown["query"] = brief(masks.query(path));
  };
}

const claimsOf: Extra = ({ input }, shown) => {
  const payload = input.attributes?.auth?.payload;
  if (payload === undefined) return;
  const claims = writtenClaims.flatMap((name) => {
    const value = member(payload, name);
    return value === undefined ? [] : [[name, typeof value === "string" ? cut(value) : value] as const];
  });
  shown["claims"] = Object.fromEntries(claims);
};

function brief(bytes: string): string {
  return toText(cut(bytes));
}

function cut(text: string): string {
  return text.length > maxValue ? text.slice(0, maxValue) : text;
}
