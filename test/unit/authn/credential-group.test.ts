import { describe, expect, it } from "vitest";
import type {
  AuthnOutcome,
  CredentialCheck,
  CredentialVerdict,
  JwtRule,
  TokenPlaces,
} from "../../../src/authn/index.js";
import { refuseCredential, refuseUnjudged } from "../../../src/credentials/credential-refusal.js";
import { aRequest, type RequestBuilder } from "../../support/request.js";
import { anAuthentication, aRule, aSigner, nowMs } from "../../support/tokens.js";

const signer = aSigner("k");
const bearerPlace: TokenPlaces = {
  headers: [{ name: "authorization", prefix: "Bearer " }],
  params: [],
  cookies: [],
};
const inHeader = (name: string): TokenPlaces => ({
  headers: [{ name, prefix: "" }],
  params: [],
  cookies: [],
});

const unknown = refuseCredential("api_key_unknown", "API key is not valid", "ApiKey");
const failed = refuseUnjudged("introspection_failed");
const good = (sub: string): CredentialVerdict => ({ payload: { iss: "own", sub }, refusal: undefined });

interface Fake extends CredentialCheck {
  readonly asked: string[];
}

/** Knows `good-SUBJECT`; `down` cannot be judged, everything else is unknown. */
function aCheck(changes: Partial<CredentialCheck> & { readonly late?: boolean } = {}): Fake {
  const { late = false, ...fields } = changes;
  const asked: string[] = [];
  return {
    method: "api_key",
    name: "shop/keys",
    places: inHeader("x-key"),
    forwardOriginalToken: false,
    outputClaimToHeaders: [],
    asked,
    judge: (token) => {
      asked.push(token);
      const verdict = token.startsWith("good-") ? good(token.slice(5)) : token === "down" ? failed : unknown;
      return late ? Promise.resolve(verdict) : verdict;
    },
    ...fields,
  };
}

async function ask(
  credentials: readonly CredentialCheck[],
  request: RequestBuilder,
  rules: readonly JwtRule[] = [],
): Promise<AuthnOutcome> {
  const { request: http } = request.build();
  if (http === undefined) throw new Error("not HTTP");
  return anAuthentication({ rules, credentials })(http, nowMs);
}

async function caller(...args: Parameters<typeof ask>): Promise<unknown> {
  const outcome = await ask(...args);
  if (outcome.refusal !== undefined) return outcome.refusal.reason;
  return outcome.auth?.payload["sub"] ?? "anonymous";
}

const key = (...values: string[]): RequestBuilder => aRequest().header("x-key", ...values);
const bearer = (token: string): RequestBuilder => aRequest().header("authorization", `Bearer ${token}`);

describe("a credential", () => {
  it("is judged also where a token of another kind takes its header out", async () => {
    const opaque = aCheck({
      method: "introspection",
      places: {
        headers: [{ name: "authorization", prefix: "Bearer ", opaque: true }],
        params: [],
        cookies: [],
      },
    });
    const lines = [`Bearer ${signer.token()}`, "Bearer bad"];
    expect(await caller([opaque], aRequest().header("authorization", ...lines), [aRule(signer)])).toBe(
      "api_key_unknown",
    );
    expect(opaque.asked).toEqual(["bad"]);
  });

  it("gives the caller's identity and who knows it", async () => {
    expect(await ask([aCheck()], key("good-ann"))).toMatchObject({
      refusal: undefined,
      auth: { payload: { iss: "own", sub: "ann" } },
      record: { method: "api_key", issuer: "shop/keys", principal: "own/ann", refused: [] },
      changes: { headersToRemove: ["x-key"] },
    });
  });

  it("that is not there leaves the caller anonymous", async () => {
    expect(await ask([aCheck()], aRequest())).toMatchObject({
      refusal: undefined,
      auth: undefined,
      record: undefined,
    });
  });

  it("that is not good refuses, and only the record says who was asked", async () => {
    expect(await ask([aCheck()], key("bad"))).toEqual({
      refusal: {
        reason: "api_key_unknown",
        httpStatus: 401,
        code: 16,
        body: "API key is not valid",
        challenge: "ApiKey",
      },
      record: {
        method: undefined,
        issuer: "",
        principal: "",
        refused: [{ method: "api_key", issuer: "shop/keys", reason: "api_key_unknown" }],
      },
    });
  });

  it("must be good wherever another stands; the first is the caller", async () => {
    expect(await caller([aCheck()], key("good-ann", "good-bob"))).toBe("ann");
    expect(await caller([aCheck()], key("good-ann", "bad"))).toBe("api_key_unknown");
    expect(await caller([aCheck()], key("bad", "good-ann"))).toBe("api_key_unknown");
  });

  it("is taken by any resource of its kind that reads its place", async () => {
    const picky = aCheck({ name: "shop/other", judge: () => unknown });
    const outcome = await ask([picky, aCheck()], key("good-ann"));
    expect(outcome.record).toMatchObject({ issuer: "shop/keys", refused: [] });
    expect(await caller([picky, picky], key("good-ann"))).toBe("api_key_unknown");
  });

  it("that one resource could not judge is not unknown because another does not know it", async () => {
    const other = aCheck({ name: "shop/other", judge: () => unknown });
    expect(await caller([aCheck(), other], key("down"))).toBe("introspection_failed");
    expect(await caller([other, aCheck()], key("down"))).toBe("introspection_failed");
  });

  it("is asked about once, however often the request is judged", async () => {
    const late = aCheck({ late: true });
    const other = aCheck({ method: "introspection", name: "shop/late", places: inHeader("y"), late: true });
    expect(await caller([late, other], key("good-ann", "good-ann").header("y", "good-bob"))).toBe("ann");
    expect([late.asked, other.asked]).toEqual([["good-ann"], ["good-bob"]]);
  });

  it("stays in the request where it is to be forwarded, and in cookies always", async () => {
    expect(await ask([aCheck({ forwardOriginalToken: true })], key("good-ann"))).toMatchObject({
      changes: undefined,
    });
    const places = { headers: [], params: [], cookies: ["k"] };
    expect(await ask([aCheck({ places })], aRequest().header("cookie", "k=good-ann"))).toMatchObject({
      auth: { payload: { sub: "ann" } },
      changes: undefined,
    });
  });

  it("sets headers from its claims in place of what the client sent", async () => {
    const check = aCheck({ outputClaimToHeaders: [{ header: "x-user", claim: "sub" }] });
    const request = key("good-ann", "good-bob").header("x-user", "root");
    expect(await ask([check], request)).toMatchObject({ changes: { headersToSet: [["x-user", "ann"]] } });
    expect(await ask([check], aRequest().header("x-user", "root"))).toMatchObject({
      changes: { headersToSet: [], headersToRemove: ["x-user"] },
    });
  });
});

