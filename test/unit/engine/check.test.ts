import { describe, expect, it } from "vitest";
import type { Workload } from "../../../src/attributes/index.js";
import { check, type Decision, noEdits, type Provider, type Snapshot } from "../../../src/engine/index.js";
import { aRequest, aWorkload } from "../../support/request.js";
import { aPolicy, aRule } from "../istio/policies.js";
import { aSnapshot, type Setup, verdict } from "./snapshots.js";

const ports = { decisionId: () => "id", wallClock: () => 0 };
const body = new Uint8Array();

async function decide(setup: Setup, request = aRequest()): Promise<Decision> {
  return check(aSnapshot(setup), request.build(), body, ports);
}

const everything = aRule();
const gets = aRule({ to: [{ methods: ["GET"] }] });

describe("a check", () => {
  it("allows when no policy applies", async () => {
    expect(await decide({})).toMatchObject({
      allowed: true,
      reason: "no_policy",
      code: 0,
      generation: 7,
      decisionId: "id",
    });
  });

  it("answers without a promise as long as no provider is asked", () => {
    expect(check(aSnapshot(), aRequest().build(), body, ports)).not.toBeInstanceOf(Promise);
  });

  it("refuses by DENY before it looks at ALLOW, and names the rule", async () => {
    const policies = [
      aPolicy({ rules: [everything] }),
      aPolicy({ name: "d", action: "DENY", rules: [gets] }),
    ];
    expect(await decide({ policies })).toMatchObject({
      allowed: false,
      httpStatus: 403,
      code: 7,
      body: "RBAC: access denied",
      reason: "denied_by_policy",
      rule: { policy: "foo/d", rule: 0, key: "ns[foo]-policy[d]-rule[0]" },
    });
  });

  it("refuses without naming a rule when an ALLOW policy applies and none matches", async () => {
    const decision = await decide({ policies: [aPolicy()] });
    expect(decision).toMatchObject({ allowed: false, reason: "no_allow_policy_matched", rule: undefined });
  });

  it("reports the matching rule whose id is smallest as a string", async () => {
    const rules = Array.from({ length: 11 }, (_, i) =>
      i === 2 || i === 10 ? gets : aRule({ to: [{ methods: ["PUT"] }] }),
    );
    expect((await decide({ policies: [aPolicy({ rules })] })).rule?.rule).toBe(10);
  });

  it("reports what dry-run policies would have said and does not act on it", async () => {
    const policies = [
      aPolicy({ dryRun: true }),
      aPolicy({ name: "d", action: "DENY", dryRun: true, rules: [gets] }),
    ];
    expect(await decide({ policies })).toMatchObject({
      allowed: true,
      dryRun: [
        { action: "DENY", result: "denied", policy: "foo/d", rule: 0 },
        { action: "ALLOW", result: "denied" },
      ],
    });
  });

  it("reports a match of an AUDIT policy even when the request is refused", async () => {
    const policies = [aPolicy({ action: "AUDIT", rules: [gets] }), aPolicy({ name: "q" })];
    expect(await decide({ policies })).toMatchObject({ allowed: false, audit: true });
    expect((await decide({ policies }, aRequest().method("PUT", "/"))).audit).toBe(false);
  });

  describe("whose workload is unknown", () => {
    const mesh = { defaultWorkload: undefined };

    it("is refused as soon as some policy is scoped", async () => {
      expect(await decide({ mesh })).toMatchObject({
        allowed: false,
        reason: "unknown_workload",
        httpStatus: 403,
      });
    });

    it("is judged by the mesh-wide policies otherwise", async () => {
      expect(await decide({ mesh, scoped: false })).toMatchObject({ allowed: true });
      expect(await decide({ mesh: { ...mesh, unknownWorkload: "meshPolicies" } })).toMatchObject({
        allowed: true,
      });
    });

    it("is refused always where the mesh says so", async () => {
      const decision = await decide({ mesh: { ...mesh, unknownWorkload: "deny" }, scoped: false });
      expect(decision.reason).toBe("unknown_workload");
    });

    it("is taken from the request, else from the registry", async () => {
      const asked: (Workload | undefined)[] = [];
      const registered = aWorkload({ name: "registered" });
      const snapshot = { ...aSnapshot({ mesh, lookup: () => registered }) };
      const recording: Snapshot = {
        ...snapshot,
        plan: (w) => {
          asked.push(w);
          return snapshot.plan(w);
        },
      };
      const own = aWorkload({ name: "own" });
      await check(recording, aRequest().to(own).build(), body, ports);
      await check(recording, aRequest().build(), body, ports);
      expect(asked).toEqual([own, registered]);
    });
  });

  it("refuses ambiguous requests first where the mesh is strict", async () => {
    const setup = { mesh: { strictRequests: true } };
    expect(await decide(setup, aRequest().get("/a;x=y"))).toMatchObject({
      allowed: false,
      reason: "ambiguous_request",
    });
    expect((await decide(setup, aRequest().get("/a?x=%2f;"))).allowed).toBe(true);
  });

  describe("with CUSTOM rules", () => {
    const custom = aPolicy({ name: "c", action: "CUSTOM", provider: "ext", rules: [gets] });

    it("asks the provider only for what matches", async () => {
      let asked = 0;
      const provider: Provider = async () => {
        asked++;
        return verdict({});
      };
      await decide({ policies: [custom], provider }, aRequest().method("PUT", "/"));
      expect(asked).toBe(0);
      expect(await decide({ policies: [custom], provider })).toMatchObject({
        allowed: true,
        reason: "provider_allowed",
      });
      expect(asked).toBe(1);
    });

    it("passes the provider's refusal on and asks nothing behind it", async () => {
      const provider: Provider = async () =>
        verdict({ allowed: false, httpStatus: 418, code: 7, body: "no" });
      const policies = [custom, aPolicy({ action: "DENY", rules: [everything] })];
      expect(await decide({ policies, provider })).toMatchObject({
        allowed: false,
        stage: "custom",
        httpStatus: 418,
        body: "no",
        reason: "provider_denied",
        rule: { policy: "foo/c" },
      });
    });

    it("refuses what matches when the provider is unknown, and nothing else", async () => {
      expect(await decide({ policies: [custom] })).toMatchObject({
        allowed: false,
        reason: "provider_unknown",
      });
      expect((await decide({ policies: [custom] }, aRequest().method("PUT", "/"))).allowed).toBe(true);
    });

    it("shows later stages the headers that the provider set", async () => {
      const requestHeaders = [
        { name: "X-User", value: "ann", action: "OVERWRITE_IF_EXISTS_OR_ADD" as const },
      ];
      const provider: Provider = async () => verdict({ edits: { ...noEdits, requestHeaders } });
      const when = [{ key: "request.headers[x-user]", values: ["ann"], notValues: [] }];
      const decision = await decide({ policies: [custom, aPolicy({ rules: [aRule({ when })] })], provider });
      expect(decision).toMatchObject({
        allowed: true,
        rule: { policy: "foo/p" },
        edits: { requestHeaders: [{ name: "x-user", value: "ann" }] },
      });
    });

    it("refuses the request when an edit would split a message", async () => {
      const requestHeaders = [{ name: "x", value: "a\r\nb: c", action: "ADD_IF_ABSENT" as const }];
      const provider: Provider = async () => verdict({ edits: { ...noEdits, requestHeaders } });
      expect(await decide({ policies: [custom], provider })).toMatchObject({
        allowed: false,
        reason: "bad_edit",
        httpStatus: 500,
      });
    });

    it("says so when a provider failed and its failOpen let the request pass", async () => {
      const provider: Provider = async () => verdict({ failed: true, failedOpen: true });
      expect(await decide({ policies: [custom], provider })).toMatchObject({
        allowed: true,
        failedOpen: true,
      });
    });
  });

  it("drops HTTP-only ALLOW rules on TCP, which then refuses all", async () => {
    expect((await decide({ policies: [aPolicy({ rules: [gets] })] }, aRequest().tcp())).allowed).toBe(false);
  });
});
