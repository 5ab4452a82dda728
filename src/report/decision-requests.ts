import type { SeriesStore } from "../series/index.js";
import type { Recorder } from "./plan.js";
import type { Party } from "./report.js";

/** Prometheus' name of the metric that says who denies whom: nobody else may use it. */
export const DECISION_REQUESTS = "gatehouse_requests_by_decision_total";

/** What it says of itself. */
export const decisionRequestsHelp =
  "Requests and connections that are over, by what became of their check, which policy decided, and between whom.";

/** Its labels, in the order of their values. */
export const decisionRequestLabels = [
  "outcome",
  "policy",
  "reason",
  "source_workload",
  "source_workload_namespace",
  "destination_workload",
  "destination_workload_namespace",
] as const;

/** Bounds of the metric, see `FamilyDefinition`. */
export interface DecisionRequestOptions {
  readonly expiryMs: number | undefined;
  readonly maxValues: number;
  readonly maxSeries: number;
}

/** As many series as a standard counter may have. */
export const defaultDecisionRequestOptions: DecisionRequestOptions = {
  expiryMs: undefined,
  maxValues: 1000,
  maxSeries: 10_000,
};

const UNKNOWN = "unknown";

/**
 * Counts requests and connections that are over and that were asked about, by what became of the decision, which policy
 * made it and between whom. Those that nobody asked about are in Istio's metrics; a request that two proxies ask about
 * is two decisions. `SeriesStore.retain` has to be given the name.
 */
export function createDecisionRequests(
  store: SeriesStore,
  options: Partial<DecisionRequestOptions> = {},
): Recorder {
  const requests = store.counter({
    name: DECISION_REQUESTS,
    help: decisionRequestsHelp,
    labels: decisionRequestLabels,
    ...defaultDecisionRequestOptions,
    ...options,
  });
  return ({ event, check, source, destination }) => {
    if (event !== "close" || check.outcome === "none") return;
    requests.add(
      [check.outcome, check.policy, check.reason, ...valuesOf(source), ...valuesOf(destination)],
      1,
    );
  };
}

function valuesOf(party: Party | undefined): readonly [workload: string, namespace: string] {
  return [party?.workload.name || UNKNOWN, party?.workload.namespace || UNKNOWN];
}
