import { GatehouseError } from "../diagnostics/index.js";
import { defaults } from "../server/index.js";
import { askAdmin } from "./admin-client.js";
import { type ExitCode, exit, type Streams } from "./streams.js";

/** What `gatehouse quota` commands are told. */
export interface QuotaOptions {
  /** `NAME=VALUE`, of a Quota. */
  readonly dimension?: readonly string[];
  readonly domain?: string;
  /** `KEY=VALUE` or `KEY`: the entries of one descriptor, in order. */
  readonly descriptor?: readonly string[];
  /** Else GATEHOUSE_ADMIN_ADDRESS, else the default of `serve`. */
  readonly adminAddress?: string;
  /** Else GATEHOUSE_ADMIN_TOKEN_FILE. */
  readonly adminTokenFile?: string;
  readonly output: string;
}

/** Prints how a counter of a running server stands. 1 when there is none or nobody can say. */
export function getQuota(
  name: string | undefined,
  options: QuotaOptions,
  streams: Streams,
): Promise<ExitCode> {
  return ask("GET", "/quota", { name, options, streams }, describe);
}

/** Makes a running server forget a counter. 1 when there is none or nobody can say. */
export function resetQuota(
  name: string | undefined,
  options: QuotaOptions,
  streams: Streams,
): Promise<ExitCode> {
  return ask("POST", "/quota/reset", { name, options, streams }, describeReset);
}

interface Asked {
  readonly name: string | undefined;
  readonly options: QuotaOptions;
  readonly streams: Streams;
}

async function ask(
  method: "GET" | "POST",
  page: string,
  { name, options, streams }: Asked,
  tell: (answer: Fields) => string,
): Promise<ExitCode> {
  if (options.output !== "text" && options.output !== "json") {
    throw new GatehouseError("bad_flag", `unknown output \`${options.output}\`, expected text or json`);
  }
  const target = {
    address: options.adminAddress ?? set(streams.env["GATEHOUSE_ADMIN_ADDRESS"]) ?? defaults.adminAddress,
    tokenFile: options.adminTokenFile ?? set(streams.env["GATEHOUSE_ADMIN_TOKEN_FILE"]),
  };
  const { status, body } = await askAdmin(target, method, `${page}?${questionOf(name, options)}`);
  if (status === 400) throw new GatehouseError("bad_request", oneLine(body));
  if (status === 401) {
    throw new GatehouseError("http", "the admin address asks for a token, expected --admin-token-file FILE");
  }
  if (status !== 200) throw new GatehouseError("http", `${oneLine(body)} (status ${status})`);
  const answer = parse(body, target.address);
  streams.out(options.output === "json" ? `${JSON.stringify(answer, null, 2)}\n` : tell(answer));
  return exit.fine;
}

function set(variable: string | undefined): string | undefined {
  return variable === "" ? undefined : variable;
}

function questionOf(name: string | undefined, options: QuotaOptions): URLSearchParams {
  const { dimension = [], domain, descriptor = [] } = options;
  const question = new URLSearchParams();
  if (name !== undefined && domain === undefined && descriptor.length === 0) {
    question.append("quota", name);
    for (const pair of dimension) question.append("dimension", pair);
    return question;
  }
  if (domain !== undefined && name === undefined && dimension.length === 0 && descriptor.length > 0) {
    question.append("domain", domain);
    for (const entry of descriptor) question.append("descriptor", entry);
    return question;
  }
  throw new GatehouseError(
    "bad_flag",
    "no counter is named, expected NAMESPACE/NAME with a --dimension NAME=VALUE for each dimension, or --domain DOMAIN" +
      " with a --descriptor KEY=VALUE for each entry",
  );
}

type Fields = Readonly<Record<string, unknown>>;

function parse(body: string, address: string): Fields {
  try {
    const answer: unknown = JSON.parse(body);
    if (typeof answer === "object" && answer !== null && !Array.isArray(answer)) return answer as Fields;
  } catch {
    // Said below.
  }
  throw new GatehouseError("http", `what answers at \`${address}\` is no admin address of Gatehouse`);
}

/** Each field on a line of its own; which there are depends on what is counted. */
function describe(answer: Fields): string {
  const { quota, domain, unlimited, general } = answer;
  const subject = quota === undefined ? `domain ${oneLine(domain)}` : `quota ${oneLine(quota)}`;
  if (unlimited === true) return `${subject}: not limited\n`;
  const hint =
    general === true
      ? "the counter of requests whose dimensions nobody could tell; name one by --dimension NAME=VALUE\n"
      : "";
  const rows: readonly (readonly [string, string | undefined])[] = [
    ["counter", value(answer, "key")],
    ["name", answer["name"] === null ? undefined : value(answer, "name")],
    ["limit", limitOf(answer)],
    ["used", value(answer, "used")],
    ["remaining", value(answer, "remaining")],
    ["next request", answer["allowed"] === true ? "passes" : `refused${trialOf(answer)}`],
    ["all free in", secondsOf(answer, "reset_seconds")],
    ["retry after", answer["allowed"] === true ? undefined : secondsOf(answer, "retry_after_seconds")],
  ];
  const lines = rows.flatMap(([name, text]) => (text === undefined ? [] : [`  ${name.padEnd(14)}${text}\n`]));
  return `${subject}\n${hint}${lines.join("")}`;
}

function describeReset({ quota, domain, unlimited, counters_reset: count, keys }: Fields): string {
  const subject = quota === undefined ? `domain ${oneLine(domain)}` : `quota ${oneLine(quota)}`;
  if (unlimited === true) return `${subject}: not limited, nothing to reset\n`;
  const names = Array.isArray(keys) ? keys.map(oneLine).join(", ") : "";
  return `${subject}: ${count === 0 ? "nothing was counted" : "reset"} (counter ${names})\n`;
}

function limitOf(answer: Fields): string {
  const { limit, unit, window_seconds: window, algorithm, burst } = answer;
  if (unit !== undefined) return `${oneLine(limit)} per ${oneLine(unit)}`;
  const most = burst === undefined ? "" : `, ${oneLine(burst)} at once`;
  const span = algorithm === "concurrency" ? " at one time" : ` per ${oneLine(window)} s`;
  return `${oneLine(limit)}${span}${most} (${oneLine(algorithm)})`;
}

function trialOf(answer: Fields): string {
  if (answer["dry_run"] === true) return ", but this quota is on trial";
  return answer["shadow_mode"] === true ? ", but this limit is in shadow mode" : "";
}

function secondsOf(answer: Fields, name: string): string | undefined {
  const text = value(answer, name);
  return text === undefined ? undefined : `${text} s`;
}

function value(answer: Fields, name: string): string | undefined {
  return Object.hasOwn(answer, name) ? oneLine(answer[name]) : undefined;
}

/** What a server says may hold what moves a terminal's cursor. */
function oneLine(text: unknown): string {
  return String(text)
    .trim()
    .replace(/\p{Cc}/gu, "?");
}
