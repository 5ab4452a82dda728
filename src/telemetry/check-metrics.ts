import type { MetricObject } from "prom-client";
import type { MetricDefinition } from "./definition.js";
import { metricObject } from "./exposition.js";
import { createHistogramFamily, createNumberFamily } from "./family.js";

/** What the counter of checks is labelled with. */
export interface CheckOutcome {
  readonly allowed: boolean;
  /** gRPC code of the decision; 0 exactly when allowed. */
  readonly code: number;
  /** The stage that decided, from the engine's closed set. */
  readonly stage: string;
}

/** What was asked about. Undefined: the request could not be read. */
export type CheckProtocol = "http" | "tcp" | undefined;

/** What checks count. */
export interface CheckMetrics {
  /** `seconds` is from the decoded request to its decision. */
  checked(outcome: CheckOutcome, seconds: number, protocol?: CheckProtocol): void;
  unknownWorkload(): void;
  failedOpen(): void;
  values(): MetricObject[];
}

/** google.rpc.Code by number. */
const codes: readonly string[] = [
  "OK",
  "CANCELLED",
  "UNKNOWN",
  "INVALID_ARGUMENT",
  "DEADLINE_EXCEEDED",
  "NOT_FOUND",
  "ALREADY_EXISTS",
  "PERMISSION_DENIED",
  "RESOURCE_EXHAUSTED",
  "FAILED_PRECONDITION",
  "ABORTED",
  "OUT_OF_RANGE",
  "UNIMPLEMENTED",
  "INTERNAL",
  "UNAVAILABLE",
  "DATA_LOSS",
  "UNAUTHENTICATED",
];
const unknownCode = 2;
const protocols = ["http", "tcp", "unknown"] as const;

const checks = {
  name: "gatehouse_checks_total",
  type: "counter",
  help: "Checks answered, by outcome, gRPC code, protocol, and the stage that decided.",
  labels: [
    { name: "allowed", values: ["true", "false"] },
    { name: "code", values: codes },
    {
      name: "stage",
      values: [
        "guard",
        "select",
        "custom",
        "authn",
        "authorize",
        "rego",
        "quota",
        "body",
        "none",
        "internal",
      ],
    },
    { name: "protocol", values: protocols },
  ],
  more: "`protocol` is `unknown` where the request could not be read.",
} as const satisfies MetricDefinition;

/** 10 µs to 1 s: a policy takes microseconds, a provider milliseconds. */
const duration = {
  name: "gatehouse_check_duration_seconds",
  type: "histogram",
  help: "Time from the decoded request to its decision.",
  labels: [],
  buckets: [
    0.00001, 0.000025, 0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25,
    0.5, 1,
  ],
} as const satisfies MetricDefinition;

const unknownWorkloads: MetricDefinition = {
  name: "gatehouse_unknown_workload_total",
  type: "counter",
  help: "Checks refused because their destination workload is unknown while policies are scoped.",
  labels: [],
};

const failuresOpen: MetricDefinition = {
  name: "gatehouse_failed_open_total",
  type: "counter",
  help: "Checks allowed by a resource's own failOpen.",
  labels: [],
};

/** The metrics of checks. */
export const checkDefinitions: readonly MetricDefinition[] = [
  checks,
  duration,
  unknownWorkloads,
  failuresOpen,
];

/** Counts checks; every one touches the first two. */
export function createCheckMetrics(): CheckMetrics {
  const byStage = new Map<string, number[]>();
  const durations = createHistogramFamily(duration);
  const unknown = createNumberFamily(unknownWorkloads);
  const open = createNumberFamily(failuresOpen);
  return {
    checked({ code, stage }, seconds, protocol) {
      let counts = byStage.get(stage);
      if (counts === undefined) {
        counts = new Array<number>(codes.length * protocols.length).fill(0);
        byStage.set(stage, counts);
      }
      const index =
        (code < codes.length ? code : unknownCode) * protocols.length +
        (protocol === "http" ? 0 : protocol === "tcp" ? 1 : 2);
      counts[index] = (counts[index] ?? 0) + 1;
      durations.observe(seconds);
    },
    unknownWorkload: () => unknown.add(1),
    failedOpen: () => open.add(1),
    values: () => [counterOf(byStage), durations.object(), unknown.object(), open.object()],
  };
}

function counterOf(byStage: ReadonlyMap<string, readonly number[]>): MetricObject {
  const values = [...byStage].flatMap(([stage, counts]) =>
    counts.flatMap((value, index) => {
      if (value === 0) return [];
      const code = Math.floor(index / protocols.length);
      const labels = {
        allowed: code === 0 ? "true" : "false",
        code: codes[code] ?? "UNKNOWN",
        stage,
        protocol: protocols[index % protocols.length] ?? "unknown",
      };
      return [{ value, labels }];
    }),
  );
  return metricObject({ name: checks.name, help: checks.help, type: checks.type, values });
}
