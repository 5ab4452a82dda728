import { describe, expect, test } from "vitest";
import type { Workload } from "../../../src/attributes/index.js";
import {
  decision,
  http,
  identified,
  listening,
  type Plain,
  reportOf,
  sidecar,
  socket,
  struct,
} from "./als-messages.js";

const common = (properties: Plain): Plain => ({ common_properties: properties });
const tagged = (tags: Record<string, string>, properties: Plain = {}): Plain =>
  common({ ...properties, custom_tags: tags });
const workload = (name: string, services: Workload["services"] = []): Workload => ({
  namespace: "shop",
  name,
  type: "sidecar",
  labels: new Map([["app", `${name}-app`]]),
  services,
});
const certificate = (...uris: string[]): Plain => ({
  subject_alt_name: uris.map((uri) => ({ uri })),
  subject: "CN=client",
});

describe("the request of a report", () => {
  test("is described as in a check", () => {
    const { attributes } = reportOf({
      common_properties: {
        downstream_remote_address: socket("203.0.113.9", 0),
        downstream_direct_remote_address: socket("10.0.0.5", 41000),
        downstream_local_address: socket("10.0.0.7", 8080),
        start_time: { seconds: 1700000000, nanos: 123456789 },
        tls_properties: {
          tls_version: 4,
          tls_sni_hostname: "Web.Shop",
          peer_certificate_properties: certificate("spiffe://cluster.local/ns/shop/sa/front", "spiffe://b"),
          local_certificate_properties: certificate("spiffe://cluster.local/ns/shop/sa/web"),
        },
      },
      protocol_version: 3,
      request: {
        request_method: 3,
        scheme: "https",
        authority: "Web.Shop:443",
        path: "/a?b=1",
        user_agent: "probe/1",
        referer: "https://a/",
        forwarded_for: "203.0.113.9",
        request_id: "r-1",
        request_body_bytes: 12,
        request_headers: { traceparent: "00-1-2-01", "User-Agent": "probe/1" },
      },
    });
    expect(attributes).toMatchObject({
      protocol: "http",
      time: 1700000000123,
      source: { ip: { text: "10.0.0.5" }, port: 41000, principal: "spiffe://cluster.local/ns/shop/sa/front" },
      destination: {
        ip: { text: "10.0.0.7" },
        port: 8080,
        principal: "spiffe://cluster.local/ns/shop/sa/web",
      },
      remoteIp: { text: "203.0.113.9" },
      identity: { names: ["spiffe://cluster.local/ns/shop/sa/front", "spiffe://b", "CN=client"] },
      tls: true,
      sni: "web.shop",
      request: {
        id: "",
        method: "POST",
        host: "Web.Shop:443",
        path: "/a?b=1",
        urlPath: "/a",
        scheme: "https",
        protocol: "HTTP/2",
        size: 12,
      },
      auth: undefined,
    });
    expect([...(attributes.request?.headers ?? [])]).toEqual([
      ["traceparent", ["00-1-2-01"]],
      ["user-agent", ["probe/1"]],
      [":authority", ["Web.Shop:443"]],
      [":path", ["/a?b=1"]],
      [":method", ["POST"]],
      ["referer", ["https://a/"]],
      ["x-forwarded-for", ["203.0.113.9"]],
      ["x-request-id", ["r-1"]],
    ]);
  });

  test("has the path that the check saw, where the router has rewritten it", () => {
    const report = reportOf({ request: { path: "/new", original_path: "/old?a" } });
    expect(report.attributes.request).toMatchObject({ path: "/old?a", urlPath: "/old" });
  });

  test("has an unusual method only where Envoy logs `:method`", () => {
    const method = (headers: Plain): string | undefined =>
      reportOf({ request: { request_headers: headers } }).attributes.request?.method;
    expect(method({ ":method": "PROPFIND" })).toBe("PROPFIND");
    expect(method({})).toBe("");
  });

  test("has no identity on TLS without a client certificate", () => {
    const tls_properties = { tls_version: 3, peer_certificate_properties: {} };
    const report = reportOf(common({ tls_properties }));
    expect(report.attributes).toMatchObject({ tls: true, identity: undefined, source: { principal: "" } });
    expect(report.tls).toEqual({ version: "TLSv1.2", peerPrincipal: "", localPrincipal: "" });
  });

  test("that could not be parsed has a report nevertheless", () => {
    const report = reportOf({
      common_properties: { response_flags: { downstream_protocol_error: true } },
      request: {},
      response: { response_code: { value: 400 }, response_code_details: "http1.codec_error" },
    });
    expect(report).toMatchObject({ flags: "DPE", response: { code: 400, codeDetails: "http1.codec_error" } });
  });
});

