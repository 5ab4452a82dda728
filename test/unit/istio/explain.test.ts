import { describe, expect, it } from "vitest";
import { nearestMiss } from "../../../src/istio/index.js";
import { aRequest } from "../../support/request.js";
import { aPolicy, aRule, meshDomain } from "./policies.js";

describe("the nearest miss", () => {
  const far = aRule({ from: [{ namespaces: ["x"] }], to: [{ methods: ["PUT"], paths: ["/y"] }] });
  const near = aRule({
    from: [{ namespaces: ["web"] }],
    to: [{ methods: ["POST"] }, { methods: ["GET"], paths: ["/a*"] }],
  });

  it("is the rule with the fewest failed conditions, in its closest alternative", () => {
    const request = aRequest().from("ns/web/sa/w").get("/b").build();
    expect(nearestMiss([aPolicy({ rules: [far, near] })], request, meshDomain)).toEqual({
      policy: "foo/p",
      rule: 1,
      condition: "to[0].operation.methods",
      path: ["spec", "rules", 1, "to", 0, "operation", "methods"],
      failed: 1,
    });
  });

  it("names a negative condition by its own field", () => {
    const rule = aRule({ to: [{ notPaths: ["/admin*"] }] });
    const request = aRequest().get("/admin").build();
    expect(nearestMiss([aPolicy({ rules: [rule] })], request, meshDomain)?.condition).toBe(
      "to[0].operation.notPaths",
    );
  });

  it("counts only ALLOW policies that are enforced", () => {
    const request = aRequest().build();
    const policies = [
      aPolicy({ action: "DENY", rules: [far] }),
      aPolicy({ dryRun: true, rules: [far] }),
      aPolicy(),
    ];
    expect(nearestMiss(policies, request, meshDomain)).toBeUndefined();
  });
});
