import { describe, expect, it } from "vitest";
import { type Chain, type Decision, noQuota, type Snapshot } from "../../../src/engine/index.js";
import { type AuthorizationOptions, createAuthorization, toCheckResponse } from "../../../src/envoy/index.js";
import type { CheckResponse } from "../../../src/proto/index.js";
import { loadProtos } from "../../../src/server/protos.js";
import { noRateLimits } from "../../support/no-rate-limits.js";

const noRules: Chain = { custom: [], authn: undefined, filters: [], own: [], quota: undefined };

const snapshot: Snapshot = {
  generation: 3,
  mesh: {
    unknownWorkload: "meshPolicies",
    strictRequests: false,
    customSeesIdentity: false,
    envoyJwtPayloadKey: undefined,
    xff: { useRemoteAddress: false, numTrustedHops: 0 },
    xffPerType: {},
    defaultWorkload: undefined,
  },
  scoped: false,
  lookup: () => undefined,
  plan: () => ({ http: noRules, tcp: noRules }),
  rateLimits: noRateLimits,
};

/** The service over a snapshot, with what it observed. */
function service(
  current: Snapshot | undefined,
  record: () => Promise<unknown> | undefined = () => undefined,
): {
  ask: (request: Parameters<ReturnType<typeof createAuthorization>["check"]>[0]) => Promise<CheckResponse>;
  decisions: Decision[];
  errors: unknown[];
} {
  const decisions: Decision[] = [];
  const errors: unknown[] = [];
  let answered: CheckResponse = {};
  const options: AuthorizationOptions = {
    current: () => current,
    decisionId: () => "d-1",
    encode: (response) => {
      answered = response;
      return new Uint8Array();
    },
    now: () => 0,
    wallClock: () => 0,
    observe: (decision) => {
      decisions.push(decision);
      return record();
    },
    onError: (error) => errors.push(error),
  };
  const { check } = createAuthorization(options);
  const ask = async (request: Parameters<typeof check>[0]): Promise<CheckResponse> => {
    await check(request, new Uint8Array());
    return answered;
  };
  return { ask, decisions, errors };
}

describe("the ext_authz service", () => {
  it("answers every request with the decision record", async () => {
    const { ask, decisions } = service(snapshot);
    const response = await ask({});
    expect(response.status?.code).toBe(0);
    expect(response.dynamic_metadata?.fields).toMatchObject({
      decision_id: { stringValue: "d-1" },
      gatehouse: { structValue: { fields: { allowed: { boolValue: true }, snapshot: { numberValue: 3 } } } },
    });
    expect(decisions).toHaveLength(1);
  });

  it("answers when the decision is on record, where records are strict", async () => {
    let isStored = false;
    const stored = Promise.resolve().then(() => {
      isStored = true;
    });
    const response = await service(snapshot, () => stored).ask({});
    expect([isStored, response.status?.code]).toEqual([true, 0]);
  });

  it("refuses what cannot be put on record, under the same id, and tells that too", async () => {
    const { ask, decisions, errors } = service(snapshot, () => Promise.reject(new Error("disk full")));
    const response = await ask({});
    expect(response).toMatchObject({ status: { code: 13 }, denied_response: { status: { code: 500 } } });
    expect(decisions.map(({ reason, decisionId }) => [reason, decisionId])).toEqual([
      ["no_policy", "d-1"],
      ["unrecorded", "d-1"],
    ]);
    expect(errors).toHaveLength(1);
  });

  it("refuses all while there is no valid configuration", async () => {
    const response = await service(undefined).ask({});
    expect(response).toMatchObject({ status: { code: 13 }, denied_response: { status: { code: 500 } } });
  });

  it("refuses what it cannot read, and says so", async () => {
    const { ask, errors, decisions } = service(snapshot);
    const response = await ask({ attributes: { source: { certificate: "x" } } });
    expect(response).toMatchObject({ status: { code: 7 }, denied_response: { status: { code: 403 } } });
    expect(decisions[0]?.reason).toBe("bad_request");
    expect(errors).toHaveLength(1);
  });

  it.each([
    [
      "throws",
      () => {
        throw new Error("boom");
      },
    ],
  ])("refuses as internal error when a policy %s", async (_, plan) => {
    const { ask, decisions, errors } = service({ ...snapshot, plan });
    const response = await ask({});
    expect(response).toMatchObject({
      status: { code: 13 },
      denied_response: { status: { code: 500 }, body: "" },
    });
    expect(decisions[0]).toMatchObject({ reason: "internal_error", generation: 3, allowed: false });
    expect(errors).toHaveLength(1);
  });

  it("refuses as internal error when a provider breaks its promise", async () => {
    const rule = { ref: { key: "k", policy: "a/b", rule: 0 }, matches: () => true };
    const provider = () => Promise.reject(new Error("boom"));
    const chain = {
      custom: [{ providerName: "p", provider, rules: [rule] }],
      authn: undefined,
      filters: [],
      own: [],
      quota: undefined,
    };
    const { ask } = service({ ...snapshot, plan: () => ({ http: chain, tcp: chain }) });
    expect((await ask({})).status?.code).toBe(13);
  });
});

