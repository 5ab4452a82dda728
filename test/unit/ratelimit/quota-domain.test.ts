import { describe, expect, it } from "vitest";
import {
  type MappedDescriptor,
  type MappedState,
  type QuotaDomains,
  StoreError,
} from "../../../src/quota/index.js";
import type { RateLimitAnswer } from "../../../src/ratelimit/index.js";
import { aCall, aRateLimiter, asking } from "../../support/rate-limits.js";

const state: MappedState = {
  quota: "shop/orders",
  limit: 10,
  windowMs: 60_000,
  allowed: true,
  remaining: 7,
  resetMs: 1001,
};

/** Quotas of one domain that say the same to every descriptor. */
function quotasSaying(said: MappedState | undefined, asked: MappedDescriptor[] = []): QuotaDomains {
  return {
    has: (domain) => domain === "mapped",
    charge: (_, descriptors) => {
      asked.push(...descriptors);
      return descriptors.map(() => said);
    },
  };
}

describe("a domain that Quotas stand for", () => {
  it("is answered with what is left of the quota, under its name", () => {
    const { limits, added } = aRateLimiter([], { quotas: quotasSaying(state) });
    expect(limits.decide(aCall("mapped", asking([["k", "v"]])))).toMatchObject({
      code: "OK",
      statuses: [
        {
          code: "OK",
          currentLimit: { name: "shop/orders", requestsPerUnit: 10, unit: "MINUTE" },
          limitRemaining: 7,
          durationUntilReset: 2,
        },
      ],
    });
    expect(added).toEqual([]);
  });

  it("has a reset that an answer has room for, also at the end of two windows of 100 years", () => {
    const { limits } = aRateLimiter([], {
      quotas: quotasSaying({ ...state, resetMs: 2 * 876_000 * 3_600_000 }),
    });
    const answer = limits.decide(aCall("mapped", asking([["k", "v"]]))) as RateLimitAnswer;
    expect(answer.statuses[0]?.durationUntilReset).toBe(2 ** 32 - 1);
  });

  it("refuses where a quota does, with the headers of the peer", () => {
    const { limits } = aRateLimiter([], {
      quotas: quotasSaying({ ...state, allowed: false, remaining: 3, windowMs: 90_000 }),
      settings: { headers: { limit: "L", remaining: "R", reset: "T" } },
    });
    const answer = limits.decide(aCall("mapped", asking([["k", "v"]]))) as RateLimitAnswer;
    expect(answer.code).toBe("OVER_LIMIT");
    expect(answer.statuses[0]).toMatchObject({ currentLimit: { unit: undefined }, limitRemaining: 0 });
    expect(answer.responseHeaders).toEqual([
      ["L", "10"],
      ["R", "0"],
      ["T", "2"],
    ]);
  });

  it("hands on entries, hits and whether they are given back", () => {
    const asked: MappedDescriptor[] = [];
    const { limits } = aRateLimiter([], { quotas: quotasSaying(undefined, asked) });
    const call = aCall(
      "mapped",
      asking([["k", "v"]]),
      asking([], { hitsAddend: 0n, isNegative: true }),
      asking([], { hitsAddend: 2n ** 62n }),
    );
    const answer = limits.decide({ ...call, hitsAddend: 5 }) as RateLimitAnswer;
    expect(asked).toEqual([
      { entries: [{ key: "k", value: "v" }], hits: 5, isNegative: false },
      { entries: [], hits: 0, isNegative: true },
      { entries: [], hits: 2 ** 62, isNegative: false },
    ]);
    expect(answer.statuses.map(({ currentLimit }) => currentLimit)).toEqual([
      undefined,
      undefined,
      undefined,
    ]);
  });

  it("passes on that counters cannot be reached", async () => {
    const gone = new StoreError("timeout", "slow");
    const quotas = { has: () => true, charge: () => Promise.reject(gone) };
    const { limits } = aRateLimiter([], { quotas });
    await expect(limits.decide(aCall("mapped", asking([])))).rejects.toBe(gone);
  });

  it("is under the same checks as others", () => {
    const { limits } = aRateLimiter([], { quotas: quotasSaying(state) });
    expect(() => limits.decide(aCall("mapped"))).toThrow("rate limit descriptor list must not be empty");
  });
});
