import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import {
  createMetrics,
  type MetricDefinition,
  type Metrics,
  metricCatalogue,
  renderMetrics,
} from "../../../src/telemetry/index.js";
import { renderMetricsPage } from "../../../tools/metrics-page.js";
import { aReport, noCheck, nothingDone } from "../traces/reports.js";

const definitions = metricCatalogue.flatMap(({ metrics }) => metrics);
const definitionOf = (name: string): MetricDefinition | undefined =>
  definitions.find((definition) => definition.name === name);

/** Something of everything. */
function recordAll(metrics: Metrics): void {
  metrics.checked({ allowed: true, code: 0, stage: "none" }, 0.1, "http");
  metrics.checked({ allowed: false, code: 7, stage: "authorize" }, 0.1, "tcp");
  metrics.checked({ allowed: false, code: 13, stage: "guard" }, 0.1);
  metrics.unknownWorkload();
  metrics.failedOpen();
  metrics.reported(aReport());
  metrics.reported(aReport({ event: "open" }));
  reportBodies(metrics);
  metrics.logEntriesDropped("queue_full", 3);
  metrics.logEntriesQueued(2);
  metrics.logStreamsChanged(1);
  metrics.sinks.queued("stdout", 1);
  metrics.sinks.dropped("stdout", "queue_full", 2);
  metrics.sinks.delivered("stdout", 3);
  metrics.sinks.retried("stdout");
  metrics.expressions.expressionFailed("Metric a/b", "match");
  metrics.expressions.valueRefused("Metric a/b");
  metrics.providerAsked("ext", "failed_open", 0.1);
  metrics.regoFailed("not_loaded");
  const refused = [{ method: "jwt", issuer: "https://a", reason: "jwt_expired" }] as const;
  const record = { method: "api_key", issuer: "shop/keys", principal: "p", refused } as const;
  metrics.authenticated(
    { refusal: undefined, auth: undefined, changes: undefined, request: {}, record } as never,
    { cacheHits: 1, cacheMisses: 1 },
  );
  metrics.introspected("a/b", "timeout");
  metrics.introspected("a/b", "cache_hit");
  metrics.keysFetched("https://a", "ok");
  metrics.keysMeasured([{ issuer: "https://a", ageSeconds: 1, keys: 1, lastSuccess: 1 }]);
  metrics.quotas.charged("a/b", "trial_allowed");
  metrics.quotas.expressionFailed("a/b", "charge_id");
  metrics.quotas.storeFailed("a/b", "local");
  metrics.countersChanged(3);
  metrics.redis.operation("charge", "ok", 1);
  metrics.rateLimits.counted(["domain", "key", "more"], "total_hits", 1);
  metrics.rateLimits.domainNotFound("x");
  metrics.rateLimited({ code: "OK", elapsedMs: 1 });
  metrics.reloaded("ok");
  metrics.configured({
    generation: 1,
    lastReloadSuccess: true,
    diagnostics: { error: 0, warning: 0 },
    resources: new Map([["Quota", 1]]),
  });
  metrics.failed("check");
  metrics.workerDied();
  metrics.workersReady(2);
  metrics.eventLoopLagged(0.1);
}

/** Of ext_proc and body policies. */
function reportBodies(metrics: Metrics): void {
  const obliged = {
    obligations: ["a/b", "a/c"],
    unmet: ["a/c"],
    body: { ...nothingDone, fulfilled: ["a/b"] },
  };
  metrics.reported(aReport({ check: { ...noCheck, outcome: "allowed", ...obliged } }));
  const refused = { policy: "a/b", reason: "sensitive_data", phase: "response" } as const;
  const changes = new Map([["a/c/cards", 2]]);
  const usage = [{ quota: "a/q", units: 3 }];
  const report = { ...nothingDone, policies: ["a/b", "a/c"], changes, refused, usage, unscanned: true };
  metrics.bodiesDone({ report, refusal: { ...refused, code: 7, direction: "response" } });
  metrics.bodiesHeld.held(7);
  metrics.bodiesHeld.refused();
  metrics.extProc.opened();
  metrics.extProc.received("request_headers");
  metrics.extProc.violated("request", "body_not_sent");
  metrics.extProc.failed("malformed");
  metrics.extProc.closed();
}

const families = /^# TYPE (\S+) (\S+)$/gm;
const sample = /^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+)$/;

async function exposition(processMetrics: boolean): Promise<string> {
  const metrics = createMetrics({ processMetrics });
  recordAll(metrics);
  const values = await metrics.values();
  return renderMetrics([structuredClone(values), structuredClone(values)]);
}

