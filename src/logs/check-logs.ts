import { codes, type Finding, finding, type Path, showNamed } from "../diagnostics/index.js";
import { nameOf } from "../documents/index.js";
import { checkExpression } from "../expressions/index.js";
import { isSecretHeader } from "../report/index.js";
import type { LogProvider, MeshAccessLog } from "./access-settings.js";
import type { AuditSettings, DecisionLogSettings, DecisionSink, FieldMask } from "./decision-settings.js";
import { maskableFields } from "./decision-settings.js";
import { decisionVocabulary } from "./decision-vocabulary.js";
import { checkFormat } from "./format.js";
import { formatOf, formatOfMesh, formatOfOtel } from "./format-of.js";
import type { MaskSettings } from "./mask.js";

/** The parts of a Mesh's `spec` that say where lines go. */
export interface LogSettings extends MeshAccessLog {
  readonly decisionLog: DecisionLogSettings;
  readonly audit?: AuditSettings | undefined;
  /** Of access logs. */
  readonly accessLogMask: MaskSettings;
}

/** What the schema cannot see: expressions, fields, formats, and what belongs together. Paths begin at `spec`. */
export function checkLogs(settings: LogSettings): Finding[] {
  const out: Finding[] = [];
  const { decisionLog, audit } = settings;
  const log = ["spec", "decisionLog"];
  const seen = new Set<string>();
  for (const [i, sink] of decisionLog.sinks.entries()) {
    const path = [...log, "sinks", i];
    if (seen.has(sink.name)) {
      const message = `sink \`${sink.name}\` is given twice, expected each name once`;
      out.push(finding(codes.sinkTarget, [...path, "name"], message));
    }
    seen.add(sink.name);
    checkSink(sink, path, out);
    if (audit !== undefined && isSamePath(sink.file?.path, audit.path))
      out.push(auditTaken(audit, [...path, "file"]));
  }
  checkMasks(decisionLog.mask, [...log, "mask"], out);
  checkRules(decisionLog.mask.rules, [...log, "mask", "rules"], out);
  for (const [i, source] of decisionLog.drop.entries()) checkRule(source, [...log, "drop", i], out);
  for (const [i, { match }] of decisionLog.sample.entries()) {
    if (match !== undefined) checkRule(match, [...log, "sample", i, "match"], out);
  }
  if (audit?.filter !== undefined) checkRule(audit.filter, ["spec", "audit", "filter"], out);
  if (
    audit !== undefined &&
    (isSamePath(settings.accessLogFile, audit.path) || audit.path.startsWith("/dev/std"))
  ) {
    out.push(auditTaken(audit, ["spec", "audit", "path"]));
  }
  checkMasks(settings.accessLogMask, ["spec", "accessLogMask"], out);
  const format = formatOfMesh(settings);
  const at = ["spec", "accessLogFormat"];
  if (format === undefined) {
    const message =
      "accessLogFormat is no JSON mapping, which accessLogEncoding JSON asks for, expected for example" +
      ' `{"code": "%RESPONSE_CODE%"}`';
    out.push(finding(codes.badLogFormat, at, message));
  } else if (settings.accessLogFormat !== "") out.push(...checkFormat(format, at));
  return out;
}

/** The same of one entry of `Mesh.spec.extensionProviders`; `path` is its place. */
export function checkLogProvider(
  provider: LogProvider,
  audit: AuditSettings | undefined,
  path: Path,
): Finding[] {
  const { envoyFileAccessLog, envoyOtelAls } = provider;
  const out: Finding[] = [];
  if (envoyFileAccessLog !== undefined) {
    const at = [...path, "envoyFileAccessLog"];
    if (envoyFileAccessLog.logFormat !== undefined) {
      out.push(...checkFormat(formatOf(envoyFileAccessLog), [...at, "logFormat"]));
    }
    if (audit !== undefined && isSamePath(envoyFileAccessLog.path, audit.path))
      out.push(auditTaken(audit, [...at, "path"]));
  }
  if (envoyOtelAls?.logFormat !== undefined) {
    out.push(...checkFormat(formatOfOtel(envoyOtelAls), [...path, "envoyOtelAls", "logFormat"]));
  }
  return out;
}

/** However it is spelled; links and the working folder are not known here. */
function isSamePath(path: string | undefined, other: string): boolean {
  return path !== undefined && path !== "" && spelled(path) === spelled(other);
}

function spelled(path: string): string {
  const parts: string[] = [];
  for (const part of path.split("/")) {
    if (part === "" || part === ".") continue;
    if (part === ".." && parts.length > 0 && parts.at(-1) !== "..") parts.pop();
    else parts.push(part);
  }
  return `${path.startsWith("/") ? "/" : ""}${parts.join("/")}`;
}

function auditTaken({ path: file }: AuditSettings, path: Path): Finding {
  return finding(codes.auditPathTaken, path, `\`${file}\` cannot be the audit file and another log`);
}

function checkSink(
  { name, stdout, file, otlp, filter, mask, strict }: DecisionSink,
  path: Path,
  out: Finding[],
): void {
  const targets = [stdout, file, otlp].filter((target) => target !== undefined).length;
  if (targets !== 1) {
    const message = `sink \`${name}\` names ${targets === 0 ? "none" : "several"} of stdout, file and otlp, expected one`;
    out.push(finding(codes.sinkTarget, path, message));
  }
  if (strict && (file === undefined || file.path.startsWith("/dev/"))) {
    const message = `sink \`${name}\` is strict and writes to no file on a disk`;
    out.push(finding(codes.sinkCannotBeStrict, [...path, "strict"], message));
  }
  if (filter !== undefined) checkRule(filter, [...path, "filter"], out);
  checkRules(mask.rules, [...path, "mask", "rules"], out);
}

function checkMasks({ show }: MaskSettings, path: Path, out: Finding[]): void {
  for (const [i, name] of show.headers.entries()) {
    if (!isSecretHeader(name)) continue;
    const message = `header \`${name}\` is written to the log as it was sent`;
    out.push(finding(codes.secretHeaderShown, [...path, "show", "headers", i], message));
  }
}

function checkRules(rules: readonly FieldMask[], path: Path, out: Finding[]): void {
  for (const [i, { match, fields }] of rules.entries()) {
    if (match !== undefined) checkRule(match, [...path, i, "match"], out);
    for (const [at, field] of fields.entries()) {
      if (maskableFields.has(field)) continue;
      const message = `${showNamed("field", field)} is none that can be masked, expected one of ${[...maskableFields].join(", ")}`;
      out.push(finding(codes.unknownRecordField, [...path, i, "fields", at], message));
    }
  }
}

function checkRule(source: string, path: Path, out: Finding[]): void {
  if (source.trim() === "") {
    out.push(finding(codes.emptyValue, path, `${nameOf(path)} is empty, expected a CEL expression`));
    return;
  }
  for (const { message, line, column } of checkExpression(source, "bool", decisionVocabulary)) {
    out.push({ ...finding(codes.badExpression, path, message), place: { file: undefined, line, column } });
  }
}
