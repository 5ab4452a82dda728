import { describe, expect, it } from "vitest";
import type { ReportPlansInput } from "../../../src/report/plans.js";
import { aBench, aMetric, aReport, aReporter, aTelemetry, stranger } from "./metric-kit.js";

const root = "istio-system";
const requests = /^istio_requests_total$/;

/** Metrics of a Telemetry with this one override. */
const override = (one: unknown, providers?: readonly string[]) => ({
  metrics: [{ overrides: [one], ...(providers && { providers: providers.map((name) => ({ name })) }) }],
});

/** What the plan of a workload says, small enough to compare. */
function logs(input: Partial<ReportPlansInput>, reporter = aReporter()): string[] {
  return aBench(input)
    .plans(reporter)
    .accessLogs.map(({ provider, mode, filter }) =>
      [provider, mode, ...(filter ? [filter.source] : [])].join(" "),
    );
}

const defaultLog = { defaultProviders: { metrics: undefined, accessLogging: ["log"], tracing: [] } };
const log = (...rules: unknown[]) => ({ accessLogging: rules });
const to = (...names: string[]) => ({ providers: names.map((name) => ({ name })) });

describe("standard metrics", () => {
  const families = (input: Partial<ReportPlansInput>, changes = {}): string[] => {
    const bench = aBench(input);
    bench.count(aReport(changes));
    const names = bench.lines(/^istio_/).map((line) => line.slice(0, line.indexOf("{")));
    return [...new Set(names)];
  };
  const http = [
    "istio_request_bytes",
    "istio_request_duration_milliseconds",
    "istio_requests_total",
    "istio_response_bytes",
  ];

  it("are counted where nobody says anything, also for a proxy that is not known", () => {
    expect(families({})).toEqual(http);
    expect(families({}, { reporter: stranger })).toEqual(http);
  });

  it("are not counted where only other providers are asked for", () => {
    const none = { metrics: [], accessLogging: [], tracing: [] };
    expect(families({ defaultProviders: none })).toEqual([]);
    const elsewhere = aTelemetry({ metrics: [to("elsewhere")] });
    expect(families({ telemetries: [elsewhere] })).toEqual([]);
    expect(families({ telemetries: [aTelemetry({ metrics: [to("nobody")] })] })).toEqual([]);
    expect(families({ telemetries: [elsewhere] }, { reporter: aReporter({ namespace: "bar" }) })).toEqual(
      http,
    );
  });

  it("are counted once where several providers of Prometheus are asked for", () => {
    const bench = aBench({ telemetries: [aTelemetry({ metrics: [to("prometheus", "prom2")] })] });
    bench.count(aReport());
    expect(bench.lines(requests)).toEqual([expect.stringMatching(/ 1$/)]);
  });

  it.each([
    [
      "one metric",
      { match: { metric: "REQUEST_COUNT" }, disabled: true },
      http.filter((n) => !requests.test(n)),
    ],
    ["all metrics", { match: { metric: "ALL_METRICS" }, disabled: true }, []],
    ["all metrics, without match", { disabled: true }, []],
    ["all metrics of the client", { match: { mode: "CLIENT" }, disabled: true }, http],
    ["all metrics of the server", { match: { mode: "SERVER" }, disabled: true }, []],
    [
      "one by its name in Prometheus",
      { match: { customMetric: "istio_request_bytes" }, disabled: true },
      http.slice(1),
    ],
  ])("can be disabled: %s", (_, one, expected) => {
    expect(families({ telemetries: [aTelemetry(override(one))] })).toEqual(expected);
  });

  it.each([
    ["a later level enables one", { match: { metric: "REQUEST_COUNT" }, disabled: false }, http],
    ["a later level changes a label", { tagOverrides: { a: { value: "'x'" } } }, http],
    ["a later level is about the other side", { match: { mode: "CLIENT" }, disabled: false }, []],
    ["a later level says nothing", undefined, []],
  ])("that were all disabled, when %s", (_, one, expected) => {
    const telemetries = [
      aTelemetry(override({ disabled: true }), "mesh", root),
      aTelemetry(one === undefined ? { metrics: [{}] } : override(one)),
    ];
    expect(families({ telemetries })).toEqual(expected);
  });

  it("stay disabled one by one until they are enabled", () => {
    const off = { match: { metric: "REQUEST_COUNT" }, disabled: true };
    const mesh = aTelemetry(override(off), "mesh", root);
    expect(families({ telemetries: [mesh, aTelemetry({ metrics: [{}] })] })).not.toContain(
      "istio_requests_total",
    );
    const on = aTelemetry(override({ match: { metric: "REQUEST_COUNT" }, disabled: false }));
    expect(families({ telemetries: [mesh, on] })).toEqual(http);
  });

  it("lose and get labels", () => {
    const telemetry = aTelemetry(
      override({
        match: { metric: "REQUEST_COUNT" },
        tagOverrides: {
          request_method: { value: "request.method" },
          tenant: { value: "custom_tags['tenant']" },
          none: { value: "request.headers['x-none']" },
          response_code: { value: "response.code >= 400 ? 'bad' : 'good'" },
          response_flags: { operation: "REMOVE" },
        },
      }),
    );
    const bench = aBench({ telemetries: [telemetry] });
    bench.count(aReport(), aReport());
    const [line = ""] = bench.lines(requests);
    expect(line).toMatch(/ 2$/);
    for (const label of ['request_method="GET"', 'tenant="acme"', 'none="unknown"', 'response_code="good"'])
      expect(line).toContain(label);
    expect(line).not.toContain("response_flags");
    expect(bench.lines(/^istio_request_bytes$/)[0]).toContain("response_flags");
    expect(bench.told).toEqual([]);
  });

  it("have of each label what the innermost level says", () => {
    const label = (value: string) =>
      override({ tagOverrides: { a: { value }, [value.slice(1, 2)]: { value } } });
    const selector = { matchLabels: { app: "httpbin" } };
    const telemetries = [
      aTelemetry({ selector, ...label("'workload'") }, "a"),
      aTelemetry(label("'mesh'"), "z", root),
      aTelemetry(label("'namespace'"), "b"),
      aTelemetry({ selector, ...label("'elsewhere'") }, "c", "bar"),
      aTelemetry({ selector, ...label("'xroot'") }, "c", root),
    ];
    const bench = aBench({ telemetries });
    bench.count(aReport());
    const [line = ""] = bench.lines(requests);
    expect(line).toContain('a="workload"');
    expect(line).toContain('m="mesh"');
    expect(line).toContain('n="namespace"');
    expect(line).not.toMatch(/elsewhere|xroot/);
  });

  it("are as the first Telemetry of a namespace by name says, and as all that select a workload say", () => {
    const label = (name: string) => override({ tagOverrides: { [name]: { value: "'1'" } } });
    const selector = { matchLabels: { app: "httpbin" } };
    const telemetries = [
      aTelemetry(label("second"), "b"),
      aTelemetry(label("first"), "a"),
      aTelemetry({ selector, ...label("one") }, "d"),
      aTelemetry({ selector, ...label("two") }, "c"),
      aTelemetry({ selector: { matchLabels: { app: "other" } }, ...label("three") }, "e"),
    ];
    const bench = aBench({ telemetries });
    bench.count(aReport());
    const [line = ""] = bench.lines(requests);
    expect(["first", "second", "one", "two", "three"].filter((name) => line.includes(`${name}="1"`))).toEqual(
      ["first", "one", "two"],
    );
  });

  it("of gateways and waypoints are as their targetRefs say", () => {
    const ref = (kind: string, name: string, group = "gateway.networking.k8s.io") => ({
      targetRefs: [{ kind, name, group }],
      ...override({ disabled: true }),
    });
    const labels = new Map([["gateway.networking.k8s.io/gateway-name", "gw"]]);
    const gateway = aReporter({ type: "gateway", labels });
    const services = [{ name: "reviews", namespace: "shop", host: "" }];
    const waypoint = aReporter({ type: "waypoint", labels, services });
    const isOff = (telemetry: ReturnType<typeof aTelemetry>, reporter: typeof gateway): boolean =>
      families({ telemetries: [telemetry] }, { reporter }).length === 0;
    expect(isOff(aTelemetry(ref("Gateway", "gw")), gateway)).toBe(true);
    expect(isOff(aTelemetry(ref("Gateway", "other")), gateway)).toBe(false);
    expect(isOff(aTelemetry(ref("Gateway", "gw")), aReporter())).toBe(false);
    expect(isOff(aTelemetry(ref("GatewayClass", "istio-waypoint"), "t", root), waypoint)).toBe(true);
    expect(isOff(aTelemetry(ref("Service", "reviews", ""), "t", "shop"), waypoint)).toBe(true);
    expect(isOff(aTelemetry(override({ disabled: true }), "t", "shop"), waypoint)).toBe(true);
    expect(isOff(aTelemetry(override({ disabled: true }), "t", "shop"), gateway)).toBe(false);
  });

  it("do not touch Metrics, which a Telemetry disables by name", () => {
    const metrics = [aMetric({ name: "m_total" })];
    const counted = (one: unknown): number => {
      const bench = aBench({ metrics, telemetries: [aTelemetry(override(one))] });
      bench.count(aReport());
      return bench.lines(/^m_/).length;
    };
    expect(counted({ disabled: true })).toBe(1);
    expect(counted({ match: { customMetric: "m_total" }, disabled: true })).toBe(0);
    expect(counted({ match: { customMetric: "m_total", mode: "CLIENT" }, disabled: true })).toBe(1);
  });
});

