import type { MetricObject } from "prom-client";
import type { ReportObserver } from "../report/index.js";
import type { MetricDefinition } from "./definition.js";
import { createNumberFamily } from "./family.js";

/** What expressions over reports and records count. */
export interface ExpressionMetrics {
  readonly expressions: ReportObserver & {
    /** One of a sink's rules; `sink` is a name of the Mesh, `use` from a closed set. */
    ruleFailed(sink: string, use: string): void;
  };
  values(): MetricObject[];
}

const failures: MetricDefinition = {
  name: "gatehouse_expression_failures_total",
  type: "counter",
  help: "Expressions over reports and records that had no value, by resource and use.",
  labels: [
    { name: "resource", values: "`Metric NAMESPACE/NAME`, `Telemetry NAMESPACE/NAME`, `Mesh decisionLog`" },
    { name: "use", values: ["match", "value", "filter", "drop", "sample", "mask", "refused"] },
  ],
  more: "`refused`: a counter was to be lowered. The others by what the expression is for.",
};

/** The metrics of expressions. */
export const expressionDefinitions: readonly MetricDefinition[] = [failures];

/** Resources told apart. */
const MAX_RESOURCES = 1000;

/** Counts expressions without a value. */
export function createExpressionMetrics(): ExpressionMetrics {
  const failed = createNumberFamily(failures);
  const known = new Set<string>();
  const count = (resource: string, use: string): void => {
    if (known.size < MAX_RESOURCES) known.add(resource);
    failed.add(1, known.has(resource) ? resource : "other", use);
  };
  return {
    expressions: {
      expressionFailed: count,
      valueRefused: (resource) => count(resource, "refused"),
      ruleFailed: (sink, use) => count(`Mesh ${sink}`, use),
    },
    values: () => [failed.object()],
  };
}
