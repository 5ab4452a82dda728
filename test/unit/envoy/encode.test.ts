import fc from "fast-check";
import protobuf from "protobufjs";
import { describe, expect, it } from "vitest";
import { type Decision, noEdits, noQuota } from "../../../src/engine/index.js";
import { createResponseEncoder } from "../../../src/envoy/ext-authz/encode.js";
import { createAuthorization, fromStruct, toCheckResponse } from "../../../src/envoy/index.js";
import type { CheckResponse__Output } from "../../../src/proto/index.js";
import { loadProtos } from "../../../src/server/protos.js";
import { anAuthentication, aRule, aSigner, aVerifier, nowMs } from "../../support/tokens.js";
import { aSnapshot } from "../engine/snapshots.js";
import { allowed, identity, read } from "./decisions.js";

const protos = loadProtos().check;

describe("encoded answers", () => {
  const encode = createResponseEncoder(protos.responseSerialize);
  const decoded = (decision: Decision): CheckResponse__Output =>
    protos.responseDeserialize(Buffer.from(encode(decision)));
  /** An encoder, and how many answers were encoded and not taken from a template. */
  const counted = (): {
    readonly encode: (decision: Decision) => Uint8Array;
    readonly made: () => number;
  } => {
    let count = 0;
    const counting = createResponseEncoder((response) => {
      // A template is encoded in two parts, of which one has the record.
      if (response.dynamic_metadata) count += 1;
      return protos.responseSerialize(response);
    });
    return { encode: counting, made: () => count };
  };
  const same = (decision: Decision): void => {
    expect(decoded(decision)).toEqual(read(toCheckResponse(decision)));
  };

  it("by one rule name each caller, and nobody else's", () => {
    const callers = ["https://a/alice", "https://a/bob", ""].map((principal) => identity(principal));
    for (let round = 0; round < 3; round++) {
      for (const authn of [...callers, undefined]) {
        const decision = { ...allowed, decisionId: `d-${round}`, authn };
        same(decision);
      }
    }
  });

  it("by one rule name the obligations of each request, all of them however long they are", () => {
    const long = Array.from({ length: 32 }, (_, i) => `${"n".repeat(63)}/${"p".repeat(250)}${i}`);
    for (let round = 0; round < 2; round++) {
      for (const obligations of [[], ["foo/a"], ["foo/b"], ["foo/a", "foo/b"], long]) {
        const decision = { ...allowed, obligations: [...obligations] };
        same(decision);
        const struct = fromStruct(decoded(decision).dynamic_metadata ?? {}) as Record<string, object>;
        expect(struct["gatehouse"]).toMatchObject(obligations.length > 0 ? { obligations } : {});
        expect("obligations" in (struct["gatehouse"] ?? {})).toBe(obligations.length > 0);
      }
    }
  });

  it("say of quotas what each request took, and tell each caller what is left", () => {
    const { encode: counting, made } = counted();
    const quotaOf = (remaining: number, cost = 1): Decision["quota"] => {
      const counter = { allowed: true, remaining, resetMs: 1000, retryMs: 0 };
      const fact = { limit: 100, windowMs: 60_000, cost, counter };
      return {
        ...noQuota,
        facts: [
          { ...fact, quota: "shop/a" },
          { ...fact, quota: "shop/b", limit: 7 },
        ],
        headers: [
          ["RateLimit-Policy", '"a";q=100;w=60'],
          ["RateLimit", `"a";r=${remaining};t=1`],
          ["x-long", "é".repeat(remaining * 3)],
        ],
      };
    };
    const refused = {
      allowed: false,
      code: 8,
      httpStatus: 429,
      stage: "quota",
      reason: "quota_exceeded",
    } as const;
    for (const remaining of [0, 1, 99, 12, 4_294_967_295 % 1000]) {
      for (const changes of [{}, refused, { ...refused, body: "slow" }]) {
        const decision: Decision = { ...allowed, ...changes, quota: quotaOf(remaining, remaining + 1) };
        same(decision);
        counting(decision);
      }
    }
    expect(made()).toBeLessThan(40);
    const before = made();
    for (let i = 0; i < 50; i++) counting({ ...allowed, decisionId: "d-2", quota: quotaOf(i) });
    expect(made() - before).toBeLessThanOrEqual(2);
  });

  it("are made once for each list of quotas that one rule allows for, whatever their limits are", () => {
    const { encode: counting, made } = counted();
    const taken = (quota: string, limit: number): Decision["quota"] => {
      const counter = { allowed: true, remaining: limit - 1, resetMs: 1000, retryMs: 0 };
      return { ...noQuota, facts: [{ quota, limit, windowMs: 60_000, cost: 1, counter }] };
    };
    for (let round = 0; round < 10; round++) {
      for (const quota of [noQuota, taken("shop/a", 10), taken("shop/a", 900), taken("shop/b", 10)]) {
        same({ ...allowed, quota });
        counting({ ...allowed, quota });
      }
    }
    expect(made()).toBe(3);
  });

  it("of one caller differ in what is set, who decided, and what was refused", () => {
    const authn = identity("https://a/alice");
    const line = { name: "x", value: "1", action: "OVERWRITE_IF_EXISTS_OR_ADD" } as const;
    const edits = [
      noEdits,
      { ...noEdits, requestHeaders: [line] },
      { ...noEdits, requestHeadersToRemove: ["x"] },
    ];
    for (let round = 0; round < 2; round++) {
      for (const one of edits) {
        same({ ...allowed, authn, edits: one });
        same({ ...allowed, authn, edits: one, rule: undefined });
        same({ ...allowed, authn, edits: one, audit: true });
        same({ ...allowed, authn, edits: one, allowed: false, code: 7, httpStatus: 403, stage: "authorize" });
      }
      same({
        ...allowed,
        authn: identity("https://a/alice", [{ method: "jwt", issuer: "b", reason: "jwt_expired" }]),
      });
    }
  });

  it("hold the decision's id and no other text in its place, whatever the caller is called", () => {
    const authn = identity("\x01".repeat(200));
    for (const decisionId of ["d-1", "d-2"]) same({ ...allowed, decisionId, authn });
  });

  it.each([36, 35, 37, 72, 200])(
    "hold the decision's id and no other text in its place, whatever a claim says: %i odd characters",
    (length) => {
      const line = { name: "x", value: "\x01".repeat(length), action: "OVERWRITE_IF_EXISTS_OR_ADD" } as const;
      const edits = { ...noEdits, requestHeaders: [line], isLasting: true } as const;
      const authn = identity("https://a/alice");
      for (const last of ["1", "2", "3"]) {
        const decisionId = last.padStart(36, "0123456789-abcdef");
        same({ ...allowed, decisionId, authn, edits });
        same({ ...allowed, decisionId, edits });
      }
    },
  );

  it("are made anew where what is set may differ from request to request", () => {
    const line = (value: string): Decision["edits"] => {
      const action = "OVERWRITE_IF_EXISTS_OR_ADD" as const;
      return { ...noEdits, requestHeaders: [{ name: "x", value, action }] };
    };
    const lasting = (value: string): Decision["edits"] => ({ ...line(value), isLasting: true });
    const { encode: count, made } = counted();
    const authn = identity("https://a/alice");
    for (const value of ["1", "1", "2", "1"]) count({ ...allowed, authn, edits: line(value) });
    expect(made()).toBe(4);
    const [one, other] = [lasting("1"), lasting("2")];
    for (const edits of [one, one, one]) count({ ...allowed, authn, edits });
    expect(made()).toBe(5);
    for (let round = 0; round < 3; round++) {
      for (const edits of [one, other]) same({ ...allowed, authn, edits });
      for (const edits of [one, other]) same({ ...allowed, edits });
    }
  });

  it("are remembered for each caller, eight at most", () => {
    const { encode: count, made } = counted();
    const callers = [identity("https://a/alice"), identity("https://a/bob")];
    const rules = Array.from({ length: 9 }, (_, rule) => ({ key: `k${rule}`, policy: "foo/p", rule }));
    const ask = (upTo: number): void => {
      for (const authn of callers)
        for (const rule of rules.slice(0, upTo)) count({ ...allowed, authn, rule });
    };
    ask(8);
    ask(8);
    expect(made()).toBe(16);
    ask(9);
    expect(made()).toBe(18);
    // With the ninth the eight were forgotten.
    ask(1);
    expect(made()).toBe(20);
    // Of those whom nobody knows there are as many as there are rules.
    for (let round = 0; round < 2; round++) for (const rule of rules) count({ ...allowed, rule });
    expect(made()).toBe(29);
  });
});