describe("access logs", () => {
  const errors = { filter: { expression: "response.code >= 400" } };

  it.each([
    ["nothing is said", [], []],
    ["a Telemetry names a provider", [log(to("log"))], ["log both"]],
    ["in another case", [log(to("LOG"))], ["log both"]],
    ["it is for one side", [log({ ...to("log"), match: { mode: "CLIENT" } })], ["log client"]],
    [
      "sides differ",
      [
        log(
          { ...to("log"), match: { mode: "CLIENT" }, ...errors },
          { ...to("log"), match: { mode: "SERVER" } },
        ),
      ],
      ["log client response.code >= 400", "log server"],
    ],
    ["nobody knows the provider", [log(to("nobody"))], []],
    ["it has a filter", [log({ ...to("log"), ...errors })], ["log both response.code >= 400"]],
    ["it is disabled", [log({ ...to("log"), disabled: true })], []],
    ["it is enabled again", [log({ ...to("log"), disabled: true }), log(to("log"))], ["log both"]],
    ["a later rule disables it", [log(to("log"), { disabled: true })], []],
    ["a level names others", [log(to("log")), log(to("other-log"))], ["other-log both"]],
    [
      "a level has several rules",
      [log(to("log"), { ...to("other-log"), ...errors })],
      ["log both", "other-log both response.code >= 400"],
    ],
    ["the last filter holds", [log({ ...to("log"), ...errors }), log(to("log"))], ["log both"]],
    ["the filter stands at an inner level", [log(to("log")), log(errors)], ["log both response.code >= 400"]],
  ])("when %s", (_, levels, expected) => {
    const telemetries = levels.map((spec, i) =>
      aTelemetry(spec, "t", i === 0 && levels.length > 1 ? root : "foo"),
    );
    expect(logs({ telemetries })).toEqual(expected);
  });

  it.each([
    ["no Telemetry says anything", {}, ["log both"]],
    ["one names no provider", log({ ...errors }), ["log both response.code >= 400"]],
    ["one disables them", log({ disabled: true }), []],
    ["one disables them on one side", log({ disabled: true, match: { mode: "SERVER" } }), []],
    ["one names another", log(to("other-log")), ["other-log both"]],
  ])("of a default provider, when %s", (_, spec, expected) => {
    expect(logs({ ...defaultLog, telemetries: [aTelemetry(spec)] })).toEqual(expected);
  });

  it("do not take a report that the filter cannot be asked about, and say so", () => {
    const bench = aBench({ telemetries: [aTelemetry(log({ ...to("log"), ...errors }))] });
    const filter = bench.plans(aReporter()).accessLogs[0]?.filter;
    const ask = (response = aReport().response): boolean | undefined => {
      const report = aReport({ response });
      return filter?.evaluate({ attributes: report.attributes, workload: undefined, report });
    };
    const { response } = aReport();
    expect(ask()).toBe(false);
    expect(bench.told).toEqual([]);
    expect(response && ask({ ...response, code: 404 })).toBe(true);
    const report = aReport({ response: undefined });
    expect(filter?.evaluate({ attributes: report.attributes, workload: undefined, report })).toBe(false);
    expect(bench.told).toEqual(["Telemetry foo/t filter"]);
  });
});

