import { describe, expect, test } from "vitest";
import {
  createDecisionRequests,
  DECISION_REQUESTS,
  decisionRequestLabels,
} from "../../../src/report/decision-requests.js";
import type { Report } from "../../../src/report/index.js";
import { createSeriesStore, type SeriesMetric, type SeriesStore } from "../../../src/series/index.js";
import { aWorkload } from "../../support/request.js";
import { aReport } from "../../support/served.js";

const web = {
  workload: aWorkload({ namespace: "front", name: "web" }),
  cluster: "",
  canonicalService: "web",
  canonicalRevision: "",
};
const denied = { outcome: "denied", policy: "foo/no-guests", reason: "denied_by_policy" } as const;

function rowsOf(store: SeriesStore): SeriesMetric["rows"] {
  const metrics = store.values() as unknown as SeriesMetric[];
  return metrics.find(({ name }) => name === DECISION_REQUESTS)?.rows ?? [];
}

function counted(...reports: readonly Report[]): readonly unknown[] {
  const store = createSeriesStore({ now: () => 0 });
  const record = createDecisionRequests(store);
  for (const report of reports) record(report);
  return rowsOf(store).map(({ labels, value }) => [...labels, value]);
}

describe("who denies whom", () => {
  test("is counted by outcome, policy, reason and both ends", () => {
    const report = aReport({ source: web, check: denied });
    const { name, namespace } = report.destination?.workload ?? {};
    expect(counted(report, report)).toEqual([
      ["denied", "foo/no-guests", "denied_by_policy", "web", "front", name, namespace, 2],
    ]);
    expect(decisionRequestLabels).toHaveLength(7);
  });

  test("has a place for ends that nobody knows, and for decisions without a policy", () => {
    const check = { ...denied, policy: "" };
    expect(counted(aReport({ source: undefined, destination: undefined, check }))).toEqual([
      ["denied", "", "denied_by_policy", "unknown", "unknown", "unknown", "unknown", 1],
    ]);
  });

  test("counts what is over and was asked about, once", () => {
    const open = aReport({ check: denied, event: "open" });
    const unasked = aReport({ check: { outcome: "none" } });
    expect(counted(open, unasked)).toEqual([]);
    expect(counted(open, aReport({ check: denied }))).toHaveLength(1);
  });

  test("is bounded, whatever the metadata say", () => {
    const store = createSeriesStore({ now: () => 0 });
    const record = createDecisionRequests(store, { maxSeries: 10, maxValues: 5 });
    for (let i = 0; i < 1000; i += 1) record(aReport({ check: { ...denied, policy: `foo/p${i}` } }));
    const rows = rowsOf(store);
    expect(rows.length).toBeLessThanOrEqual(11);
    expect(rows.reduce((sum, { value }) => sum + value, 0)).toBe(1000);
  });
});
