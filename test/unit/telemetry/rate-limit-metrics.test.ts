import { describe, expect, it } from "vitest";
import { createRateLimitMetrics } from "../../../src/telemetry/rate-limit-metrics.js";

interface Series {
  readonly name: string;
  readonly values: readonly { readonly value: number; readonly labels: Readonly<Record<string, string>> }[];
}

/** The series of one metric. */
function seriesOf(metrics: ReturnType<typeof createRateLimitMetrics>, name: string): Series["values"] {
  const all = metrics.values() as unknown as readonly Series[];
  return all.find((metric) => metric.name === name)?.values ?? [];
}

const total = "ratelimit_service_rate_limit_total_hits";

describe("metrics of the rate limit service", () => {
  it("count hits by the names of limits, one line for each", () => {
    const metrics = createRateLimitMetrics();
    metrics.rateLimits.counted(["edge", "route", "client", "a\nb"], "total_hits", 2);
    metrics.rateLimits.counted(["edge", "route", "client", "a\nb"], "total_hits", 3);
    const labels = { domain: "edge", key1: "route", key2: "client.a b" };
    expect(seriesOf(metrics, total)).toEqual([{ value: 5, labels }]);
  });

  it("take names that values of requests make long, or many, together", () => {
    const metrics = createRateLimitMetrics();
    metrics.rateLimits.counted(["edge", `user_${"x".repeat(600)}`], "total_hits", 1);
    for (let i = 0; i < 2100; i++) metrics.rateLimits.counted(["edge", `user_${i}`], "total_hits", 1);
    const series = seriesOf(metrics, total);
    expect(series).toHaveLength(2001);
    const others = series.find(({ labels }) => labels["domain"] === "other");
    expect(others?.value).toBe(101);
  });

  it("count unknown domains without their names, which callers choose", () => {
    const metrics = createRateLimitMetrics();
    for (const domain of ["a", "b"]) metrics.rateLimits.domainNotFound(domain);
    expect(seriesOf(metrics, "gatehouse_ratelimit_unknown_domain_total")).toEqual([{ value: 2, labels: {} }]);
  });
});
