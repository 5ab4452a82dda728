import type { JsonValue } from "../attributes/index.js";
import type { TokenPlaces } from "../authn/index.js";
import type { Report } from "../report/index.js";
import type { FormatLabels, FormatValue } from "./access-settings.js";
import { type Piece, parseFormat, textOf } from "./format.js";
import type { AccessLogSpec } from "./format-of.js";
import { compileMasks, type MaskSettings, type Masks } from "./mask.js";
import type { LogLine } from "./sink.js";
import { traceOf } from "./trace-of.js";

/** Makes the line of a report. Never throws. */
export type AccessLog = (report: Report) => LogLine;

/** Gives the JSON of a value; undefined: it is left out. */
type Json = (report: Report) => string | undefined;

/** Compiles a format that `checkFormat` found good; what is wrong in another one is written as not known. */
export function compileAccessLog(
  { sink, format, forOtlp }: AccessLogSpec,
  settings: MaskSettings,
  places: readonly TokenPlaces[],
): AccessLog {
  const masks = compileMasks(settings, places);
  const { text, labels, omitEmptyValues: omit } = format;
  const line = text === undefined ? compileLabels(labels, masks, omit) : compileText(text, masks, omit);
  const fields = forOtlp ? compileFields(labels, masks) : undefined;
  return (report) => {
    const { start, duration = 0 } = report.times;
    const plain = { sink, time: start + duration, severity: severityOf(report), text: line(report) ?? "{}" };
    if (fields === undefined) return plain;
    const { traceId, spanId } = traceOf(report.attributes) ?? {};
    return { ...plain, fields: fields(report), traceId, spanId };
  };
}

/** A refusal is the policy's will, a 5xx is a fault of somebody. */
function severityOf({ response, flags }: Report): LogLine["severity"] {
  const code = response?.code ?? 0;
  if (code >= 500) return "error";
  return code >= 400 || (code === 0 && flags !== "-") ? "warn" : "info";
}

function compileText(text: string, masks: Masks, omit: boolean): (report: Report) => string {
  const pieces = parseFormat(text, masks, () => {});
  const absent = omit ? "" : "-";
  return (report) => {
    let line = "";
    for (const piece of pieces) line += typeof piece === "string" ? piece : textOf(piece(report), absent);
    // A literal of the format itself may hold one.
    return line.includes("\n") ? line.replaceAll("\n", " ") : line;
  };
}

/** One JSON object, its keys in their order: Envoy sorts them. */
function compileLabels(labels: FormatLabels, masks: Masks, omit: boolean): Json {
  const members = Object.entries(labels)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, value]) => ({ key: `${JSON.stringify(name)}:`, json: compileValue(value, masks, omit) }));
  return (report) => {
    let text = "";
    for (const { key, json } of members) {
      const value = json(report);
      if (value !== undefined) text += `${text === "" ? "" : ","}${key}${value}`;
    }
    return text === "" && omit ? undefined : `{${text}}`;
  };
}

function compileValue(value: FormatValue, masks: Masks, omit: boolean): Json {
  if (typeof value === "string")
    return compileJsonText(
      parseFormat(value, masks, () => {}),
      omit,
    );
  if (Array.isArray(value)) {
    const parts = value.map((part) => compileValue(part, masks, omit));
    return (report) => `[${parts.flatMap((part) => part(report) ?? []).join(",")}]`;
  }
  if (typeof value === "object" && value !== null) return compileLabels(value as FormatLabels, masks, omit);
  const json = JSON.stringify(value);
  return () => json;
}

/** One operator alone keeps its type; with anything beside it, it is text. */
function compileJsonText(pieces: readonly Piece[], omit: boolean): Json {
  const [only] = pieces;
  if (pieces.length === 1 && typeof only === "function") {
    const absent = omit ? undefined : "null";
    return (report) => {
      const value = only(report);
      return value === undefined || value === null ? absent : jsonOf(value);
    };
  }
  const absent = omit ? "" : "-";
  if (pieces.every((piece) => typeof piece === "string")) {
    const json = JSON.stringify(pieces.join(""));
    return () => json;
  }
  return (report) => {
    let text = "";
    for (const piece of pieces) text += typeof piece === "string" ? piece : textOf(piece(report), absent);
    return JSON.stringify(text);
  };
}

function jsonOf(value: JsonValue): string {
  return typeof value === "number"
    ? Number.isFinite(value)
      ? String(value)
      : "null"
    : JSON.stringify(value);
}

/** Attributes of a log record: labels that are known; what is nested is JSON. */
function compileFields(
  labels: FormatLabels,
  masks: Masks,
): (report: Report) => Record<string, string | number | boolean> {
  const reads = Object.entries(labels).map(([name, value]) => ({
    name,
    read: compileField(value, masks),
  }));
  return (report) =>
    Object.fromEntries(
      reads.flatMap(({ name, read }) => {
        const value = read(report);
        return value === undefined ? [] : [[name, value] as const];
      }),
    );
}

function compileField(
  value: FormatValue,
  masks: Masks,
): (report: Report) => string | number | boolean | undefined {
  if (typeof value !== "string") {
    const json = compileValue(value, masks, true);
    return typeof value === "object" ? json : () => value;
  }
  const pieces = parseFormat(value, masks, () => {});
  const [only] = pieces;
  if (pieces.length === 1 && typeof only === "function") {
    return (report) => {
      const found = only(report);
      if (found === undefined || found === null) return undefined;
      return typeof found === "object" ? JSON.stringify(found) : found;
    };
  }
  return (report) =>
    pieces.map((piece) => (typeof piece === "string" ? piece : textOf(piece(report), "-"))).join("");
}
