import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Report, TracingRule } from "../../../src/report/index.js";
import { createSpans, type Span } from "../../../src/traces/index.js";
import { aRequest } from "../../support/request.js";
import { aReport, aRule, noCheck, nothingDone, sidecar, withHeaders } from "./reports.js";

const trace = "0af7651916cd43dd8448eb211c80319c";
const client = "b7ad6b7169203331";
const traceparent = `00-${trace}-${client}-01`;
const options = { maxTagLength: 64, meshId: "mesh1", format: (text: string) => () => `<${text}>` };
const spansOf = createSpans(options);
const only = (report: Report, rule: TracingRule = aRule()): Span => {
  const [span, ...rest] = spansOf(report, rule);
  if (span === undefined || rest.length > 0) throw new Error(`expected one span, got ${rest.length + 1}`);
  return span;
};

describe("the span of a request", () => {
  it("tells of it in Envoy's, Istio's and OpenTelemetry's words", () => {
    const span = only(aReport());
    expect(span).toMatchObject({
      ...{ provider: "tempo", parentSpanId: "", traceState: "", kind: "server", status: "unset" },
      name: "reviews.shop.svc.cluster.local:8080/*",
      startMs: 1_700_000_000_000.25,
      endMs: 1_700_000_000_012.75,
      resource: {
        "service.name": "reviews.shop",
        "service.namespace": "shop",
        "service.version": "v1",
        "service.instance.id": sidecar.id,
        "k8s.namespace.name": "shop",
        "k8s.pod.name": "reviews-v1-abc",
        "k8s.cluster.name": "Kubernetes",
      },
    });
    expect(span.attributes).toEqual({
      component: "proxy",
      node_id: sidecar.id,
      "guid:x-request-id": "2986d1f4-8797-4dc6-9ff0-be10dc64ca4a",
      "http.url": "http://example.com/ratings/7",
      "http.method": "GET",
      "http.protocol": "HTTP/1.1",
      "http.status_code": "200",
      downstream_cluster: "-",
      user_agent: "curl/8",
      request_size: "30",
      response_size: "14000",
      response_flags: "-",
      upstream_cluster: "inbound|8080||",
      "upstream_cluster.name": "inbound|8080||",
      "peer.address": "10.0.0.1",
      "network.peer.address": "10.0.0.1",
      "client.address": "10.0.0.1",
      "http.request.method": "GET",
      "http.response.status_code": 200,
      "http.request.body.size": 30,
      "http.response.body.size": 14_000,
      "url.scheme": "http",
      "url.path": "/ratings/7",
      "server.address": "example.com",
      "istio.canonical_revision": "v1",
      "istio.canonical_service": "reviews",
      "istio.mesh_id": "mesh1",
      "istio.namespace": "shop",
      "istio.cluster_id": "Kubernetes",
    });
  });

  it("has Istio's words for a proxy that says nothing of itself, or none of Istio's tags", () => {
    const reporter = { ...sidecar, id: "envoy-1", cluster: "", party: undefined };
    const span = only(aReport({ reporter }));
    expect(span.resource).toEqual({ "service.name": "unknown_service", "service.instance.id": "envoy-1" });
    expect(span.attributes).toMatchObject({
      "istio.canonical_revision": "latest",
      "istio.canonical_service": "unknown",
      "istio.namespace": "default",
      "istio.cluster_id": "unknown",
    });
    const plain = only(aReport({ reporter }), aRule({ istioTags: false }));
    expect(Object.keys(plain.attributes).filter((name) => name.startsWith("istio."))).toEqual([]);
  });

  const nowhere = { name: "a", namespace: "b", host: "" };
  it.each([
    [
      "client",
      "outbound|80|v2|details.shop.svc.cluster.local",
      nowhere,
      "details.shop.svc.cluster.local:80/*",
    ],
    ["client", "PassthroughCluster", undefined, "egress"],
    ["server", "inbound|8080||", undefined, "ingress"],
    ["server", "", nowhere, "a.b.svc.cluster.local:8080/*"],
  ] as const)("of a %s with cluster `%s` is named by the service, never by what a client sends", (...row) => {
    const [side, upstream, service, name] = row;
    const attributes = aRequest().host("evil").get("/evil").build();
    const report = aReport({ side, service, attributes });
    expect(only({ ...report, upstream: { ...report.upstream, cluster: upstream } }).name).toBe(name);
  });

  it.each([
    [0, undefined, "error"],
    [503, undefined, "error"],
    [200, 14, "error"],
    [200, 5, "unset"],
    [404, undefined, "unset"],
    [403, undefined, "unset"],
  ])("with status %d and grpc-status %j is %s", (code, grpcStatus, status) => {
    const report = aReport();
    if (report.response === undefined) throw new Error("no response");
    const details = "upstream_reset_before_response_started";
    const span = only({
      ...report,
      response: { ...report.response, code, grpcStatus, codeDetails: details },
    });
    expect(span.status).toBe(status);
    expect(span.statusMessage).toBe(status === "error" ? details : "");
    expect(span.attributes["error"]).toBe(status === "error" ? true : undefined);
  });

  it("shows no value of a query, no password of an authority, and no more than the longest tag", () => {
    const path = `/${"p".repeat(100)}?token=s3cret&x=1&s3cret#s3cret`;
    const attributes = aRequest().host("ann:s3cret@shop").method("SECRETIVE", path).build();
    const { attributes: tags } = only(aReport({ attributes }));
    expect(JSON.stringify(tags)).not.toContain("s3cret");
    expect(tags["url.query"]).toBe("token=***&x=***&***");
    expect(tags["http.url"]).toBe(`http://shop/${"p".repeat(63)}?token=***&x=***&***`);
    expect(tags["http.request.method"]).toBe("_OTHER");
    expect(tags["http.request.method_original"]).toBe("SECRETIVE");
  });

  it("is made of no connection, of nothing that goes on, and by no rule that is off", () => {
    expect(spansOf(aReport({ attributes: aRequest().tcp().build() }), aRule())).toEqual([]);
    expect(spansOf(aReport({ event: "open" }), aRule())).toEqual([]);
    expect(spansOf(aReport({ event: "continue" }), aRule())).toEqual([]);
    expect(spansOf(aReport(), aRule({ disabled: true }))).toEqual([]);
    expect(spansOf(aReport(), aRule({ providers: [] }))).toEqual([]);
  });

  it("goes to each provider, and has one resource for all of a proxy", () => {
    const spans = [...spansOf(aReport(), aRule({ providers: ["a", "b"] })), ...spansOf(aReport(), aRule())];
    expect(spans.map(({ provider }) => provider)).toEqual(["a", "b", "tempo"]);
    expect(new Set(spans.map(({ spanId }) => spanId)).size).toBe(1);
    expect(new Set(spans.map(({ resource }) => resource)).size).toBe(1);
  });

  it("survives a structured clone, whatever a request holds", () => {
    fc.assert(
      fc.property(
        fc.string({ unit: "binary", maxLength: 300 }),
        fc.dictionary(
          fc.constantFrom("user-agent", "traceparent", "b3", "x-envoy-downstream-service-cluster"),
          fc.string({ unit: "binary", maxLength: 300 }),
        ),
        (text, headers) => {
          const report = withHeaders(headers, `/${text}`);
          for (const span of spansOf(report, aRule())) {
            expect(structuredClone(span)).toEqual(span);
            for (const [name, value] of Object.entries(span.attributes)) {
              if (typeof value !== "string" || name === "http.url" || name === "node_id") continue;
              expect(value.length).toBeLessThanOrEqual(64);
            }
          }
        },
      ),
    );
  });
});

