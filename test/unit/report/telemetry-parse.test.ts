import { describe, expect, it } from "vitest";
import {
  parseTelemetry,
  providersNamed,
  type Telemetry,
  unusedTelemetries,
} from "../../../src/report/index.js";
import { aTelemetry, aTelemetryDocument, said } from "./metric-kit.js";

const parse = (spec: unknown) => parseTelemetry(aTelemetryDocument(spec));
const saidOf = (spec: unknown): string[] => said(parse(spec));
const messages = (spec: unknown): string[] => parse(spec).findings.map(({ message }) => message);
const tags = (tagOverrides: unknown) => ({ metrics: [{ overrides: [{ tagOverrides }] }] });
const tracing = (one: unknown) => ({ tracing: [one] });

describe("a Telemetry", () => {
  it("may be empty", () => {
    expect(aTelemetry({})).toEqual({
      namespace: "foo",
      name: "t",
      selector: undefined,
      targetRefs: [],
      metrics: [],
      accessLogging: [],
      tracing: [],
    } satisfies Telemetry);
    expect(said(parse(undefined))).toEqual([]);
    expect(saidOf([])).toEqual(["GH0102 spec"]);
  });

  it("has all that Istio's reference says", () => {
    const parsed = parse({
      selector: { matchLabels: { app: "httpbin" } },
      metrics: [
        {
          providers: [{ name: "Prometheus" }],
          overrides: [
            { match: { metric: "REQUEST_COUNT", mode: "SERVER" }, disabled: false },
            {
              match: { customMetric: "requests_total" },
              tagOverrides: {
                request_host: { value: "request.host" },
                response_code: { operation: "REMOVE" },
              },
            },
            { match: { customMetric: "my_total", mode: "CLIENT" }, disabled: true },
            { disabled: true },
          ],
        },
      ],
      accessLogging: [
        {
          match: { mode: "CLIENT" },
          providers: [{ name: "envoy" }],
          disabled: false,
          filter: { expression: "response.code >= 400" },
        },
      ],
      tracing: [
        {
          match: { mode: "SERVER" },
          providers: [{ name: "zipkin" }],
          randomSamplingPercentage: 12.5,
          disableSpanReporting: false,
          customTags: {
            a: { literal: { value: "x" } },
            b: { environment: { name: "ZONE", defaultValue: "z" } },
            c: { header: { name: "X-Tenant" } },
            d: { formatter: { value: "%RESPONSE_CODE%" } },
          },
          enableIstioTags: false,
        },
      ],
    });
    expect(parsed.findings).toEqual([]);
    const { spec } = parsed;
    expect(spec?.selector).toEqual([["app", "httpbin"]]);
    expect(spec?.metrics[0]?.providers).toEqual(["prometheus"]);
    const [count, renamed, custom, all] = spec?.metrics[0]?.overrides ?? [];
    expect(count).toEqual({
      metrics: ["REQUEST_COUNT"],
      custom: undefined,
      mode: "SERVER",
      disabled: false,
      labels: [],
    });
    expect(renamed).toMatchObject({
      metrics: ["REQUEST_COUNT"],
      labels: [
        ["request_host", { value: "request.host" }],
        ["response_code", { remove: true }],
      ],
    });
    expect(custom).toMatchObject({ metrics: [], custom: "my_total", mode: "CLIENT", disabled: true });
    expect(all?.metrics).toHaveLength(10);
    expect(spec?.accessLogging).toEqual([
      { mode: "CLIENT", providers: ["envoy"], disabled: false, filter: "response.code >= 400" },
    ]);
    expect(spec?.tracing).toEqual([
      {
        mode: "SERVER",
        providers: ["zipkin"],
        samplingPercent: 12.5,
        disabled: false,
        istioTags: false,
        tags: [
          { name: "a", literal: "x" },
          { name: "b", environment: "ZONE", fallback: "z" },
          { name: "c", header: "x-tenant", fallback: "" },
          { name: "d", format: "%RESPONSE_CODE%" },
        ],
      },
    ]);
  });

  it.each([
    [
      { selector: { matchLabels: { a: "b" } }, targetRefs: [{ kind: "Service", name: "x" }] },
      "GH0201 spec.targetRefs",
    ],
    [{ metrix: [] }, "GH0101 spec.metrix"],
    [{ metrics: {} }, "GH0102 spec.metrics"],
    [{ metrics: [null] }, "GH0102 spec.metrics.0"],
    [{ metrics: [{ providers: [{}] }] }, "GH0105 spec.metrics.0.providers.0.name"],
    [{ metrics: [{ overrides: [null] }] }, "GH0102 spec.metrics.0.overrides.0"],
    [
      { metrics: [{ overrides: [{ match: { metric: "X" } }] }] },
      "GH0103 spec.metrics.0.overrides.0.match.metric",
    ],
    [
      { metrics: [{ overrides: [{ match: { mode: "BOTH" } }] }] },
      "GH0103 spec.metrics.0.overrides.0.match.mode",
    ],
    [
      { metrics: [{ overrides: [{ match: { metric: "REQUEST_COUNT", customMetric: "a" } }] }] },
      "GH0201 spec.metrics.0.overrides.0.match.customMetric",
    ],
    [
      { metrics: [{ overrides: [{ match: { customMetric: "" } }] }] },
      "GH0105 spec.metrics.0.overrides.0.match.customMetric",
    ],
    [tags({ a: null }), "GH0102 spec.metrics.0.overrides.0.tagOverrides.a"],
    [tags({ a: {} }), "GH0105 spec.metrics.0.overrides.0.tagOverrides.a.value"],
    [
      tags({ a: { operation: "REMOVE", value: "'x'" } }),
      "GH0201 spec.metrics.0.overrides.0.tagOverrides.a.value",
    ],
    [tags({ a: { value: "request.hots" } }), "GH0701 spec.metrics.0.overrides.0.tagOverrides.a.value"],
    [tags({ a: { value: "request.headers" } }), "GH0701 spec.metrics.0.overrides.0.tagOverrides.a.value"],
    [tags({ le: { value: "'x'" } }), "GH0107 spec.metrics.0.overrides.0.tagOverrides.le"],
    [tags({ "a.b": { value: "'x'" } }), "GH0107 spec.metrics.0.overrides.0.tagOverrides.a.b"],
    [tags({ a: { value: "request.path" } }), "GH0907 spec.metrics.0.overrides.0.tagOverrides.a.value"],
    [{ metrics: [{ reportingInterval: "10s" }] }, "GH0903 spec.metrics.0.reportingInterval"],
    [
      {
        metrics: [
          { overrides: [{ match: { customMetric: "a" }, tagOverrides: { a: { operation: "REMOVE" } } }] },
        ],
      },
      "GH0903 spec.metrics.0.overrides.0.tagOverrides",
    ],
    [{ accessLogging: [{ filter: {} }] }, "GH0105 spec.accessLogging.0.filter.expression"],
    [
      { accessLogging: [{ filter: { expression: "response.code" } }] },
      "GH0701 spec.accessLogging.0.filter.expression",
    ],
    [tracing({ randomSamplingPercentage: 100.1 }), "GH0108 spec.tracing.0.randomSamplingPercentage"],
    [tracing({ randomSamplingPercentage: -1 }), "GH0108 spec.tracing.0.randomSamplingPercentage"],
    [tracing({ randomSamplingPercentage: "much" }), "GH0102 spec.tracing.0.randomSamplingPercentage"],
    [tracing({ customTags: { a: {} } }), "GH0104 spec.tracing.0.customTags.a"],
    [tracing({ customTags: { "": { literal: { value: "x" } } } }), "GH0105 spec.tracing.0.customTags."],
    [tracing({ customTags: { a: { literal: {} } } }), "GH0105 spec.tracing.0.customTags.a.literal.value"],
    [tracing({ customTags: { a: { header: {} } } }), "GH0105 spec.tracing.0.customTags.a.header.name"],
    [
      tracing({ customTags: { a: { environment: {} } } }),
      "GH0105 spec.tracing.0.customTags.a.environment.name",
    ],
    [
      tracing({ customTags: { a: { literal: { value: "x" }, header: { name: "x" } } } }),
      "GH0201 spec.tracing.0.customTags.a",
    ],
    [
      tracing({ customTags: { a: { header: { name: "Authorization" } } } }),
      "GH0904 spec.tracing.0.customTags.a.header.name",
    ],
    [tracing({ providers: [{ name: "a" }, { name: "b" }] }), "GH0903 spec.tracing.0.providers"],
    [tracing({ disableContextPropagation: true }), "GH0903 spec.tracing.0.disableContextPropagation"],
    [tracing({ useRequestIdForTraceSampling: false }), "GH0903 spec.tracing.0.useRequestIdForTraceSampling"],
  ])("%j is found wanting at %s", (spec, expected) => {
    expect(saidOf(spec)).toEqual([expected]);
  });

  it("says where in an expression the fault is", () => {
    const { findings } = parse({
      accessLogging: [{ filter: { expression: "true &&\n  respons.code > 1" } }],
    });
    expect(findings[0]?.place).toEqual({ file: undefined, line: 2, column: 3 });
    expect(messages(tags({ a: { value: "filter_state['a']" } }))[0]).toContain("custom_tags");
  });

  it("may show the path in a template, since that has no query", () => {
    expect(saidOf(tags({ a: { value: "pathTemplate(request.path, ['/orders/{id}', '/{**}'])" } }))).toEqual(
      [],
    );
  });

  it("names its providers with their places", () => {
    const telemetry = aTelemetry({
      metrics: [{}, { providers: [{ name: "A" }] }],
      accessLogging: [{ providers: [{ name: "b" }, { name: "c" }] }],
    });
    expect(providersNamed(telemetry)).toEqual([
      { name: "a", path: ["spec", "metrics", 1, "providers", 0, "name"] },
      { name: "b", path: ["spec", "accessLogging", 0, "providers", 0, "name"] },
      { name: "c", path: ["spec", "accessLogging", 0, "providers", 1, "name"] },
    ]);
  });

  it("counts for a whole namespace only if it is the first by name", () => {
    const all = ["b", "a", "c"].map((name) => aTelemetry({}, name));
    const other = aTelemetry({}, "z", "bar");
    const selecting = aTelemetry({ selector: { matchLabels: { app: "x" } } }, "d");
    expect(unusedTelemetries([...all, other, selecting]).map(({ name }) => name)).toEqual(["b", "c"]);
  });
});
