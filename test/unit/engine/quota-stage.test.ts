import { describe, expect, it, vi } from "vitest";
import { check, type Decision } from "../../../src/engine/index.js";
import type { QuotaOutcome, QuotaStage } from "../../../src/quota/index.js";
import { aRequest, aWorkload } from "../../support/request.js";
import { aPolicy, aRule } from "../istio/policies.js";
import { aSnapshot, type Setup, verdict } from "./snapshots.js";

const ports = { decisionId: () => "id", wallClock: () => 0 };

function decide(setup: Setup): Decision | Promise<Decision> {
  return check(aSnapshot(setup), aRequest().build(), new Uint8Array(), ports);
}

const passes: QuotaOutcome = {
  refused: undefined,
  headers: [["RateLimit", '"q";r=4;t=60']],
  facts: [
    {
      quota: "shop/q",
      limit: 5,
      windowMs: 60_000,
      cost: 1,
      counter: { allowed: true, remaining: 4, resetMs: 60_000, retryMs: 0 },
    },
  ],
  dryRun: [],
  failedOpen: false,
};

const full: QuotaOutcome = {
  ...passes,
  refused: { quota: "shop/q", reason: "over_limit", status: 429, body: "slow down" },
};

function stage(outcome: QuotaOutcome, chargeRefused?: QuotaStage["chargeRefused"]): QuotaStage {
  return { charge: () => outcome, chargeRefused };
}

const denyAll = aPolicy({ action: "DENY", rules: [aRule()] });

describe("the stage quota", () => {
  it("leaves the answer to what allowed, and adds what it took and tells the caller", () => {
    expect(decide({ quota: stage(passes) })).toMatchObject({
      allowed: true,
      stage: "none",
      reason: "no_policy",
      quota: { facts: [{ quota: "shop/q", cost: 1 }], headers: [["RateLimit", '"q";r=4;t=60']] },
    });
  });

  it("answers RESOURCE_EXHAUSTED with the quota's own status and body where one is used up", () => {
    expect(decide({ quota: stage(full) })).toMatchObject({
      allowed: false,
      code: 8,
      httpStatus: 429,
      body: "slow down",
      stage: "quota",
      reason: "quota_exceeded",
      rule: { policy: "shop/q", rule: undefined },
    });
  });

  it("answers UNAVAILABLE where nobody could count and the quota denies then", () => {
    const refused = { quota: "shop/q", reason: "store_failed", status: 503, body: "" } as const;
    expect(decide({ quota: stage({ ...passes, refused }) })).toMatchObject({
      allowed: false,
      code: 14,
      httpStatus: 503,
      reason: "quota_unavailable",
    });
  });

  it("is asked by the request as the stages before left it, with the workload it is for", async () => {
    const charge = vi.fn(() => passes);
    const edits = {
      ...verdict().edits,
      requestHeaders: [{ name: "x-tier", value: "gold", action: "OVERWRITE_IF_EXISTS_OR_ADD" as const }],
    };
    const own = [{ ref: { key: "a/p", policy: "a/p", rule: undefined }, provider: () => verdict({ edits }) }];
    await decide({ own, quota: { charge, chargeRefused: undefined } });
    const [request] = (charge.mock.calls as unknown as Parameters<QuotaStage["charge"]>[])[0] ?? [];
    expect(request?.attributes.request?.headers.get("x-tier")).toEqual(["gold"]);
    expect(request?.workload).toEqual(aWorkload());
  });

  it("costs nothing when a stage before refuses, unless a quota asks for it", () => {
    const charge = vi.fn(() => passes);
    const chargeRefused = vi.fn();
    expect(decide({ policies: [denyAll], quota: { charge, chargeRefused: undefined } })).toMatchObject({
      allowed: false,
      stage: "authorize",
      quota: { facts: [], headers: [] },
    });
    expect(decide({ policies: [denyAll], quota: { charge, chargeRefused } })).toMatchObject({
      allowed: false,
      stage: "authorize",
    });
    expect(charge).not.toHaveBeenCalled();
    expect(chargeRefused).toHaveBeenCalledTimes(1);
  });

  it("is waited for where the counters stand elsewhere, and says that it failed open", async () => {
    const quota = { charge: async () => ({ ...passes, failedOpen: true }), chargeRefused: undefined };
    expect(await decide({ quota })).toMatchObject({ allowed: true, failedOpen: true });
  });

  it("shows quotas on trial beside other trials", () => {
    const quota = stage({ ...passes, dryRun: [{ quota: "shop/trial", result: "denied" }] });
    expect(decide({ quota })).toMatchObject({
      allowed: true,
      dryRun: [{ action: "QUOTA", result: "denied", policy: "shop/trial" }],
    });
  });
});
