import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Report } from "../../../src/report/index.js";
import {
  createIstioMetrics,
  istioMetricNames,
  type MetricOverride,
  type StandardMetric,
} from "../../../src/report/istio-metrics.js";
import { createSeriesStore } from "../../../src/series/index.js";
import {
  aCalled,
  answered,
  aServed,
  bookinfo,
  counting,
  ofConnection,
  principalOf,
  productpage,
  reviews,
  untouched,
} from "./istio-kit.js";

const total = (rows: readonly { value: number }[]): number => rows.reduce((sum, { value }) => sum + value, 0);

describe("requests", () => {
  it("are counted when they are over, with their duration and what went over the wire", () => {
    const { count, series } = counting();
    count(aServed({ event: "open" }), aServed({ event: "continue" }), aServed(), aServed());
    expect(series("REQUEST_COUNT").map(({ value }) => value)).toEqual([2]);
    expect(series("REQUEST_DURATION")).toMatchObject([{ value: 25 }]);
    expect(series("REQUEST_SIZE")).toMatchObject([{ value: 140 }]);
    expect(series("RESPONSE_SIZE")).toMatchObject([{ value: 2260 }]);
    expect(series("REQUEST_DURATION")[0]?.buckets?.indexOf(2)).toBe(4);
  });

  it("without a duration have none observed", () => {
    const { count, series } = counting();
    count(aServed({ times: { ...aServed().times, duration: undefined } }));
    expect(total(series("REQUEST_COUNT"))).toBe(1);
    expect(series("REQUEST_DURATION")).toEqual([]);
  });

  it("of gRPC count their messages, under labels of the two ends alone", () => {
    const { count, series } = counting();
    count(aServed({ response: answered(200, 0), messages: { request: 3, response: 5 } }));
    expect(series("GRPC_REQUEST_MESSAGES")).toMatchObject([
      { value: 3, labels: { reporter: "destination" } },
    ]);
    expect(series("GRPC_RESPONSE_MESSAGES")).toMatchObject([{ value: 5 }]);
    expect(Object.keys(series("GRPC_REQUEST_MESSAGES")[0]?.labels ?? {})).not.toContain("request_protocol");
  });

  it("are none of the connections' metrics, and connections none of theirs", () => {
    const { count, series } = counting();
    count(aServed());
    expect(series("TCP_CLOSED_CONNECTIONS")).toEqual([]);
    count(ofConnection("close", 1, 1));
    expect(total(series("REQUEST_COUNT"))).toBe(1);
    expect(total(series("TCP_CLOSED_CONNECTIONS"))).toBe(1);
  });
});

describe("connections", () => {
  it("are opened once, closed once, and count bytes with every report", () => {
    const { count, series } = counting();
    count(ofConnection("open", 0, 0), ofConnection("continue", 10, 100), ofConnection("close", 1, 2));
    expect(total(series("TCP_OPENED_CONNECTIONS"))).toBe(1);
    expect(total(series("TCP_CLOSED_CONNECTIONS"))).toBe(1);
    expect(total(series("TCP_RECEIVED_BYTES"))).toBe(11);
    expect(total(series("TCP_SENT_BYTES"))).toBe(102);
  });

  it("of which only the end is reported are opened with it, if the report says that it is the first", () => {
    const { count, series } = counting();
    count(ofConnection("close", 1, 2, { isFirst: true }), ofConnection("close", 1, 2, { isFirst: false }));
    expect(total(series("TCP_OPENED_CONNECTIONS"))).toBe(1);
    expect(total(series("TCP_CLOSED_CONNECTIONS"))).toBe(2);
  });

  it("that open before it is known who calls are no series yet", () => {
    const { count, series } = counting();
    count(ofConnection("open", 0, 0, { isFirst: false }));
    expect(series("TCP_OPENED_CONNECTIONS")).toEqual([]);
    expect(series("TCP_SENT_BYTES")).toEqual([]);
    expect(series("TCP_RECEIVED_BYTES")).toEqual([]);
  });
});