describe("the span of a decision", () => {
  const check = {
    ...noCheck,
    outcome: "allowed",
    decisionId: "d-1",
    allowed: true,
    code: 0,
    stage: "authorize",
    reason: "allowed_by_policy",
    policy: "shop/readers",
    rule: 2,
    snapshot: 7,
    quota: [{ quota: "shop/per-client", cost: 1, limit: 100, remaining: 42 }],
    latencyMs: 0.4,
  } as const;

  it("hangs below the request's, with the rule and what quotas took", () => {
    const [request, decision] = spansOf(aReport({ check }), aRule());
    expect(decision).toMatchObject({
      name: "ext_authz check",
      kind: "internal",
      traceId: request?.traceId,
      parentSpanId: request?.spanId,
      startMs: request?.startMs,
      endMs: (request?.startMs ?? 0) + 0.4,
      status: "unset",
    });
    expect(decision?.spanId).not.toBe(request?.spanId);
    expect(decision?.attributes).toEqual({
      "gatehouse.outcome": "allowed",
      "gatehouse.decision_id": "d-1",
      "gatehouse.allowed": true,
      "gatehouse.code": 0,
      "gatehouse.stage": "authorize",
      "gatehouse.reason": "allowed_by_policy",
      "gatehouse.policy": "shop/readers",
      "gatehouse.rule": 2,
      "gatehouse.snapshot": 7,
      "gatehouse.latency_ms": 0.4,
      "gatehouse.quota.shop/per-client.cost": 1,
      "gatehouse.quota.shop/per-client.limit": 100,
      "gatehouse.quota.shop/per-client.remaining": 42,
    });
  });

  it.each([
    ["allowed", "unset"],
    ["denied", "unset"],
    ["shadow_denied", "unset"],
    ["shadow_error", "error"],
    ["error", "error"],
    ["timeout", "error"],
    ["denied_but_served", "error"],
  ] as const)("of an outcome `%s` has the status %s", (outcome, status) => {
    const [, decision] = spansOf(aReport({ check: { ...noCheck, outcome } }), aRule());
    expect(decision?.status).toBe(status);
    expect(decision?.statusMessage === "").toBe(status === "unset");
  });

  it("is not there when no check was", () => {
    expect(spansOf(aReport(), aRule())).toHaveLength(1);
  });
});

