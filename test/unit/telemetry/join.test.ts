import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createDecisionRing, type DecisionRing, type JoinedRecord } from "../../../src/telemetry/index.js";
import { keptBytes } from "../../support/cost.js";
import { aRequest } from "../../support/request.js";
import { aDecision, aServed } from "../../support/served.js";

const tcp = aRequest().tcp().build();

const noAnswer = {
  decisionId: "",
  allowed: undefined,
  code: undefined,
  stage: "",
  reason: "",
  policy: "",
  rule: undefined,
  principal: "",
} as const;
const refused = { allowed: false, code: 7, reason: "denied_by_policy" } as const;

function only(ring: DecisionRing): JoinedRecord {
  const records = ring.list({});
  expect(records).toHaveLength(1);
  return records[0] as JoinedRecord;
}

describe("a decision and what became of it", () => {
  it("are one record; before the proxy reports, what was answered counts", () => {
    const ring = createDecisionRing(10);
    ring.push(aDecision());
    expect(only(ring)).toMatchObject({ outcome: "allowed", response: null, known_from: "decision" });
    ring.served(aServed());
    expect(only(ring)).toMatchObject({
      decision_id: "d-1",
      duration_ms: 0.4123,
      outcome: "allowed",
      known_from: "decision",
      response: { response_code: 200, upstream_ms: 82, response_bytes: 14_000 },
    });
  });

  it("are one record when the report comes first", () => {
    const ring = createDecisionRing(10);
    ring.served(aServed());
    expect(only(ring)).toMatchObject({ known_from: "access_log", duration_ms: null, policy: "shop/only" });
    ring.push(aDecision());
    expect(only(ring)).toMatchObject({
      known_from: "decision",
      duration_ms: 0.4123,
      response: { response_code: 200 },
    });
  });

  it("are known from the log alone when another replica decided", () => {
    const ring = createDecisionRing(10);
    ring.push(aDecision({ decision_id: "here" }));
    ring.served(aServed({ check: { decisionId: "there" } }));
    expect(ring.list({}).map((one) => [one.decision_id, one.known_from, one.response !== null])).toEqual([
      ["there", "access_log", true],
      ["here", "decision", false],
    ]);
  });

  it.each(["error", "timeout", "shadow_error"] as const)(
    "a check without an answer has a record of its own (%s)",
    (outcome) => {
      const ring = createDecisionRing(10);
      ring.served(aServed({ check: { ...noAnswer, outcome } }));
      ring.served(aServed({ check: { ...noAnswer, outcome } }));
      expect(ring.list({ outcome })).toMatchObject([
        { decision_id: null, allowed: null, policy: null },
        { decision_id: null, allowed: null, policy: null },
      ]);
      expect(ring.list({ denied: true })).toHaveLength(outcome === "shadow_error" ? 0 : 2);
    },
  );

  it("tell once when an upstream answered what was refused", () => {
    const alarms: JoinedRecord[] = [];
    const ring = createDecisionRing(10, { onAlarm: (record) => alarms.push(record) });
    ring.push(aDecision(refused));
    const served = aServed({ check: { ...refused, outcome: "denied_but_served" } });
    ring.served(served);
    ring.served(served);
    expect(alarms).toMatchObject([
      { decision_id: "d-1", outcome: "denied_but_served", response: { response_code: 200 } },
    ]);
    expect(ring.list({ outcome: "denied_but_served" })).toHaveLength(1);
  });

  it.each(["decision first", "report first"])(
    "a refusal that a report calls allowed is an alarm, too (%s)",
    (order) => {
      const alarms: JoinedRecord[] = [];
      const ring = createDecisionRing(10, { onAlarm: (record) => alarms.push(record) });
      const parts = [() => ring.push(aDecision(refused)), () => ring.served(aServed())];
      for (const part of order === "report first" ? parts.reverse() : parts) part();
      expect(only(ring).outcome).toBe("denied_but_served");
      expect(alarms).toHaveLength(1);
    },
  );

  it("take an alarm also from a second log of the same request", () => {
    const alarms: JoinedRecord[] = [];
    const ring = createDecisionRing(10, { onAlarm: (record) => alarms.push(record) });
    ring.push(aDecision(refused));
    ring.served(aServed({ check: { ...refused, outcome: "denied" } }));
    ring.served(aServed({ check: { ...refused, outcome: "denied_but_served" }, side: "client" }));
    expect(alarms).toHaveLength(1);
  });

  it("follow a request: the last report holds, and nothing after its end", () => {
    const ring = createDecisionRing(10);
    ring.push(aDecision());
    ring.served(aServed({ event: "open", response: { code: 0 } }));
    expect(only(ring).response).toMatchObject({ event: "open", response_code: 0 });
    ring.served(aServed());
    ring.served(aServed({ event: "continue", response: { code: 503 } }));
    expect(only(ring).response).toMatchObject({ event: "close", response_code: 200 });
  });

  it("add up a connection's bytes, and count its end once", () => {
    const ring = createDecisionRing(10);
    ring.push(aDecision({ protocol: "tcp" }));
    const part = (event: "open" | "continue" | "close", received: number): void =>
      ring.served(
        aServed({
          event,
          response: undefined,
          bytes: { received, sent: 2 * received },
          attributes: tcp,
        }),
      );
    part("open", 0);
    part("continue", 10);
    part("continue", 5);
    part("close", 1);
    part("close", 1);
    expect(only(ring).response).toMatchObject({ event: "close", request_bytes: 16, response_bytes: 32 });
  });

  it("count what two logs say of one connection once", () => {
    const ring = createDecisionRing(10);
    ring.push(aDecision({ protocol: "tcp" }));
    for (const logName of ["one", "two"]) {
      const reporter = { id: "n", cluster: "", logName, party: undefined };
      ring.served(aServed({ event: "continue", response: undefined, reporter, attributes: tcp }));
    }
    expect(only(ring).response).toMatchObject({ log_name: "one", request_bytes: 10 });
  });

  it("a decision that comes twice is one", () => {
    const ring = createDecisionRing(10);
    ring.push(aDecision());
    ring.served(aServed());
    ring.push(aDecision());
    expect(only(ring).response).not.toBeNull();
  });

  it("an overwritten decision is not joined, and its place belongs to another", () => {
    const ring = createDecisionRing(2);
    for (const id of ["a", "b", "c"]) ring.push(aDecision({ decision_id: id }));
    ring.served(aServed({ check: { decisionId: "a" } }));
    expect(ring.list({}).map((one) => [one.decision_id, one.known_from])).toEqual([
      ["a", "access_log"],
      ["c", "decision"],
    ]);
    expect(ring.list({ decisionId: "c" })).toMatchObject([{ response: null }]);
  });
});

