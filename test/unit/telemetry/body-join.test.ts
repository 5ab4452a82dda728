import { describe, expect, it } from "vitest";
import {
  createDecisionRing,
  createMetrics,
  type DecisionRing,
  type JoinedRecord,
  renderMetrics,
} from "../../../src/telemetry/index.js";
import { keptBytes } from "../../support/cost.js";
import { aDecision, aServed } from "../../support/served.js";
import { aReport, noCheck, nothingDone } from "../traces/reports.js";
import { anAmendment, masked, only, refusal, refused } from "./body-kit.js";

describe("what body policies did with the exchange of a decision", () => {
  const parts: readonly ((ring: DecisionRing) => void)[] = [
    (ring) => ring.push(aDecision()),
    (ring) => ring.amend(anAmendment("d-1")),
    (ring) => ring.served(aServed({ check: { body: { ...masked, responseBytes: 7 } } })),
  ];
  it.each([
    [0, 1, 2],
    [0, 2, 1],
    [1, 0, 2],
    [1, 2, 0],
    [2, 0, 1],
    [2, 1, 0],
  ])("is in its record, as whoever ran them says, in whatever order it comes (%d, %d, %d)", (...order) => {
    const ring = createDecisionRing(10);
    for (const i of order) parts[i]?.(ring);
    expect(only(ring)).toMatchObject({
      known_from: "decision",
      outcome: "allowed",
      response: { response_code: 200 },
      body: {
        changes: 3,
        rules: { "shop/customers/card": 2, "shop/customers/iban": 1 },
        response_bytes: 14_000,
      },
    });
  });

  it("is known from the access log where nobody here remembers", () => {
    const ring = createDecisionRing(10);
    ring.push(aDecision());
    ring.served(aServed({ check: { body: masked } }));
    expect(only(ring).body).toMatchObject({ changes: 3, fulfilled: ["shop/customers"] });
  });

  it("makes a refusal of what was allowed", () => {
    const ring = createDecisionRing(10);
    ring.push(aDecision());
    ring.amend(anAmendment("d-1", { report: refused, refusal }));
    expect(only(ring)).toMatchObject({
      allowed: true,
      outcome: "denied",
      body: { refused: { phase: "response" } },
    });
    ring.served(aServed({ check: { outcome: "denied", body: refused }, response: { code: 502 } }));
    expect(only(ring).outcome).toBe("denied");
    for (const filter of [
      { denied: true },
      { policy: "shop/scan" },
      { stage: "body" },
      { reason: "sensitive_data" },
      { bodyPolicy: "shop/scan" },
    ]) {
      expect(ring.list(filter)).toHaveLength(1);
    }
    expect(ring.list({ denied: false })).toEqual([]);
  });

  it("of a decision that never comes is no record, and is forgotten", async () => {
    const ring = createDecisionRing(2);
    for (const id of ["a", "b", "c"]) ring.amend(anAmendment(id));
    ring.amend({ ...anAmendment(""), decision_id: "" });
    expect(ring.list({})).toEqual([]);
    for (const id of ["a", "c"]) ring.push(aDecision({ decision_id: id }));
    expect(ring.list({}).map((one) => [one.decision_id, one.body !== null])).toEqual([
      ["c", true],
      ["a", false],
    ]);
  });

  it("comes once: what comes again changes nothing", () => {
    const ring = createDecisionRing(2);
    ring.push(aDecision());
    ring.amend(anAmendment("d-1"));
    const { cursor } = only(ring);
    ring.amend(anAmendment("d-1", { report: refused, refusal }));
    expect(only(ring)).toMatchObject({ cursor, outcome: "allowed", body: { changes: 3 } });
  });

  it("goes with its decision when that is overwritten", () => {
    const ring = createDecisionRing(1);
    ring.push(aDecision());
    ring.amend(anAmendment("d-1"));
    ring.push(aDecision({ decision_id: "d-2" }));
    expect(only(ring)).toMatchObject({ decision_id: "d-2", body: null, unmet: [] });
  });

  it("is forwarded once, the last ones, by whoever does not join", () => {
    const ring = createDecisionRing(2, { forwards: true });
    ring.push(aDecision({ decision_id: "c" }));
    for (const id of ["a", "b", "b", "c"]) ring.amend(anAmendment(id));
    const taken = ring.takeNewAmendments();
    expect(taken.map((one) => one.decision_id)).toEqual(["b", "c"]);
    expect(structuredClone(taken)).toEqual(taken);
    expect(ring.takeNewAmendments()).toEqual([]);
  });

  it("is whoever follows told of", () => {
    const ring = createDecisionRing(10);
    ring.push(aDecision());
    const { cursor } = only(ring);
    ring.amend(anAmendment("d-1"));
    expect(ring.list({ after: cursor })).toMatchObject([{ body: { changes: 3 } }]);
  });

  it("takes no more room than the ring has, whatever names come", async () => {
    const policies = Array.from({ length: 200 }, (_, i) => `shop/${i}${"x".repeat(1000)}`);
    const changes = new Map(policies.map((policy) => [`${policy}/r`, 1]));
    const long = anAmendment("long", { report: { ...masked, policies, changes } });
    const { body } = anAmendment("short");
    expect(JSON.stringify(long).length).toBeLessThan(2 * 64 * 530);
    const bytes = await keptBytes(() => {
      const rings = [createDecisionRing(20), createDecisionRing(20, { forwards: true })];
      for (let i = 0; i < 5000; i += 1) {
        for (const ring of rings) ring.amend({ decision_id: `id-${i}`, body: { ...body } });
      }
      return rings;
    });
    expect(bytes).toBeLessThan(500_000);
  });
});

