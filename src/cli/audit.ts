import { readFile } from "node:fs/promises";
import { type ChainFault, type ChainVerdict, createVerifier } from "../audit/index.js";
import { GatehouseError } from "../diagnostics/index.js";
import { fileLines } from "./audit-lines.js";
import { type ExitCode, exit, type Streams } from "./streams.js";

/** What `gatehouse audit verify` is told. */
export interface AuditVerifyOptions {
  /** Hash of the last line, from elsewhere. */
  readonly head?: string | undefined;
  /** The key of the chain's HMACs. */
  readonly keyFile?: string | undefined;
  readonly output: string;
}

/** Checks the files of one chain, the oldest first, and names the first fault. 1 when there is one. */
export async function verifyAudit(
  files: readonly string[],
  { head, keyFile, output }: AuditVerifyOptions,
  streams: Streams,
): Promise<ExitCode> {
  if (output !== "text" && output !== "json") {
    throw new GatehouseError("bad_flag", `unknown output \`${output}\`, expected text or json`);
  }
  if (head !== undefined && !/^[0-9a-f]{64}$/.test(head)) {
    throw new GatehouseError("bad_flag", `\`${head}\` is no hash, expected 64 lower-case hex digits`);
  }
  const key = keyFile === undefined ? undefined : await readOr(keyFile);
  const verdict = await verdictOf(files, { key, head });
  const { fault } = verdict;
  if (output === "json") streams.out(`${JSON.stringify(toJson(verdict), null, 2)}\n`);
  else streams.out(describe(verdict));
  return fault === undefined ? exit.fine : exit.findings;
}

async function readOr(path: string): Promise<Uint8Array> {
  try {
    return await readFile(path);
  } catch (error) {
    throw new GatehouseError("source", `key file \`${path}\` cannot be read`, { cause: error });
  }
}

async function verdictOf(
  files: readonly string[],
  options: Parameters<typeof createVerifier>[0],
): Promise<ChainVerdict> {
  const verifier = createVerifier(options);
  for (const file of files) {
    verifier.file(file);
    for await (const lines of auditLines(file)) {
      for (const { bytes, ended } of lines) {
        if (!verifier.line(bytes, ended)) return verifier.end();
      }
    }
  }
  return verifier.end();
}

/** The lines of a file; an error that names it where it cannot be read. */
export async function* auditLines(
  file: string,
  from = 0,
): AsyncGenerator<Awaited<ReturnType<ReturnType<typeof fileLines>["next"]>>["value"] & object, void, void> {
  try {
    yield* fileLines(file, from);
  } catch (error) {
    throw new GatehouseError("source", `audit file \`${file}\` cannot be read: ${codeOf(error)}`, {
      cause: error,
    });
  }
}

/** What the system calls the error. */
export function codeOf(error: unknown): string {
  const code = (error as { readonly code?: unknown } | null)?.code;
  return typeof code === "string" ? code : "unknown error";
}

function describe(verdict: ChainVerdict): string {
  const { fault, notices, records, lines, firstSeq, lastSeq, head } = verdict;
  const said = notices.map((notice) => `note: ${notice}\n`).join("");
  const good = `${records} records in ${lines} lines`;
  const range = firstSeq === undefined ? "" : `, seq ${firstSeq} to ${lastSeq}`;
  if (fault !== undefined)
    return `${said}${placeOf(fault)}: ${faultText(fault)}\n${good}${range} before it are whole\n`;
  return `${said}whole: ${good}${range}\nhead ${head}\n`;
}

function placeOf({ file, line }: ChainFault): string {
  return `${file}:${line}`;
}

function faultText({ seq, offset, message, byte }: ChainFault): string {
  const record = seq === undefined ? "" : `seq ${seq}: `;
  return `${record}${message}; ${byte === undefined ? "the line begins at byte" : "at byte"} ${offset}`;
}

function toJson({ fault, ...verdict }: ChainVerdict): unknown {
  return { whole: fault === undefined, ...verdict, ...(fault !== undefined && { fault }) };
}
