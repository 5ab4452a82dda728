import { describe, expect, it } from "vitest";
import type {
  Authentication,
  AuthnOutcome,
  CredentialCheck,
  JwtRule,
  KeySource,
  TokenPlaces,
} from "../../../src/authn/index.js";
import { tooMany } from "../../../src/authn/outcome.js";
import { aRequest, type RequestBuilder } from "../../support/request.js";
import {
  anAuthentication,
  aRemoteRule,
  aRule,
  aSigner,
  aVerifier,
  countedKeys,
  keySet,
  nowMs,
} from "../../support/tokens.js";

const signer = aSigner("k");
const stranger = aSigner("k");
const inHeader = (name: string): TokenPlaces => ({
  headers: [{ name, prefix: "" }],
  params: [],
  cookies: [],
});

function judge(
  authentication: Authentication,
  request: RequestBuilder,
): AuthnOutcome | Promise<AuthnOutcome> {
  const { request: http } = request.build();
  if (http === undefined) throw new Error("not HTTP");
  return authentication(http, nowMs);
}
const ask = async (rules: readonly JwtRule[], request: RequestBuilder): Promise<AuthnOutcome> =>
  judge(anAuthentication({ rules }), request);

const nobody = { method: undefined, issuer: "", principal: "", refused: [] };
const bearer = (token: string): RequestBuilder => aRequest().header("authorization", `Bearer ${token}`);

describe("the answer to a bad token", () => {
  const challenge = async (token: string, request: RequestBuilder): Promise<string | undefined> =>
    (await ask([aRule(signer)], request.header("authorization", `Bearer ${token}`))).refusal?.challenge;

  it("is 401 with Envoy's words and a challenge that names the request", async () => {
    expect(
      (await ask([aRule(signer)], bearer(stranger.token()).host("Shop.test:80").get("/a?b=c"))).refusal,
    ).toEqual({
      reason: "jwt_verification_failed",
      httpStatus: 401,
      code: 16,
      body: "Jwt verification fails",
      challenge: 'Bearer realm="http://Shop.test:80/a?b=c", error="invalid_token"',
    });
  });

  it("is 403 for the audience", async () => {
    expect((await ask([aRule(signer, { audiences: ["x"] })], bearer(signer.token()))).refusal).toMatchObject({
      reason: "jwt_audience_not_allowed",
      httpStatus: 403,
      code: 7,
      body: "Audiences in Jwt are not allowed",
    });
  });

  it("names at most 256 characters of the path, as it was before Envoy changed it", async () => {
    const long = `/${"p".repeat(300)}`;
    expect(await challenge("x", aRequest().get(long))).toBe(
      `Bearer realm="http://example.com${long.slice(0, 256)}", error="invalid_token"`,
    );
    expect(await challenge("x", aRequest().header("x-envoy-original-path", "/was"))).toContain(
      '"http://example.com/was"',
    );
  });

  it("names the request as it came, not as the rules left it", async () => {
    const request = aRequest().get(`/?access_token=${signer.token()}`);
    const rules = [
      aRule(signer, {
        places: { headers: [{ name: "x", prefix: "" }], params: ["access_token"], cookies: [] },
      }),
    ];
    const outcome = await ask(rules, request.header("x", "rubbish"));
    expect(outcome.refusal?.challenge).toContain("/?access_token=e");
  });
});