describe("tracing", () => {
  const defaults = {
    defaultProviders: { metrics: undefined, accessLogging: [], tracing: ["jaeger", "zipkin"] },
  };
  const tracing = (...specs: unknown[]) =>
    aBench({
      ...defaults,
      telemetries: specs.map((one, i) => aTelemetry({ tracing: [one] }, "t", i === 0 ? root : "foo")),
    }).plans(aReporter()).tracing;

  it("is off without a provider that traces", () => {
    const off = { providers: [], samplingPercent: 1, disabled: true, tags: [], istioTags: true };
    expect(aBench().plans(aReporter()).tracing).toEqual({ client: off, server: off });
    expect(tracing(to("nobody")).server).toEqual(off);
    expect(tracing(to("log")).server).toEqual(off);
  });

  it("goes to the first default provider", () => {
    const on = { providers: ["jaeger"], samplingPercent: 1, disabled: false, tags: [], istioTags: true };
    expect(aBench(defaults).plans(aReporter()).tracing).toEqual({ client: on, server: on });
  });

  it("takes each field from the innermost level that has it", () => {
    const mesh = {
      ...to("zipkin"),
      randomSamplingPercentage: 50,
      customTags: { a: { literal: { value: "1" } }, b: { literal: { value: "2" } } },
      enableIstioTags: false,
    };
    expect(tracing(mesh, { disableSpanReporting: true }).client).toEqual({
      providers: ["zipkin"],
      samplingPercent: 50,
      disabled: true,
      istioTags: false,
      tags: [
        { name: "a", literal: "1" },
        { name: "b", literal: "2" },
      ],
    });
    const inner = {
      randomSamplingPercentage: 0,
      customTags: { c: { header: { name: "x-c", defaultValue: "d" } } },
    };
    expect(tracing(mesh, inner).server).toMatchObject({
      samplingPercent: 0,
      tags: [{ name: "c", header: "x-c", fallback: "d" }],
    });
    expect(tracing({ disableSpanReporting: true }, { disableSpanReporting: false }).server.disabled).toBe(
      false,
    );
  });

  it("may be for one side", () => {
    const { client, server } = tracing({ match: { mode: "CLIENT" }, randomSamplingPercentage: 7 });
    expect([client.samplingPercent, server.samplingPercent]).toEqual([7, 1]);
  });

  it("has tags of the environment at load", () => {
    const customTags = {
      zone: { environment: { name: "ZONE", defaultValue: "z" } },
      region: { environment: { name: "REGION", defaultValue: "r" } },
      none: { environment: { name: "NONE" } },
    };
    const bench = aBench(
      { ...defaults, telemetries: [aTelemetry({ tracing: [{ customTags }] })] },
      { ZONE: "b" },
    );
    expect(bench.plans(aReporter()).tracing.client.tags).toEqual([
      { name: "zone", literal: "b" },
      { name: "region", literal: "r" },
    ]);
  });
});

describe("plans", () => {
  it("are the same for proxies with the same documents", () => {
    const bench = aBench({ telemetries: [aTelemetry({ selector: { matchLabels: { app: "x" } } })] });
    const reporter = aReporter();
    expect(bench.plans(reporter)).toBe(bench.plans(reporter));
    expect(bench.plans(aReporter())).toBe(bench.plans(reporter));
    expect(bench.plans(aReporter({ namespace: "bar" }))).toBe(bench.plans(stranger));
    expect(bench.plans(aReporter({ labels: new Map([["app", "x"]]) }))).not.toBe(bench.plans(reporter));
  });

  it("name every family that is in force", () => {
    const { names } = aBench({ metrics: [aMetric({ name: "m_total" })] });
    expect([...names].filter((name) => !name.startsWith("istio_"))).toEqual(["m_total"]);
    expect(names.size).toBe(11);
  });
});
