import { describe, expect, it } from "vitest";
import type { AuthnOutcome, JwtRule, TokenPlaces } from "../../../src/authn/index.js";
import { aRequest, type RequestBuilder } from "../../support/request.js";
import { anAuthentication, aRule, aSigner, jwks, nowMs } from "../../support/tokens.js";

const a = aSigner("a");
const b = aSigner("b");
const stranger = aSigner("a");
const ofB = { iss: "https://b", sub: "bob" };

const inHeader = (name: string): TokenPlaces => ({
  headers: [{ name, prefix: "" }],
  params: [],
  cookies: [],
});
const ruleA = (changes: Partial<JwtRule> = {}): JwtRule => aRule(a, changes);
const ruleB = (changes: Partial<JwtRule> = {}): JwtRule => aRule(b, { issuer: "https://b", ...changes });

async function ask(rules: readonly JwtRule[], request: RequestBuilder): Promise<AuthnOutcome> {
  const { request: http } = request.build();
  if (http === undefined) throw new Error("not HTTP");
  return anAuthentication({ rules })(http, nowMs);
}

/** The caller's subject, `anonymous`, or why there is none. */
async function caller(rules: readonly JwtRule[], request: RequestBuilder): Promise<unknown> {
  const outcome = await ask(rules, request);
  if (outcome.refusal !== undefined) return outcome.refusal.reason;
  return outcome.auth?.payload["sub"] ?? "anonymous";
}

const bearer = (token: string): RequestBuilder => aRequest().header("authorization", `Bearer ${token}`);
const both = (x: string, y: string): RequestBuilder => aRequest().header("x", x).header("y", y);

describe("a rule", () => {
  it("lets a request without a token go on, anonymous", async () => {
    const outcome = await ask([ruleA()], aRequest());
    expect(outcome).toMatchObject({
      refusal: undefined,
      auth: undefined,
      record: undefined,
      changes: undefined,
    });
  });

  it("wants every one of its tokens to be good, and takes the first as the caller", async () => {
    const request = (first: string, second: string): RequestBuilder =>
      aRequest().header("authorization", `Bearer ${first}`).get(`/?access_token=${second}`);
    expect(await caller([ruleA()], request(a.token(), a.token({ sub: "carol" })))).toBe("alice");
    expect(await caller([ruleA()], request(stranger.token(), a.token()))).toBe("jwt_verification_failed");
    expect(await caller([ruleA()], request(a.token(), stranger.token()))).toBe("jwt_verification_failed");
  });

  it("looks at its last token first", async () => {
    const request = aRequest().header("x", "a.b", stranger.token(), a.token({ exp: 1 }));
    expect(await caller([ruleA({ places: inHeader("x") })], request)).toBe("jwt_expired");
  });

  it("does not see a token in a place that it does not name", async () => {
    const request = aRequest().get(`/?token=${stranger.token()}`).header("x-token", "rubbish");
    expect(await caller([ruleA()], request.header("cookie", "access_token=rubbish"))).toBe("anonymous");
    expect(await caller([ruleA()], aRequest().header("authorization", "Basic rubbish"))).toBe("anonymous");
  });
});