describe("headers that a rule sets", () => {
  const rules = [
    aRule(signer, { outputPayloadToHeader: "x-payload" }),
    aRule(stranger, { issuer: "https://b", outputClaimToHeaders: [{ header: "x-b", claim: "sub" }] }),
  ];
  const forged = aRequest().header("x-payload", "forged").header("x-b", "a", "b").header("x_b", "kept");
  const removed = { headersToSet: [], headersToRemove: ["x-payload", "x-b"], paramsToRemove: [] };

  it("are taken out of a request without a token", async () => {
    expect(await ask(rules, forged)).toMatchObject({ refusal: undefined, auth: undefined, changes: removed });
  });

  it("are taken out where another rule's token is good", async () => {
    const request = forged.header("authorization", `Bearer ${signer.token()}`);
    expect(await ask(rules, request)).toMatchObject({
      changes: {
        headersToSet: [["x-payload", expect.any(String)]],
        headersToRemove: ["x-b", "authorization"],
      },
    });
  });

  it("are taken out of a preflight, whose token is not looked at", async () => {
    const preflight = forged
      .method("OPTIONS", "/?access_token=rubbish")
      .header("origin", "https://a")
      .header("access-control-request-method", "GET")
      .header("authorization", "Bearer rubbish");
    expect(await ask(rules, preflight)).toMatchObject({
      refusal: undefined,
      auth: undefined,
      changes: removed,
    });
  });
});

describe("a preflight", () => {
  const preflight = (method: string, origin: string[], asked: string[]): RequestBuilder =>
    bearer("rubbish")
      .method(method, "/")
      .header("origin", ...origin)
      .header("access-control-request-method", ...asked);

  it.each([
    ["OPTIONS", ["https://a"], ["GET"], true],
    ["OPTIONS", ["", "https://a"], ["GET"], true],
    ["OPTIONS", [""], ["GET"], false],
    ["OPTIONS", ["https://a"], [""], false],
    ["OPTIONS", [], ["GET"], false],
    ["GET", ["https://a"], ["GET"], false],
    ["options", ["https://a"], ["GET"], false],
  ])("by %s from %j for %j: %j", async (method, origin, asked, is) => {
    const { refusal } = await ask([aRule(signer)], preflight(method, origin, asked));
    expect(refusal === undefined).toBe(is);
  });
});

describe("waiting", () => {
  it("is not needed without a token, with a bad one, or with one that is remembered", async () => {
    const authentication = anAuthentication({ rules: [aRule(signer)], verifier: aVerifier(10) });
    const token = signer.token();
    const first = judge(authentication, bearer(token));
    expect(first).toBeInstanceOf(Promise);
    await first;
    for (const request of [bearer(token), aRequest(), bearer("rubbish"), bearer(signer.token({ exp: 1 }))]) {
      expect(judge(authentication, request)).not.toBeInstanceOf(Promise);
    }
  });

  it("is for one verification, however many requests have the token", async () => {
    const counted = countedKeys(signer);
    const source = { current: () => counted.keys, refresh: () => undefined };
    const authentication = anAuthentication({ rules: [aRemoteRule()], source });
    const token = signer.token();
    const outcomes = await Promise.all(
      Array.from({ length: 100 }, () => judge(authentication, bearer(token))),
    );
    expect(outcomes.every(({ refusal }) => refusal === undefined)).toBe(true);
    expect(counted.verifications()).toBe(1);
  });

  it("is for each of several tokens, and each is verified once for the request", async () => {
    const counted = countedKeys(signer);
    const source = { current: () => counted.keys, refresh: () => undefined };
    const authentication = anAuthentication({ rules: [aRemoteRule({ places: inHeader("x") })], source });
    const tokens = ["a", "b", "c", "d"].map((sub) => signer.token({ sub }));
    expect(await judge(authentication, aRequest().header("x", ...tokens))).toMatchObject({
      auth: { payload: { sub: "a" } },
    });
    expect(counted.verifications()).toBe(4);
  });

  it("ends with the keys that came meanwhile", async () => {
    let keys = keySet(stranger);
    const source: KeySource = {
      current: () => keys,
      refresh: () => undefined,
    };
    const authentication = anAuthentication({ rules: [aRemoteRule()], source });
    const outcome = judge(authentication, bearer(signer.token()));
    keys = keySet(signer);
    expect((await outcome).refusal).toBeUndefined();
  });

  it("is of no use where keys are replaced faster than tokens are verified, but it comes to an end", async () => {
    const source: KeySource = { current: () => keySet(signer), refresh: () => undefined };
    const authentication = anAuthentication({ rules: [aRemoteRule()], source });
    expect(await judge(authentication, bearer(signer.token()))).toEqual({ refusal: tooMany, record: nobody });
  });

  it("is for 64 tokens one after the other at most", async () => {
    const tokens = Array.from({ length: 65 }, (_, i) => signer.token({ jti: String(i) }));
    const ask = (count: number): AuthnOutcome | Promise<AuthnOutcome> => {
      const rules = [aRule(signer, { places: inHeader("x") })];
      return judge(anAuthentication({ rules }), aRequest().header("x", ...tokens.slice(0, count)));
    };
    expect((await ask(64)).refusal).toBeUndefined();
    expect(await ask(65)).toEqual({ refusal: tooMany, record: nobody });
  });
});

