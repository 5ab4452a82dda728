import { describe, expect, it } from "vitest";
import { createMetrics, type Metrics, renderMetrics } from "../../../src/telemetry/index.js";
import { aRequest } from "../../support/request.js";
import { aReport, noCheck } from "../traces/reports.js";

/** The lines of metrics whose names begin so, without zeros. */
async function linesOf(metrics: Metrics, prefix: string): Promise<string[]> {
  const text = await renderMetrics([await metrics.values()]);
  return text.split("\n").filter((line) => line.startsWith(prefix) && !line.endsWith(" 0"));
}

describe("metrics of what proxies report", () => {
  it("count entries by protocol and event, and outcomes of what is over", async () => {
    const metrics = createMetrics({ processMetrics: false });
    const attributes = aRequest().tcp().build();
    metrics.reported(aReport({ check: { ...noCheck, outcome: "timeout" } }));
    metrics.reported(aReport({ attributes, event: "open", check: { ...noCheck, outcome: "allowed" } }));
    metrics.reported(aReport({ attributes, event: "continue", check: { ...noCheck, outcome: "allowed" } }));
    metrics.reported(aReport({ attributes, check: { ...noCheck, outcome: "allowed" } }));
    expect(await linesOf(metrics, "gatehouse_log_entries_total")).toEqual([
      'gatehouse_log_entries_total{protocol="http",event="close"} 1',
      'gatehouse_log_entries_total{protocol="tcp",event="open"} 1',
      'gatehouse_log_entries_total{protocol="tcp",event="continue"} 1',
      'gatehouse_log_entries_total{protocol="tcp",event="close"} 1',
    ]);
    expect(await linesOf(metrics, "gatehouse_check_outcomes_total")).toEqual([
      'gatehouse_check_outcomes_total{outcome="allowed"} 1',
      'gatehouse_check_outcomes_total{outcome="timeout"} 1',
    ]);
  });

  it("show every outcome and every reason of a loss from the start", async () => {
    const text = await renderMetrics([await createMetrics({ processMetrics: false }).values()]);
    expect(text).toContain('gatehouse_check_outcomes_total{outcome="denied_but_served"} 0');
    expect(text).toContain('gatehouse_log_entries_dropped_total{reason="queue_full"} 0');
    expect(text).toContain("gatehouse_denied_but_served_total 0");
  });

  it("count what was refused and served apart, and the proxies' own times", async () => {
    const metrics = createMetrics({ processMetrics: false });
    metrics.reported(aReport({ check: { ...noCheck, outcome: "denied_but_served", latencyMs: 0.4 } }));
    expect(await linesOf(metrics, "gatehouse_denied_but_served_total")).toEqual([
      "gatehouse_denied_but_served_total 1",
    ]);
    const latencies = await linesOf(metrics, "gatehouse_check_latency_at_proxy_seconds");
    expect(latencies[0]).toBe('gatehouse_check_latency_at_proxy_seconds_bucket{le="0.0005"} 1');
    expect(latencies).toContain("gatehouse_check_latency_at_proxy_seconds_count 1");
  });

  it("say what is lost and what waits", async () => {
    const metrics = createMetrics({ processMetrics: false });
    metrics.logEntriesDropped("queue_full", 100);
    metrics.logEntriesQueued(7);
    metrics.logStreamsChanged(2);
    metrics.logStreamsChanged(-1);
    expect(await linesOf(metrics, "gatehouse_log_entries_dropped")).toEqual([
      'gatehouse_log_entries_dropped_total{reason="queue_full"} 100',
    ]);
    expect(await linesOf(metrics, "gatehouse_log_queue_entries")).toEqual(["gatehouse_log_queue_entries 7"]);
    expect(await linesOf(metrics, "gatehouse_log_streams")).toEqual(["gatehouse_log_streams 1"]);
  });
});

describe("metrics of sinks and expressions", () => {
  it("count what became of lines by sink", async () => {
    const { sinks, ...metrics } = createMetrics({ processMetrics: false });
    sinks.queued("audit", 3);
    sinks.delivered("audit", 2);
    sinks.dropped("audit", "retries", 4);
    sinks.retried("audit");
    expect(await linesOf({ sinks, ...metrics }, "gatehouse_sink")).toEqual([
      'gatehouse_sink_delivered_total{sink="audit"} 2',
      'gatehouse_sink_dropped_total{sink="audit",reason="retries"} 4',
      'gatehouse_sink_queue_entries{sink="audit"} 3',
      'gatehouse_sink_retries_total{sink="audit"} 1',
    ]);
  });

  it("have bounds, also for names that nobody knows", async () => {
    const metrics = createMetrics({ processMetrics: false });
    for (let i = 0; i < 200; i++) metrics.sinks.dropped(`sink-${i}`, "unknown_sink", 1);
    for (let i = 0; i < 2000; i++) metrics.expressions.expressionFailed(`Metric a/m${i}`, "value");
    const sinks = await linesOf(metrics, "gatehouse_sink_dropped_total");
    expect(sinks).toHaveLength(101);
    expect(sinks).toContain('gatehouse_sink_dropped_total{sink="other",reason="unknown_sink"} 100');
    const resources = await linesOf(metrics, "gatehouse_expression_failures_total");
    expect(resources).toHaveLength(1001);
    expect(resources).toContain('gatehouse_expression_failures_total{resource="other",use="value"} 1000');
  });

  it("count expressions by resource and use", async () => {
    const metrics = createMetrics({ processMetrics: false });
    metrics.expressions.expressionFailed("Telemetry shop/t", "filter");
    metrics.expressions.valueRefused("Metric shop/m");
    metrics.expressions.ruleFailed("audit", "drop");
    expect(await linesOf(metrics, "gatehouse_expression_failures_total")).toEqual([
      'gatehouse_expression_failures_total{resource="Telemetry shop/t",use="filter"} 1',
      'gatehouse_expression_failures_total{resource="Metric shop/m",use="refused"} 1',
      'gatehouse_expression_failures_total{resource="Mesh audit",use="drop"} 1',
    ]);
  });
});
