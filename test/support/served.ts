import { parseIp } from "../../src/attributes/index.js";
import type { Report } from "../../src/report/index.js";
import { type DecisionRecord, type ServedRecord, servedOf } from "../../src/telemetry/index.js";
import { aRequest, aWorkload } from "./request.js";

type Changes = Partial<Omit<Report, "check" | "response" | "times" | "upstream" | "bytes">> & {
  readonly check?: Partial<Report["check"]>;
  readonly response?: Partial<NonNullable<Report["response"]>> | undefined;
  readonly times?: Partial<Report["times"]>;
  readonly upstream?: Partial<Report["upstream"]>;
  readonly bytes?: Partial<Report["bytes"]>;
};

const party = { workload: aWorkload(), cluster: "c1", canonicalService: "httpbin", canonicalRevision: "v1" };

/** A report of a request that was allowed and answered with 200, until told otherwise. */
export function aReport(changes: Changes = {}): Report {
  const connection = Object.hasOwn(changes, "response") && changes.response === undefined;
  return {
    attributes: aRequest().get("/cart?token=hush").build(),
    event: "close",
    reporter: { id: "sidecar~1", cluster: "web", logName: "gatehouse", party },
    side: "server",
    source: undefined,
    destination: party,
    service: undefined,
    requestHeadersBytes: 100,
    requestBodyBytes: 20,
    flags: "-",
    tls: undefined,
    routeName: "default",
    terminationDetails: "",
    streamId: "s-1",
    messages: undefined,
    customTags: new Map(),
    ...changes,
    response: connection
      ? undefined
      : {
          code: 200,
          codeDetails: "via_upstream",
          headers: new Map(),
          trailers: new Map(),
          grpcStatus: undefined,
          headersBytes: 200,
          bodyBytes: 13_800,
          ...changes.response,
        },
    times: {
      start: 1_700_000_000_000,
      duration: 90,
      lastRequestByte: 1,
      firstUpstreamByteSent: 3,
      lastUpstreamByteSent: 4,
      firstUpstreamByteReceived: 85,
      lastUpstreamByteReceived: 86,
      firstResponseByte: 87,
      lastResponseByte: 90,
      ...changes.times,
    },
    bytes: { received: 10, sent: 20, upstreamReceived: 20, upstreamSent: 10, ...changes.bytes },
    upstream: {
      cluster: "books",
      address: parseIp("10.1.0.9"),
      port: 8080,
      attempts: 1,
      transportFailure: "",
      ...changes.upstream,
    },
    check: {
      outcome: "allowed",
      decisionId: "d-1",
      allowed: true,
      code: 0,
      stage: "authorize",
      reason: "allowed_by_policy",
      policy: "shop/only",
      rule: 2,
      snapshot: 4,
      failedOpen: false,
      principal: "https://id.example/ann",
      quota: [],
      dryRun: [],
      obligations: [],
      unmet: [],
      body: undefined,
      latencyMs: 1.5,
      ...changes.check,
    },
  };
}

/** What such a report adds to a decision. */
export function aServed(changes: Changes = {}): ServedRecord {
  const served = servedOf(aReport(changes));
  if (served === undefined) throw new Error("the report is about no decision");
  return served;
}

/** A decision of this process. */
export function aDecision(changes: Partial<DecisionRecord> = {}): DecisionRecord {
  return {
    time: 1_700_000_000_000,
    decision_id: "d-1",
    allowed: true,
    code: 0,
    stage: "authorize",
    policy: "shop/only",
    rule: 2,
    reason: "allowed_by_policy",
    dry_run: [],
    quota: [],
    failed_open: false,
    obligations: [],
    snapshot: 4,
    duration_ms: 0.4123,
    protocol: "http",
    method: "GET",
    host: "example.com",
    path: "/cart",
    source_ip: "10.0.0.1",
    source_principal: "",
    request_principal: null,
    authn_method: null,
    authn_refused: [],
    destination_namespace: "shop",
    destination_workload: "web",
    ...changes,
  };
}
