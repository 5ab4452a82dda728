import type { Reason } from "../engine/index.js";
import type { Findings } from "../redaction/index.js";
import type { BodyRefusal, BodyReport } from "./run.js";

/** Rules of one run that count what they do: as many as its policies have. */
type Counts = Map<string, number>;

/** What happens in a run, noted down while it happens. */
export interface RunRecord {
  readonly policies: string[];
  readonly fulfilled: Set<string>;
  readonly dryRun: { readonly policy: string; readonly reason: Reason }[];
  readonly usage: { readonly quota: string; readonly units: number }[];
  requestBytes: number;
  responseBytes: number;
  unscanned: boolean;
  /** `policy`: NAMESPACE/NAME. */
  changed(policy: string, rule: string, count: number): void;
  /** Where the counts of a response come from; asked when the report is. */
  readonly findings: { readonly policy: string; readonly read: () => Findings }[];
  /** Flows that may let something pass unread. */
  readonly unscannedBy: (() => boolean)[];
  refused(refusal: BodyRefusal, phase: "request" | "response"): void;
  report(): BodyReport;
}

/** An empty one. */
export function createRunRecord(): RunRecord {
  const changes: Counts = new Map();
  let refused: BodyReport["refused"];
  const add = (counts: Counts, policy: string, rule: string, count: number): void => {
    const name = `${policy}/${rule}`;
    if (count > 0) counts.set(name, (counts.get(name) ?? 0) + count);
  };
  const record: RunRecord = {
    policies: [],
    fulfilled: new Set(),
    dryRun: [],
    usage: [],
    requestBytes: 0,
    responseBytes: 0,
    unscanned: false,
    findings: [],
    unscannedBy: [],
    changed: (policy, rule, count) => add(changes, policy, rule, count),
    refused: ({ policy, reason }, phase) => {
      refused ??= { policy, reason, phase };
    },
    report: () => {
      const all: Counts = new Map(changes);
      for (const { policy, read } of record.findings) {
        for (const [rule, count] of read()) add(all, policy, rule, count);
      }
      return {
        policies: [...record.policies],
        fulfilled: [...record.fulfilled],
        changes: all,
        refused,
        dryRun: [...record.dryRun],
        requestBytes: record.requestBytes,
        responseBytes: record.responseBytes,
        usage: [...record.usage],
        unscanned: record.unscanned || record.unscannedBy.some((ask) => ask()),
      };
    },
  };
  return record;
}
