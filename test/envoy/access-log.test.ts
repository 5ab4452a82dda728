import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Attributes } from "../../src/attributes/index.js";
import type { Report } from "../../src/report/index.js";
import {
  beRefused,
  callGrpc,
  giveUp,
  sayNonsense,
  sendHttp2,
  stayConnected,
  talkOverWebsocket,
} from "../support/access-log-calls.js";
import { golden, wrongTimes } from "../support/access-log-golden.js";
import { type LogStage, type Observed, startLogStage, WARM_UP } from "../support/access-log-stage.js";
import { type HttpCall, send } from "../support/http.js";
import { eventually } from "../support/server-fixture.js";

let stage: LogStage;

beforeAll(async () => {
  stage = await startLogStage();
});
afterAll(async () => {
  await stage?.stop();
});

const get = (listener: string, path: string, more: Partial<HttpCall> = {}) => {
  const headers = { host: "shop.example", "user-agent": "caller/1", ...more.headers };
  return send({ port: stage.port(listener), path, ...more, headers });
};

const secure = () => ({ ca: stage.ca, client: stage.account("shop/books"), serverName: "localhost" });
const caller = (name: string) => ({
  port: stage.port("tcp"),
  ca: stage.ca,
  client: stage.account(name),
});

interface Case {
  readonly name: string;
  readonly happen: () => Promise<unknown>;
  /** Of the log; 1 when absent. */
  readonly entries?: number;
}

/** In this order: what Envoy and Gatehouse remember is part of what they say. */
const cases: readonly Case[] = [
  {
    name: "http1-get",
    happen: () =>
      get("http", "/books/7?token=hush", {
        headers: { referer: "http://shop.example/", "x-forwarded-for": "192.0.2.9" },
      }),
  },
  { name: "http1-post", happen: () => get("http", "/books", { method: "POST", body: "12345" }) },
  { name: "http1-unusual-method", happen: () => get("http", "/books", { method: "PROPFIND" }) },
  { name: "http1-quota", happen: () => get("http", "/counted") },
  { name: "http1-rewritten-path", happen: () => get("http", "/rewrite/me?q=1") },
  { name: "http1-mutual-tls", happen: () => get("mtls", "/books", { tls: secure() }) },
  { name: "http2-get", happen: () => sendHttp2(stage.port("http"), { ":path": "/books" }) },
  { name: "grpc-unary", happen: () => callGrpc(stage.port("http"), "Unary", ["ping"]) },
  { name: "grpc-status", happen: () => callGrpc(stage.port("http"), "Missing", ["ping"]) },
  { name: "grpc-stream", happen: () => callGrpc(stage.port("http"), "Stream", ["one", "two", "three"]) },
  { name: "websocket", happen: () => talkOverWebsocket(stage.port("http")) },
  { name: "local-reply", happen: () => get("http", "/direct") },
  { name: "local-reply-no-cluster", happen: () => get("http", "/nowhere") },
  { name: "local-reply-no-route", happen: () => get("strict", "/anything") },
  { name: "local-reply-no-http", happen: () => sayNonsense(stage.port("http")) },
  { name: "upstream-reset", happen: () => get("http", "/reset") },
  { name: "upstream-timeout", happen: () => get("http", "/never") },
  { name: "upstream-refuses-connections", happen: () => get("http", "/dead") },
  { name: "retried", happen: () => get("http", "/retry/flaky") },
  { name: "retried-in-vain", happen: () => get("http", "/retry/fail") },
  { name: "client-gone", happen: () => giveUp(stage.port("http"), "/books/never") },
  { name: "check-denied", happen: () => get("http", "/secret?token=hush") },
  { name: "check-failed", happen: () => get("http", "/broken") },
  { name: "check-timed-out", happen: () => get("http", "/slow") },
  { name: "check-timed-out-in-grpc", happen: () => callGrpc(stage.port("http"), "slow", ["ping"]) },
  { name: "check-denied-in-grpc", happen: () => denyGrpc() },
  { name: "shadow-allowed", happen: () => get("shadow", "/books") },
  { name: "shadow-denied", happen: () => get("shadow", "/secret") },
  { name: "shadow-failed", happen: () => get("shadow", "/broken") },
  { name: "failure-mode-allowed", happen: () => get("open", "/broken") },
  { name: "denied-but-served", happen: () => get("forged", "/books") },
  { name: "client-side", happen: () => get("out", "/books") },
  { name: "tcp-allowed", happen: () => connection(), entries: 3 },
  { name: "tcp-denied", happen: () => beRefused(caller("shop/web")), entries: 2 },
  { name: "tcp-check-failed", happen: () => beRefused(caller("shop/broken")), entries: 2 },
  { name: "tcp-check-timed-out", happen: () => beRefused(caller("shop/slow")), entries: 2 },
];

const denyGrpc = () =>
  sendHttp2(stage.port("http"), {
    ":method": "POST",
    ":path": "/secret.Service/Call",
    "content-type": "application/grpc",
    te: "trailers",
  });

