/** A record of an audit file and its place in the chain. Unverified: see `gatehouse audit verify`. */
export interface AuditRecord {
  readonly seq: number;
  readonly time: string;
  readonly hash: string;
  readonly record: Readonly<Record<string, unknown>>;
}

/** The record of a line; undefined when it is none or has none. */
export function readAuditRecord(line: Buffer): AuditRecord | undefined {
  let parsed: unknown;
  try {
    parsed = JSON.parse(line.toString("utf8"));
  } catch {
    return undefined;
  }
  if (!isFields(parsed)) return undefined;
  const { seq, time, hash, record } = parsed as Readonly<Record<string, unknown>>;
  if (typeof seq !== "number" || typeof time !== "string" || typeof hash !== "string") return undefined;
  return isFields(record) ? { seq, time, hash, record } : undefined;
}

function isFields(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Columns of a table of records: of the chain, then of the decision. */
export const auditColumns: readonly string[] = [
  "seq",
  "time",
  "decision_id",
  "allowed",
  "code",
  "stage",
  "reason",
  "policy",
  "rule",
  "protocol",
  "method",
  "host",
  "path",
  "source_ip",
  "source_principal",
  "request_principal",
  "destination_namespace",
  "destination_workload",
  "duration_ms",
  "hash",
];

/** One row of CSV (RFC 4180), in the order of the columns. */
export function toCsv({ seq, time, hash, record }: AuditRecord): string {
  const chain: Readonly<Record<string, unknown>> = { seq, time, hash };
  const cells = auditColumns.map((name) => {
    const value = Object.hasOwn(chain, name)
      ? chain[name]
      : Object.hasOwn(record, name)
        ? record[name]
        : undefined;
    return cell(value);
  });
  return `${cells.join(",")}\r\n`;
}

/** A text that a spreadsheet would take for a formula is kept from being one. */
function cell(value: unknown): string {
  if (value === null || value === undefined) return "";
  const text = typeof value === "string" ? value : JSON.stringify(value);
  const safe = typeof value === "string" && /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

/** One line for a person. Callers choose some of what is in it: nothing of it moves a cursor. */
export function toSentence({ seq, time, record }: AuditRecord): string {
  const of = (name: string): string => {
    const value = Object.hasOwn(record, name) ? record[name] : undefined;
    return value === null || value === undefined || value === "" ? "" : String(value);
  };
  const verdict = record["allowed"] === true ? "allowed" : "DENIED";
  const rule = of("rule");
  const policy = of("policy") === "" ? "" : ` by ${of("policy")}${rule === "" ? "" : ` rule ${rule}`}`;
  const request = of("protocol") === "tcp" ? "tcp" : `${of("method")} ${of("host")}${of("path")}`;
  const caller = of("request_principal") || of("source_principal") || of("source_ip") || "unknown";
  return `${seq} ${time} ${verdict} ${request} from ${caller}: ${of("reason")}${policy} (${of("decision_id")})`.replace(
    /\p{Cc}|\p{Cf}|\u2028|\u2029/gu,
    "?",
  );
}