describe("overrides", () => {
  const overriding = (tags: MetricOverride["tagOverrides"]): MetricOverride => ({
    disabled: false,
    tagOverrides: tags,
  });

  it("disable one metric and no other", () => {
    const { count, series } = counting({ REQUEST_COUNT: { ...untouched, disabled: true } });
    count(aServed());
    expect(series("REQUEST_COUNT")).toEqual([]);
    expect(total(series("REQUEST_DURATION"))).toBe(12.5);
  });

  it("take labels away, and what differed by them is one series", () => {
    const removed = overriding(new Map([["response_code", { remove: true }]]));
    const { count, series } = counting({ REQUEST_COUNT: removed });
    count(aServed(), aServed({ response: answered(503) }));
    expect(series("REQUEST_COUNT")).toHaveLength(1);
    expect(series("REQUEST_COUNT")[0]?.value).toBe(2);
    expect(Object.keys(series("REQUEST_COUNT")[0]?.labels ?? {})).not.toContain("response_code");
    expect(series("REQUEST_DURATION").map(({ labels }) => labels["response_code"])).toEqual(["200", "503"]);
  });

  it("give labels other values, and add labels", () => {
    const given = overriding(
      new Map([
        [
          "response_code",
          { value: (report: Report) => `${Math.floor((report.response?.code ?? 0) / 100)}xx` },
        ],
        ["tenant", { value: () => "acme" }],
        ["source_principal", { remove: true }],
      ]),
    );
    const { count, series } = counting({ REQUEST_COUNT: given });
    count(aServed());
    expect(series("REQUEST_COUNT")).toMatchObject([
      { value: 1, labels: { response_code: "2xx", tenant: "acme" } },
    ]);
    expect(Object.keys(series("REQUEST_COUNT")[0]?.labels ?? {})).not.toContain("source_principal");
  });

  it("of histograms too", () => {
    const given = overriding(new Map([["tenant", { value: () => "acme" }]]));
    const { count, series } = counting({ REQUEST_SIZE: given });
    count(aServed());
    expect(series("REQUEST_SIZE")).toMatchObject([{ value: 70, labels: { tenant: "acme" } }]);
  });

  it("say unknown where an expression fails", () => {
    const fails = (): string => {
      throw new Error("no such key");
    };
    const { count, series } = counting({
      REQUEST_COUNT: overriding(new Map([["tenant", { value: fails }]])),
    });
    count(aServed());
    expect(series("REQUEST_COUNT")[0]?.labels["tenant"]).toBe("unknown");
  });

  it("of a label that the metric has not, but another of Istio's has, do nothing", () => {
    const given = overriding(new Map([["response_code", { value: () => "1" }]]));
    const { count, series } = counting({ TCP_SENT_BYTES: given });
    count(ofConnection("close", 1, 2));
    expect(series("TCP_SENT_BYTES")[0]?.labels["response_code"]).toBeUndefined();
  });

  it("of one workload leave another's labels as they are, under the same name", () => {
    const store = createSeriesStore({ now: () => 0 });
    const plain = counting({}, {}, store);
    const adding = counting(
      { REQUEST_COUNT: overriding(new Map([["tenant", { value: () => "acme" }]])) },
      {},
      store,
    );
    plain.count(aServed());
    adding.count(aServed());
    plain.count(aServed());
    expect(plain.series("REQUEST_COUNT").map(({ labels, value }) => [labels["tenant"], value])).toEqual([
      [undefined, 2],
      ["acme", 1],
    ]);
  });
});

describe("a new configuration", () => {
  it("goes on counting where the old one was", () => {
    const store = createSeriesStore({ now: () => 0 });
    counting({}, {}, store).count(aServed());
    store.retain(istioMetricNames);
    const { count, series } = counting({}, { maxValues: 5 }, store);
    count(aServed());
    expect(series("REQUEST_COUNT").map(({ value }) => value)).toEqual([2]);
  });

  it("that had no standard metrics in between begins anew", () => {
    const store = createSeriesStore({ now: () => 0 });
    counting({}, {}, store).count(aServed());
    store.retain(new Set());
    const { count, series } = counting({}, {}, store);
    count(aServed());
    expect(series("REQUEST_COUNT").map(({ value }) => value)).toEqual([1]);
  });

  it("can have one metric alone", () => {
    const store = createSeriesStore({ now: () => 0 });
    const record = createIstioMetrics(store).compile("REQUEST_COUNT", untouched);
    record(aServed());
    expect(
      counting({}, {}, store)
        .series("REQUEST_COUNT")
        .map(({ value }) => value),
    ).toEqual([1]);
  });
});

