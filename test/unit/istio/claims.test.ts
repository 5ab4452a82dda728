import { describe, expect, it } from "vitest";
import { compileAuthorizationPolicy } from "../../../src/istio/index.js";
import { aRequest } from "../../support/request.js";
import { aPolicy, aRule, meshDomain } from "./policies.js";

/** Whether a rule with this condition matches a request with this verified token. */
function matches(
  key: string,
  value: string,
  payload: NonNullable<Parameters<ReturnType<typeof aRequest>["claims"]>[0]>,
): boolean {
  const policy = aPolicy({ rules: [aRule({ when: [{ key, values: [value], notValues: [] }] })] });
  const [rule] = compileAuthorizationPolicy(policy, meshDomain).http;
  return rule?.matches(aRequest().claims(payload).build()) === true;
}

describe("conditions on a verified token", () => {
  it.each([
    ["*", "i", "s", true],
    ["*", "i", "", false],
    ["https://a/s", "https://a", "s", true],
    ["https://a/*", "https://a", "any", true],
    ["https://a*", "https://ab", "s", false],
    ["*/*", "i", "s", false],
    ["*/s", "https://x", "s", true],
    ["*.io/s", "https://x.io", "s", true],
    ["*fix", "https://x", "suffix", true],
    ["iss*", "issuer", "s", true],
    ["iss/su*", "iss", "subject", true],
    ["iss", "iss", "", true],
    ["iss/a/b", "iss", "a/b", false],
  ])("request principal %s on issuer %s and subject %j: %s", (value, iss, sub, expected) => {
    expect(matches("request.auth.principal", value, { iss, sub })).toBe(expected);
  });

  it("find a claim that is the value or a list with it, and no other type", () => {
    expect(matches("request.auth.claims[group]", "admin", { group: "admin" })).toBe(true);
    expect(matches("request.auth.claims[group]", "admin", { group: ["user", "admin"] })).toBe(true);
    expect(matches("request.auth.claims[group]", "1", { group: 1 })).toBe(false);
    expect(matches("request.auth.claims[group]", "*", { group: [1, true] })).toBe(false);
    expect(matches("request.auth.claims[group]", "*", { group: "" })).toBe(false);
  });

  it("reach nested claims by brackets and never by dots", () => {
    expect(matches("request.auth.claims[realm][role]", "r", { realm: { role: ["r"] } })).toBe(true);
    expect(matches("request.auth.claims[realm.role]", "r", { realm: { role: "r" } })).toBe(false);
    expect(matches("request.auth.claims[realm.role]", "r", { "realm.role": "r" })).toBe(true);
  });

  it("treat names of Object's own members as ordinary claims", () => {
    expect(matches("request.auth.claims[constructor]", "*", {})).toBe(false);
    expect(matches("request.auth.claims[__proto__]", "x", JSON.parse('{"__proto__":"x"}'))).toBe(true);
  });

  it("hold for the absent token when they are negative", () => {
    const policy = aPolicy({ rules: [aRule({ from: [{ notRequestPrincipals: ["*"] }] })] });
    const [rule] = compileAuthorizationPolicy(policy, meshDomain).http;
    expect(rule?.matches(aRequest().build())).toBe(true);
    expect(rule?.matches(aRequest().claims({ iss: "i", sub: "s" }).build())).toBe(false);
  });
});