describe("ids", () => {
  it("are the same for a report that comes again, and others for another", () => {
    const one = only(aReport());
    expect(only(aReport()).spanId).toBe(one.spanId);
    const others = [
      aReport({ side: "client" }),
      aReport({ times: { ...aReport().times, start: 1 } }),
      aReport({ streamId: "other" }),
      aReport({ reporter: { ...sidecar, id: "other" } }),
      aReport({ check: { ...noCheck, decisionId: "d" } }),
    ];
    const ids = new Set([one, ...others.map((report) => only(report))].map(({ spanId }) => spanId));
    expect(ids.size).toBe(6);
    expect([...ids].every((id) => /^[0-9a-f]{16}$/.test(id))).toBe(true);
  });

  it("of a request without a trace make one that both proxies know by its x-request-id", () => {
    const server = only(aReport());
    const other = only(aReport({ side: "client", reporter: { ...sidecar, id: "web" } }));
    expect(server.traceId).toMatch(/^[0-9a-f]{32}$/);
    expect(server.traceId).toBe(other.traceId);
    expect(only(aReport({ streamId: "" })).traceId).not.toBe(server.traceId);
  });

  it("come from the client's headers where Envoy does not trace", () => {
    const span = only(withHeaders({ traceparent, tracestate: "a=1" }));
    expect(span).toMatchObject({ traceId: trace, parentSpanId: client, traceState: "a=1" });
    const b3 = only(withHeaders({ "x-b3-traceid": trace, "x-b3-spanid": client, "x-b3-sampled": "1" }));
    expect(b3).toMatchObject({ traceId: trace, parentSpanId: client, traceState: "" });
  });

  it("come from the log's custom tags where they say which span is Envoy's", () => {
    const customTags = new Map([
      ["trace_id", trace],
      ["span_id", "50f553cd9a50c6da"],
    ]);
    const upstream = { ...withHeaders({ traceparent: `00-${trace}-d91c0673ec56983c-01` }), customTags };
    expect(only(upstream)).toMatchObject({ traceId: trace, parentSpanId: "50f553cd9a50c6da" });
  });

  it("of a tracer that says its trace but not its span come from the headers of the same trace", () => {
    const customTags = new Map([["trace_id", "e12ace7dc52bf064fe8a71e0ced9c11c"]]);
    const headers = {
      traceparent,
      "x-b3-traceid": "e12ace7dc52bf064fe8a71e0ced9c11c",
      "x-b3-spanid": "fe8a71e0ced9c11c",
      "x-b3-sampled": "1",
    };
    expect(only({ ...withHeaders(headers), customTags })).toMatchObject({
      traceId: "e12ace7dc52bf064fe8a71e0ced9c11c",
      parentSpanId: "fe8a71e0ced9c11c",
    });
    expect(only({ ...withHeaders({ traceparent }), customTags }).parentSpanId).toBe("");
  });

  it("do not come from custom tags that are no ids", () => {
    const customTags = new Map([
      ["trace_id", "-"],
      ["span_id", "-"],
    ]);
    expect(only({ ...withHeaders({ traceparent }), customTags }).parentSpanId).toBe(client);
  });
});

describe("sampling", () => {
  const isSampled = (report: Report, samplingPercent: number): boolean =>
    spansOf(report, aRule({ samplingPercent })).length > 0;

  it("is what the headers say, whatever the rule's share is", () => {
    expect(isSampled(withHeaders({ traceparent }), 0)).toBe(true);
    expect(isSampled(withHeaders({ traceparent: traceparent.replace(/1$/, "0") }), 100)).toBe(false);
    expect(isSampled(withHeaders({ b3: "0" }), 100)).toBe(false);
    expect(isSampled(withHeaders({ b3: "1" }), 0)).toBe(true);
  });

  it("takes the rule's share of what is undecided, the same at every proxy", () => {
    const reports = Array.from({ length: 2000 }, (_, i) => aReport({ streamId: `request-${i}` }));
    const sampled = reports.filter((report) => isSampled(report, 20));
    expect(sampled.length).toBeGreaterThan(320);
    expect(sampled.length).toBeLessThan(480);
    expect(sampled.every((report) => isSampled({ ...report, side: "client" }, 20))).toBe(true);
    expect(sampled.every((report) => isSampled(report, 50))).toBe(true);
    expect(reports.some((report) => isSampled(report, 0))).toBe(false);
    expect(reports.every((report) => isSampled(report, 100))).toBe(true);
    expect(isSampled(withHeaders({ b3: `${trace}-${client}` }), 0)).toBe(false);
  });
});

