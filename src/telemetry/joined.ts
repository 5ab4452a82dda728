import type { CheckOutcomeAtProxy, ReportEvent, ReportSide } from "../report/index.js";
import type { BodyRecord } from "./body-record.js";
import type { DecisionRecord } from "./record.js";

/** What became of a decision at the proxy or, before the proxy has said so, what was answered. */
export type DecisionOutcome = Exclude<CheckOutcomeAtProxy, "none">;

/** All there are. */
export const decisionOutcomes: readonly DecisionOutcome[] = [
  "allowed",
  "denied",
  "shadow_denied",
  "shadow_error",
  "error",
  "timeout",
  "denied_but_served",
];

/** What only whoever decided knows for sure. */
type OfTheDecision =
  | "decision_id"
  | "allowed"
  | "code"
  | "stage"
  | "reason"
  | "snapshot"
  | "duration_ms"
  | "authn_refused";

/**
 * A decision as far as it is known. Of one that is only known from Envoy's log, `duration_ms` and `authn_refused` are
 * null; of a check without an answer all that the answer would have said is.
 */
export type KnownDecision = Omit<DecisionRecord, OfTheDecision> & {
  readonly [Key in OfTheDecision]: DecisionRecord[Key] | null;
};

/** What the proxy says became of the request or connection. Plain data without a secret. */
export interface ServedResponse {
  /** When it began, milliseconds since the epoch. */
  readonly time: number;
  /** `node.id` of the proxy. */
  readonly reporter: string | null;
  /** The log's name in Envoy's configuration. */
  readonly log_name: string | null;
  readonly side: ReportSide;
  /** x-request-id, which clients choose; null on TCP. */
  readonly request_id: string | null;
  /** `close`: it is over. */
  readonly event: ReportEvent;
  /** HTTP's; 0 when none was sent, null on TCP. */
  readonly response_code: number | null;
  /** Envoy's `response_code_details`. */
  readonly code_details: string | null;
  /** Envoy's response flags, null when there is none. */
  readonly flags: string | null;
  /** To the end, or until the report. */
  readonly duration_ms: number | null;
  /** From the first byte sent upstream, of the last attempt, to the first byte of its answer. */
  readonly upstream_ms: number | null;
  /** Headers and body; of connections all bytes that were reported. */
  readonly request_bytes: number;
  readonly response_bytes: number;
  readonly upstream_cluster: string | null;
  /** `IP:PORT`. */
  readonly upstream_address: string | null;
  readonly upstream_failure: string | null;
  readonly attempts: number;
  readonly grpc_status: number | null;
  /** What the check took as Envoy sees it. */
  readonly check_latency_ms: number | null;
  readonly route: string | null;
  /** Why the connection ended. */
  readonly termination: string | null;
  /** `NAMESPACE/NAME`. */
  readonly source_workload: string | null;
  readonly destination_workload: string | null;
}

/** What a report adds to a decision, with the decision's facts as the report has them. Survives a structured clone. */
export interface ServedRecord {
  /** Null when Envoy has none: its check had no answer. */
  readonly decision_id: string | null;
  readonly outcome: CheckOutcomeAtProxy;
  readonly decision: KnownDecision;
  readonly response: ServedResponse;
  /** What body policies did, null where the report says nothing of it. */
  readonly body: BodyRecord | null;
  /** Obligations that nobody carried out although the request was served. */
  readonly unmet: readonly string[];
}

/** A decision and what became of it, as `/decisions` shows them. */
export type JoinedRecord = KnownDecision & {
  readonly outcome: DecisionOutcome;
  /**
   * `access_log`: nobody here remembers the decision. Another replica decided, its record was overwritten or has not
   * arrived yet, or (without a `decision_id`) nobody's answer reached Envoy.
   */
  readonly known_from: "decision" | "access_log";
  /** Null as long as no proxy has reported. */
  readonly response: ServedResponse | null;
  /** What body policies did, as whoever ran them says, else as the proxy does; null: none did anything so far. */
  readonly body: BodyRecord | null;
  /** Obligations that nobody carried out although the request was served. */
  readonly unmet: readonly string[];
  /** In the order of arrival; stays the same. */
  readonly seq: number;
  /** Grows with each change of any record: `after` that of the last record that was seen come the changes since. */
  readonly cursor: number;
};