describe("who observes", () => {
  it("is told once of every outcome, and what the cache knew", async () => {
    const seen: unknown[] = [];
    const authentication = anAuthentication({
      rules: [aRule(signer)],
      verifier: aVerifier(10),
      observe: ({ refusal, record }, { cacheHits, cacheMisses }) =>
        seen.push([refusal?.reason ?? record?.principal, cacheHits, cacheMisses]),
    });
    const token = signer.token();
    for (const request of [bearer(token), bearer(token), bearer("rubbish"), aRequest()]) {
      await judge(authentication, request);
    }
    expect(seen).toEqual([
      ["https://a/alice", 0, 1],
      ["https://a/alice", 1, 0],
      ["jwt_bad_format", 0, 0],
      [undefined, 0, 0],
    ]);
  });
});

describe("changes", () => {
  it("of one token are the same object from request to request, where they are the same", async () => {
    const rule = aRule(signer, { outputClaimToHeaders: [{ header: "x", claim: "sub" }] });
    const authentication = anAuthentication({ rules: [rule], verifier: aVerifier(10) });
    const changes = async (request: RequestBuilder): Promise<unknown> => {
      const outcome = await judge(authentication, request);
      return outcome.refusal === undefined ? outcome.changes : undefined;
    };
    const [token, other] = [signer.token(), signer.token({ sub: "bob" })];
    // Of a token that is seen for the first time nothing is kept but that its signature is good.
    expect(await changes(bearer(token))).toMatchObject({ isLasting: false });
    const first = await changes(bearer(token));
    expect(first).toMatchObject({ isLasting: true });
    expect(await changes(bearer(token).get("/other"))).toBe(first);
    expect(await changes(bearer(other))).toMatchObject({ headersToSet: [["x", "bob"]] });
    const inQuery = aRequest().get(`/?access_token=${token}`);
    expect(await changes(inQuery)).toMatchObject({ paramsToRemove: ["access_token"], headersToRemove: [] });
    expect(await changes(bearer(token))).toBe(first);
  });

  it("of who shows nothing are the same object, whoever came before", async () => {
    const check: CredentialCheck = {
      method: "api_key",
      name: "shop/keys",
      places: { headers: [{ name: "x-key", prefix: "" }], params: [], cookies: [] },
      forwardOriginalToken: false,
      outputClaimToHeaders: [{ header: "x-user", claim: "sub" }],
      judge: (sub) => ({ payload: { iss: "own", sub }, refusal: undefined }),
    };
    const authentication = anAuthentication({ rules: [], credentials: [check] });
    for (const user of ["u0", "u1", "u2", "u3", "u4"]) {
      await judge(authentication, aRequest().header("x-key", user));
    }
    const [first, second] = [
      await judge(authentication, aRequest()),
      await judge(authentication, aRequest().get("/other")),
    ];
    if (first.refusal !== undefined || second.refusal !== undefined) throw new Error("refused");
    expect(first.changes).toMatchObject({ isLasting: true, headersToRemove: ["x-user"] });
    expect(second.changes).toBe(first.changes);
  });
});
