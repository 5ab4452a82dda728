import { describe, expect, it } from "vitest";
import { type Decision, noQuota } from "../../../src/engine/index.js";
import type { DecisionLog, LogLine } from "../../../src/logs/index.js";
import { createObserver } from "../../../src/server/observe.js";
import type { CheckObservation, DecisionRecord } from "../../../src/telemetry/index.js";
import { aRequest } from "../../support/request.js";

const decision = {
  decisionId: "d-1",
  allowed: true,
  code: 0,
  stage: "authorize",
  reason: "not_denied",
  dryRun: [],
  quota: noQuota,
  failedOpen: false,
  generation: 4,
} as unknown as Decision;

function aCheck(): CheckObservation {
  return { decision, attributes: aRequest().get("/cart").build(), now: 1, durationMs: 0.25 };
}

interface Setup {
  readonly observe: ReturnType<typeof createObserver>;
  readonly shown: DecisionRecord[];
  readonly written: string[];
  readonly errors: unknown[];
  readonly counted: () => number;
  /** Settles what waits for the disk. */
  readonly settle: (error?: Error) => void;
  readonly turn: () => void;
}

function setup(lines: DecisionLog["lines"], strict: readonly string[]): Setup {
  const shown: DecisionRecord[] = [];
  const written: string[] = [];
  const errors: unknown[] = [];
  const stores: ((error?: Error) => void)[] = [];
  const turns: (() => void)[] = [];
  let counted = 0;
  const nothing = (): void => {};
  return {
    observe: createObserver({
      metrics: {
        checked: () => {
          counted += 1;
        },
        failed: nothing,
        failedOpen: nothing,
        unknownWorkload: nothing,
      },
      decisions: { push: (record) => void shown.push(record) },
      logger: { warn: nothing, error: (fields: unknown) => void errors.push(fields) },
      log: () => ({ lines, bodyLines: () => [], strict: new Set(strict) }),
      outlet: {
        write: ({ sink }) => void written.push(sink),
        store: () =>
          new Promise((resolve, reject) => {
            stores.push((error) => (error === undefined ? resolve() : reject(error)));
          }),
      },
      soon: (callback) => void turns.push(callback),
    }),
    shown,
    written,
    errors,
    counted: () => counted,
    settle: (error) => {
      for (const store of stores.splice(0)) store(error);
    },
    turn: () => {
      for (const run of turns.splice(0)) run();
    },
  };
}

const line = (sink: string): LogLine => ({ sink, time: 0, severity: "info", text: "{}" });
const both = (): readonly LogLine[] => [line("audit"), line("decisions/plain")];

describe("a decision that must be on record before it is answered", () => {
  it("is neither shown, counted nor written elsewhere before that", async () => {
    const { observe, shown, written, counted, settle } = setup(both, ["audit"]);
    const stored = observe(aCheck());
    expect([shown.length, counted(), written]).toEqual([0, 0, []]);
    settle();
    await stored;
    expect([shown.length, counted(), written]).toEqual([1, 1, ["decisions/plain"]]);
  });

  it("leaves only its refusal behind when it cannot be kept", async () => {
    const { observe, shown, written, counted, settle, turn } = setup(both, ["audit"]);
    const check = aCheck();
    const stored = observe(check);
    settle(new Error("disk"));
    await expect(stored).rejects.toThrow("disk");
    const refused: CheckObservation = {
      ...check,
      decision: { ...check.decision, allowed: false, stage: "internal", reason: "unrecorded" },
    };
    expect(observe(refused)).toBeUndefined();
    turn();
    expect(shown.map(({ allowed, reason }) => [allowed, reason])).toEqual([[false, "unrecorded"]]);
    expect([counted(), written]).toEqual([1, ["audit", "decisions/plain"]]);
  });
});

describe("a log whose line cannot be made", () => {
  it("takes no other line along, and no decision", () => {
    const lines = (check: CheckObservation): readonly LogLine[] => {
      if (check.decision.decisionId === "bad") throw new Error("no line");
      return [line("decisions/plain")];
    };
    const { observe, written, errors, shown, turn } = setup(lines, []);
    const check = aCheck();
    void observe({ ...check, decision: { ...check.decision, decisionId: "bad" } });
    void observe(check);
    turn();
    expect([shown.length, written, errors.length]).toEqual([2, ["decisions/plain"], 1]);
  });
});