describe("tags of a rule", () => {
  const tagsOf = (report: Report, tags: TracingRule["tags"]): Span["attributes"] =>
    only(report, aRule({ tags })).attributes;

  it("are texts, headers with a fallback, and formats", () => {
    const report = withHeaders({ "x-tenant": ["a", "b"] });
    const tags = tagsOf(report, [
      { name: "env", literal: "prod" },
      { name: "tenant", header: "X-Tenant", fallback: "-" },
      { name: "other", header: "x-other", fallback: "none" },
      { name: "absent", header: "x-other", fallback: "" },
      { name: "flags", format: "%RESPONSE_FLAGS%" },
      { name: "component", literal: "ours" },
      { name: "__proto__", literal: "p" },
    ]);
    expect(tags).toMatchObject({
      ...{ env: "prod", tenant: "a,b", other: "none", flags: "<%RESPONSE_FLAGS%>", component: "ours" },
    });
    expect(Object.hasOwn(tags, "absent")).toBe(false);
    expect(Object.entries(tags)).toContainEqual(["__proto__", "p"]);
  });

  it("show no secret header, no value of a query, and nothing long", () => {
    const report = withHeaders(
      {
        authorization: "Bearer s3cret",
        cookie: "s3cret",
        referer: "https://a/?t=s3cret",
        "x-long": "x".repeat(100),
      },
      "/?token=s3cret",
    );
    const tags = tagsOf(report, [
      { name: "a", header: "Authorization", fallback: "" },
      { name: "b", header: "cookie", fallback: "" },
      { name: "c", header: "referer", fallback: "" },
      { name: "d", header: ":path", fallback: "" },
      { name: "e", header: "x-long", fallback: "" },
      { name: "f", format: "%REQ(X-NONE?AUTHORIZATION):10%" },
      { name: "g", format: "%RESP(set-cookie)%" },
    ]);
    expect(JSON.stringify(tags)).not.toContain("s3cret");
    expect(tags).toMatchObject({
      a: "***",
      b: "***",
      c: "https://a/?t=***",
      d: "/?token=***",
      f: "***",
      g: "***",
    });
    expect(tags["e"]).toBe("x".repeat(64));
  });

  it("hide a header from which the configuration reads credentials", () => {
    const spans = createSpans({ ...options, isSecret: (header) => header === "user-agent" });
    const rule = aRule({ tags: [{ name: "a", header: "User-Agent", fallback: "" }] });
    expect(spans(aReport(), rule)[0]?.attributes["a"]).toBe("***");
    expect(spansOf(aReport(), rule)[0]?.attributes["a"]).not.toBe("***");
  });

  it("compile a format once for each rule", () => {
    let compiled = 0;
    const format = () => {
      compiled += 1;
      return () => "";
    };
    const spans = createSpans({ ...options, format });
    const rule = aRule({ tags: [{ name: "a", format: "%PROTOCOL%" }] });
    for (let i = 0; i < 3; i++) expect(spans(aReport(), rule)[0]?.attributes).not.toHaveProperty("a");
    expect(compiled).toBe(1);
  });
});

describe("the span of a decision with body policies", () => {
  it("says what they did, and is at fault where nobody did what was asked for", () => {
    const body = { ...nothingDone, policies: ["shop/mask"], changed: 3 };
    const check = { ...noCheck, outcome: "allowed", decisionId: "d", obligations: ["shop/mask"] } as const;
    const spanOf = (changes: Partial<typeof noCheck>): Span | undefined =>
      spansOf(aReport({ check: { ...check, ...changes } }), aRule()).find(
        ({ name }) => name === "ext_authz check",
      );
    expect(spanOf({ body, latencyMs: 1 })).toMatchObject({
      status: "unset",
      attributes: {
        "gatehouse.obligations": "shop/mask",
        "gatehouse.body.policies": "shop/mask",
        "gatehouse.body.changes": 3,
      },
    });
    expect(spanOf({ unmet: ["shop/mask"], latencyMs: 1 })).toMatchObject({
      status: "error",
      attributes: { "gatehouse.unmet": "shop/mask" },
    });
  });
});