describe("the response of a report", () => {
  test("has the gRPC status of its trailers, else of its headers", () => {
    const status = (response: Plain): number | undefined => reportOf({ response }).response?.grpcStatus;
    expect(
      status({ response_trailers: { "grpc-status": "0" }, response_headers: { "grpc-status": "5" } }),
    ).toBe(0);
    expect(status({ response_headers: { "grpc-status": "5" } })).toBe(5);
    expect(status({ response_headers: { "grpc-status": "many" } })).toBeUndefined();
    expect(status({})).toBeUndefined();
  });

  test("has flags in Envoy's order where a custom tag says it", () => {
    const response_flags = { upstream_connection_failure: true, upstream_retry_limit_exceeded: true };
    expect(reportOf(common({ response_flags })).flags).toBe("UF,URX");
    expect(reportOf(tagged({ response_flags: "URX,UF" }, { response_flags })).flags).toBe("URX,UF");
    expect(reportOf(tagged({ response_flags: "<b>" }, { response_flags })).flags).toBe("UF,URX");
    expect(reportOf({}).flags).toBe("-");
  });

  test("has the number of gRPC messages where Envoy counts them", () => {
    const any = { type_url: "type.googleapis.com/envoy.extensions.filters.http.grpc_stats.v3.FilterObject" };
    const value = Buffer.from("08021004", "hex");
    const filter_state_objects = { "envoy.filters.http.grpc_stats": { ...any, value } };
    expect(reportOf(common({ filter_state_objects })).messages).toEqual({ request: 2, response: 4 });
    expect(reportOf({}).messages).toBeUndefined();
  });
});

describe("the event of an entry", () => {
  const events = (entry: Plain): (string | undefined)[] => {
    const { receive, skipped } = listening();
    return [receive(http(entry))[0]?.event, ...skipped];
  };

  test.each([
    ["NotSet", 0, "close"],
    ["DownstreamStart", 4, "open"],
    ["DownstreamPeriodic", 5, "continue"],
    ["DownstreamEnd", 6, "close"],
    ["DownstreamTunnelSuccessfullyEstablished", 10, "continue"],
  ])("%s", (_, access_log_type, event) => {
    expect(events(common({ access_log_type }))).toEqual([event]);
  });

  test("an upstream log would count the request again, so it is counted and ignored", () => {
    for (const access_log_type of [7, 8, 9]) {
      expect(events(common({ access_log_type }))).toEqual([undefined, "upstream"]);
    }
  });

  test("an unknown type is counted and ignored", () => {
    expect(events(common({ access_log_type: 99 }))).toEqual([undefined, "unknown_type"]);
  });

  test("an entry of an older Envoy that is not the last one goes on", () => {
    expect(events(common({ intermediate_log_entry: true }))).toEqual(["continue"]);
  });
});

describe("the side of the proxy", () => {
  test.each<[string, Plain, Plain, "client" | "server"]>([
    ["the custom tag `reporter`", tagged({ reporter: "source", listener_direction: "1" }), {}, "client"],
    [
      "the listener's direction",
      tagged({ listener_direction: "2" }, { upstream_cluster: "inbound|80||" }),
      {},
      "client",
    ],
    ["an inbound cluster", common({ upstream_cluster: "inbound|8080||" }), { id: "router~a" }, "server"],
    ["an outbound cluster", common({ upstream_cluster: "outbound|80||a.b" }), sidecar, "client"],
    ["a gateway's node id", common({}), { id: "router~10.0.0.1~a.b~c" }, "client"],
    ["nothing: it stands at the server", tagged({ listener_direction: "0" }), { id: "front" }, "server"],
  ])("is told by %s", (_, entry, node, side) => {
    expect(reportOf(entry, {}, node).side).toBe(side);
  });
});