describe("forwarding", () => {
  it("keeps reports for whoever joins them, the last ones, and none of them in its own records", () => {
    const ring = createDecisionRing(3, { forwards: true });
    ring.push(aDecision());
    for (let i = 0; i < 5; i += 1) ring.served(aServed({ check: { decisionId: `d-${i}` } }));
    expect(ring.takeNewServed().map((one) => one.decision_id)).toEqual(["d-2", "d-3", "d-4"]);
    expect(ring.takeNewServed()).toEqual([]);
    expect(ring.takeNew().map((one) => one.decision_id)).toEqual(["d-1"]);
    expect(only(ring).response).toBeNull();
    ring.served(aServed());
    expect(ring.takeNewServed()).toHaveLength(1);
  });

  it("forwards reports of refusals that were served, whatever flood of others comes", () => {
    const ring = createDecisionRing(3, { forwards: true });
    const report = (id: string, outcome: "allowed" | "denied_but_served"): void =>
      ring.served(aServed({ check: { decisionId: id, ...(outcome !== "allowed" && refused), outcome } }));
    report("alarm", "denied_but_served");
    for (let i = 0; i < 7; i += 1) report(`d-${i}`, "allowed");
    expect(ring.takeNewServed().map((one) => one.decision_id)).toEqual(["alarm", "d-4", "d-5", "d-6"]);
    expect(ring.takeNewServed()).toEqual([]);
    for (let i = 0; i < 300; i += 1) report(`a-${i}`, "denied_but_served");
    expect(ring.takeNewServed().map((one) => one.decision_id)).toEqual([
      ...Array.from({ length: 100 }, (_, i) => `a-${i}`),
      "a-297",
      "a-298",
      "a-299",
    ]);
  });

  it("takes no record that is known from a report alone for a decision", () => {
    const ring = createDecisionRing(3);
    ring.served(aServed({ check: { decisionId: "elsewhere" } }));
    ring.push(aDecision());
    expect(ring.takeNew().map((one) => one.decision_id)).toEqual(["d-1"]);
  });
});