/** Is reported when it opens, once while it lasts, and when it ends. */
async function connection(): Promise<void> {
  const before = stage.reports.length;
  const leave = await stayConnected(caller("shop/books"));
  await eventually(() => stage.reports.length - before, 2);
  await leave("defgh");
}

const observed = new Map<string, Observed>();

describe("what a real Envoy says of", () => {
  it.each(cases)("$name", async ({ name, happen, entries = 1 }) => {
    const found = await stage.observe(happen, entries);
    observed.set(name, found);
    expect(found.reports).toHaveLength(entries);
    await expect(golden(found.reports)).toMatchFileSnapshot(`goldens/access-log/${name}.yaml`);
    expect(found.reports.flatMap((report) => wrongTimes(report, found.span))).toEqual([]);
  });
});

/** What a check and a log entry of the same both know, in one form; headers: those that the log has. */
function shared(attributes: Attributes, headers: Iterable<string>): unknown {
  const { source, destination, request } = attributes;
  return {
    protocol: attributes.protocol,
    // A question about a connection does not say when it was opened.
    time: request && attributes.time,
    source: [source.ip?.text, source.port, source.principal],
    destination: [destination.ip?.text, destination.port, destination.principal],
    remoteIp: attributes.remoteIp?.text,
    tls: attributes.tls,
    sni: attributes.sni,
    names: attributes.identity?.names,
    workload: request && [attributes.workload?.namespace, attributes.workload?.name],
    request: request && {
      method: request.method,
      host: request.host,
      path: request.path,
      urlPath: request.urlPath,
      scheme: request.scheme,
      protocol: request.protocol,
      headers: [...headers].sort().map((name) => [name, request.headers.get(name)]),
    },
  };
}

describe("the log's attributes are the check's", () => {
  const asks = (name: string): boolean =>
    !["local-reply-no-http", "local-reply-no-route", "denied-but-served", "client-side"].includes(name);

  it.each(cases.filter(({ name }) => asks(name)))("$name", ({ name }) => {
    const { reports = [], asked = [] } = observed.get(name) ?? {};
    expect(asked).toHaveLength(1);
    const logged = reports.at(-1)?.attributes as Attributes;
    const headers = [...(logged.request?.headers.keys() ?? [])];
    expect(shared(logged, headers)).toEqual(shared(asked[0] as Attributes, headers));
  });

  it("and where nobody was asked there is no decision", () => {
    for (const { name } of cases.filter((one) => !asks(one.name))) {
      expect(observed.get(name)?.asked, name).toEqual([]);
    }
  });
});

interface Shown {
  readonly decision_id: string | null;
  readonly outcome: string;
  readonly known_from: string;
  readonly policy: string | null;
  readonly path: string | null;
  readonly response: { readonly request_id: string | null; readonly response_code: number | null } | null;
}

