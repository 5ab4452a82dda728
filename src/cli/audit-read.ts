import { stat } from "node:fs/promises";
import { setTimeout as pause } from "node:timers/promises";
import { GatehouseError } from "../diagnostics/index.js";
import { parseTimeMs } from "../documents/index.js";
import { auditLines, codeOf } from "./audit.js";
import { lastLines } from "./audit-lines.js";
import { type AuditRecord, auditColumns, readAuditRecord, toCsv, toSentence } from "./audit-record.js";
import { escapeJson } from "./escape-json.js";
import { type ExitCode, exit, type Streams } from "./streams.js";

/** What `gatehouse audit tail` is told. */
export interface AuditTailOptions {
  /** How many lines; text as on the command line. */
  readonly lines?: string | undefined;
  /** Goes on until it is stopped. */
  readonly follow?: boolean | undefined;
  /** `text`: one line for a person; `json`: lines as they are in the file, escaped for terminals. */
  readonly output: string;
}

/** What `gatehouse audit export` is told. */
export interface AuditExportOptions {
  /** RFC 3339; the first moment that is taken. */
  readonly from?: string | undefined;
  /** The first moment that is not taken. */
  readonly to?: string | undefined;
  readonly denied?: boolean | undefined;
  /** `NAMESPACE/NAME`. */
  readonly policy?: string | undefined;
  readonly output: string;
}

const defaultLines = 10;
const followMs = 500;

/** Prints the last records of a file. `stop` ends following. */
export async function tailAudit(
  file: string,
  { lines, follow = false, output }: AuditTailOptions,
  streams: Streams,
  stop?: AbortSignal,
): Promise<ExitCode> {
  if (output !== "text" && output !== "json") {
    throw new GatehouseError("bad_flag", `unknown output \`${output}\`, expected text or json`);
  }
  const count = lines === undefined ? defaultLines : Number(lines);
  if (!Number.isSafeInteger(count) || count < 0) {
    throw new GatehouseError("bad_flag", `\`${lines}\` is no number of lines`);
  }
  const { from, inode } = await beginOf(file, count);
  let position = await printFrom(file, from, output, streams);
  if (!follow) return exit.fine;
  let known = inode;
  while (stop?.aborted !== true) {
    await pause(followMs, undefined, stop === undefined ? {} : { signal: stop }).catch(() => {});
    const now = await stat(file).catch(() => undefined);
    // Between the move of a file and its next one there is none.
    if (now === undefined) continue;
    if (now.ino !== known || now.size < position) {
      known = now.ino;
      position = 0;
    }
    if (now.size > position) position = await printFrom(file, position, output, streams);
  }
  return exit.fine;
}

async function beginOf(file: string, count: number): Promise<{ from: number; inode: number }> {
  try {
    const { from } = await lastLines(file, count);
    return { from, inode: (await stat(file)).ino };
  } catch (error) {
    throw new GatehouseError("source", `audit file \`${file}\` cannot be read: ${codeOf(error)}`, {
      cause: error,
    });
  }
}

/** Prints whole lines; gives where the first one begins that is not whole yet. */
async function printFrom(file: string, from: number, output: string, streams: Streams): Promise<number> {
  let position = from;
  for await (const lines of auditLines(file, from)) {
    for (const { bytes, ended } of lines) {
      if (!ended) break;
      position += bytes.length + 1;
      const record = readAuditRecord(bytes);
      if (output === "json") streams.out(`${escapeJson(bytes.toString("utf8"))}\n`);
      else if (record !== undefined) streams.out(`${toSentence(record)}\n`);
    }
  }
  return position;
}

/** Writes the records that are asked for, as JSON lines or CSV. 1 when a line cannot be read. */
export async function exportAudit(
  files: readonly string[],
  options: AuditExportOptions,
  streams: Streams,
): Promise<ExitCode> {
  const { output } = options;
  if (output !== "jsonl" && output !== "csv") {
    throw new GatehouseError("bad_flag", `unknown output \`${output}\`, expected jsonl or csv`);
  }
  const takes = takesOf(options);
  if (output === "csv") streams.out(`${auditColumns.join(",")}\r\n`);
  let unread = 0;
  for (const file of files) {
    for await (const lines of auditLines(file)) {
      let text = "";
      for (const { bytes } of lines) {
        const record = readAuditRecord(bytes);
        if (record === undefined) unread += isChainLine(bytes) ? 0 : 1;
        else if (takes(record)) text += output === "csv" ? toCsv(record) : toJsonLine(record);
      }
      if (text !== "") streams.out(text);
    }
  }
  if (unread === 0) return exit.fine;
  streams.err(`error: ${unread} lines are no lines of an audit file, see \`gatehouse audit verify\`\n`);
  return exit.findings;
}

function toJsonLine({ seq, hash, record }: AuditRecord): string {
  return `${escapeJson(JSON.stringify({ seq, ...record, hash }))}\n`;
}

/** A line of the chain itself: its beginning, a new file, a piece that a crash left. */
function isChainLine(bytes: Buffer): boolean {
  return /^\{"seq":[0-9]+,"time":"[^"]*","prev":"[0-9a-f]*","(?:start|file|torn)":/.test(
    bytes.toString("latin1", 0, 200),
  );
}

function takesOf({ from, to, denied, policy }: AuditExportOptions): (record: AuditRecord) => boolean {
  const first = timeOf("from", from) ?? Number.NEGATIVE_INFINITY;
  const end = timeOf("to", to) ?? Number.POSITIVE_INFINITY;
  return ({ time, record }) => {
    const at = Date.parse(time);
    if (!(at >= first && at < end)) return false;
    if (denied === true && record["allowed"] !== false) return false;
    return policy === undefined || record["policy"] === policy;
  };
}

function timeOf(flag: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const time = parseTimeMs(text);
  if (time !== undefined) return time;
  throw new GatehouseError(
    "bad_flag",
    `--${flag} \`${text}\` is no time, expected for example 2026-01-31T12:00:00Z`,
  );
}
