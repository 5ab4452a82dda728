import { describe, expect, test } from "vitest";
import type { CheckResponse__Output } from "../../src/proto/index.js";
import { disagreements } from "./compare.js";
import type { Expected } from "./corpus-case.js";

const denied: Expected = {
  verdict: "deny",
  status: 403,
  by: "rbac",
  body: "RBAC: access denied",
  details: "rbac_access_denied_matched_policy[ns[foo]-policy[p]-rule[1]]",
  audit: true,
  rbac_metadata: { istio_dry_run_allow_shadow_engine_result: "denied" },
};

function refusal(record: object = {}, status = 403): CheckResponse__Output {
  const fields = {
    allowed: { boolValue: false },
    stage: { stringValue: "authorize" },
    policy: { stringValue: "foo/p" },
    rule: { numberValue: 1 },
    audit: { boolValue: true },
    dry_run: {
      listValue: {
        values: [
          {
            structValue: {
              fields: { action: { stringValue: "ALLOW" }, result: { stringValue: "denied" } },
            },
          },
        ],
      },
    },
    ...record,
  };
  return {
    status: { code: 7 },
    denied_response: { status: { code: status }, body: "RBAC: access denied" },
    dynamic_metadata: { fields: { gatehouse: { structValue: { fields } } } },
  } as unknown as CheckResponse__Output;
}

describe("the comparison with a real Envoy's answer", () => {
  test("finds nothing where all points agree", () => {
    expect(disagreements(denied, refusal())).toEqual([]);
  });

  test("finds a refusal that should be a pass", () => {
    const allowed: Expected = { verdict: "allow", status: 200, by: "route", audit: true };
    expect(disagreements(allowed, refusal())).toContain("verdict: expected allow, got deny");
  });

  test.each([
    ["another status", refusal({}, 401), "status: expected 403, got 401"],
    [
      "another rule",
      refusal({ rule: { numberValue: 0 } }),
      "rule: expected ns[foo]-policy[p]-rule[1], got ns[foo]-policy[p]-rule[0]",
    ],
    ["another AUDIT result", refusal({ audit: undefined }), "audit: expected true, got undefined"],
    [
      "a missing dry-run result",
      refusal({ dry_run: undefined }),
      "dry run: expected allow denied by no rule, got ",
    ],
  ])("finds %s", (_, response, point) => {
    expect(disagreements(denied, response)).toEqual([point]);
  });

  test("takes a missing decision record for a disagreement", () => {
    const { dynamic_metadata: _, ...bare } = refusal();
    expect(disagreements(denied, bare as CheckResponse__Output)).not.toEqual([]);
  });
});
