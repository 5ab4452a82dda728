import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import type { Attributes } from "../attributes/index.js";
import { type AuthnRecord, createTokenCache, createTokenVerifier } from "../authn/index.js";
import type { ConfigUpdate } from "../config/index.js";
import { formatDiagnostic, GatehouseError } from "../diagnostics/index.js";
import type { Decision, Snapshot } from "../engine/index.js";
import { createAuthorization } from "../envoy/index.js";
import type { RegoPorts } from "../rego/index.js";
import { createSeriesStore } from "../series/index.js";
import { defaults, loadParts, type Protos } from "../server/index.js";
import { explain, type Miss, placeOfDecision } from "./explain.js";
import { type Asked, describeRego, explainRego, type RegoExplanation } from "./explain-rego.js";
import { readConfig } from "./load.js";
import { createJsonReader } from "./proto-json.js";
import { withOpa } from "./rego-opa.js";
import { responseJson } from "./response-json.js";
import { type ExitCode, exit, type Streams } from "./streams.js";

/** Options of `gatehouse check`. */
export interface CheckOptions {
  /** A file, or `-` for standard input. */
  readonly request: string;
  readonly config: readonly string[];
  /** Folders of Rego. */
  readonly rego?: readonly string[] | undefined;
  readonly output: string;
  readonly explain: boolean;
}

/** So long a server would wait for the keys of issuers before it is ready. */
const KEYS_MS = 5_000;

/** What `check --output json` prints, in this order. */
interface Report {
  readonly allowed: boolean;
  readonly http_status: number;
  readonly code: number;
  readonly stage: string;
  /** `NAMESPACE/NAME`. */
  readonly policy: string | null;
  readonly rule: number | null;
  readonly reason: string;
  readonly decision_id: string;
  /** BodyPolicies that hold for the exchange, `NAMESPACE/NAME`; absent when there are none. */
  readonly obligations?: readonly string[];
  readonly file: string | null;
  readonly line: number | null;
  readonly nearest_miss: Miss | null;
  /** Who called and why other credentials were refused; absent when the request showed none. */
  readonly authn?: AuthnRecord;
  /** The policies in Rego that were asked, in order; absent when there are none or nothing is to be explained. */
  readonly rego?: readonly RegoExplanation[];
  /** The CheckResponse that Envoy would get, in proto3 JSON. */
  readonly response: unknown;
}

/**
 * Decides one request by a configuration, without a server. 0 when allowed, 1 when denied or the
 * configuration is invalid. The decision waits `keysMs` at most for the keys of issuers.
 */
export async function checkOnce(
  options: CheckOptions,
  streams: Streams,
  keysMs: number = KEYS_MS,
): Promise<ExitCode> {
  if (options.output !== "text" && options.output !== "json") {
    throw new GatehouseError("bad_flag", `unknown output \`${options.output}\`, expected text or json`);
  }
  const { createBuilder, createCounters, createKeys, createRegoPorts, loadProtos, openStore } =
    await loadParts();
  const protos = loadProtos();
  const bytes = encodeRequest(await readRequest(options.request, streams), protos);
  const update = await readConfig({ paths: options.config, rego: options.rego }, streams.env);
  if (!update.ok) {
    for (const diagnostic of update.diagnostics) streams.err(`${formatDiagnostic(diagnostic)}\n`);
    streams.err("error: the configuration has errors\n");
    return exit.findings;
  }
  const keys = createKeys({ ...quiet, now: Date.now });
  const asked: Asked[] = [];
  const regoPorts = createRegoPorts({
    now: Date.now,
    environment: streams.env,
    metrics: { regoFailed: () => {} },
    logger: { warn: (fields) => streams.err(`${JSON.stringify(fields)}\n`) },
  });
  // Counters of its own: what a server counted elsewhere is not asked.
  const store = openStore(defaults, { ...quiet, now: Date.now });
  const counters = createCounters(defaults, { ...quiet, now: Date.now, store });
  const builder = createBuilder({
    metrics: { providerAsked: () => {}, introspected: () => {} },
    jwt: { keys: keys.sources, verifier: createTokenVerifier(createTokenCache(0, Date.now)) },
    onAuthenticated: () => {},
    rego: options.explain ? recording(regoPorts, asked) : regoPorts,
    quota: counters.quota,
    rateLimit: counters.rateLimit,
    telemetry: {
      series: createSeriesStore({ now: Date.now }),
      environment: (name) => streams.env[name],
      observer: { expressionFailed: () => {}, valueRefused: () => {} },
      ruleFailed: () => {},
    },
  });
  const { upserts } = update;
  const change = { generation: 1, full: true, upserts, removed: [] };
  let snapshot: Snapshot | undefined;
  await keys.install(change, async () => {
    snapshot = await builder.build(change);
  });
  // A server would have had the time to fetch them.
  await keys.settled(keysMs);
  const report = await decide({
    bytes,
    protos,
    snapshot,
    update,
    explained: options.explain || options.output === "json",
    asked,
    streams,
  });
  await Promise.all([builder.close(), keys.close(), counters.close(), store.close()]);
  if (options.output === "json") streams.out(`${JSON.stringify(report, null, 2)}\n`);
  else streams.out(describe(report, options.explain));
  return report.allowed ? exit.fine : exit.findings;
}