describe("obligations", () => {
  const asking = { obligations: ["shop/mask"], unmet: ["shop/mask"] };

  it("that nobody carried out are told of once", () => {
    const alarms: JoinedRecord[] = [];
    const ring = createDecisionRing(10, { onUnmet: (record) => alarms.push(record) });
    ring.push(aDecision({ obligations: ["shop/mask"] }));
    ring.served(aServed({ check: asking }));
    ring.served(aServed({ check: asking }));
    expect(alarms).toMatchObject([{ decision_id: "d-1", unmet: ["shop/mask"], obligations: ["shop/mask"] }]);
    expect(ring.list({ unmet: true })).toHaveLength(1);
    expect(ring.list({ unmet: false })).toEqual([]);
    expect(ring.list({ bodyPolicy: "shop/mask" })).toHaveLength(1);
  });

  it("that were carried out, though the proxy was not told of it, are no alarm", () => {
    const alarms: JoinedRecord[] = [];
    const ring = createDecisionRing(10, { onUnmet: (record) => alarms.push(record) });
    ring.push(aDecision({ obligations: ["shop/mask"] }));
    ring.amend(anAmendment("d-1", { report: { ...masked, fulfilled: ["shop/mask"] } }));
    ring.served(aServed({ check: asking }));
    expect([alarms, only(ring).unmet]).toEqual([[], []]);
  });

  it("that were not carried out are forwarded in any flood of other reports", () => {
    const ring = createDecisionRing(2, { forwards: true });
    ring.served(aServed({ check: { ...asking, decisionId: "alarm" } }));
    for (let i = 0; i < 5; i += 1) ring.served(aServed({ check: { decisionId: `d-${i}` } }));
    expect(ring.takeNewServed().map((one) => one.decision_id)).toEqual(["alarm", "d-3", "d-4"]);
  });

  it("are counted when the request is over", async () => {
    const metrics = createMetrics({ processMetrics: false });
    const check = {
      ...noCheck,
      outcome: "allowed",
      obligations: ["a/b", "a/c"],
      body: { ...nothingDone, fulfilled: ["a/b", "a/x"] },
    } as const;
    metrics.reported(aReport({ check: { ...check, unmet: ["a/c"] } }));
    metrics.reported(aReport({ check }));
    metrics.reported(aReport({ check: { ...check, outcome: "denied" } }));
    metrics.reported(aReport({ check: { ...check, unmet: ["a/c"] }, event: "continue" }));
    const text = await renderMetrics([await metrics.values()]);
    expect(text).toContain('gatehouse_obligations_total{result="met"} 2\n');
    expect(text).toContain('gatehouse_obligations_total{result="unmet"} 1\n');
  });
});
