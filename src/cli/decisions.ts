import { GatehouseError } from "../diagnostics/index.js";
import { defaults } from "../server/index.js";
import { adviseOn, describeDecision, type JoinedRecord, sayInOneLine } from "../telemetry/index.js";
import { askAdmin } from "./admin-client.js";
import { followDecisions } from "./decisions-follow.js";
import { type DecisionPorts, withProcess } from "./decisions-ports.js";
import { escapeJson } from "./escape-json.js";
import { type ExitCode, exit, type Streams } from "./streams.js";

/** What `gatehouse decisions` is told. */
export interface DecisionsOptions {
  readonly follow?: boolean;
  readonly denied?: boolean;
  /** `NAMESPACE/NAME`. */
  readonly policy?: string;
  readonly outcome?: string;
  readonly principal?: string;
  readonly host?: string;
  /** What the path begins with. */
  readonly path?: string;
  /** RFC 3339, or how long ago: `90s`, `15m`, `2h`. */
  readonly since?: string;
  readonly reason?: string;
  /** `NAMESPACE/NAME`. */
  readonly bodyPolicy?: string;
  readonly unmet?: boolean;
  /** x-request-id. */
  readonly requestId?: string;
  /** How many at most; with `follow`, how many of those before. 10 when left out. */
  readonly limit?: string;
  readonly output: string;
  /** Else GATEHOUSE_ADMIN_ADDRESS, else the default of `serve`. */
  readonly adminAddress?: string;
  /** Else GATEHOUSE_ADMIN_TOKEN_FILE. */
  readonly adminTokenFile?: string;
}

/** A record as the page shows it: times are RFC 3339. */
export type ShownRecord = Omit<JoinedRecord, "time"> & { readonly time: string };

/** Asks the page: `question` is put beside what the options ask for. */
export type AskDecisions = (question: Readonly<Record<string, string>>) => Promise<readonly ShownRecord[]>;

/** As many records as a server remembers can be long. */
const MAX_BYTES = 64 * 1_048_576;
const DEFAULT_LIMIT = 10;

/**
 * Prints the last decisions of a running server, oldest first; with `follow` also those to come, until it is
 * interrupted or nobody reads on. With an id: that one, and what would help. 1 when nobody can say.
 */
export function showDecisions(
  id: string | undefined,
  options: DecisionsOptions,
  streams: Streams,
): Promise<ExitCode> {
  return withProcess((ports) => showDecisionsWith(id, options, { ...ports, streams }));
}

/** The same with the clock, the signal and the streams given. */
export async function showDecisionsWith(
  id: string | undefined,
  options: DecisionsOptions,
  ports: DecisionPorts & { readonly streams: Streams },
): Promise<ExitCode> {
  const { streams } = ports;
  refuse(id, options);
  const ask = asking(options, ports);
  const print = (record: ShownRecord): void => streams.out(`${lineOf(record, options.output)}\n`);
  if (id !== undefined) {
    const [record] = await ask({ decision_id: id });
    if (record === undefined) {
      const why = "another replica decided it, it was overwritten, or it is no decision_id";
      streams.err(`error: no decision \`${sayInOneLine(id)}\` is remembered there: ${why}\n`);
      return exit.findings;
    }
    print(record);
    if (options.output === "text") for (const line of adviseOn(read(record))) streams.out(`  ${line}\n`);
    return exit.fine;
  }
  const limit = Number(options.limit ?? DEFAULT_LIMIT);
  // One at least, since what is to come begins behind it.
  const last = await ask({ limit: String(Math.max(1, limit)) });
  for (const record of last.slice(0, limit).reverse()) print(record);
  if (options.follow === true) {
    const isWhole = Object.keys(questionOf(options, ports.now())).length === 0;
    await followDecisions({ ...ports, ask, print, last, isWhole, warn: streams.err });
  }
  return exit.fine;
}

function refuse(id: string | undefined, options: DecisionsOptions): void {
  const { output, limit } = options;
  if (output !== "text" && output !== "json") {
    throw new GatehouseError("bad_flag", `unknown output \`${output}\`, expected text or json`);
  }
  if (limit !== undefined && !/^\d{1,9}$/.test(limit)) {
    throw new GatehouseError("bad_flag", `bad limit \`${limit}\`, expected a number`);
  }
  const others = Object.keys(questionOf(options, 0)).length > 0 || options.follow === true;
  if (id !== undefined && (others || limit !== undefined)) {
    throw new GatehouseError("bad_flag", "an id names one decision, expected no --follow, --limit or filter");
  }
}