describe("headers from claims", () => {
  const outputs = (header: string): Pick<CredentialCheck, "outputClaimToHeaders"> => ({
    outputClaimToHeaders: [{ header, claim: "sub" }],
  });
  const changes = async (...args: Parameters<typeof ask>): Promise<unknown> => {
    const outcome = await ask(...args);
    return outcome.refusal === undefined ? outcome.changes : outcome.refusal.reason;
  };
  const jwtAndKey = bearer(signer.token()).header("x-key", "good-ann").header("x-user", "root");

  it("are the JWT's where an API key stands beside it, under one name", async () => {
    const rules = [aRule(signer, outputs("x-user"))];
    expect(await changes([aCheck(outputs("x-user"))], jwtAndKey, rules)).toMatchObject({
      headersToSet: [["x-user", "alice"]],
      headersToRemove: ["authorization", "x-key"],
    });
  });

  it("are the JWT's where an API key stands beside it, also under a name that only the key has", async () => {
    for (const rules of [[aRule(signer, outputs("x-jwt"))], [aRule(signer)]]) {
      const changed = await changes([aCheck(outputs("x-user"))], jwtAndKey, rules);
      expect(changed).toMatchObject({
        headersToSet: rules[0]?.outputClaimToHeaders.map(({ header }) => [header, "alice"]),
        headersToRemove: ["x-user", "authorization", "x-key"],
      });
    }
  });

  it("are the first kind's where two kinds know a credential, whatever they are called", async () => {
    const keys = aCheck(outputs("x-user"));
    const method = { method: "introspection", name: "shop/tokens", places: inHeader("y") } as const;
    const request = key("good-ann").header("y", "good-bob");
    for (const header of ["x-user", "x-other"]) {
      const tokens = aCheck({ ...method, ...outputs(header) });
      expect(await changes([keys, tokens], request)).toMatchObject({ headersToSet: [["x-user", "ann"]] });
      expect(await changes([tokens, keys], request)).toMatchObject({ headersToSet: [[header, "bob"]] });
      // A client's own never goes on.
      expect(await changes([keys, tokens], aRequest().header(header, "root"))).toMatchObject({
        headersToSet: [],
        headersToRemove: [...new Set(["x-user", header])],
      });
    }
  });

  it("are nobody's where the caller is known already, and a client's own are taken out", async () => {
    const { request } = key("good-ann").header("x-user", "root").build();
    if (request === undefined) throw new Error("not HTTP");
    const authentication = anAuthentication({ credentials: [aCheck(outputs("x-user"))] });
    expect(await authentication(request, nowMs, true)).toMatchObject({
      refusal: undefined,
      changes: { headersToSet: [], headersToRemove: ["x-user", "x-key"] },
    });
    expect(await authentication(request, nowMs)).toMatchObject({
      changes: { headersToSet: [["x-user", "ann"]], headersToRemove: ["x-key"] },
    });
  });
});