describe("Gatehouse", () => {
  const decisions = async (query = "") => {
    const page = JSON.parse(await stage.page(`/decisions${query}`)) as {
      readonly decisions: readonly Shown[];
    };
    return page.decisions.filter(({ path }) => path !== WARM_UP);
  };
  /** Entries that are about a check, one for each. */
  const about = (): readonly Report[] =>
    stage.reports.filter(({ event, check }) => event === "close" && check.outcome !== "none");

  it("shows each decision once, joined to what became of it", async () => {
    await eventually(
      async () => (await decisions()).filter(({ response }) => response).length,
      about().length,
    );
    const shown = await decisions();
    expect(shown).toHaveLength(about().length);
    const rows = shown.map(
      ({ outcome, known_from, policy, path, response }) =>
        `${outcome} of ${path ?? "a connection"} by ${policy ?? "nobody"},` +
        ` known from ${known_from}: ${response?.response_code ?? "-"}\n`,
    );
    await expect(rows.sort().join("")).toMatchFileSnapshot("goldens/access-log/decisions.txt");
  });

  it.each(["allowed", "denied", "error", "timeout", "shadow_denied", "shadow_error", "denied_but_served"])(
    "tells %s from all other outcomes",
    async (outcome) => {
      const expected = about().filter(({ check }) => check.outcome === outcome);
      expect(expected.length).toBeGreaterThan(0);
      const shown = await decisions(`?outcome=${outcome}`);
      // Of a check without an answer there is no id.
      const idOf = (report: Report) => report.check.decisionId || report.streamId;
      const ids = shown.map((each) => each.decision_id ?? each.response?.request_id);
      const http = expected.filter(({ attributes }) => attributes.protocol === "http");
      expect(ids).toEqual(expect.arrayContaining(http.map(idOf)));
      expect(shown).toHaveLength(expected.length);
    },
  );

  it("counts each request and connection in the standard metrics, and nothing else", async () => {
    const metrics = async () => {
      const text = await stage.page("/metrics");
      return text.split("\n").filter((line) => line.startsWith("istio_"));
    };
    const sum = async (name: string) => {
      const values = (await metrics()).filter((line) => line.startsWith(`${name}{`));
      return values.reduce((total, line) => total + Number(line.split(" ").at(-1)), 0);
    };
    const requests = stage.reports.filter(({ attributes }) => attributes.protocol === "http");
    await eventually(() => sum("istio_requests_total"), requests.length);
    await eventually(() => sum("istio_tcp_connections_closed_total"), 4);
    const lines = await metrics();
    const totals = lines.filter((line) => /^istio_(?:requests|tcp_\w+|\w+_messages)_total\{/.test(line));
    const known = totals.map((line) => line.replaceAll(/[a-z_]+="(?:unknown|latest)",?/g, ""));
    await expect(`${known.sort().join("\n")}\n`).toMatchFileSnapshot("goldens/access-log/metrics.txt");
    // Times differ, and bytes by this machine's address; how many there were does not.
    const series = (name: string) =>
      lines.flatMap((line) => (line.startsWith(`${name}{`) ? [line.slice(name.length)] : [])).sort();
    for (const name of ["request_duration_milliseconds", "request_bytes", "response_bytes"]) {
      expect(series(`istio_${name}_count`)).toEqual(series("istio_requests_total"));
    }
    expect(stage.faults).toEqual([]);
  });
});

describe("a trace", () => {
  const trace = "0af7651916cd43dd8448eb211c80319c";
  const parent = "b7ad6b7169203331";
  const w3c = (flags: string) => ({ traceparent: `00-${trace}-${parent}-${flags}` });
  const b3 = (sampled: string) => ({
    "x-b3-traceid": trace,
    "x-b3-spanid": parent,
    "x-b3-sampled": sampled,
  });

  /** Our spans of a path: of the request, then of its decision. */
  async function spansOf(path: string) {
    const ours = () =>
      stage.collector.spans.filter(({ resource }) => resource.get("service.name") !== "envoy-itself");
    await eventually(() => ours().some(({ attributes }) => attributes.get("url.path") === path), true);
    const request = ours().filter(({ attributes }) => attributes.get("url.path") === path);
    const ids = request.map(({ spanId }) => spanId);
    return [request, ours().filter(({ parentSpanId }) => ids.includes(parentSpanId))] as const;
  }

  it.each([
    ["w3c", w3c("01")],
    ["b3-in-one", { b3: `${trace}-${parent}-1` }],
    ["b3-in-many", b3("1")],
  ])("that a client began (%s) goes on below its span", async (name, headers) => {
    const path = `/books/traced/${name}`;
    await stage.observe(() => get("http", path, { headers }), 1);
    const [requests, decisions] = await spansOf(path);
    expect(requests).toHaveLength(1);
    expect(requests[0]).toMatchObject({ traceId: trace, parentSpanId: parent });
    expect(decisions).toHaveLength(1);
    expect(decisions[0]).toMatchObject({ traceId: trace, name: "ext_authz check" });
    expect(Object.fromEntries(decisions[0]?.attributes ?? [])).toMatchObject({
      "gatehouse.outcome": "allowed",
      "gatehouse.policy": "shop/everybody",
      "gatehouse.rule": 0,
      "gatehouse.decision_id": stage.reports.at(-1)?.check.decisionId,
    });
  });

  it("names the policy that refused, below a span without an upstream", async () => {
    await stage.observe(() => get("http", "/secret/traced", { headers: w3c("01") }), 1);
    const [[request], [decision]] = await spansOf("/secret/traced");
    expect(request?.attributes.get("http.response.status_code")).toBe(403);
    expect(request?.attributes.has("upstream_cluster")).toBe(false);
    expect(Object.fromEntries(decision?.attributes ?? [])).toMatchObject({
      "gatehouse.outcome": "denied",
      "gatehouse.policy": "shop/secrets",
      "gatehouse.rule": 1,
    });
  });

  it("that nobody wants is not sent, whoever says so", async () => {
    const unwanted = [w3c("00"), { b3: `${trace}-${parent}-0` }, b3("0"), {}];
    for (const headers of unwanted) {
      await stage.observe(() => get("http", "/books/unsampled", { headers }), 1);
    }
    // Goes the same way after them.
    await stage.observe(() => get("http", "/books/sampled", { headers: w3c("01") }), 1);
    await spansOf("/books/sampled");
    const paths = stage.collector.spans.map(({ attributes }) => attributes.get("url.path"));
    expect(paths).not.toContain("/books/unsampled");
  });

  it("that Envoy itself takes part in goes on below Envoy's span", async () => {
    await stage.observe(() => get("traced", "/books/envoy", { headers: w3c("01") }), 1);
    const [[request], [decision]] = await spansOf("/books/envoy");
    // It has one of its question to Gatehouse besides.
    const SERVER = 2;
    const envoys = () =>
      stage.collector.spans.find(
        ({ resource, kind }) => resource.get("service.name") === "envoy-itself" && kind === SERVER,
      );
    await eventually(() => envoys() !== undefined, true, 15_000);
    expect(envoys()).toMatchObject({ traceId: trace, parentSpanId: parent });
    expect(request).toMatchObject({ traceId: trace, parentSpanId: envoys()?.spanId });
    expect(decision).toMatchObject({ traceId: trace, parentSpanId: request?.spanId });
  });
});
