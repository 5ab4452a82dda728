import { describe, expect, it } from "vitest";
import { decisionsPage } from "../../../src/server/decisions-page.js";
import { createDecisionRing, type DecisionFilter } from "../../../src/telemetry/index.js";
import { aDecision, aServed } from "../../support/served.js";

async function filterOf(query: string): Promise<DecisionFilter | string> {
  let asked: DecisionFilter | undefined;
  const answer = await decisionsPage(new URLSearchParams(query), async (filter) => {
    asked = filter;
    return [];
  });
  return answer.status === 200 ? (asked as DecisionFilter) : `${answer.status} ${answer.body.trim()}`;
}

describe("the page of decisions", () => {
  it.each([
    ["", {}],
    ["denied=false", { denied: false }],
    ["policy=shop/deny&limit=5", { policy: "shop/deny", limit: 5 }],
    ["outcome=denied_but_served", { outcome: "denied_but_served" }],
    [
      "principal=https%3A%2F%2Fid%2Fann&host=shop.example",
      { principal: "https://id/ann", host: "shop.example" },
    ],
    [
      "path=/cart&stage=quota&reason=quota_exceeded",
      { path: "/cart", stage: "quota", reason: "quota_exceeded" },
    ],
    ["quota=shop/q&after=17", { quota: "shop/q", after: 17 }],
    ["decision_id=d-1", { decisionId: "d-1" }],
    ["body_policy=shop/mask&unmet=true", { bodyPolicy: "shop/mask", unmet: true }],
    ["request_id=r-1", { requestId: "r-1" }],
    ["since=1970-01-01T00:00:01Z", { since: 1000 }],
    ["since=1970-01-01T01:00:01%2B01:00", { since: 1000 }],
    ["since=1970-01-01T01:00:01+01:00", { since: 1000 }],
  ])("reads %s", async (query, filter) => {
    expect(await filterOf(query)).toEqual(filter);
  });

  it.each([
    ["denied=maybe", "400 bad `denied`, expected true or false"],
    ["unmet=1", "400 bad `unmet`, expected true or false"],
    ["body_policy=mask", "400 bad `body_policy`, expected NAMESPACE/NAME"],
    ["limit=-1", "400 bad `limit`, expected a number"],
    ["policy=deny", "400 bad `policy`, expected NAMESPACE/NAME"],
    ["quota=", "400 bad `quota`, expected NAMESPACE/NAME"],
    ["outcome=none", "400 bad `outcome`, expected allowed, denied, shadow_denied,"],
    ["path=cart", "400 bad `path`, expected what the path begins with: /"],
    ["since=yesterday", "400 bad `since`, expected a time as in 2026-01-31T12:00:00Z"],
    ["since=2026-02-31T25:00:00Z", "400 bad `since`"],
    ["decision_id=", "400 bad `decision_id`, expected an id"],
    ["after=x", "400 bad `after`, expected the `cursor` of a record, or 0"],
    ["stage=A%20B", "400 bad `stage`"],
    ["limit=1&limit=2", "400 `limit` is given twice, expected it once"],
    ["polcy=a/b", "400 unknown parameter `polcy`, expected denied, policy, outcome,"],
    ["__proto__=1", "400 unknown parameter `__proto__`"],
  ])("refuses %s and says what was expected", async (query, expected) => {
    expect(await filterOf(query)).toContain(expected);
  });

  it("shows a decision with what became of it, times as RFC 3339", async () => {
    const ring = createDecisionRing(10);
    ring.push(aDecision());
    ring.served(aServed());
    const { body } = await decisionsPage(new URLSearchParams(), async (filter) => ring.list(filter));
    expect(JSON.parse(body)).toMatchObject({
      decisions: [
        {
          ...aDecision(),
          time: "2023-11-14T22:13:20.000Z",
          outcome: "allowed",
          known_from: "decision",
          seq: 0,
          cursor: 2,
          response: { time: "2023-11-14T22:13:20.000Z", response_code: 200 },
        },
      ],
    });
  });
});
