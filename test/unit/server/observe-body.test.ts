import { describe, expect, it, test } from "vitest";
import type { BodyOutcome, ExtProcObserver } from "../../../src/envoy/ext-proc/index.js";
import type { LogLine } from "../../../src/logs/index.js";
import { type BodyNews, createBodyObserver } from "../../../src/server/observe-body.js";
import { type Amendment, createMetrics, type Metrics } from "../../../src/telemetry/index.js";
import { nothingDone } from "../traces/reports.js";

const news: BodyNews = {
  kind: "closed",
  decisionId: "d-1",
  generation: 4,
  attributes: undefined,
  workload: undefined,
  obligations: [],
  report: { ...nothingDone, policies: ["shop/mask"], changes: new Map([["shop/mask/card", 2]]) },
  refusal: undefined,
};

interface Setup {
  readonly observe: ReturnType<typeof createBodyObserver>;
  readonly amended: Amendment[];
  readonly written: string[];
  readonly errors: unknown[];
  readonly counted: () => number;
  readonly turn: () => void;
}

function setup(bodyLines: (news: BodyNews, now: number) => readonly LogLine[], fails = false): Setup {
  const amended: Amendment[] = [];
  const written: string[] = [];
  const errors: unknown[] = [];
  const turns: (() => void)[] = [];
  let counted = 0;
  return {
    observe: createBodyObserver({
      metrics: {
        bodiesDone: () => {
          counted += 1;
          if (fails) throw new Error("no counter");
        },
        failed: () => {},
      },
      decisions: { amend: (amendment) => void amended.push(amendment) },
      logger: { error: (fields: unknown) => void errors.push(fields) },
      log: () => ({
        lines: () => [],
        bodyLines: (observation, now) => bodyLines(observation as BodyNews, now),
        strict: new Set(["audit"]),
      }),
      outlet: { write: ({ sink, time }) => void written.push(`${sink} ${time}`) },
      now: () => 17,
      soon: (callback) => void turns.push(callback),
    }),
    amended,
    written,
    errors,
    counted: () => counted,
    turn: () => {
      for (const run of turns.splice(0)) run();
    },
  };
}

/** What ext_proc tells is what is taken: either does not compile when it changes alone. */
type OutcomeFits = BodyOutcome extends BodyNews ? true : never;
const fits: OutcomeFits = true;
const observes = (metrics: Metrics): ExtProcObserver => metrics.extProc;

const lineAt = (_: BodyNews, time: number): readonly LogLine[] => [
  { sink: "audit", time, severity: "info", text: "{}" },
];

test("what ext_proc tells its observers is what they take", () => {
  expect(fits).toBe(true);
  expect(Object.keys(observes(createMetrics({ processMetrics: false })))).toContain("violated");
});

describe("what body policies did", () => {
  it("is counted and joined when the exchange is over, and written in a later turn", () => {
    const { observe, amended, written, counted, turn } = setup(lineAt);
    observe({ ...news, kind: "refused" });
    expect([amended.length, counted()]).toEqual([0, 0]);
    observe(news);
    expect(amended).toMatchObject([
      { decision_id: "d-1", body: { changes: 2, rules: { "shop/mask/card": 2 } } },
    ]);
    expect([counted(), written]).toEqual([1, []]);
    turn();
    expect(written).toEqual(["audit 17"]);
  });

  it("is nothing where no policy acted and nothing was refused", () => {
    const { observe, amended, written, turn } = setup(lineAt);
    observe({ ...news, report: undefined });
    turn();
    expect([amended, written]).toEqual([[], []]);
  });

  it("tells of a refusal without a run", () => {
    const { observe, amended } = setup(lineAt);
    const refusal = { policy: "", reason: "unknown_obligation", code: 13, direction: "request" } as const;
    observe({ ...news, report: undefined, refusal });
    expect(amended).toMatchObject([
      { body: { refused: { reason: "unknown_obligation", phase: "request" } } },
    ]);
  });

  it("takes no other line along when one cannot be made, and no exchange when it cannot be counted", () => {
    const { observe, written, errors, turn } = setup((observation, time) => {
      if (observation.decisionId === "bad") throw new Error("no line");
      return lineAt(observation, time);
    });
    observe({ ...news, decisionId: "bad" });
    observe(news);
    turn();
    expect([written, errors.length]).toEqual([["audit 17"], 1]);
    const broken = setup(lineAt, true);
    expect(() => broken.observe(news)).not.toThrow();
    expect(broken.errors).toHaveLength(1);
  });
});