describe("credentials of one kind in one request", () => {
  const several = (count: number, value = (i: number): string => `good-${i}`): string[] =>
    Array.from({ length: count }, (_, i) => value(i));

  it("are eight at most, and no more are asked about", async () => {
    expect(await caller([aCheck()], key(...several(8)))).toBe("0");
    const check = aCheck();
    const outcome = await ask([check], key(...several(9)));
    expect(outcome).toEqual({
      refusal: {
        reason: "too_many_credentials",
        httpStatus: 401,
        code: 16,
        body: "Too many credentials",
        challenge: 'Bearer error="invalid_request"',
      },
      record: { method: undefined, issuer: "", principal: "", refused: [] },
    });
    expect(check.asked).toHaveLength(8);
  });

  it("are counted once where they are the same, and each kind has its own eight", async () => {
    expect(await caller([aCheck()], key(...several(100, () => "good-ann")))).toBe("ann");
    const tokens = aCheck({ method: "introspection", name: "shop/tokens", places: inHeader("y") });
    expect(await caller([aCheck(), tokens], key(...several(8)).header("y", ...several(8)))).toBe("0");
    expect(await caller([aCheck(), tokens], key("good-ann").header("y", ...several(9)))).toBe(
      "too_many_credentials",
    );
  });

  it("are counted over all resources of the kind and all their places", async () => {
    const apart = aCheck({ name: "shop/apart", places: inHeader("z") });
    const request = key(...several(5)).header("z", ...several(4));
    expect(await caller([aCheck(), apart], request)).toBe("too_many_credentials");
  });
});

describe("JWTs and other credentials of one request", () => {
  const rules = [aRule(signer)];

  it("must all be good; the JWT is the caller", async () => {
    const request = bearer(signer.token());
    expect(await caller([aCheck()], request.header("x-key", "good-ann"), rules)).toBe("alice");
    expect(await caller([aCheck()], request.header("x-key", "bad"), rules)).toBe("api_key_unknown");
    expect(await caller([aCheck()], bearer("rubbish").header("x-key", "good-ann"), rules)).toBe(
      "jwt_bad_format",
    );
    expect(await ask([aCheck()], request.header("x-key", "good-ann"), rules)).toMatchObject({
      record: { method: "jwt", principal: "https://a/alice" },
      changes: { headersToRemove: ["authorization", "x-key"] },
    });
  });

  it("of two kinds beside JWTs are judged in the order given; the first is the caller", async () => {
    const keys = aCheck();
    const tokens = aCheck({ method: "introspection", name: "shop/tokens", places: inHeader("y") });
    const request = key("good-ann").header("y", "good-bob");
    expect(await caller([keys, tokens], request)).toBe("ann");
    expect(await caller([tokens, keys], request)).toBe("bob");
    expect(await caller([keys, tokens], key("good-ann").header("y", "bad"))).toBe("api_key_unknown");
  });

  it("share a place: what has the form of a JWT is for the JWT rules alone", async () => {
    const check = aCheck({ method: "introspection", places: bearerPlace });
    expect(await caller([check], bearer(signer.token()), rules)).toBe("alice");
    expect(await caller([check], bearer("a.b.c"), rules)).toBe("jwt_header_bad_base64");
    expect(check.asked).toEqual([]);
  });

  it("share a place: everything else there is not for the JWT rules", async () => {
    const check = aCheck({ method: "introspection", places: bearerPlace });
    expect(await caller([check], bearer("good-ann"), rules)).toBe("ann");
    expect(await caller([check], bearer("rubbish"), rules)).toBe("api_key_unknown");
    expect(await caller([check], bearer("a.b"), rules)).toBe("api_key_unknown");
  });

  it("share a place: the first kind that recognises a credential judges it", async () => {
    const keys = aCheck({ places: bearerPlace, recognises: (token) => token.startsWith("good-k") });
    const tokens = aCheck({ method: "introspection", name: "shop/tokens", places: bearerPlace });
    expect(await ask([keys, tokens], bearer("good-k"))).toMatchObject({ record: { method: "api_key" } });
    expect(await ask([keys, tokens], bearer("good-t"))).toMatchObject({
      record: { method: "introspection" },
    });
    expect([keys.asked, tokens.asked]).toEqual([["good-k"], ["good-t"]]);
  });

  it("share a place: what nobody recognises is refused", async () => {
    const keys = aCheck({ places: bearerPlace, recognises: () => false });
    expect(await caller([keys], bearer("rubbish"), rules)).toBe("jwt_bad_format");
  });
});
