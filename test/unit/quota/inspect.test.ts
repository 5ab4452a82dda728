import { describe, expect, it } from "vitest";
import { chargeFor, createLedger, createQuotaStage, generalChargeOf } from "../../../src/quota/index.js";
import { asked, compiled, fakeStore, recording } from "./quota-kit.js";

const quota = compiled({
  dimensions: { user: "request.headers['x-user']", method: "request.method" },
  overrides: [{ dimensions: { user: "root" }, unlimited: true }],
});

describe("who looks at a counter", () => {
  it("finds the one that requests are charged on", async () => {
    const [store, observer] = [fakeStore(), recording()];
    const ledger = createLedger({ store, local: fakeStore(), observer });
    const stage = createQuotaStage([quota], { ledger, headers: "none", observer });
    await stage.charge(asked({ "x-user": "alice" }));
    await stage.charge(asked());
    const charge = chargeFor(
      quota,
      new Map([
        ["method", "GET"],
        ["user", "alice"],
      ]),
    );
    expect([...store.used.keys()]).toEqual([charge?.key, generalChargeOf(quota).key]);
    expect(charge).toMatchObject({ group: "shop", cost: 1, limit: 3, id: undefined });
  });

  it.each([
    ["request.headers['authorization']", "a request's token", false],
    ["request.query_params['api_key']", "a request's key", false],
    ["request.headers['x-user']", "whom a header names", true],
    ["request.auth.claims.session", "what a token says", true],
  ])("does not see %s in a key unless it may be seen: %s", (value, _, isSeen) => {
    const made = compiled({ dimensions: { who: value } });
    const key = (who: string): string => chargeFor(made, new Map([["who", who]]))?.key ?? "";
    expect(key("Bearer abc").includes("Bearer abc")).toBe(isSeen);
    expect(key("Bearer abc")).toBe(key("Bearer abc"));
    expect(key("Bearer abc")).not.toBe(key("Bearer abd"));
  });

  it("is told when there is none", () => {
    const values = new Map([
      ["user", "root"],
      ["method", "GET"],
    ]);
    expect(chargeFor(quota, values)).toBeUndefined();
  });

  it("must give each dimension a value, and no other", () => {
    expect(() => chargeFor(quota, new Map([["user", "a"]]))).toThrow(
      "no value for dimension `method` of quota shop/per-user, expected one for `user`, `method`",
    );
    expect(() => chargeFor(quota, new Map([["colour", "red"]]))).toThrow(
      "quota shop/per-user has no dimension `colour`, expected `user`, `method`",
    );
  });
});
