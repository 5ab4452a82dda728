import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { check, type Decision, obligationsAsked, type Verdict } from "../../../src/engine/index.js";
import { aRequest } from "../../support/request.js";
import { aPolicy, aRule } from "../istio/policies.js";
import { aSnapshot, type Setup, verdict } from "./snapshots.js";

const ports = { decisionId: () => "id", wallClock: () => 0 };

async function decide(setup: Setup): Promise<Decision> {
  return check(aSnapshot(setup), aRequest().get("/x").build(), new Uint8Array(), ports);
}

const get = aRule({ to: [{ methods: ["GET"] }] });
const post = aRule({ to: [{ methods: ["POST"] }] });

const own = (...verdicts: readonly Partial<Verdict>[]): Setup => ({
  own: verdicts.map((changes, i) => ({
    ref: { key: `shop/r${i}`, policy: `shop/r${i}`, rule: undefined },
    provider: () => verdict(changes),
  })),
});

const asking = (obligations: unknown): Partial<Verdict> => ({ metadata: { obligations, other: 1 } });

describe("obligations of policies", () => {
  it("hold from every policy that matches, not only from the one that decides", async () => {
    const policies = [
      aPolicy({ name: "a", rules: [get] }),
      aPolicy({ name: "b", rules: [get], obligations: ["foo/y"] }),
      aPolicy({ name: "c", rules: [post, get], obligations: ["foo/x", "foo/y"] }),
      aPolicy({ name: "d", rules: [post], obligations: ["foo/never"] }),
      aPolicy({ name: "e", action: "AUDIT", rules: [get], obligations: ["bar/z"] }),
    ];
    const decision = await decide({ policies });
    expect(decision).toMatchObject({ allowed: true, rule: { policy: "foo/a" } });
    expect(decision.obligations).toEqual(["bar/z", "foo/x", "foo/y"]);
  });

  it("do not hold for what is refused, by whichever stage", async () => {
    const obliging = aPolicy({ name: "a", rules: [get], obligations: ["foo/x"] });
    const denying = aPolicy({ name: "d", action: "DENY", rules: [get] });
    expect((await decide({ policies: [obliging, denying] })).obligations).toEqual([]);
    const later = { policies: [obliging], ...own(asking("shop/y"), { allowed: false }) };
    expect(await decide(later)).toMatchObject({ allowed: false, obligations: [] });
    const unmatched = [
      aPolicy({ rules: [post] }),
      aPolicy({ action: "AUDIT", rules: [get], obligations: ["foo/x"] }),
    ];
    expect(await decide({ policies: unmatched })).toMatchObject({ allowed: false, obligations: [] });
  });

  it("are the same empty list where nobody asks for any", async () => {
    const [one, other] = [await decide({}), await decide({ policies: [aPolicy({ rules: [get] })] })];
    expect(one.obligations).toEqual([]);
    expect(one.obligations).toBe(other.obligations);
  });

  it("only grow with every further policy", async () => {
    const name = fc.constantFrom("foo/a", "foo/b", "foo/c", "bar/a");
    const policy = fc.record({
      obligations: fc.uniqueArray(name).map((names) => names.sort()),
      rules: fc.constantFrom([get], [post], [post, get]),
      action: fc.constantFrom("ALLOW" as const, "AUDIT" as const),
    });
    const lists = fc.tuple(fc.array(policy, { maxLength: 4 }), policy);
    await fc.assert(
      fc.asyncProperty(lists, async ([some, another]) => {
        const named = [...some, another].map((one, i) => aPolicy({ ...one, name: `p${i}` }));
        const all = aPolicy({ name: "all", rules: [aRule()] });
        const before = (await decide({ policies: [all, ...named.slice(0, -1)] })).obligations;
        const after = (await decide({ policies: [all, ...named] })).obligations;
        expect(after).toEqual([...new Set(after)].sort());
        expect(before.every((obligation) => after.includes(obligation))).toBe(true);
      }),
    );
  });
});

describe("obligations of providers", () => {
  it("are those of all answers, taken out of the metadata that are passed on", async () => {
    const setup = own(asking(["b", "other/a"]), asking("c"), { metadata: { obligations: ["b"] } });
    const decision = await decide({
      ...setup,
      policies: [
        aPolicy({ action: "CUSTOM", provider: "p", rules: [get] }),
        aPolicy({ name: "x", rules: [get], obligations: ["foo/x"] }),
      ],
      provider: () => Promise.resolve(verdict({ metadata: { obligations: "custom" } })),
    });
    expect(decision.obligations).toEqual(["foo/custom", "foo/x", "other/a", "shop/b", "shop/c"]);
    expect(decision.metadata).toEqual({ other: 1 });
  });

  it("leave no metadata where they were all of them", async () => {
    expect((await decide(own({ metadata: { obligations: ["a"] } }))).metadata).toBeUndefined();
  });

  it.each([
    [[1]],
    [null],
    [{}],
    [[["a"]]],
    [""],
    ["a/b/c"],
    ["A"],
    [["a", undefined]],
    [Array.from({ length: 33 }, () => "a")],
  ])("refuse as a failed policy where they cannot be read: %j", async (obligations) => {
    expect(await decide(own(asking(obligations)))).toMatchObject({
      allowed: false,
      code: 13,
      httpStatus: 500,
      stage: "rego",
      reason: "policy_failed",
      rule: { policy: "shop/r0" },
      obligations: [],
    });
    const custom = { action: "CUSTOM", provider: "p", rules: [get] } as const;
    const provider = () => verdict(asking(obligations));
    expect(await decide({ policies: [aPolicy(custom)], provider })).toMatchObject({
      allowed: false,
      stage: "custom",
      reason: "provider_failed",
    });
  });

  it("of a policy on trial neither hold nor refuse", async () => {
    const trial = own({ ...asking(["a"]), dryRun: "allowed" }, { ...asking(7), dryRun: "denied" });
    expect(await decide(trial)).toMatchObject({ allowed: true, obligations: [] });
  });

  it("are none where the key is one of the prototype's", () => {
    expect(obligationsAsked(Object.create({ obligations: ["a"] }), "shop/r")).toEqual([]);
  });
});