/** Nobody reads the metrics and logs of one decision. */
const quiet = {
  logger: { info: () => {}, warn: () => {}, error: () => {} },
  metrics: {
    keysFetched: () => {},
    keysMeasured: () => {},
    countersChanged: () => {},
    redis: { operation: () => {}, breaker: () => {}, connection: () => {}, refusedLocally: () => {} },
    quotas: { charged: () => {}, expressionFailed: () => {}, storeFailed: () => {} },
    rateLimits: { counted: () => {}, domainNotFound: () => {} },
  },
};

/** Keeps what the policies answer. */
function recording(ports: RegoPorts, asked: Asked[]): RegoPorts {
  let failure: string | undefined;
  return {
    ...ports,
    onFailure: (policy, reason, message) => {
      failure = message;
      ports.onFailure(policy, reason, message);
    },
    onVerdict: (policy, request, verdict) => {
      asked.push({ policy, request, verdict, failure });
      failure = undefined;
    },
  };
}

interface Question {
  readonly bytes: Buffer;
  readonly protos: Protos;
  readonly snapshot: Snapshot | undefined;
  readonly update: ConfigUpdate;
  readonly explained: boolean;
  /** Filled while it is decided. */
  readonly asked: readonly Asked[];
  readonly streams: Streams;
}

async function decide(question: Question): Promise<Report> {
  const { bytes, protos, snapshot, update, explained, asked, streams } = question;
  const { check } = protos;
  const seen: { decision?: Decision; attributes?: Attributes | undefined } = {};
  const authorization = createAuthorization({
    current: () => snapshot,
    decisionId: randomUUID,
    encode: check.responseSerialize,
    now: () => 0,
    wallClock: Date.now,
    observe: (decision, attributes) => {
      Object.assign(seen, { decision, attributes });
      return undefined;
    },
    // What cannot be read is refused, and the decision says why.
    onError: () => {},
  });
  const response = check.responseDeserialize(
    Buffer.from(await authorization.check(check.requestDeserialize(bytes), bytes)),
  );
  const { decision, attributes } = seen;
  if (decision === undefined) throw new GatehouseError("bad_request", "the request was not decided");
  const place = placeOfDecision(decision, update);
  const rego = asked.length === 0 ? [] : await withOpa(streams, (opa) => explainRego(asked, opa));
  return {
    allowed: decision.allowed,
    http_status: decision.httpStatus,
    code: decision.code,
    stage: decision.stage,
    policy: decision.rule?.policy ?? null,
    rule: decision.rule?.rule ?? null,
    reason: decision.reason,
    decision_id: decision.decisionId,
    ...(decision.obligations.length > 0 && { obligations: decision.obligations }),
    file: place?.file ?? null,
    line: place?.line ?? null,
    nearest_miss:
      explained && attributes ? explain(decision, decision.attributes ?? attributes, update) : null,
    ...(decision.authn !== undefined && { authn: decision.authn }),
    ...(rego.length > 0 && { rego }),
    response: responseJson(response),
  };
}

async function readRequest(file: string, { stdin }: Streams): Promise<string> {
  if (file === "-") return stdin();
  try {
    return readFileSync(file, "utf8");
  } catch (cause) {
    throw new GatehouseError("bad_flag", `cannot read the request file \`${file}\``, { cause });
  }
}

/** Over the wire format, so that the request is decoded as one from Envoy would be. */
function encodeRequest(text: string, { packages, check }: Protos): Buffer {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    throw new GatehouseError("bad_request", "the request is not JSON, expected a CheckRequest", { cause });
  }
  return check.requestSerialize(createJsonReader(packages)("envoy.service.auth.v3.CheckRequest", json));
}

function describe(report: Report, explained: boolean): string {
  const { allowed, http_status, stage, reason, policy, rule, file, line, nearest_miss: miss } = report;
  const lines = [
    `${allowed ? "allowed" : `denied with ${http_status}`}: ${reason.replaceAll("_", " ")}, stage ${stage}`,
  ];
  if (policy !== null)
    lines.push(
      `decided by ${policy}${rule === null ? "" : ` rule ${rule}`}${file === null ? "" : ` at ${file}:${line}`}`,
    );
  if (report.obligations !== undefined) lines.push(`obligations: ${report.obligations.join(", ")}`);
  if (explained) lines.push(...describeCaller(report));
  if (miss !== null) {
    lines.push(
      `nearest miss: ${miss.policy} rule ${miss.rule} at ${miss.file}:${miss.line}: ${miss.condition}`,
    );
  } else if (explained && !allowed && policy === null) lines.push("nearest miss: none");
  lines.push(...describeRego(report.rego ?? []));
  return `${lines.join("\n")}\n`;
}

/** The authentication step. */
function describeCaller({ authn }: Report): string[] {
  if (authn === undefined) return ["caller: no credential was found where one is looked for"];
  const { method, principal, issuer, refused } = authn;
  const from = issuer === "" ? "" : ` from ${issuer}`;
  const caller = method === undefined ? "anonymous" : `${principal || "no subject"}, by ${method}${from}`;
  return [
    `caller: ${caller}`,
    ...refused.map(
      (one) => `refused credential: ${one.method} for ${one.issuer || "any issuer"}: ${one.reason}`,
    ),
  ];
}