describe("whatever stands in the texts of an answer", () => {
  /** As Envoy's parser reads a Struct: a text that is no UTF-8 makes the whole message none. */
  const { root } = protobuf.parse(`
    syntax = "proto3";
    message Response { Struct metadata = 4; }
    message Struct { repeated Entry fields = 1; }
    message Entry { bytes name = 1; Value value = 2; }
    message Value { bytes text = 3; Struct struct = 5; List list = 6; }
    message List { repeated Value values = 1; }`);
  const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  const textsOf = (value: unknown): string[] => {
    if (value instanceof Uint8Array) return [utf8.decode(value)];
    return typeof value === "object" && value !== null ? Object.values(value).flatMap(textsOf) : [];
  };
  const texts = (decision: Decision): string[] => {
    const bytes = createResponseEncoder(protos.responseSerialize)(decision);
    return textsOf(root.lookupType("Response").toObject(root.lookupType("Response").decode(bytes)));
  };
  const half = fc.string({ unit: fc.constantFrom("a", "é", "\ud800", "\udc00", "😀", "\0"), maxLength: 60 });

  it("finds what is no UTF-8, to begin with", () => {
    const bytes = protos.responseSerialize({
      dynamic_metadata: { fields: { x: { stringValue: "\ud800" } } },
    });
    const type = root.lookupType("Response");
    expect(() => textsOf(type.toObject(type.decode(bytes)))).toThrow();
  });

  it("the metadata is UTF-8: half characters stand in it as U+FFFD", () => {
    const metadata = { "\ud800name": "a\udc00", own: [{ deep: "\ud83d\ud83d\ude00" }] };
    const authn = identity("https://a/\ud800", [
      { method: "jwt", issuer: "\udfff", reason: "jwt_unknown_issuer" },
    ]);
    const found = texts({ ...allowed, metadata, authn });
    for (const text of ["\ufffdname", "a\ufffd", "\ufffd😀", "https://a/\ufffd", "\ufffd", "d-1", "foo/p"]) {
      expect(found).toContain(text);
    }
  });

  it("the metadata is UTF-8, whoever chose the names in it", () => {
    fc.assert(
      fc.property(half, half, half, (principal, name, value) => {
        const authn = identity(principal, [{ method: "jwt", issuer: value, reason: "jwt_expired" }]);
        const found = texts({ ...allowed, authn, metadata: { [name]: [value, { [value]: name }] } });
        expect(found).toContain("foo/p");
      }),
      { numRuns: 300 },
    );
  });
});

