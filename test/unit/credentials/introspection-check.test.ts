import { Buffer } from "node:buffer";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { CredentialCheck, CredentialVerdict } from "../../../src/authn/index.js";
import {
  createIntrospectionCheck,
  type IntrospectionEvent,
  type IntrospectionReply,
} from "../../../src/credentials/index.js";
import { anIntrospection } from "./credential-documents.js";

const now = Date.parse("2026-08-20T12:00:00Z");
const seconds = now / 1000;

interface Fake {
  readonly check: CredentialCheck;
  readonly asked: string[];
  readonly events: IntrospectionEvent[];
  /** What the endpoint says from now on. */
  answer: (token: string) => IntrospectionReply | Promise<IntrospectionReply>;
}

const body = (text: string): IntrospectionReply => ({ body: Buffer.from(text), failure: undefined });
const says = (answer: unknown): IntrospectionReply => body(JSON.stringify(answer));

function fake(spec: Readonly<Record<string, unknown>> = {}, answer: unknown = { active: true }): Fake {
  const asked: string[] = [];
  const events: IntrospectionEvent[] = [];
  const made: Fake = {
    asked,
    events,
    answer: () => says(answer),
    check: createIntrospectionCheck(anIntrospection(spec), {
      introspect: async (token) => {
        asked.push(token);
        return made.answer(token);
      },
      observe: (event) => events.push(event),
    }),
  };
  return made;
}

async function judge(
  answer: unknown,
  spec: Readonly<Record<string, unknown>> = {},
): Promise<CredentialVerdict> {
  return fake(spec, answer).check.judge("opaque", now);
}

const brief = ({ payload, refusal }: CredentialVerdict): unknown =>
  refusal === undefined ? payload : `${refusal.httpStatus} ${refusal.code} ${refusal.reason}`;

const inactive = "401 16 introspection_inactive";
const failed = "500 13 introspection_failed";

describe("an active token", () => {
  it("gives the answer's members as claims, as they are", async () => {
    const answer = {
      active: true,
      iss: "https://op",
      sub: "alice",
      scope: "read  write",
      client_id: "app",
      aud: ["a", "b"],
      exp: seconds + 60,
      nbf: seconds - 60,
      ext: { deep: [1] },
    };
    const { active: _, ...rest } = answer;
    expect(brief(await judge(answer))).toEqual({ ...rest, scope: "read  write" });
  });

  it.each([
    ["the subject", { sub: "alice", username: "u", client_id: "c" }, "alice"],
    ["else the user", { username: "u", client_id: "c" }, "u"],
    ["else the client", { sub: "", client_id: "c" }, "c"],
  ])("is of %s", async (_what, members, sub) => {
    expect((await judge({ active: true, ...members })).payload).toMatchObject({ sub });
  });

  it("is of the endpoint's origin when nobody names an issuer", async () => {
    expect((await judge({ active: true, sub: "a" })).payload?.["iss"]).toBe("https://login.example");
  });

  it("is of the issuer that the document names, and of no other", async () => {
    const spec = { issuer: "https://op" };
    expect((await judge({ active: true, sub: "a" }, spec)).payload?.["iss"]).toBe("https://op");
    expect((await judge({ active: true, iss: "https://op" }, spec)).payload?.["iss"]).toBe("https://op");
    expect(brief(await judge({ active: true, iss: "https://bank" }, spec))).toBe(
      "401 16 introspection_wrong_issuer",
    );
  });

  it("keeps members with the names of Object's own as ordinary claims", async () => {
    const text = '{"active":true,"sub":"a","__proto__":{"admin":true},"constructor":"c"}';
    const made = fake();
    made.answer = () => body(text);
    const { payload } = await made.check.judge("opaque", now);
    expect(Object.keys(payload ?? {}).sort()).toEqual(["__proto__", "constructor", "iss", "sub"]);
    expect(payload?.["admin"]).toBeUndefined();
  });
});