/** What workers send, and what gets lost, comes twice or comes in another order on the way. */
const traffic = fc.record({
  capacity: fc.integer({ min: 1, max: 40 }),
  requests: fc.array(
    fc.record({
      allowed: fc.boolean(),
      reports: fc.integer({ min: 0, max: 3 }),
      decisions: fc.integer({ min: 0, max: 2 }),
    }),
    { maxLength: 60 },
  ),
  order: fc.array(fc.nat(), { minLength: 300, maxLength: 300 }),
});

describe("whatever order decisions and reports come in", () => {
  it("each decision is there once, with its own response, and no more than the ring holds", () => {
    fc.assert(
      fc.property(traffic, ({ capacity, requests, order }) => {
        const ring = createDecisionRing(capacity);
        const parts = requests.flatMap(({ allowed, reports, decisions }, i) => [
          ...repeat(decisions, () =>
            ring.push(aDecision({ decision_id: `d-${i}`, allowed, policy: `p/${i}` })),
          ),
          ...repeat(reports, () => ring.served(reportOf(i, allowed))),
        ]);
        const shuffled = parts
          .map((part, i) => ({ part, at: order[i % order.length] as number }))
          .sort((a, b) => a.at - b.at);
        for (const { part } of shuffled) {
          part();
          const records = ring.list({});
          const ids = records.map((one) => one.decision_id);
          expect(new Set(ids).size).toBe(ids.length);
          expect(records.length).toBeLessThanOrEqual(capacity);
          for (const { response, decision_id: id, policy } of records) {
            expect(policy).toBe(`p/${id?.slice(2)}`);
            if (response !== null) expect(`d-${response.response_code}`).toBe(id);
          }
        }
        if (capacity < requests.length) return;
        const seen = new Map(ring.list({}).map((one) => [one.decision_id, one]));
        requests.forEach(({ reports, decisions }, i) => {
          const record = seen.get(`d-${i}`);
          expect(record !== undefined).toBe(reports + decisions > 0);
          if (record === undefined) return;
          expect(record.response !== null).toBe(reports > 0);
          expect(record.known_from).toBe(decisions > 0 ? "decision" : "access_log");
        });
      }),
      { numRuns: 60 },
    );
  });

  it("whoever asks for changes since the last cursor misses none and sees each last state once", () => {
    fc.assert(
      fc.property(traffic, ({ requests, order }) => {
        const ring = createDecisionRing(100);
        const seen = new Map<number, JoinedRecord>();
        let cursor = 0;
        const poll = (limit: number | undefined): void => {
          for (const record of ring.list({ after: cursor, limit })) {
            expect(record.cursor).toBeGreaterThan(cursor);
            cursor = record.cursor;
            seen.set(record.seq, record);
          }
        };
        requests.forEach(({ allowed, reports, decisions }, i) => {
          for (const part of [
            ...repeat(decisions, () => ring.push(aDecision({ decision_id: `d-${i}`, allowed }))),
            ...repeat(reports, () => ring.served(reportOf(i, allowed))),
          ]) {
            part();
            if ((order[i] ?? 0) % 3 === 0) poll((order[i] ?? 0) % 2 === 0 ? 1 : undefined);
          }
        });
        for (let i = 0; i < 3; i += 1) poll(undefined);
        expect([...seen.values()].sort((a, b) => b.seq - a.seq)).toEqual(ring.list({}));
        expect(ring.list({ after: cursor })).toEqual([]);
      }),
      { numRuns: 60 },
    );
  });
});

describe("memory", () => {
  it("does not grow with what came, whoever decided it", async () => {
    const id = (i: number): string => `${i}-${"x".repeat(100)}`;
    const bytes = await keptBytes(() => {
      const rings = [createDecisionRing(50), createDecisionRing(50, { forwards: true })];
      for (let i = 0; i < 20_000; i += 1) {
        for (const ring of rings) {
          ring.push(aDecision({ decision_id: id(i) }));
          ring.served(aServed({ check: { decisionId: id(i - (i % 3) * 100) } }));
        }
      }
      return rings;
    });
    expect(bytes).toBeLessThan(2_000_000);
  });
});

function reportOf(i: number, allowed: boolean): ReturnType<typeof aServed> {
  return aServed({
    check: { decisionId: `d-${i}`, allowed, outcome: allowed ? "allowed" : "denied", policy: `p/${i}` },
    response: { code: i },
  });
}

function repeat(times: number, what: () => void): (() => void)[] {
  return Array.from({ length: times }, () => what);
}
