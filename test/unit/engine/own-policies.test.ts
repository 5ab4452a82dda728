import { describe, expect, it, vi } from "vitest";
import {
  type Chain,
  check,
  type Decision,
  noEdits,
  type Provider,
  type ProviderRequest,
  type Verdict,
} from "../../../src/engine/index.js";
import { aRequest } from "../../support/request.js";
import { aPolicy, aRule } from "../istio/policies.js";
import { aSnapshot, type Setup, verdict } from "./snapshots.js";

const ports = { decisionId: () => "id", wallClock: () => 0 };

function decide(setup: Setup, request = aRequest()): Decision | Promise<Decision> {
  return check(aSnapshot(setup), request.build(), new Uint8Array(), ports);
}

function policy(name: string, provider: Provider): Chain["own"][number] {
  return { ref: { key: name, policy: name, rule: undefined }, provider };
}

const yes: Verdict = verdict({ allowed: true });
const no: Verdict = verdict({ allowed: false, httpStatus: 451, body: "no" });

describe("policies with a selector of their own", () => {
  it("answer at once when they need not wait, and are named by the decision", () => {
    const decision = decide({ own: [policy("a/p", () => yes), policy("a/q", () => yes)] });
    expect(decision).toMatchObject({
      allowed: true,
      stage: "rego",
      reason: "allowed_by_policy",
      rule: { policy: "a/q", rule: undefined },
    });
  });

  it("must all allow: the first that refuses answers, and none behind it is asked", () => {
    const last = vi.fn(() => yes);
    const own = [policy("a/p", () => yes), policy("a/q", () => no), policy("a/r", last)];
    expect(decide({ own })).toMatchObject({
      allowed: false,
      httpStatus: 451,
      body: "no",
      stage: "rego",
      reason: "denied_by_policy",
      rule: { policy: "a/q" },
    });
    expect(last).not.toHaveBeenCalled();
  });

  it("are asked one after the other where one has to be waited for", async () => {
    const asked: string[] = [];
    const slow: Provider = async () => {
      await Promise.resolve();
      asked.push("slow");
      return yes;
    };
    const quick: Provider = () => {
      asked.push("quick");
      return no;
    };
    const decision = decide({ own: [policy("a/p", slow), policy("a/q", quick)] });
    expect(decision).toBeInstanceOf(Promise);
    expect(await decision).toMatchObject({ allowed: false, rule: { policy: "a/q" } });
    expect(asked).toEqual(["slow", "quick"]);
  });

  it("are not asked about what an AuthorizationPolicy refuses", () => {
    const own = vi.fn(() => yes);
    const policies = [aPolicy({ action: "DENY", rules: [aRule()] })];
    expect(decide({ policies, own: [policy("a/p", own)] })).toMatchObject({
      allowed: false,
      stage: "authorize",
    });
    expect(own).not.toHaveBeenCalled();
  });

  it("leave the answer to the ALLOW rule that matched before them", () => {
    const policies = [aPolicy({ rules: [aRule()] })];
    expect(decide({ policies, own: [policy("a/p", () => yes)] })).toMatchObject({
      allowed: true,
      stage: "authorize",
      rule: { policy: "foo/p" },
    });
  });

  it("see the request as the one before left it, and what was changed", () => {
    const seen: ProviderRequest[] = [];
    const edits = {
      ...noEdits,
      requestHeaders: [{ name: "x-user", value: "ann", action: "OVERWRITE_IF_EXISTS_OR_ADD" }],
    } as const;
    const second: Provider = (request) => {
      seen.push(request);
      return yes;
    };
    const decision = decide({
      own: [policy("a/p", () => ({ ...yes, edits, metadata: { a: 1 } })), policy("a/q", second)],
    });
    expect(seen[0]?.attributes.request?.headers.get("x-user")).toEqual(["ann"]);
    expect(seen[0]?.edits).toEqual(edits);
    expect(decision).toMatchObject({ edits, metadata: { a: 1 } });
  });

  it("send every line of a header that one of them sets several times", () => {
    const lines = ["a", "b"].map(
      (value) => ({ name: "X-Role", value, action: "OVERWRITE_IF_EXISTS_OR_ADD" }) as const,
    );
    const decision = decide({
      own: [policy("a/p", () => ({ ...yes, edits: { ...noEdits, requestHeaders: lines } }))],
    });
    const { requestHeaders } = (decision as Decision).edits;
    expect(requestHeaders.map(({ name, value }) => [name, value])).toEqual([
      ["x-role", "a"],
      ["x-role", "b"],
    ]);
  });

  it("sends a header that one sets and removes as both: Envoy removes last, and so do the policies behind", () => {
    const edits = {
      ...noEdits,
      requestHeaders: [{ name: "x-a", value: "1", action: "OVERWRITE_IF_EXISTS_OR_ADD" }],
      requestHeadersToRemove: ["x-a"],
    } as const;
    const seen: ProviderRequest[] = [];
    const second: Provider = (request) => {
      seen.push(request);
      return yes;
    };
    const decision = decide({ own: [policy("a/p", () => ({ ...yes, edits })), policy("a/q", second)] });
    expect(decision).toMatchObject({ edits });
    expect(seen[0]?.attributes.request?.headers.has("x-a")).toBe(false);
  });

  it("may name what no request can lose among the headers to remove: nothing comes of it", () => {
    const requestHeadersToRemove = [":authority", "Host", "x-gone"];
    const seen: ProviderRequest[] = [];
    const decision = decide(
      {
        own: [
          policy("a/p", () => ({ ...yes, edits: { ...noEdits, requestHeadersToRemove } })),
          policy("a/q", (request) => {
            seen.push(request);
            return yes;
          }),
        ],
      },
      aRequest().header(":authority", "shop").header("x-gone", "1"),
    );
    expect(decision).toMatchObject({ allowed: true, edits: { requestHeadersToRemove } });
    const headers = seen[0]?.attributes.request?.headers;
    expect([headers?.has(":authority"), headers?.has("x-gone")]).toEqual([true, false]);
  });

  it("refuse when one wants a header that may not be sent", () => {
    const edits = {
      ...noEdits,
      requestHeaders: [{ name: "x-a", value: "1\r\nx-b: 2", action: "OVERWRITE_IF_EXISTS_OR_ADD" }],
    } as const;
    expect(decide({ own: [policy("a/p", () => ({ ...yes, edits }))] })).toMatchObject({
      allowed: false,
      httpStatus: 500,
      stage: "rego",
      reason: "bad_edit",
    });
  });

  it.each([
    [{ failed: true, code: 13, httpStatus: 500 }, "policy_failed", 500],
    [{ isBadRequest: true as const, httpStatus: 400 }, "bad_request", 400],
  ])("say why they could not judge: %j", (changes, reason, httpStatus) => {
    expect(decide({ own: [policy("a/p", () => ({ ...no, ...changes }))] })).toMatchObject({
      allowed: false,
      stage: "rego",
      reason,
      httpStatus,
    });
  });

  it("let pass by failOpen, and the decision says so", () => {
    const own = [policy("a/p", () => ({ ...yes, failed: true, failedOpen: true }))];
    expect(decide({ own })).toMatchObject({ allowed: true, failedOpen: true });
  });

  it("tell what a policy on trial would have answered", () => {
    const own = [policy("a/p", () => ({ ...yes, dryRun: "denied" as const }))];
    expect(decide({ own })).toMatchObject({
      allowed: true,
      dryRun: [{ action: "REGO", result: "denied", policy: "a/p" }],
    });
  });
});

describe("a client certificate that cannot be read", () => {
  const identityFault = new Error("client certificate cannot be read");
  const request = (): ReturnType<typeof aRequest> => aRequest().with({ identityFault });

  it("is left to a policy in Rego where nothing else decides", () => {
    expect(decide({ own: [policy("a/p", () => yes)] }, request())).toMatchObject({ allowed: true });
  });

  it.each([
    ["without any policy", {}],
    [
      "beside an AuthorizationPolicy",
      { policies: [aPolicy({ rules: [aRule()] })], own: [policy("a/p", () => yes)] },
    ],
  ])("ends the check %s", (_, setup) => {
    expect(() => decide(setup, request())).toThrow(identityFault);
  });
});