describe("what is asked of a token", () => {
  it.each([
    ["all scopes", { scope: "read write admin" }, { requiredScopes: ["write", "read"] }, true],
    ["scopes as a list", { scope: ["read"] }, { requiredScopes: ["read"] }, true],
    ["a scope that only begins so", { scope: "readonly" }, { requiredScopes: ["read"] }, false],
    ["no scope", {}, { requiredScopes: ["read"] }, false],
  ])("scopes: %s", async (_what, members, spec, good) => {
    const { refusal } = await judge({ active: true, sub: "a", ...members }, spec);
    expect(refusal === undefined).toBe(good);
    if (refusal !== undefined) {
      expect(refusal).toEqual({
        reason: "introspection_scope_missing",
        httpStatus: 403,
        code: 7,
        body: "Scope of the token is not sufficient",
        challenge: `Bearer error="insufficient_scope", scope="${spec.requiredScopes.join(" ")}"`,
      });
    }
  });

  it.each([
    ["one text", "api", true],
    ["a list", ["x", "api"], true],
    ["another", "api2", false],
    ["a list of none", [], false],
    ["nothing", undefined, false],
  ])("audiences: %s", async (_what, aud, good) => {
    const verdict = await judge({ active: true, sub: "a", aud }, { audiences: ["api", "web"] });
    expect(verdict.refusal?.reason).toBe(good ? undefined : "introspection_wrong_audience");
    expect(verdict.refusal?.httpStatus).toBe(good ? undefined : 403);
  });
});

describe("a token that is not good", () => {
  it.each([
    ["active: false", { active: false }, inactive],
    ['active: "true"', { active: "true" }, inactive],
    ["active: 1", { active: 1 }, inactive],
    ["active: [true]", { active: [true] }, inactive],
    ["active: null", { active: null }, inactive],
    ["exp in the past", { active: true, exp: seconds - 1 }, inactive],
    ["exp now, since no skew is given", { active: true, exp: seconds }, inactive],
    ["nbf in the future", { active: true, nbf: seconds + 1 }, inactive],
    ["no active", { sub: "a" }, failed],
    ["active spelled otherwise", { Active: true }, failed],
    ["a list", [{ active: true }], failed],
    ["a text", "active", failed],
    ["null", null, failed],
    ["exp as a text", { active: true, exp: String(seconds + 60) }, failed],
    ["nbf as a text", { active: true, nbf: "0" }, failed],
    ["sub as a number", { active: true, sub: 7 }, failed],
    ["iss as a list", { active: true, iss: ["a"] }, failed],
    ["aud of numbers", { active: true, aud: [1] }, failed],
    ["scope as a mapping", { active: true, scope: { a: 1 } }, failed],
  ])("is refused: %s", async (_what, answer, verdict) => {
    expect(brief(await judge(answer))).toBe(verdict);
  });

  it.each([
    ["HTML", "<html><body>active: true</body></html>"],
    ["nothing", ""],
    ["half an answer", '{"active": true, "sub": "a'],
    ["two answers", '{"active":true}{"active":true}'],
    ["bytes that are no UTF-8", "\xff"],
    ["a deep answer", `{"active":true,"x":${"[".repeat(5000)}${"]".repeat(5000)}}`],
  ])("cannot be judged by %s", async (_what, text) => {
    const made = fake();
    made.answer = () => ({ body: Buffer.from(text, "latin1"), failure: undefined });
    expect(brief(await made.check.judge("opaque", now))).toBe(failed);
    expect(made.events).toEqual(["malformed"]);
  });

  it.each([
    ["the subject", '{"active":true,"sub":"a\\ud800"}'],
    ["the issuer", '{"active":true,"sub":"a","iss":"\\udc00"}'],
    ["another claim", '{"active":true,"sub":"a","name":"\\udc00\\ud800"}'],
    ["a name", '{"active":true,"sub":"a","\\ud83d":1}'],
    ["a list deep inside", '{"active":true,"sub":"a","x":[{"y":["\\ud83dz"]}]}'],
    ["an answer that is no token", '{"active":false,"x":"\\ud800"}'],
  ])("cannot be judged where half a character stands in %s", async (_what, text) => {
    const made = fake();
    made.answer = () => body(text);
    expect(brief(await made.check.judge("opaque", now))).toBe(failed);
    expect(made.events).toEqual(["malformed"]);
  });

  it("is not one whose answer has whole characters, by escapes or not", async () => {
    const made = fake();
    made.answer = () => body('{"active":true,"sub":"\\ud83d\\ude00 😀"}');
    expect((await made.check.judge("opaque", now)).payload?.["sub"]).toBe("😀 😀");
  });

  it.each(["timeout", "connect", "egress", "too_large", "status"] as const)(
    "cannot be judged after %s, says nothing about it, and is asked about again",
    async (failure) => {
      const made = fake();
      made.answer = () => ({ body: undefined, failure });
      const { refusal } = await made.check.judge("opaque", now);
      expect(refusal).toEqual({
        reason: "introspection_failed",
        httpStatus: 500,
        code: 13,
        body: "",
        challenge: undefined,
      });
      made.answer = () => says({ active: true, sub: "a" });
      expect((await made.check.judge("opaque", now)).payload).toMatchObject({ sub: "a" });
      expect(made.events).toEqual([failure, "active"]);
    },
  );

  it("cannot be judged when the port breaks its promise", async () => {
    const made = fake();
    made.answer = () => {
      throw new Error("opaque");
    };
    expect(brief(await made.check.judge("opaque", now))).toBe(failed);
  });

  it.each([
    ["empty", ""],
    ["with a space", "a b"],
    ["with a quote", 'a"'],
    ["with a line end", "a\n"],
    ["with bytes beyond ASCII", "a\xe9"],
    ["with padding in between", "a=b"],
    ["too long", "a".repeat(4097)],
  ])("is refused without a question: %s", (_what, token) => {
    const made = fake();
    expect(brief(made.check.judge(token, now) as CredentialVerdict)).toBe("401 16 token_malformed");
    expect(made.asked).toEqual([]);
  });

  it("gets a challenge and fixed words", async () => {
    expect((await judge({ active: false, error: "secret words" })).refusal).toEqual({
      reason: "introspection_inactive",
      httpStatus: 401,
      code: 16,
      body: "Token is not active",
      challenge: 'Bearer error="invalid_token"',
    });
  });
});

