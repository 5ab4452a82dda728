import { describe, expect, it } from "vitest";
import type { JsonObject } from "../../../../src/attributes/index.js";
import type {
  BodyFlow,
  BodyInput,
  BodyPlan,
  BodyRefusal,
  BodyReport,
  BodyRun,
  LastStep,
} from "../../../../src/body/index.js";
import { noQuota } from "../../../../src/engine/index.js";
import { createResponseEncoder } from "../../../../src/envoy/ext-authz/encode.js";
import { toCheckResponse } from "../../../../src/envoy/index.js";
import type { CheckRequest__Output } from "../../../../src/proto/index.js";
import { loadProtos } from "../../../../src/server/protos.js";
import { aSnapshot } from "../../engine/snapshots.js";
import { aPolicy, aRule } from "../../istio/policies.js";
import { allowed } from "../decisions.js";
import { asked, opened } from "./described.js";

const nothing: BodyReport = {
  policies: ["foo/mask"],
  fulfilled: [],
  changes: new Map(),
  refused: undefined,
  dryRun: [],
  requestBytes: 0,
  responseBytes: 0,
  usage: [],
  unscanned: false,
};

const refusal: BodyRefusal = {
  httpStatus: 422,
  code: 3,
  reason: "body_invalid",
  policy: "foo/mask",
  body: "no",
  contentType: "text/plain",
};

/** A plan whose runs do nothing, until told otherwise. */
function aPlan(
  changes: Partial<BodyRun> = {},
  report: () => BodyReport = () => nothing,
): { readonly plan: BodyPlan; readonly closed: () => number } {
  let count = 0;
  const run: BodyRun = {
    requestEdits: { remove: [], set: [] },
    request: undefined,
    response: { head: true, body: "whole" },
    responseHead: () => ({
      kind: "go",
      edits: { remove: [], set: [] },
      flow: undefined,
      replacement: undefined,
    }),
    report,
    close: () => {
      count += 1;
    },
    ...changes,
  };
  return { plan: { readsIdentity: false, begin: () => run }, closed: () => count };
}

function recordIn(metadata: JsonObject = {}): JsonObject {
  const namespace = metadata["envoy.filters.http.ext_proc"] as JsonObject;
  return namespace["gatehouse"] as JsonObject;
}
const ok = new Map([[":status", ["200"]]]);

