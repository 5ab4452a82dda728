import type {
  Party,
  Report,
  ReportBody,
  ReportCheck,
  Reporter,
  TracingRule,
} from "../../../src/report/index.js";
import { aRequest, aWorkload } from "../../support/request.js";

/** A workload of the mesh. */
export const reviews: Party = {
  workload: aWorkload({ namespace: "shop", name: "reviews-v1" }),
  cluster: "Kubernetes",
  canonicalService: "reviews",
  canonicalRevision: "v1",
};

/** Its proxy. */
export const sidecar: Reporter = {
  id: "sidecar~10.0.0.2~reviews-v1-abc.shop~shop.svc.cluster.local",
  cluster: "reviews.shop",
  logName: "gatehouse",
  party: reviews,
};

/** No check. */
export const noCheck: ReportCheck = {
  outcome: "none",
  decisionId: "",
  allowed: undefined,
  code: undefined,
  stage: "",
  reason: "",
  policy: "",
  rule: undefined,
  snapshot: undefined,
  failedOpen: false,
  principal: "",
  quota: [],
  dryRun: [],
  obligations: [],
  unmet: [],
  body: undefined,
  latencyMs: undefined,
};

/** A body policy that found nothing. */
export const nothingDone: ReportBody = {
  policies: [],
  fulfilled: [],
  changes: new Map(),
  changed: 0,
  refused: undefined,
  dryRun: [],
  requestBytes: 0,
  responseBytes: 0,
  usage: [],
  unscanned: false,
};

/** A GET with 200, of the server's proxy, that took 12.5 ms. */
export function aReport(changes: Partial<Report> = {}): Report {
  return {
    attributes: aRequest().get("/ratings/7").header("user-agent", "curl/8").build(),
    event: "close",
    reporter: sidecar,
    side: "server",
    source: undefined,
    destination: reviews,
    service: { name: "reviews", namespace: "shop", host: "reviews.shop.svc.cluster.local" },
    response: {
      code: 200,
      codeDetails: "via_upstream",
      headers: new Map(),
      trailers: new Map(),
      grpcStatus: undefined,
      headersBytes: 100,
      bodyBytes: 14_000,
    },
    requestHeadersBytes: 200,
    requestBodyBytes: 30,
    flags: "-",
    times: {
      start: 1_700_000_000_000.25,
      duration: 12.5,
      lastRequestByte: undefined,
      firstUpstreamByteSent: undefined,
      lastUpstreamByteSent: undefined,
      firstUpstreamByteReceived: undefined,
      lastUpstreamByteReceived: undefined,
      firstResponseByte: undefined,
      lastResponseByte: undefined,
    },
    bytes: { received: 230, sent: 14_100, upstreamReceived: 14_100, upstreamSent: 230 },
    upstream: {
      cluster: "inbound|8080||",
      address: undefined,
      port: 8080,
      attempts: 1,
      transportFailure: "",
    },
    tls: undefined,
    routeName: "default",
    terminationDetails: "",
    streamId: "2986d1f4-8797-4dc6-9ff0-be10dc64ca4a",
    messages: undefined,
    check: noCheck,
    customTags: new Map(),
    ...changes,
  };
}

/** The same with headers. */
export function withHeaders(
  headers: Readonly<Record<string, string | readonly string[]>>,
  path = "/",
): Report {
  let request = aRequest().get(path);
  for (const [name, lines] of Object.entries(headers)) {
    request = request.header(name, ...(typeof lines === "string" ? [lines] : lines));
  }
  return aReport({ attributes: request.build() });
}

/** Everything goes to one provider. */
export function aRule(changes: Partial<TracingRule> = {}): TracingRule {
  return {
    providers: ["tempo"],
    samplingPercent: 100,
    disabled: false,
    tags: [],
    istioTags: true,
    ...changes,
  };
}
