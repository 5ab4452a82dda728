import { readFile } from "node:fs/promises";
import { type Code, codes, formatDiagnostic, GatehouseError, type Path } from "../diagnostics/index.js";
import { examine, fixOf, type PolicyFacts } from "../doctor/index.js";
import { readEnvoyDocument } from "./envoy-document.js";
import { readConfig } from "./load.js";
import { factsOf } from "./policy-facts.js";
import { type ExitCode, exit, type Streams } from "./streams.js";

/** Flags of the command. */
export interface DoctorOptions {
  /** Configuration of ours: what Envoy need not do for these policies is no finding. */
  readonly config?: readonly string[];
  readonly output: string;
  /** Warnings end with 1 too. */
  readonly strict: boolean;
}

/** One finding as `--output json` prints it. */
interface Row {
  readonly code: string;
  readonly severity: "error" | "warning";
  readonly file: string;
  readonly line: number;
  /** `static_resources.listeners[0].name`. */
  readonly path: string;
  readonly message: string;
  readonly fix: string;
}

/** Looks at each file and prints the findings; 1 when one is an error. */
export async function doctor(
  files: readonly string[],
  { config = [], output, strict }: DoctorOptions,
  streams: Streams,
): Promise<ExitCode> {
  if (output !== "text" && output !== "json") {
    throw new GatehouseError("bad_flag", `unknown output \`${output}\`, expected text or json`);
  }
  let facts: PolicyFacts | undefined;
  if (config.length > 0) {
    const update = await readConfig({ paths: config }, streams.env);
    if (!update.ok) {
      streams.err(update.diagnostics.map((one) => `${formatDiagnostic(one)}\n`).join(""));
      return exit.findings;
    }
    facts = factsOf(update.upserts);
  }
  const rows: Row[] = [];
  for (const file of files) rows.push(...rowsOf(file, await textOf(file, streams), facts));
  streams.out(output === "json" ? `${JSON.stringify(rows, null, 2)}\n` : asText(rows));
  const counts = strict ? rows : rows.filter(({ severity }) => severity === "error");
  return counts.length === 0 ? exit.fine : exit.findings;
}

async function textOf(file: string, streams: Streams): Promise<string> {
  if (file === "-") return streams.stdin();
  try {
    return await readFile(file, "utf8");
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    if (code === "EISDIR") {
      throw new GatehouseError("bad_request", `\`${file}\` is a folder, name files`, { cause });
    }
    throw new GatehouseError("bad_request", `\`${file}\` cannot be read (${code ?? "unknown"})`, { cause });
  }
}

function rowsOf(file: string, text: string, facts: PolicyFacts | undefined): readonly Row[] {
  const { value, problem, unread, lineOf } = readEnvoyDocument(text);
  const row = (code: Code, line: number, path: string, message: string): Row => ({
    code: code.code,
    severity: code.severity,
    file,
    line,
    path,
    message,
    fix: fixOf(code),
  });
  if (problem !== undefined) return [row(codes.notEnvoyConfig, lineOf([]), "", problem)];
  return [
    ...unread.map(({ line, message }) => row(codes.doctorReadOtherwise, line, "", message)),
    ...examine(value, facts).map(({ code, path, message }) => row(code, lineOf(path), shown(path), message)),
  ];
}

/** Lines of one finding that are named; the rest is counted. */
const MAX_LINES = 5;

/** Errors first, what is said of several places once; a fix stands below the first finding that it mends. */
function asText(rows: readonly Row[]): string {
  const told = new Set<string>();
  const sorted = [...rows].sort(
    (a, b) => Number(a.severity === "warning") - Number(b.severity === "warning"),
  );
  const places = new Map<string, Row[]>();
  for (const row of sorted) {
    const key = JSON.stringify([row.file, row.code, row.message]);
    const same = places.get(key);
    if (same === undefined) places.set(key, [row]);
    else same.push(row);
  }
  const lines = [...places.values()].map(([row, ...more]) => {
    if (row === undefined) return "";
    const { file, line, severity, code, message, fix } = row;
    const head = `${file}:${line}: ${severity} ${code} ${message}${also(more)}\n`;
    if (told.has(code)) return head;
    told.add(code);
    return `${head}${fix.replace(/^(?=.)/gm, "    ")}\n`;
  });
  const errors = rows.filter(({ severity }) => severity === "error").length;
  return `${lines.join("")}${errors} errors, ${rows.length - errors} warnings\n`;
}

function also(more: readonly Row[]): string {
  const lines = [...new Set(more.map(({ line }) => line))];
  if (lines.length === 0) return "";
  const rest = lines.length > MAX_LINES ? ` and ${lines.length - MAX_LINES} more` : "";
  return ` (also line${lines.length === 1 ? "" : "s"} ${lines.slice(0, MAX_LINES).join(", ")}${rest})`;
}

/** Names of messages have dots, so they stand in brackets. */
function shown(path: Path): string {
  return path
    .map((step, i) => {
      if (typeof step === "number") return `[${step}]`;
      if (!/^\w+$/.test(step)) return `[${JSON.stringify(step)}]`;
      return i === 0 ? step : `.${step}`;
    })
    .join("");
}