describe("expiry", () => {
  it("ends a series and finds it again, whatever is remembered of its labels", () => {
    let now = 0;
    const { count, series, store } = counting({}, { expiryMs: 1000 }, createSeriesStore({ now: () => now }));
    count(aServed());
    now = 2000;
    store.values();
    expect(store.size()).toBe(0);
    count(aServed());
    expect(series("REQUEST_COUNT").map(({ value }) => value)).toEqual([2]);
  });
});

describe("the same report twice in other hands", () => {
  it("is counted under the labels of each report, never of the one before", () => {
    const reports: readonly Report[] = [
      aServed(),
      aCalled(),
      aServed({ response: answered(503), flags: "UF,URX" }),
      aServed({ source: reviews, destination: productpage }),
      aServed({ source: undefined }),
      aServed({ service: { name: "a", namespace: "b", host: "c" } }),
      aServed({ service: { name: "ab", namespace: "", host: "c" } }),
      aServed({ tls: undefined }),
      ofConnection("close", 1, 1),
    ];
    const order = fc.array(fc.nat(reports.length - 1), { maxLength: 40 });
    fc.assert(
      fc.property(order, (indexes) => {
        const mixed = counting();
        for (const index of indexes) mixed.count(reports[index] ?? aServed());
        const expected = indexes.flatMap((index) => {
          const alone = counting();
          alone.count(reports[index] ?? aServed());
          return [...alone.series("REQUEST_COUNT"), ...alone.series("TCP_CLOSED_CONNECTIONS")];
        });
        const counts = new Map<string, number>();
        for (const { labels } of expected) {
          const key = JSON.stringify(labels);
          counts.set(key, (counts.get(key) ?? 0) + 1);
        }
        const found = [...mixed.series("REQUEST_COUNT"), ...mixed.series("TCP_CLOSED_CONNECTIONS")];
        expect(new Map(found.map(({ labels, value }) => [JSON.stringify(labels), value]))).toEqual(counts);
      }),
      { numRuns: 30 },
    );
  });
});

describe("an attack on cardinality", () => {
  it("of 100,000 hosts, principals, flags, codes and parties holds no more series than the bounds, and loses no request", () => {
    const bounds = { maxValues: 50, maxSeries: 300, maxHistogramSeries: 100 };
    const { count, series, store } = counting({}, bounds);
    const metrics: StandardMetric[] = ["REQUEST_COUNT", "REQUEST_DURATION", "REQUEST_SIZE", "RESPONSE_SIZE"];
    const base = aServed();
    for (let i = 0; i < 100_000; i++) {
      const host = `host-${i}.example.com`;
      count({
        ...base,
        attributes: base.attributes,
        source: i % 3 === 0 ? { ...productpage, canonicalService: `svc-${i}` } : productpage,
        service: { name: host, namespace: `ns-${i}`, host },
        tls: { version: "", peerPrincipal: principalOf(`sa-${i}`), localPrincipal: principalOf("reviews") },
        flags: `F${i}`,
        response: { ...(base.response as NonNullable<Report["response"]>), code: i % 1200, grpcStatus: i },
      });
    }
    expect(total(series("REQUEST_COUNT"))).toBe(100_000);
    expect(series("REQUEST_COUNT").length).toBeLessThanOrEqual(301);
    for (const metric of metrics.slice(1)) expect(series(metric).length).toBeLessThanOrEqual(101);
    for (const label of Object.keys(series("REQUEST_COUNT")[0]?.labels ?? {})) {
      const values = new Set(series("REQUEST_COUNT").map(({ labels }) => labels[label]));
      expect(values.size).toBeLessThanOrEqual(202);
    }
    expect(store.size()).toBeLessThanOrEqual(301 + 3 * 101);
    count({ ...base, source: bookinfo("late") });
    expect(total(series("REQUEST_COUNT"))).toBe(100_001);
  }, 120_000);
});
