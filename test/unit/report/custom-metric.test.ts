import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Metric, metricClashes, parseMetric, type Report } from "../../../src/report/index.js";
import {
  aBench,
  aConnection,
  aMetric,
  aMetricDocument,
  aReport,
  aReporter,
  said,
  stranger,
} from "./metric-kit.js";

const parse = (spec: unknown) => parseMetric(aMetricDocument(spec));

describe("a Metric document", () => {
  it("needs nothing to count requests", () => {
    expect(aMetric({}, "checkout-orders.total")).toEqual({
      namespace: "foo",
      name: "checkout-orders.total",
      selector: undefined,
      type: "COUNTER",
      series: "checkout_orders_total",
      help: "Metric foo/checkout-orders.total.",
      value: undefined,
      labels: [],
      match: undefined,
      mode: "CLIENT_AND_SERVER",
      events: ["close"],
      buckets: [],
      expiryMs: undefined,
      maxSeries: undefined,
      maxValuesPerLabel: undefined,
    } satisfies Metric);
  });

  it("has all that the reference says", () => {
    const parsed = parse({
      selector: { matchLabels: { app: "httpbin" } },
      type: "HISTOGRAM",
      name: "order_bytes",
      help: "Sizes.",
      value: "response.size",
      labels: { plan: "custom_tags['plan']" },
      match: "request.method == 'POST'",
      mode: "SERVER",
      events: ["close", "open"],
      buckets: { exponential: { start: 1, factor: 10, count: 3 } },
      expiry: "10m",
      maxSeries: 50,
      maxValuesPerLabel: 5,
    });
    expect(parsed.findings).toEqual([]);
    expect(parsed.spec).toMatchObject({
      selector: [["app", "httpbin"]],
      series: "order_bytes",
      help: "Sizes.",
      labels: [["plan", "custom_tags['plan']"]],
      events: ["open", "close"],
      buckets: [1, 10, 100],
      expiryMs: 600_000,
      maxSeries: 50,
      maxValuesPerLabel: 5,
    });
  });

  it("takes buckets in three forms", () => {
    const buckets = (given: unknown) =>
      aMetric({ type: "HISTOGRAM", name: "h", value: 1, buckets: given }).buckets;
    expect(buckets([1, 2.5, 10])).toEqual([1, 2.5, 10]);
    expect(buckets({ linear: { start: 0.1, width: 0.1, count: 3 } })).toEqual([0.1, 0.2, 0.3]);
    expect(buckets({ exponential: { start: 0.5, factor: 2, count: 4 } })).toEqual([0.5, 1, 2, 4]);
    expect(buckets(undefined)).toContain(2500);
  });

  it.each([
    [{ labels: { le: "'x'" } }, "GH0107 spec.labels.le"],
    [{ labels: { quantile: "'x'" } }, "GH0107 spec.labels.quantile"],
    [{ labels: { __name__: "'x'" } }, "GH0107 spec.labels.__name__"],
    [{ labels: { "a-b": "'x'" } }, "GH0107 spec.labels.a-b"],
    [{ labels: { a: "response.cod" } }, "GH0701 spec.labels.a"],
    [{ labels: { a: 1 } }, "GH0102 spec.labels.a"],
    [{ labels: { a: "request.query_params['x']" } }, "GH0907 spec.labels.a"],
    [{ labels: { a: "request.headers[':path']" } }, "GH0907 spec.labels.a"],
    [{ labels: { a: "has(request.referer) ? request.referer : ''" } }, "GH0907 spec.labels.a"],
    [{ labels: { a: "request.headers.referer" } }, "GH0907 spec.labels.a"],
    [{ name: "istio_requests_total" }, "GH0107 spec.name"],
    [{ name: "gatehouse_x_total" }, "GH0107 spec.name"],
    [{ name: "a-b_total" }, "GH0107 spec.name"],
    [{ name: "a:b_total" }, "GH0107 spec.name"],
    [{ name: 1 }, "GH0102 spec.name"],
    [{ name: "orders" }, "GH0906 spec.name"],
    [{ type: "GAUGE", name: "a_total", value: 1 }, "GH0906 spec.name"],
    [{ type: "gauge" }, "GH0103 spec.type"],
    [{ type: "GAUGE", name: "a" }, "GH0104 spec.value"],
    [{ value: "response.code_details" }, "GH0701 spec.value"],
    [{ value: -1 }, "GH0108 spec.value"],
    [{ match: "1" }, "GH0701 spec.match"],
    [{ match: "  " }, "GH0105 spec.match"],
    [{ mode: "BOTH" }, "GH0103 spec.mode"],
    [{ events: [] }, "GH0105 spec.events"],
    [{ events: ["end"] }, "GH0103 spec.events.0"],
    [{ buckets: [1] }, "GH0201 spec.buckets"],
    [{ expiry: "soon" }, "GH0108 spec.expiry"],
    [{ maxSeries: 0 }, "GH0108 spec.maxSeries"],
    [{ maxValuesPerLabel: 1.5 }, "GH0108 spec.maxValuesPerLabel"],
    [{ unit: "ms" }, "GH0101 spec.unit"],
  ])("%j is found wanting at %s", (spec, expected) => {
    expect(said(parse(spec))).toEqual([expected]);
  });

  it.each([
    [[1, 1], "GH0108 spec.buckets.1"],
    [[2, 1], "GH0108 spec.buckets.1"],
    [[], "GH0106 spec.buckets"],
    [["1"], "GH0102 spec.buckets.0"],
    [[Number.POSITIVE_INFINITY], "GH0102 spec.buckets.0"],
    [{ linear: { start: 1, width: -1, count: 3 } }, "GH0108 spec.buckets"],
    [{ linear: { start: 1, width: 1, count: 0 } }, "GH0108 spec.buckets.linear.count"],
    [{ linear: { start: 1, width: 1, count: 1e9 } }, "GH0108 spec.buckets.linear.count"],
    [{ linear: { start: 1, width: 1 } }, "GH0104 spec.buckets.linear.count"],
    [{}, "GH0108 spec.buckets"],
  ])("buckets %j are found wanting at %s", (buckets, expected) => {
    expect(said(parse({ type: "HISTOGRAM", name: "h", value: 1, buckets }))).toEqual([expected]);
  });

  it("clashes with one that gives series of the same name, also of a histogram", () => {
    const first = aMetric({ type: "HISTOGRAM", name: "size", value: 1 }, "a");
    const second = aMetric({ type: "GAUGE", name: "size_count", value: 1 }, "b");
    const third = aMetric({ type: "GAUGE", name: "size_max", value: 1 }, "c");
    const same = aMetric({ type: "GAUGE", name: "size_max", value: 2 }, "d", "bar");
    expect(metricClashes([first, second, third, same])).toEqual([
      { metric: second, other: first, series: "size_count" },
      { metric: same, other: third, series: "size_max" },
    ]);
  });
});