describe("the ends of a call", () => {
  const direct = { downstream_direct_remote_address: socket("10.0.0.5", 41000) };

  test("the proxy's own workload is its node's, without what else the node says", () => {
    const report = reportOf({}, {}, sidecar);
    expect(report.destination).toBe(report.reporter.party);
    expect(report.attributes.workload).toBe(report.destination?.workload);
    expect(report.reporter).toMatchObject({ id: sidecar["id"], cluster: "web.shop", logName: "log" });
    expect(report.destination).toEqual({
      workload: {
        namespace: "shop",
        name: "web-v1",
        type: "sidecar",
        labels: new Map(
          Object.entries({ app: "web", version: "v1", "service.istio.io/canonical-name": "web-svc" }),
        ),
        services: [],
      },
      cluster: "east",
      canonicalService: "web-svc",
      canonicalRevision: "v1",
    });
  });

  test("a client's proxy is the source, its upstream's endpoint metadata the destination", () => {
    const entry = tagged({ reporter: "source", destination_peer: "api-v2;pay;api;v2;west" });
    const report = reportOf(entry, {}, sidecar);
    expect(report.source).toBe(report.reporter.party);
    expect(report.destination).toMatchObject({
      workload: { namespace: "pay", name: "api-v2" },
      canonicalService: "api",
      canonicalRevision: "v2",
      cluster: "west",
    });
  });

  test("custom tags win over all else", () => {
    const entry = tagged({
      source_workload: "cron",
      source_workload_namespace: "jobs",
      source_app: "cron-app",
      source_peer: "other;other;;;",
      destination_workload: "db",
      destination_workload_namespace: "-",
    });
    const { source, destination } = reportOf(entry, {}, sidecar);
    expect(source).toMatchObject({
      workload: { name: "cron", namespace: "jobs" },
      canonicalService: "cron-app",
    });
    expect(destination).toMatchObject({ workload: { name: "db", namespace: "" } });
  });

  test("the registry knows a source by its address, whatever its port", () => {
    const cron = workload("cron");
    const lookup = ({ destination }: { destination: { ip?: { text: string } | undefined; port: number } }) =>
      destination.ip?.text === "10.0.0.5" && destination.port === 0 ? cron : undefined;
    const { source } = reportOf(common(direct), { lookup });
    expect(source?.workload).toBe(cron);
    expect(source).toMatchObject({ canonicalService: "cron-app", canonicalRevision: "latest" });
  });

  test("the registry knows a client's destination by the upstream's address", () => {
    const api = workload("api");
    const lookup = ({ destination }: { destination: { ip?: { text: string } | undefined; port: number } }) =>
      destination.ip?.text === "10.0.0.9" && destination.port === 9000 ? api : undefined;
    const entry = tagged({ reporter: "source" }, { upstream_remote_address: socket("10.0.0.9", 9000) });
    expect(reportOf(entry, { lookup }).destination?.workload).toBe(api);
  });

  test("a SPIFFE id names at least the namespace", () => {
    const peer_certificate_properties = certificate("spiffe://cluster.local/ns/jobs/sa/cron");
    const { source } = reportOf(common({ tls_properties: { peer_certificate_properties } }));
    expect(source).toMatchObject({ workload: { namespace: "jobs", name: "" }, canonicalRevision: "" });
  });

  test("the server's workload may be the mesh's default", () => {
    const defaultWorkload = workload("edge");
    expect(reportOf({}, { defaultWorkload }).destination?.workload).toBe(defaultWorkload);
    expect(reportOf(tagged({ reporter: "source" }), { defaultWorkload }).destination).toBeUndefined();
  });

  test("the same facts are the same object, over streams", () => {
    const { receive } = listening();
    const peer_certificate_properties = certificate("spiffe://cluster.local/ns/jobs/sa/cron");
    const entry = tagged(
      { destination_services: '[{"host":"a.b.svc.cluster.local","name":"a","namespace":"b"}]' },
      { tls_properties: { peer_certificate_properties } },
    );
    const [one] = receive(identified(sidecar), http(entry));
    const [other] = receive(identified(sidecar), http(entry));
    for (const part of ["reporter", "source", "destination", "service"] as const) {
      expect(one?.[part]).toBeDefined();
      expect(one?.[part]).toBe(other?.[part]);
    }
  });
});