describe("an exchange", () => {
  it("refuses everything without a configuration", async () => {
    const { immediate } = await asked(opened(undefined), {});
    expect(immediate?.httpStatus).toBe(500);
    expect(recordIn(immediate?.metadata)).toMatchObject({ allowed: false, reason: "invalid_config" });
  });

  it("asks for what the body policies need and tells what they did when it changed", async () => {
    let responseBytes = 0;
    const { plan, closed } = aPlan({}, () => ({ ...nothing, responseBytes }));
    const open = opened(aSnapshot(), { plan });
    const outcome = await asked(open, {});
    expect(outcome.response).toEqual({ head: true, body: "whole" });
    expect(recordIn(outcome.metadata)).toMatchObject({ allowed: true, body: { response_bytes: 0 } });
    expect((await open.exchange.responseHeaders(ok, true)).metadata).toBeUndefined();
    responseBytes = 7;
    expect(recordIn(open.exchange.metadata("response"))).toMatchObject({ body: { response_bytes: 7 } });
    expect(open.exchange.metadata("response")).toBeUndefined();
    open.exchange.close();
    open.exchange.close();
    expect(closed()).toBe(1);
    expect(open.outcomes).toMatchObject([
      { kind: "closed", decisionId: "d-proc", isCarried: false, report: { responseBytes: 7 } },
    ]);
  });

  it("refuses by a body policy without naming it to the caller, and names it in the record", async () => {
    const { plan } = aPlan();
    const open = opened(aSnapshot(), { plan });
    await asked(open, {});
    const immediate = open.exchange.refused("response", refusal);
    expect(immediate).toMatchObject({ httpStatus: 422, grpcStatus: 3, details: "gatehouse_denied" });
    expect(Buffer.from(immediate.body).toString()).toBe("no");
    expect(immediate.headers).toEqual([
      { name: "content-type", value: "text/plain", action: "OVERWRITE_IF_EXISTS_OR_ADD" },
    ]);
    expect(recordIn(immediate.metadata)).toMatchObject({
      allowed: false,
      stage: "body",
      reason: "body_invalid",
      policy: "foo/mask",
    });
    open.exchange.close();
    expect(open.outcomes.map(({ kind, refusal: by }) => [kind, by?.reason, by?.direction])).toEqual([
      ["refused", "body_invalid", "response"],
      ["closed", "body_invalid", "response"],
    ]);
  });

  it("puts all on trial where it is only observed: nothing is refused or asked for", async () => {
    const refusing = aSnapshot({ policies: [aPolicy({ action: "DENY", rules: [aRule()] })] });
    const inputs: BodyInput[] = [];
    const { plan } = aPlan();
    const judged: BodyPlan = {
      ...plan,
      begin: (input) => {
        inputs.push(input);
        return plan.begin(input);
      },
    };
    const open = opened(refusing, { plan: judged, isObserved: true });
    const { immediate, metadata } = await asked(open, {});
    expect(immediate).toBeUndefined();
    expect(recordIn(metadata)).toMatchObject({ allowed: true });
    expect(open.decisions).toMatchObject([
      { allowed: true, httpStatus: 200, dryRun: [{ action: "DENY", result: "denied" }], obligations: [] },
    ]);
    expect(inputs).toMatchObject([{ isTrial: true, obligations: [] }]);
    open.exchange.refused("response", refusal);
    open.exchange.close();
    expect(open.outcomes.map(({ kind, refusal: by }) => [kind, by])).toEqual([["closed", undefined]]);
  });

  it("records no refusal where it is only observed, whatever comes, or cannot be recorded", async () => {
    const early = opened(aSnapshot(), { isObserved: true });
    await early.exchange.responseHeaders(new Map([[":status", ["200"]]]), false);
    expect(early.decisions).toMatchObject([{ allowed: true, dryRun: [{ result: "denied" }] }]);
    const record = (): Promise<never> => Promise.reject(new Error("full"));
    const unrecorded = opened(aSnapshot(), { isObserved: true, record });
    expect((await asked(unrecorded, {})).immediate).toBeUndefined();
    expect(unrecorded.decisions.map(({ allowed }) => allowed)).toEqual([true]);
    expect(unrecorded.errors).toEqual([new Error("full")]);
  });

  it("refuses what a plan refuses at once, and an obligation where there is no plan", async () => {
    const plan: BodyPlan = { readsIdentity: false, begin: () => refusal };
    expect((await asked(opened(aSnapshot(), { plan }), {})).immediate?.httpStatus).toBe(422);
    const obliging = aSnapshot({ policies: [aPolicy({ obligations: ["foo/x"], rules: [aRule()] })] });
    const { immediate } = await asked(opened(obliging), {});
    expect(immediate?.httpStatus).toBe(500);
    expect(recordIn(immediate?.metadata)).toMatchObject({ reason: "unknown_obligation", policy: "foo/x" });
  });

  it.each([true, false])(
    "asks what a request without a body has to be asked (at once: %s)",
    async (atOnce) => {
      const flowOf = (last: LastStep): BodyFlow => ({
        need: "whole",
        headEdits: { remove: [], set: [] },
        push: () => ({ kind: "go", bytes: new Uint8Array() }),
        end: () => (atOnce ? last : Promise.resolve(last)),
      });
      const refusing = aPlan({ request: flowOf({ kind: "refuse", refusal }) });
      const refused = await asked(opened(aSnapshot(), { plan: refusing.plan }), {});
      expect(refused.immediate?.httpStatus).toBe(422);
      const edits = {
        remove: ["x-old"],
        set: [{ name: "x-new", value: "1", action: "OVERWRITE_IF_EXISTS_OR_ADD" as const }],
      };
      const passing = aPlan({ request: flowOf({ kind: "go", bytes: new Uint8Array(), edits }) });
      const passed = await asked(opened(aSnapshot(), { plan: passing.plan }), {});
      expect([passed.immediate, passed.flow, passed.mutation]).toEqual([undefined, undefined, edits]);
      const withBody = await asked(opened(aSnapshot(), { plan: passing.plan }), {}, true);
      expect(withBody.flow).toBeDefined();
    },
  );

  it("shows a RegoPolicy a body as it is, whatever the client says of it", async () => {
    const seen: CheckRequest__Output[] = [];
    const protos = loadProtos().check;
    const plan: BodyPlan = {
      readsIdentity: false,
      begin: ({ checkRequest }) => {
        const bytes = checkRequest?.(Buffer.from('{"a":1}')) ?? new Uint8Array();
        seen.push(protos.requestDeserialize(Buffer.from(bytes)));
        return undefined;
      },
    };
    const typed = async (type: string): Promise<string | undefined> => {
      const headers = [
        ["content-type", type],
        ["content-length", "99"],
        ["x-envoy-auth-partial-body", "true"],
      ] as const;
      await asked(opened(aSnapshot(), { plan }), { method: "POST", headers }, true);
      const http = seen.at(-1)?.attributes?.request?.http;
      expect(http?.raw_body?.toString()).toBe('{"a":1}');
      expect(http?.headers).toMatchObject({ "content-length": "7", "x-envoy-auth-partial-body": "false" });
      return http?.headers?.["content-type"];
    };
    expect(await typed("APPLICATION/JSON")).toBe("application/json");
    expect(await typed("application/problem+json; charset=utf-8")).toBe("application/json; charset=utf-8");
    expect(await typed("Multipart/Form-Data; boundary=Xy")).toBe("multipart/form-data; boundary=Xy");
  });

  it("fails closed when any part of a plan throws", async () => {
    const thrown = (): never => {
      throw new Error("broken");
    };
    const begin = opened(aSnapshot(), { plan: { readsIdentity: false, begin: thrown } });
    expect((await asked(begin, {})).immediate?.httpStatus).toBe(500);
    const head = opened(aSnapshot(), { plan: aPlan({ responseHead: thrown }).plan });
    await asked(head, {});
    expect((await head.exchange.responseHeaders(ok, true)).immediate?.httpStatus).toBe(500);
    expect(head.errors).toHaveLength(1);
    const close = opened(aSnapshot(), { plan: aPlan({ close: thrown }).plan });
    await asked(close, {});
    close.exchange.close();
    expect(close.outcomes).toHaveLength(1);
  });

  it("fails closed when what Envoy sent cannot be read", async () => {
    const open = opened(aSnapshot());
    const beside = {
      attributes: () => {
        throw new Error("no struct");
      },
      metadata: () => undefined,
    };
    const { immediate } = await open.exchange.requestHeaders(new Map(), false, beside);
    expect(immediate?.httpStatus).toBe(500);
    expect(recordIn(immediate?.metadata)).toMatchObject({ reason: "internal_error" });
    expect(open.decisions).toHaveLength(1);
  });

  it("answers when the decision is on record, and refuses when it cannot be", async () => {
    const fine = opened(aSnapshot(), { record: () => Promise.resolve() });
    expect((await asked(fine, {})).immediate).toBeUndefined();
    const full = opened(aSnapshot(), { record: () => Promise.reject(new Error("disk is full")) });
    expect(recordIn((await asked(full, {})).immediate?.metadata)).toMatchObject({ reason: "unrecorded" });
    expect(full.decisions.map(({ reason }) => reason)).toEqual(["no_policy", "unrecorded"]);
  });

  it("begins nothing for a client that is gone meanwhile", async () => {
    const { plan, closed } = aPlan();
    let settle = (): void => {};
    const recorded = new Promise<void>((resolve) => {
      settle = resolve;
    });
    const open = opened(aSnapshot(), { plan, record: () => recorded });
    const outcome = asked(open, {});
    open.exchange.close();
    settle();
    expect((await outcome).flow).toBeUndefined();
    expect([closed(), open.outcomes.length]).toEqual([0, 0]);
  });

  it("says what Envoy did wrong", async () => {
    const open = opened(aSnapshot(), { plan: aPlan().plan });
    await asked(open, {});
    const immediate = open.exchange.violated("response", "body_not_sent");
    expect(immediate.httpStatus).toBe(500);
    expect(recordIn(immediate.metadata)).toMatchObject({ reason: "body_not_sent", stage: "body" });
    const unknown = opened(aSnapshot());
    expect(recordIn(unknown.exchange.violated("request", "out_of_order").metadata)).toMatchObject({
      allowed: false,
      reason: "bad_request",
    });
    expect(unknown.decisions).toHaveLength(1);
  });

  it("lets a local reply pass that a filter before it made, and nothing from an upstream", async () => {
    const beside = (details: string) => ({
      attributes: () => ({ "response.code_details": details }),
      metadata: () => undefined,
    });
    const answer = async (code: string, details?: string): Promise<number | undefined> => {
      const { exchange } = opened(aSnapshot());
      const headers = new Map([[":status", [code]]]);
      const outcome = exchange.responseHeaders(
        headers,
        true,
        details === undefined ? undefined : beside(details),
      );
      return (await outcome).immediate?.httpStatus;
    };
    expect(await answer("403", "ext_authz_denied")).toBeUndefined();
    expect(await answer("200", "cors")).toBeUndefined();
    expect(await answer("403")).toBeUndefined();
    expect(await answer("200")).toBe(500);
    expect(await answer("403", "via_upstream")).toBe(500);
    expect(await answer("x")).toBe(500);
  });

  it("keeps what it tells of bodies below 1 KiB, whatever the names are", async () => {
    const name = (i: number): string => `${"n".repeat(63)}/${"p".repeat(250)}${i}`;
    const many = Array.from({ length: 40 }, (_, i) => name(i));
    const report: BodyReport = {
      policies: many,
      fulfilled: many,
      changes: new Map(many.map((rule) => [rule, 3])),
      refused: { policy: name(1), reason: "sensitive_data", phase: "response" },
      dryRun: many.map((policy) => ({ policy, reason: "body_invalid" })),
      requestBytes: 1e9,
      responseBytes: 1e9,
      usage: many.map((quota) => ({ quota, units: 5 })),
      unscanned: true,
    };
    const short = many.map((_, i) => `a/${i}`);
    const small: BodyReport = {
      ...report,
      policies: short,
      fulfilled: short,
      changes: new Map(short.map((rule) => [rule, 3])),
      dryRun: short.map((policy) => ({ policy, reason: "body_invalid" })),
      usage: short.map((quota) => ({ quota, units: 5 })),
    };
    for (const one of [report, small]) {
      const open = opened(aSnapshot(), { plan: aPlan({}, () => one).plan });
      const body = recordIn((await asked(open, {})).metadata)["body"] as JsonObject;
      expect(body).toMatchObject({ refused: { policy: name(1) }, changes: 120, unscanned: true });
      const { toStruct } = await import("../../../../src/envoy/index.js");
      const bytes = loadProtos().check.responseSerialize({ dynamic_metadata: toStruct({ body }) });
      expect(bytes.length).toBeLessThan(1024);
    }
  });
});

describe("ext_authz's answer that is handed over", () => {
  it("has the request's own MAC, from a template, too", () => {
    const { responseSerialize } = loadProtos().check;
    const encode = createResponseEncoder(responseSerialize);
    const quota = (cost: number) => ({
      ...noQuota,
      facts: [
        {
          quota: "a/b",
          limit: 9,
          windowMs: 1,
          cost,
          counter: { allowed: true, remaining: 1, resetMs: 0, retryMs: 0 },
        },
      ],
    });
    for (const identity of ["", "-", "c2VhbGVk", ""]) {
      for (const mac of ["A".repeat(22), `${"b".repeat(21)}_`, undefined, "\x01".repeat(22)]) {
        for (const obligations of [[], ["foo/a"]]) {
          const decision = { ...allowed, obligations, quota: quota(mac?.length ?? 1) };
          const carried = mac === undefined ? undefined : { mac, identity };
          const wanted = Buffer.from(responseSerialize(toCheckResponse(decision, carried)));
          const read = (bytes: Uint8Array) => loadProtos().check.responseDeserialize(Buffer.from(bytes));
          expect(read(encode(decision, carried))).toEqual(read(wanted));
        }
      }
    }
  });
});