describe("a decision as CheckResponse", () => {
  const allowed: Decision = {
    decisionId: "d",
    allowed: true,
    code: 0,
    httpStatus: 200,
    stage: "authorize",
    reason: "allowed_by_policy",
    rule: { key: "k", policy: "foo/p", rule: 1 },
    body: "",
    quota: noQuota,
    edits: {
      requestHeaders: [{ name: "x", value: "\xc3\xa9", action: "OVERWRITE_IF_EXISTS_OR_ADD" }],
      requestHeadersToRemove: ["y"],
      responseHeaders: [{ name: "z", value: "1", action: "APPEND_IF_EXISTS_OR_ADD" }],
      queryParametersToSet: [["a", "\xc3\xa9"]],
      queryParametersToRemove: ["c"],
    },
    dryRun: [],
    audit: undefined,
    failedOpen: true,
    obligations: [],
    attributes: undefined,
    authn: undefined,
    generation: 1,
    workload: undefined,
    metadata: { decision_id: "forged", gatehouse: "forged", own: { n: [1, null] } },
  };

  it("carries every edit", () => {
    expect(toCheckResponse(allowed).ok_response).toEqual({
      headers: [{ header: { key: "x", value: "é" }, append_action: 2 }],
      headers_to_remove: ["y"],
      response_headers_to_add: [{ header: { key: "z", value: "1" }, append_action: 0 }],
      query_parameters_to_set: [{ key: "a", value: "é" }],
      query_parameters_to_remove: ["c"],
    });
  });

  it("lets a provider's own metadata stand beside the record, never in its place", () => {
    const fields = toCheckResponse(allowed).dynamic_metadata?.fields;
    expect(fields).toMatchObject({
      decision_id: { stringValue: "d" },
      gatehouse: {
        structValue: { fields: { policy: { stringValue: "foo/p" }, failed_open: { boolValue: true } } },
      },
      own: {
        structValue: { fields: { n: { listValue: { values: [{ numberValue: 1 }, { nullValue: 0 }] } } } },
      },
    });
  });

  it("stays within 1 KiB, with the longest names in the most dry-run results", () => {
    const longest = (letter: string): string => `${"n".repeat(63)}/${letter.repeat(253)}`;
    const dryRun = Array.from(
      { length: 9 },
      (_, rule) => ({ action: "DENY", result: "allowed", policy: longest("p"), rule }) as const,
    );
    const decision: Decision = {
      ...allowed,
      dryRun,
      audit: false,
      rule: { key: "k", policy: longest("q"), rule: 1 },
    };
    const record = toCheckResponse(decision).dynamic_metadata?.fields?.["gatehouse"];
    const encoded = loadProtos().check.responseSerialize({
      dynamic_metadata: { fields: { gatehouse: record ?? {} } },
    });
    expect(encoded.length).toBeLessThanOrEqual(1024);
    const results = record?.structValue?.fields?.["dry_run"]?.listValue?.values;
    expect(results?.map(({ structValue }) => Object.keys(structValue?.fields ?? {}).length)).toEqual([
      4, 2, 2,
    ]);
  });

  it("never names the policy in a refusal's body", () => {
    const refused = toCheckResponse({
      ...allowed,
      allowed: false,
      code: 7,
      httpStatus: 403,
      body: "RBAC: access denied",
    });
    expect(JSON.stringify(refused.denied_response)).not.toContain("foo");
    expect(refused.ok_response).toBeUndefined();
  });
});