describe("what is remembered", () => {
  const askedAt = async (made: Fake, ...times: number[]): Promise<number> => {
    for (const ms of times) await made.check.judge("opaque", now + ms);
    return made.asked.length;
  };

  it("a good token for the ttl", async () => {
    expect(await askedAt(fake({ cacheTtl: "30s" }), 0, 29_999)).toBe(1);
    expect(await askedAt(fake({ cacheTtl: "30s" }), 0, 30_000)).toBe(2);
  });

  it("a good token never past its own end", async () => {
    const answer = { active: true, sub: "a", exp: seconds + 10 };
    expect(await askedAt(fake({ cacheTtl: "30s" }, answer), 0, 9999)).toBe(1);
    const late = fake({ cacheTtl: "30s" }, answer);
    expect(await askedAt(late, 0, 10_000)).toBe(2);
    expect(brief(await late.check.judge("opaque", now + 10_000))).toBe(inactive);
  });

  it("a refused token for five seconds at most", async () => {
    expect(await askedAt(fake({}, { active: false }), 0, 4999)).toBe(1);
    expect(await askedAt(fake({}, { active: false }), 0, 5000)).toBe(2);
    expect(await askedAt(fake({ requiredScopes: ["x"] }), 0, 5000)).toBe(2);
  });

  it("a token of the future until then", async () => {
    const made = fake({}, { active: true, sub: "a", nbf: seconds + 2 });
    expect(await askedAt(made, 0, 1999)).toBe(1);
    expect((await made.check.judge("opaque", now + 2000)).payload).toMatchObject({ sub: "a" });
  });

  it("nothing with a ttl of zero", async () => {
    expect(await askedAt(fake({ cacheTtl: "0s" }), 0, 0)).toBe(2);
  });

  it("nothing that a clock which went back would keep alive", async () => {
    expect(await askedAt(fake(), 0, -3_600_000)).toBe(2);
  });

  it("one token apart from another, also one that differs in case", async () => {
    const made = fake();
    made.answer = (token) => says({ active: token === "opaque", sub: token });
    await made.check.judge("opaque", now);
    expect(brief(await made.check.judge("Opaque", now))).toBe(inactive);
    expect((await made.check.judge("opaque", now)).payload).toMatchObject({ sub: "opaque" });
    expect(made.asked).toEqual(["opaque", "Opaque"]);
  });

  it("by each resource for itself: another scope, another verdict", async () => {
    const answer = { active: true, sub: "a", scope: "read" };
    expect((await fake({ requiredScopes: ["read"] }, answer).check.judge("opaque", now)).refusal).toBe(
      undefined,
    );
    expect(brief(await fake({ requiredScopes: ["write"] }, answer).check.judge("opaque", now))).toBe(
      "403 7 introspection_scope_missing",
    );
  });

  it("good tokens, however many made-up ones come", async () => {
    const made = fake();
    made.answer = (token) => says({ active: token === "good", sub: token });
    await made.check.judge("good", now);
    for (let i = 0; i < 12_000; i++) await made.check.judge(`bad${i}`, now);
    await made.check.judge("good", now);
    expect(made.events.at(-1)).toBe("cache_hit");
  });

  it("is answered at once", async () => {
    const made = fake();
    await made.check.judge("opaque", now);
    expect(made.check.judge("opaque", now)).not.toBeInstanceOf(Promise);
    expect(made.events).toEqual(["active", "cache_hit"]);
  });
});