describe("an anonymous request", () => {
  const signer = aSigner("k");
  const rule = aRule(signer, {
    outputClaimToHeaders: [
      { header: "x-sub", claim: "sub" },
      { header: "x-mail", claim: "email" },
    ],
  });
  const raw = (key: string, value: string) => ({ key, raw_value: Buffer.from(value, "latin1") });

  /** The service; `ask` sends these headers, and `made` says how many answers were encoded. */
  function service(authn = anAuthentication({ rules: [rule], verifier: aVerifier(10) })) {
    let [ids, encoded] = [0, 0];
    const { check } = createAuthorization({
      current: () => snapshot,
      decisionId: () => `d-${String(++ids).padStart(34, "0")}`,
      encode: (response) => {
        encoded += 1;
        return protos.responseSerialize(response);
      },
      now: () => 0,
      wallClock: () => nowMs,
      observe: () => {},
      onError: (error) => {
        throw error;
      },
    });
    const snapshot = aSnapshot({ authn });
    const askForBytes = async (headers: Readonly<Record<string, string>> = {}): Promise<Buffer> => {
      const lines = Object.entries({ ":path": "/p", ":method": "GET", ...headers });
      const header_map = { headers: lines.map(([name, value]) => raw(name, value)) };
      const http = { path: "/p", method: "GET", header_map };
      return Buffer.from(await check({ attributes: { request: { http } } }, new Uint8Array()));
    };
    const ask = async (...args: Parameters<typeof askForBytes>): Promise<CheckResponse__Output> =>
      protos.responseDeserialize(await askForBytes(...args));
    return { ask, askForBytes, made: () => encoded };
  }

  it("is told to go on without headers that only we set, shown or not, by one answer for all", async () => {
    const { askForBytes, made } = service();
    const answers = [
      await askForBytes(),
      await askForBytes({ "x-sub": "root" }),
      await askForBytes({ y: "1" }),
    ];
    const { ok_response } = protos.responseDeserialize(answers[0] ?? Buffer.alloc(0));
    expect(ok_response).toEqual({ headers_to_remove: ["x-sub", "x-mail"] });
    const texts = answers.map((answer) => answer.toString("latin1"));
    expect(new Set(texts).size).toBe(3);
    expect(new Set(texts.map((text) => text.replace(/d-0{33}[1-3]/, "ID"))).size).toBe(1);
    // The one template, in its two parts.
    expect(made()).toBe(2);
  });

  it("is never told what is for a caller, nor a caller what is for another", async () => {
    const { ask } = service();
    const tokens = ["alice", "bob"].map((sub) => signer.token({ sub, email: `${sub}@example.test` }));
    for (let round = 0; round < 3; round++) {
      for (const [i, sub] of ["alice", "bob"].entries()) {
        const { ok_response } = await ask({ authorization: `Bearer ${tokens[i]}`, "x-sub": "root" });
        expect(ok_response?.headers?.map(({ header }) => header?.value)).toEqual([
          sub,
          `${sub}@example.test`,
        ]);
        expect(ok_response?.headers_to_remove).toEqual(["authorization"]);
        const { ok_response: nobody } = await ask({ "x-sub": sub });
        expect(nobody).toEqual({ headers_to_remove: ["x-sub", "x-mail"] });
      }
    }
  });
});