describe("a Metric", () => {
  const counted = (spec: Readonly<Record<string, unknown>>, ...reports: Report[]) => {
    const bench = aBench({ metrics: [aMetric({ name: "m_total", ...spec })] });
    bench.count(...reports);
    return { lines: bench.lines(/^m_/), told: bench.told };
  };
  const withCode = (code: number): Report => {
    const report = aReport();
    return report.response === undefined ? report : { ...report, response: { ...report.response, code } };
  };

  it("counts what matches, by labels", () => {
    const spec = { match: "response.code >= 400", labels: { code: "response.code", who: "source.app" } };
    expect(counted(spec, withCode(200), withCode(404), withCode(404), withCode(500))).toEqual({
      lines: ['m_total{code="404",who="web"} 2', 'm_total{code="500",who="web"} 1'],
      told: [],
    });
  });

  it("adds what its value says", () => {
    expect(counted({ value: "response.size" }, aReport(), aReport()).lines).toEqual(["m_total{} 2000"]);
    expect(counted({ value: 2.5 }, aReport(), aReport()).lines).toEqual(["m_total{} 5"]);
    expect(counted({ value: "quota.cost['foo/per-user'] * 3" }, aReport()).lines).toEqual(["m_total{} 3"]);
  });

  it("has `unknown` for a label that is not there, on which nothing fails", () => {
    const spec = { labels: { a: "request.headers['x-none']", b: "response.code" } };
    expect(counted(spec, aConnection())).toEqual({
      lines: ['m_total{a="unknown",b="unknown"} 1'],
      told: [],
    });
  });

  it("does not count a report that its match or its value cannot be asked about, and says so", () => {
    expect(counted({ match: "response.code >= 400" }, aConnection())).toEqual({
      lines: [],
      told: ["Metric foo/orders_total match"],
    });
    expect(counted({ value: "response.size" }, aConnection())).toEqual({
      lines: [],
      told: ["Metric foo/orders_total value"],
    });
    expect(counted({ value: "1.0 / 0.0" }, aReport()).told).toEqual(["Metric foo/orders_total value"]);
  });

  it("that counts is never lowered", () => {
    expect(counted({ value: "response.code == 200 ? -1 : 1" }, aReport(), withCode(500))).toEqual({
      lines: ["m_total{} 1"],
      told: ["Metric foo/orders_total refused"],
    });
  });

  it("counts on the sides of its mode", () => {
    const both = [aReport({ side: "server" }), aReport({ side: "client" })];
    const labels = { kind: "context.reporter.kind" };
    expect(counted({ labels, mode: "CLIENT" }, ...both).lines).toEqual(['m_total{kind="outbound"} 1']);
    expect(counted({ labels, mode: "SERVER" }, ...both).lines).toEqual(['m_total{kind="inbound"} 1']);
    expect(counted({ labels }, ...both).lines).toHaveLength(2);
  });

  it("counts at the events that it names", () => {
    const all = (["open", "continue", "close"] as const).map((event) => aConnection({ event }));
    const labels = { event: "connection.event" };
    expect(counted({ labels }, ...all).lines).toEqual(['m_total{event="close"} 1']);
    expect(counted({ labels, events: ["open", "continue"] }, ...all).lines).toHaveLength(2);
  });

  it("can follow how many connections are open", () => {
    const spec = {
      type: "UP_DOWN_COUNTER",
      name: "m_open",
      events: ["open", "close"],
      value: "connection.event == 'open' ? 1 : -1",
    };
    const [open, close] = (["open", "close"] as const).map((event) => aConnection({ event }));
    if (open === undefined || close === undefined) throw new Error("two events expected");
    expect(counted(spec, open, open, close).lines).toEqual(["m_open{} 1"]);
  });

  it("of type GAUGE holds what was set last, and of type HISTOGRAM the sum", () => {
    const gauge = { type: "GAUGE", name: "m_code", value: "response.code" };
    expect(counted(gauge, withCode(500), withCode(200)).lines).toEqual(["m_code{} 200"]);
    const histogram = { type: "HISTOGRAM", name: "m_ms", value: "response.duration", buckets: [50, 100] };
    expect(counted(histogram, aReport(), aReport()).lines).toEqual(["m_ms{} 165"]);
  });

  it("is for workloads of its namespace and selector, in the root namespace for all", () => {
    const names = (metric: Metric, reporter = aReporter()): string[] => {
      const bench = aBench({ metrics: [metric] });
      bench.count(aReport({ reporter }));
      return bench.lines(/^m_/);
    };
    const spec = { name: "m_total" };
    const selecting = { ...spec, selector: { matchLabels: { app: "httpbin" } } };
    const other = aReporter({ namespace: "bar" });
    expect(names(aMetric(spec))).toHaveLength(1);
    expect(names(aMetric(spec), other)).toEqual([]);
    expect(names(aMetric(selecting))).toHaveLength(1);
    expect(names(aMetric(selecting), aReporter({ labels: new Map() }))).toEqual([]);
    expect(names(aMetric(spec, "a", "istio-system"), other)).toHaveLength(1);
    expect(names(aMetric(selecting, "a", "istio-system"), other)).toHaveLength(1);
    expect(names(aMetric(spec, "a", "istio-system"), stranger)).toHaveLength(1);
    expect(names(aMetric(spec), stranger)).toEqual([]);
    expect(names(aMetric(selecting, "a", "istio-system"), stranger)).toEqual([]);
  });

  it("keeps its series when the configuration is loaded again", () => {
    const metric = aMetric({ name: "m_total" });
    const bench = aBench({ metrics: [metric] });
    bench.count(aReport());
    bench.store.retain(bench.names);
    bench.count(aReport());
    expect(bench.lines(/^m_/)).toEqual(["m_total{} 2"]);
    bench.store.retain(new Set());
    expect(bench.lines(/^m_/)).toEqual([]);
  });

  it("has no more values of a label than it says", () => {
    const bench = aBench({
      metrics: [aMetric({ name: "m_total", labels: { host: "request.host" }, maxValuesPerLabel: 3 })],
    });
    for (let i = 0; i < 50; i++) {
      const { attributes } = aReport();
      if (attributes.request === undefined) throw new Error("a request expected");
      bench.count(
        aReport({ attributes: { ...attributes, request: { ...attributes.request, host: `h${i}` } } }),
      );
    }
    expect(bench.lines(/^m_/)).toHaveLength(4);
    expect(bench.lines(/^m_/)).toContain('m_total{host="other"} 47');
  });

  it("has `other` for a value that is too long", () => {
    const report = aReport({ customTags: new Map([["a", "x".repeat(60_000)]]) });
    expect(counted({ labels: { a: "custom_tags['a']" } }, report).lines).toEqual(['m_total{a="other"} 1']);
  });

  it("never throws, whatever a report says", () => {
    const sources = [
      "custom_tags[custom_tags['k']]",
      "string(check.rule) + check.policy",
      "response.flags.split(',')[1]",
      "int(custom_tags['k']) / (response.code - 200)",
      "check.latency * 1e308 * 10.0",
      "pathTemplate(request.path, ['/a/{b}', '/{**}'])",
      "quota.remaining[quota.names[0]] > 5",
      "request.headers.exists(k, request.headers[k] == custom_tags['k'])",
    ];
    const bench = aBench({
      metrics: sources.flatMap((source, i) => [
        aMetric({ name: `m_a${i}_total`, labels: { a: source } }, `a${i}`),
        aMetric({ name: `m_b${i}_total`, match: `string(${source}) != 'x'` }, `b${i}`),
      ]),
    });
    const text = fc.oneof(
      fc.string({ unit: "binary" }),
      fc.constantFrom("__proto__", "constructor", "k", '"\n\\'),
    );
    const number = fc.oneof(fc.double(), fc.integer(), fc.constantFrom(Number.NaN, Number.POSITIVE_INFINITY));
    fc.assert(
      fc.property(text, text, number, fc.boolean(), (key, value, some, isTcp) => {
        const { check } = aReport();
        const quota = [{ quota: key, cost: some, limit: some, remaining: some }];
        const report = (isTcp ? aConnection : aReport)({
          customTags: new Map([[key, value]]),
          flags: value,
          check: { ...check, policy: value, rule: some, latencyMs: some, quota },
        });
        bench.count(report);
        return true;
      }),
      { numRuns: 100 },
    );
    expect(bench.lines(/^m_a0/).length).toBeGreaterThan(0);
  });
});