describe("the catalogue of metrics", () => {
  it("is what docs/metrics.md says (else: npm run docs)", () => {
    const page = readFileSync(new URL("../../../docs/metrics.md", import.meta.url), "utf8");
    expect(page).toBe(renderMetricsPage());
  });

  it("has all that is shown, but for the metrics of processes, and everything in it is shown", async () => {
    const shown = [...(await exposition(true)).matchAll(families)].map(([, name = "", type]) => [name, type]);
    const own = shown.filter(([name = ""]) => !/^(?:process|nodejs)_/.test(name));
    expect(own.sort()).toEqual(definitions.map(({ name, type }) => [name, type]).sort());
    expect(shown.length).toBeGreaterThan(own.length);
  });

  it("says which labels there are, and of closed sets which values", async () => {
    const text = await exposition(false);
    const wrong: string[] = [];
    for (const line of text.split("\n").filter((one) => one !== "" && !one.startsWith("#"))) {
      const [, name = "", labels = ""] = sample.exec(line) ?? [];
      const definition = definitionOf(name) ?? definitionOf(name.replace(/_(?:bucket|sum|count)$/, ""));
      const pairs = [...labels.matchAll(/([a-z0-9_]+)="((?:[^"\\]|\\.)*)"/g)].filter(
        ([, key]) => key !== "le",
      );
      const fits =
        definition !== undefined &&
        pairs.length === definition.labels.length &&
        pairs.every(([, key, value = ""]) => {
          const label = definition.labels.find((one) => one.name === key);
          return label !== undefined && (typeof label.values === "string" || label.values.includes(value));
        });
      if (!fits) wrong.push(line);
    }
    expect(wrong).toEqual([]);
  });

  it("adds up over processes", async () => {
    const text = await exposition(false);
    expect(text).toContain('gatehouse_log_entries_dropped_total{reason="queue_full"} 6');
    expect(text).toContain("gatehouse_log_streams 2");
    expect(text).toContain('gatehouse_sink_dropped_total{sink="stdout",reason="queue_full"} 4');
    expect(text).toContain("gatehouse_event_loop_lag_seconds_count 2");
  });
});

/** As `promtool check metrics` has it (client_golang's promlint), and Prometheus' own conventions. */
function lint(name: string, type: string, help: string): string[] {
  const abbreviations = ["s", "ms", "us", "ns", "sec", "b", "kb", "mb", "gb", "tb", "pb", "m", "h", "d"];
  const others =
    /_(?:milliseconds|microseconds|nanoseconds|minutes|hours|days|weeks|bits|kilobytes|megabytes|percent)(?:_|$)/;
  const problems: string[] = [];
  if (help === "") problems.push("no help");
  if (!/^[a-z][a-z0-9_]*$/.test(name)) problems.push("reserved or capital characters");
  if (type === "counter" && !name.endsWith("_total")) problems.push("a counter without _total");
  if ((type === "gauge" || type === "histogram") && name.endsWith("_total"))
    problems.push("no counter, but _total");
  if (/_(?:bucket|sum|count|info)$/.test(name)) problems.push("a reserved ending");
  if (/_(?:counter|gauge|histogram|summary|untyped)(?:_|$)/.test(name)) problems.push("the type in the name");
  if (abbreviations.some((unit) => name.endsWith(`_${unit}`) || name.includes(`_${unit}_`))) {
    problems.push("an abbreviated unit");
  }
  if (others.test(name)) problems.push("no base unit");
  return problems.map((problem) => `${name}: ${problem}`);
}

describe("the text that is shown", () => {
  it("is what promtool has no objections to", async () => {
    const text = await exposition(true);
    const helps = new Map(
      [...text.matchAll(/^# HELP (\S+) (.*)$/gm)].map(([, name = "", help = ""]) => [name, help]),
    );
    const types = [...text.matchAll(families)].map(([, name = "", type = ""]) => [name, type] as const);
    expect(new Set(types.map(([name]) => name)).size).toBe(types.length);
    expect([...text.matchAll(/^# HELP /gm)]).toHaveLength(types.length);
    const own = types.filter(([name]) => name !== "nodejs_version_info");
    expect(own.flatMap(([name, type]) => lint(name, type, helps.get(name) ?? ""))).toEqual([]);
  });

  it("has every sample once", async () => {
    const samples = (await exposition(true))
      .split("\n")
      .filter((line) => line !== "" && !line.startsWith("#"));
    const series = samples.map((line) => line.slice(0, line.lastIndexOf(" ")));
    expect(series.filter((one, i) => series.indexOf(one) !== i)).toEqual([]);
    expect(samples.filter((line) => !sample.test(line))).toEqual([]);
  });

  it("has whole buckets in each histogram", () => {
    const histograms = definitions.filter(({ type }) => type === "histogram");
    expect(histograms.length).toBeGreaterThan(4);
    for (const { name, buckets = [] } of histograms) {
      expect(name).toMatch(/_(?:seconds|bytes)$/);
      expect([...buckets].sort((a, b) => a - b)).toEqual(buckets);
      expect(buckets.length).toBeGreaterThan(4);
    }
  });
});