describe("questions under way", () => {
  it("are one for all that wait for the same token", async () => {
    const made = fake({ cacheTtl: "0s" });
    const verdicts = await Promise.all(Array.from({ length: 50 }, () => made.check.judge("opaque", now)));
    expect(made.asked).toEqual(["opaque"]);
    expect(new Set(verdicts).size).toBe(1);
    expect(made.events.filter((event) => event === "cache_joined")).toHaveLength(49);
  });

  it("share a failure as well, and the next request asks anew", async () => {
    const made = fake();
    made.answer = () => ({ body: undefined, failure: "timeout" });
    const verdicts = await Promise.all([made.check.judge("opaque", now), made.check.judge("opaque", now)]);
    expect(verdicts.map(brief)).toEqual([failed, failed]);
    await made.check.judge("opaque", now);
    expect(made.asked).toHaveLength(2);
  });

  it("are bounded: more are refused at once", async () => {
    const made = fake();
    let answer: (reply: IntrospectionReply) => void = () => {};
    const held = new Promise<IntrospectionReply>((resolve) => {
      answer = resolve;
    });
    made.answer = () => held;
    const waiting = Array.from({ length: 256 }, (_, i) => made.check.judge(`t${i}`, now));
    expect(brief((await made.check.judge("one-more", now)) as CredentialVerdict)).toBe(failed);
    expect(made.events).toEqual(["overloaded"]);
    answer(says({ active: true, sub: "a" }));
    expect((await Promise.all(waiting)).every(({ refusal }) => refusal === undefined)).toBe(true);
    expect((await made.check.judge("one-more", now)).refusal).toBe(undefined);
  });
});

describe("whatever comes", () => {
  const reasons = ["introspection_inactive", "introspection_failed", "token_malformed"];

  it("an answer's bytes make nothing but a defined outcome", async () => {
    const jsons = fc.json({ maxDepth: 4 }).map((text) => Buffer.from(text));
    const answers = fc
      .dictionary(
        fc.constantFrom("active", "iss", "sub", "exp", "nbf", "aud", "scope", "username", "__proto__", "x"),
        fc.oneof(fc.jsonValue(), fc.constantFrom(true, false, "true", 1, seconds + 5, seconds - 5, "a b")),
      )
      .map((answer) => Buffer.from(JSON.stringify(answer)));
    await fc.assert(
      fc.asyncProperty(fc.oneof(fc.uint8Array({ maxLength: 200 }), jsons, answers), async (bytes) => {
        const made = fake({ cacheTtl: "0s" });
        made.answer = () => ({ body: bytes, failure: undefined });
        const { payload, refusal } = await made.check.judge("opaque", now);
        if (refusal !== undefined) {
          expect(reasons).toContain(refusal.reason);
          return;
        }
        const answer = JSON.parse(Buffer.from(bytes).toString()) as Record<string, unknown>;
        expect(answer["active"]).toBe(true);
        expect(typeof payload["iss"]).toBe("string");
        expect(["string", "undefined"]).toContain(typeof payload["sub"]);
      }),
      { numRuns: 300 },
    );
  });

  it("a token makes nothing but a defined outcome, and only a token goes to the endpoint", async () => {
    await fc.assert(
      fc.asyncProperty(fc.string({ unit: "binary", maxLength: 40 }), async (token) => {
        const made = fake({ cacheTtl: "0s" }, { active: false });
        const { refusal } = await made.check.judge(token, now);
        expect(reasons).toContain(refusal?.reason);
        for (const one of made.asked) expect(one).toMatch(/^[A-Za-z0-9\-._~+/]+=*$/);
      }),
      { numRuns: 300 },
    );
  });
});