describe("the service that was called", () => {
  const served = [
    { name: "a", namespace: "shop", host: "a.example" },
    { name: "b", namespace: "shop", host: "b.example" },
  ];
  const lookup = (): Workload => workload("web", served);

  test("is named by tags, cluster metadata, Istio's name of the cluster, or the workload, in this order", () => {
    const tags = { destination_service: "tag.ns.svc.cluster.local" };
    const destination_services = '[{"host":"meta.example","name":"meta","namespace":"ns"}]';
    const upstream_cluster = "outbound|80|v1|cluster.ns.svc.cluster.local";
    const host = (entry: Plain): string | undefined => reportOf(entry, { lookup }).service?.host;
    expect(host(tagged({ ...tags, destination_services }, { upstream_cluster }))).toBe(
      "tag.ns.svc.cluster.local",
    );
    expect(host(tagged({ destination_services }, { upstream_cluster }))).toBe("meta.example");
    expect(host(common({ upstream_cluster }))).toBe("cluster.ns.svc.cluster.local");
    expect(host({})).toBe("a.example");
  });

  test("is of several of the workload the one that the request names", () => {
    expect(reportOf({ request: { authority: "B.example:80" } }, { lookup }).service?.host).toBe("b.example");
  });

  test("has its name and namespace from a Kubernetes host, else its host as its name", () => {
    const of = (host: string): unknown =>
      reportOf(common({ upstream_cluster: `outbound|80||${host}` })).service;
    expect(of("a.ns.svc.cluster.local")).toEqual({
      name: "a",
      namespace: "ns",
      host: "a.ns.svc.cluster.local",
    });
    expect(of("api.example.com")).toEqual({
      name: "api.example.com",
      namespace: "",
      host: "api.example.com",
    });
  });

  test("is not what a client calls it, unless that is wanted", () => {
    const entry = { request: { authority: "Evil.example:80" } };
    expect(reportOf(entry).service).toBeUndefined();
    expect(reportOf(entry, { hostFallback: true }).service?.host).toBe("evil.example");
  });

  test("is unknown where a tag cannot be read", () => {
    for (const text of ["", "-", "{", "[]", "[1]", '[{"host":5}]', '{"host":"a"}']) {
      expect(reportOf(tagged({ destination_services: text })).service).toBeUndefined();
    }
  });
});

describe("metadata", () => {
  test("of every filter can be read, and names are ordinary", () => {
    const metadata = {
      filter_metadata: {
        other: struct({ a: [1, "b", null, { c: true }], __proto__x: "y" }),
        "envoy.filters.http.ext_authz": struct({ decision_id: "d" }),
      },
    };
    const { attributes } = reportOf(common({ metadata }));
    expect(attributes.metadata("other")).toEqual({ a: [1, "b", null, { c: true }], __proto__x: "y" });
    expect(attributes.metadata("envoy.filters.http.ext_authz")).toEqual({ decision_id: "d" });
    expect(attributes.metadata("absent")).toBeUndefined();
  });

  test("of a decision have no prototype but their own member of that name", () => {
    const fields = {
      gatehouse: {
        structValue: {
          fields: JSON.parse('{"__proto__":{"structValue":{"fields":{"allowed":{"boolValue":true}}}}}'),
        },
      },
    };
    const metadata = { filter_metadata: { "envoy.filters.http.ext_authz": { fields } } };
    expect(reportOf(common({ metadata })).check.allowed).toBeUndefined();
    expect(reportOf(common({ metadata: decision({ allowed: true }) })).check.allowed).toBe(true);
  });
});
