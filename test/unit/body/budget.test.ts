import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createBodyBudget, withinBudget } from "../../../src/body/budget.js";
import type { BodyFlow, BodyRefusal, FlowStep, LastStep } from "../../../src/body/run.js";
import { anInput, aPlan, begun } from "./body-kit.js";

const bytes = (length: number): Uint8Array => new Uint8Array(length);
const noEdits = { remove: [], set: [] } as const;

/** Keeps all that comes until its end, or lets it go at once. */
function aFlow(need: BodyFlow["need"], keeps: boolean): BodyFlow {
  let held = 0;
  return {
    need,
    headEdits: noEdits,
    get heldBytes() {
      return held;
    },
    push(chunk): FlowStep {
      if (!keeps) return { kind: "go", bytes: chunk };
      held += chunk.length;
      return { kind: "go", bytes: bytes(0) };
    },
    end(): LastStep {
      return { kind: "go", bytes: bytes(held), edits: noEdits };
    },
  };
}

function aBudget(max: number) {
  const told = { held: 0, refused: 0 };
  const budget = createBodyBudget(max, {
    held: (more) => {
      told.held += more;
    },
    refused: () => {
      told.refused += 1;
    },
  });
  const refusals: BodyRefusal[] = [];
  return {
    budget,
    told,
    refusals,
    begin: (flow: BodyFlow) => withinBudget(flow, budget, (one) => refusals.push(one)),
  };
}

describe("a budget of bodies", () => {
  it("refuses with 503 the body for which there is no room, and leaves those that are there", () => {
    const { begin, told, refusals } = aBudget(100);
    const [first, second] = [begin(aFlow("whole", true)), begin(aFlow("whole", true))];
    expect(first.push(bytes(60))).toMatchObject({ kind: "go" });
    expect(second.push(bytes(50))).toMatchObject({
      kind: "refuse",
      refusal: { httpStatus: 503, code: 14, reason: "body_no_room", policy: "", body: "" },
    });
    expect(second.end()).toMatchObject({ kind: "refuse" });
    expect(first.push(bytes(40))).toMatchObject({ kind: "go" });
    expect(first.end()).toMatchObject({ kind: "go", bytes: { length: 100 } });
    expect([told, refusals.map(({ reason }) => reason)]).toEqual([{ held: 0, refused: 1 }, ["body_no_room"]]);
  });

  it("has room again when a body is over, or its stream", () => {
    const { begin, told } = aBudget(100);
    const given = begin(aFlow("whole", true));
    void given.push(bytes(100));
    given.free();
    given.free();
    expect(told.held).toBe(0);
    const next = begin(aFlow("whole", true));
    expect(next.push(bytes(100))).toMatchObject({ kind: "go" });
    void next.end();
    next.free();
    expect(begin(aFlow("whole", true)).push(bytes(100))).toMatchObject({ kind: "go" });
  });

  it("counts what a whole body lets go before it is over, and nothing of a stream that keeps nothing", () => {
    const { begin, told } = aBudget(100);
    const stream = begin(aFlow("streamed", false));
    for (let i = 0; i < 10; i += 1) expect(stream.push(bytes(100))).toMatchObject({ kind: "go" });
    expect(told.held).toBe(0);
    const whole = begin(aFlow("whole", false));
    void whole.push(bytes(70));
    expect(told.held).toBe(70);
    expect(whole.push(bytes(70))).toMatchObject({ kind: "refuse" });
  });

  const deny = [{ deny: "request.body.a > 1" }];
  const whole = {
    delivery: "whole",
    maxBytes: 1000,
    onLimit: "deny",
    rules: [{ deny: "response.body.a > 1" }],
  };
  const json = new Map([
    [":status", ["200"]],
    ["content-type", ["application/json"]],
  ]);
  const noRoom = { refused: undefined, dryRun: [{ policy: "shop/a", reason: "body_no_room" }] };

  it("refuses nobody for a policy on trial, and lets go on what was kept for it", async () => {
    const { budget, told } = aBudget(100);
    const policy = { dryRun: true, request: { body: { rules: deny } } };
    const run = begun(aPlan([policy], { budget }).begin(anInput()));
    expect(await run.request?.push(bytes(90))).toMatchObject({ kind: "go", bytes: { length: 0 } });
    expect(told.held).toBe(90);
    expect(await run.request?.push(bytes(90))).toMatchObject({ kind: "go", bytes: { length: 180 } });
    expect(await run.request?.push(bytes(900))).toMatchObject({ kind: "go", bytes: { length: 900 } });
    expect(await run.request?.end()).toMatchObject({ kind: "go", bytes: { length: 0 } });
    expect(run.report()).toMatchObject(noRoom);
    expect(told).toEqual({ held: 0, refused: 0 });
  });

  it("refuses where others keep the body too", async () => {
    const { budget, told } = aBudget(100);
    const policies = [
      { dryRun: true, request: { body: { rules: deny } } },
      { request: { body: { rules: deny } } },
    ];
    const run = begun(aPlan(policies, { budget }).begin(anInput()));
    expect(await run.request?.push(bytes(101))).toMatchObject({ kind: "refuse" });
    run.close();
    expect(told).toEqual({ held: 0, refused: 1 });
  });

  it("counts the copy of a response that a trial keeps, and gives it up", async () => {
    const { budget, told } = aBudget(100);
    const plan = aPlan([{ dryRun: true, response: { body: whole } }], { budget });
    const run = begun(plan.begin(anInput({ hasBody: false })));
    const step = run.responseHead({ code: 200, headers: json, hasBody: true });
    const flow = step.kind === "go" ? step.flow : undefined;
    expect(await flow?.push(bytes(40))).toMatchObject({ kind: "go", bytes: { length: 40 } });
    expect(told.held).toBeGreaterThanOrEqual(40);
    expect(await flow?.push(bytes(200))).toMatchObject({ kind: "go", bytes: { length: 200 } });
    expect(told).toEqual({ held: 0, refused: 0 });
    expect(await flow?.end()).toMatchObject({ kind: "go" });
    expect(run.report()).toMatchObject(noRoom);
  });

  it("never keeps more than it may, and nothing in the end, whatever comes", () => {
    const pushes = fc.array(fc.tuple(fc.nat(3), fc.nat(60), fc.constantFrom("push", "push", "end", "free")));
    fc.assert(
      fc.property(pushes, (steps) => {
        const { begin, told } = aBudget(100);
        const flows = ["whole", "whole", "streamed", "streamed"].map((need, i) =>
          begin(aFlow(need as BodyFlow["need"], i % 2 === 0)),
        );
        for (const [i, length, what] of steps) {
          const flow = flows[i];
          if (what === "push") void flow?.push(bytes(length));
          else if (what === "end") void flow?.end();
          else flow?.free();
          expect(told.held).toBeGreaterThanOrEqual(0);
          expect(told.held).toBeLessThanOrEqual(100);
        }
        for (const flow of flows) flow.free();
        expect(told.held).toBe(0);
      }),
    );
  });
});