describe("several rules", () => {
  const rules = [ruleA(), ruleB()];

  it("take the tokens of each", async () => {
    expect(await caller(rules, bearer(a.token()))).toBe("alice");
    expect(await caller(rules, bearer(b.token(ofB)))).toBe("bob");
    expect(await caller(rules, aRequest())).toBe("anonymous");
  });

  it.each([
    ["of another issuer", a.token({ iss: "https://c" }), "jwt_unknown_issuer"],
    ["by the other's key", a.token(ofB), "jwks_no_matching_key"],
    ["that has expired", b.token({ ...ofB, exp: 1 }), "jwt_expired"],
    ["by nobody's key", stranger.token(), "jwt_verification_failed"],
    ["that is none", "rubbish", "jwt_bad_format"],
  ])("refuse a token %s for the reason of its own rule", async (_what, token, reason) => {
    expect(await caller(rules, bearer(token))).toBe(reason);
  });

  it("are at an end with the first that is content, whatever stands elsewhere", async () => {
    const apart = [ruleA({ places: inHeader("x") }), ruleB({ places: inHeader("y") })];
    expect(await caller(apart, both(a.token(), "rubbish"))).toBe("alice");
    expect(await caller(apart, both("rubbish", b.token(ofB)))).toBe("bob");
    expect(await caller(apart, both("rubbish", "rubbish"))).toBe("jwt_bad_format");
    // Both are asked once more at the end, and the first one's reason is the last word.
    expect(await caller(apart, both(a.token({ exp: 1 }), ""))).toBe("jwt_expired");
  });

  it("of one issuer take the tokens of either key", async () => {
    const same = [ruleA(), aRule(b)];
    expect(await caller(same, bearer(a.token()))).toBe("alice");
    expect(await caller(same, bearer(b.token()))).toBe("alice");
    expect(await caller(same, bearer(aSigner("c").token()))).toBe("jwks_no_matching_key");
  });

  it("say which of them found a token and why it was not taken", async () => {
    const refused = [
      { method: "jwt", issuer: "https://a", reason: "jwt_expired" },
      { method: "jwt", issuer: "https://b", reason: "jwt_unknown_issuer" },
    ];
    expect((await ask(rules, bearer(a.token({ exp: 1 })))).record).toMatchObject({
      method: undefined,
      refused,
    });
  });

  it("say nothing of another issuer once a token's own has taken it, but of everything else", async () => {
    const bob = { method: "jwt", issuer: "https://b", principal: "https://b/bob" };
    expect((await ask(rules, bearer(b.token(ofB)))).record).toEqual({ ...bob, refused: [] });
    const apart = [ruleA({ places: inHeader("x") }), ruleB({ places: inHeader("y") })];
    expect((await ask(apart, both("rubbish", b.token(ofB)))).record).toEqual({
      ...bob,
      refused: [{ method: "jwt", issuer: "https://a", reason: "jwt_bad_format" }],
    });
  });
});