function asking(
  options: DecisionsOptions,
  { streams, now }: DecisionPorts & { readonly streams: Streams },
): AskDecisions {
  const target = {
    address: options.adminAddress ?? set(streams.env["GATEHOUSE_ADMIN_ADDRESS"]) ?? defaults.adminAddress,
    tokenFile: options.adminTokenFile ?? set(streams.env["GATEHOUSE_ADMIN_TOKEN_FILE"]),
    maxBytes: MAX_BYTES,
  };
  const filters = questionOf(options, now());
  return async (question) => {
    const query = new URLSearchParams({ ...filters, ...question });
    const { status, body } = await askAdmin(target, "GET", `/decisions?${query}`);
    if (status === 400) throw new GatehouseError("bad_request", sayInOneLine(body.trim()));
    if (status === 401) {
      throw new GatehouseError(
        "http",
        "the admin address asks for a token, expected --admin-token-file FILE",
      );
    }
    if (status !== 200) throw new GatehouseError("http", `${sayInOneLine(body.trim())} (status ${status})`);
    return parse(body, target.address);
  };
}

function questionOf(options: DecisionsOptions, now: number): Record<string, string> {
  const { denied, policy, outcome, principal, host, path, since, reason, requestId, bodyPolicy, unmet } =
    options;
  return {
    ...(denied === true && { denied: "true" }),
    ...(policy !== undefined && { policy }),
    ...(outcome !== undefined && { outcome }),
    ...(principal !== undefined && { principal }),
    ...(host !== undefined && { host }),
    ...(path !== undefined && { path }),
    ...(reason !== undefined && { reason }),
    ...(bodyPolicy !== undefined && { body_policy: bodyPolicy }),
    ...(unmet === true && { unmet: "true" }),
    ...(requestId !== undefined && { request_id: requestId }),
    ...(since !== undefined && { since: timeOf(since, now) }),
  };
}

const unitMs: ReadonlyMap<string, number> = new Map([
  ["s", 1000],
  ["m", 60_000],
  ["h", 3_600_000],
]);

/** What is no length of time goes to the server as it is: it says what it expects. */
function timeOf(since: string, now: number): string {
  const [, count, unit] = /^(\d{1,6})([smh])$/.exec(since) ?? [];
  const ms = unitMs.get(unit ?? "");
  return ms === undefined ? since : new Date(now - Number(count) * ms).toISOString();
}

function set(variable: string | undefined): string | undefined {
  return variable === "" ? undefined : variable;
}

function parse(body: string, address: string): readonly ShownRecord[] {
  try {
    const answer = JSON.parse(body) as { readonly decisions?: unknown } | null;
    const decisions = answer?.decisions;
    if (Array.isArray(decisions) && decisions.every(isRecord)) return decisions;
  } catch {
    // Said below.
  }
  throw new GatehouseError("http", `what answers at \`${address}\` is no admin address of this Gatehouse`);
}

/** Enough to tell this server's answer from another's; texts in it are escaped when they are shown. */
function isRecord(record: unknown): record is ShownRecord {
  const fields = record as Record<string, unknown> | null;
  return (
    typeof fields === "object" &&
    fields !== null &&
    typeof fields["time"] === "string" &&
    typeof fields["seq"] === "number" &&
    typeof fields["cursor"] === "number" &&
    typeof fields["outcome"] === "string" &&
    Array.isArray(fields["quota"]) &&
    Array.isArray(fields["unmet"]) &&
    Array.isArray(fields["dry_run"])
  );
}

function read(record: ShownRecord): JoinedRecord {
  return { ...record, time: Date.parse(record.time) };
}

function lineOf(record: ShownRecord, output: string): string {
  if (output === "json") return escapeJson(JSON.stringify(record));
  const id = record.decision_id === null ? "" : ` (${sayInOneLine(record.decision_id)})`;
  return `${sayInOneLine(record.time)} ${describeDecision(read(record))}${id}`;
}
