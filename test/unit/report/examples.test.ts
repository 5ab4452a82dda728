import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { parseAllDocuments } from "yaml";
import type { ResourceDocument } from "../../../src/documents/index.js";
import { type Metric, parseMetric, parseTelemetry, type Telemetry } from "../../../src/report/index.js";
import { aBench, aReport, aReporter } from "./metric-kit.js";

const folder = join(import.meta.dirname, "../../../policies/telemetry");

interface Written {
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace?: string };
  readonly spec: unknown;
}

const documents = readdirSync(folder)
  .filter((name) => name.endsWith(".yaml"))
  .flatMap((name) => parseAllDocuments(readFileSync(join(folder, name), "utf8")))
  .map((document) => document.toJS() as Written);

function read<T>(
  kind: string,
  parse: (document: ResourceDocument) => {
    readonly spec: T | undefined;
    readonly findings: readonly unknown[];
  },
): T[] {
  return documents
    .filter((document) => document.kind === kind)
    .map(({ metadata: { name, namespace = "default" }, spec }) => {
      const parsed = parse({ apiVersion: "", kind, name, namespace, annotations: new Map(), spec });
      expect(parsed.findings).toEqual([]);
      if (parsed.spec === undefined) throw new Error(`${kind} ${name} cannot be read`);
      return parsed.spec;
    });
}

describe("the example policies/telemetry", () => {
  const load = (): { telemetries: Telemetry[]; metrics: Metric[] } => ({
    telemetries: read("Telemetry", parseTelemetry),
    metrics: read("Metric", parseMetric),
  });
  const providers = new Map([
    ["access-log", "accessLogging"],
    ["collector", "tracing"],
  ] as const);

  it("has no finding", () => {
    expect(load().telemetries).toHaveLength(3);
    expect(load().metrics).toHaveLength(4);
  });

  it("counts what it says", () => {
    const bench = aBench({ ...load(), providers });
    const shop = aReporter({ namespace: "shop", name: "orders", labels: new Map([["app", "orders"]]) });
    const report = aReport({ reporter: shop });
    const { check } = report;
    bench.count(report, { ...report, check: { ...check, outcome: "denied", allowed: false } });
    expect(bench.lines(/denials/)).toEqual([
      'mesh_denials_total{outcome="denied",policy="foo/allow",source="web",destination="httpbin"} 1',
    ]);
    expect(bench.lines(/istio_requests_total/)[0]).toContain('request_operation="/orders/{id}"');
    expect(bench.lines(/istio_response_bytes/)).toEqual([]);
    expect(bench.lines(/upstream_wait/)).toEqual(['shop_upstream_wait_milliseconds{service="httpbin"} 134']);
    expect(bench.told).toEqual([]);
  });

  it("logs what failed or was refused, and traces", () => {
    const { accessLogs, tracing } = aBench({ ...load(), providers }).plans(
      aReporter({ namespace: "shop", labels: new Map([["app", "checkout"]]) }),
    );
    const [log] = accessLogs;
    const takes = (report = aReport()): boolean | undefined =>
      log?.filter?.evaluate({ attributes: report.attributes, workload: undefined, report });
    const { response, check } = aReport();
    expect([takes(), response && takes(aReport({ response: { ...response, code: 503 } }))]).toEqual([
      false,
      true,
    ]);
    expect(takes(aReport({ check: { ...check, allowed: false } }))).toBe(true);
    expect(tracing.server).toMatchObject({ providers: ["collector"], samplingPercent: 100, disabled: false });
    expect(tracing.server.tags.map(({ name }) => name)).toEqual(["tenant", "zone"]);
  });
});