describe("what a rule takes out and puts in", () => {
  const outputs = [{ header: "x-sub", claim: "sub" }];
  const changesOf = async (rules: readonly JwtRule[], request: RequestBuilder): Promise<unknown> => {
    const outcome = await ask(rules, request);
    return outcome.refusal === undefined ? outcome.changes : outcome.refusal.reason;
  };

  it("is its token, from header and query, however its name is spelled", async () => {
    expect(await changesOf([ruleA()], bearer(a.token()))).toEqual({
      headersToSet: [],
      headersToRemove: ["authorization"],
      paramsToRemove: [],
      isLasting: false,
    });
    const encoded = aRequest().get(`/p?x=%2F&access%5Ftoken=${a.token()}&access_token=rubbish&y`);
    expect(await changesOf([ruleA()], encoded)).toMatchObject({
      paramsToRemove: ["access%5Ftoken", "access_token"],
    });
    expect(await ask([ruleA()], encoded)).toMatchObject({ request: { path: "/p?x=%2F&y" } });
  });

  it("is never a cookie", async () => {
    const places = { headers: [], params: [], cookies: ["s"] };
    const outcome = await ask([ruleA({ places })], aRequest().header("cookie", `s=${a.token()}`));
    expect(outcome).toMatchObject({
      refusal: undefined,
      changes: undefined,
      auth: { payload: { sub: "alice" } },
    });
  });

  it("is nothing where the token is to be forwarded", async () => {
    const request = bearer(a.token());
    expect(await changesOf([ruleA({ forwardOriginalToken: true })], request)).toBeUndefined();
  });

  it("is in the request that the stages behind see", async () => {
    const rule = ruleA({ outputClaimToHeaders: outputs, outputPayloadToHeader: "x-payload" });
    const token = a.token();
    const outcome = await ask([rule], bearer(token).header("x-sub", "forged").header("other", "1"));
    if (outcome.refusal !== undefined) throw new Error("refused");
    const { headers } = outcome.request;
    expect([
      headers.get("x-sub"),
      headers.get("x-payload"),
      headers.get("authorization"),
      headers.get("other"),
    ]).toEqual([["alice"], [token.split(".")[1]], undefined, ["1"]]);
  });

  it("stays when the rule then fails by another token", async () => {
    const places = { headers: [{ name: "x", prefix: "" }], params: ["t"], cookies: [] };
    const first = ruleA({ places, outputClaimToHeaders: outputs });
    const second = ruleB({ places: inHeader("x") });
    // From the last token on: the parameter is taken, then the header is found to be of another issuer.
    const request = aRequest().get(`/?t=${a.token()}`).header("x", b.token(ofB));
    expect(await ask([first, second], request)).toMatchObject({
      auth: { payload: { sub: "bob" } },
      changes: { headersToSet: [["x-sub", "alice"]], headersToRemove: ["x"], paramsToRemove: ["t"] },
    });
  });

  it("is gone when the rule is asked again and finds no token", async () => {
    const places = { headers: [{ name: "x", prefix: "" }], params: ["t"], cookies: [] };
    const rules = [
      ruleA({ places, outputClaimToHeaders: outputs }),
      ruleB({ places, outputClaimToHeaders: [{ header: "x-b", claim: "sub" }] }),
    ];
    // A fails by B's token. B takes its own and fails by A's. Then A is content, and B misses its token.
    const request = aRequest()
      .get(`/?t=${b.token(ofB)}`)
      .header("x", a.token());
    expect(await ask(rules, request)).toMatchObject({
      auth: { payload: { sub: "alice" } },
      changes: { headersToSet: [["x-sub", "alice"]], headersToRemove: ["x-b", "x"], paramsToRemove: ["t"] },
    });
  });

  it("is every line of a header with the token", async () => {
    const request = aRequest().header("x", a.token(), a.token({ sub: "carol" }));
    const rule = ruleA({ places: inHeader("x"), outputClaimToHeaders: outputs });
    expect(await changesOf([rule], request)).toEqual({
      headersToSet: [
        ["x-sub", "carol"],
        ["x-sub", "alice"],
      ],
      headersToRemove: ["x"],
      paramsToRemove: [],
      isLasting: false,
    });
  });

  it("is every header that a rule may set, also where the request does not show it", async () => {
    const setting = [
      ruleA({ outputClaimToHeaders: outputs }),
      ruleB({ outputPayloadToHeader: "x-payload", outputClaimToHeaders: [{ header: "x-b", claim: "sub" }] }),
    ];
    const headersToRemove = ["x-sub", "x-payload", "x-b"];
    const removed = { headersToSet: [], headersToRemove, paramsToRemove: [] };
    expect(await changesOf(setting, aRequest())).toMatchObject(removed);
    expect(await changesOf(setting, bearer(a.token()))).toMatchObject({
      headersToSet: [["x-sub", "alice"]],
      headersToRemove: ["x-payload", "x-b", "authorization"],
    });
  });
});

describe("an HS256 secret", () => {
  it("verifies where it stands in the rule, next to public keys that it does not weaken", async () => {
    const secret = { kty: "oct", k: "c2VjcmV0", kid: "s" };
    const keys = JSON.stringify({ keys: [secret, ...JSON.parse(jwks(a)).keys] });
    const rule = ruleA({ keys: { kind: "inline", jwks: keys } });
    expect(await caller([rule], bearer(a.token()))).toBe("alice");
    expect(await caller([rule], bearer(a.token({}, { alg: "HS256", kid: "s" })))).toBe(
      "jwt_verification_failed",
    );
  });
});
