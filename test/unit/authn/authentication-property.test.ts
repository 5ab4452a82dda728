import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Authentication, AuthnOutcome, TokenPlaces } from "../../../src/authn/index.js";
import { base64url } from "../../support/jwt-kit.js";
import { aRequest, type RequestBuilder } from "../../support/request.js";
import { anAuthentication, aRule, aSigner, aVerifier, nowMs, nowSeconds } from "../../support/tokens.js";

const signer = aSigner("k");
const good = signer.token({ aud: "shop", scope: "read" });
const places: TokenPlaces = {
  headers: [
    { name: "authorization", prefix: "Bearer " },
    { name: "x-jwt", prefix: "" },
  ],
  params: ["access_token"],
  cookies: ["session"],
};
const rules = [
  aRule(signer, {
    places,
    audiences: ["shop"],
    outputPayloadToHeader: "x-payload",
    outputClaimToHeaders: [{ header: "x-sub", claim: "sub" }],
  }),
  aRule(aSigner("k"), { issuer: "https://b", places }),
];
/** What the good token says, words as a list. */
const claims = { iss: "https://a", sub: "alice", exp: nowSeconds + 3600, aud: "shop", scope: ["read"] };

async function ask(authentication: Authentication, request: RequestBuilder): Promise<AuthnOutcome> {
  const { request: http } = request.build();
  if (http === undefined) throw new Error("not HTTP");
  return authentication(http, nowMs);
}

/** Whether the outcome is a refusal, anonymous, or the good token's own identity. */
function isSound(outcome: AuthnOutcome): boolean {
  if (outcome.refusal !== undefined) return outcome.record.method === undefined;
  const { auth, request } = outcome;
  const shown = request.headers.get("x-sub");
  if (auth === undefined) return shown === undefined && request.headers.get("x-payload") === undefined;
  expect(auth.payload).toEqual(claims);
  return shown?.every((line) => line === "alice") ?? true;
}

const authentication = anAuthentication({ rules, verifier: aVerifier(1000) });
const bytes = fc.string({ unit: fc.integer({ min: 0, max: 255 }).map((code) => String.fromCharCode(code)) });

describe("whatever a client sends", () => {
  it("the good token is taken, to begin with", async () => {
    const outcome = await ask(authentication, aRequest().header("x-jwt", good));
    expect(outcome).toMatchObject({ refusal: undefined, auth: { payload: claims } });
  });

  it("a good token with any byte changed never has other claims", async () => {
    const position = fc.integer({ min: 0, max: good.length - 1 });
    const change = fc.oneof(
      fc.constantFrom(..."ABab01-_.= \0"),
      bytes.filter((text) => text.length === 1),
    );
    await fc.assert(
      fc.asyncProperty(position, change, async (at, char) => {
        const token = good.slice(0, at) + char + good.slice(at + 1);
        expect(isSound(await ask(authentication, aRequest().header("x-jwt", token)))).toBe(true);
      }),
      { numRuns: 300 },
    );
  });

  it("a good token with bytes taken out, put in or exchanged never has other claims", async () => {
    const cut = fc.integer({ min: 0, max: good.length });
    await fc.assert(
      fc.asyncProperty(cut, cut, fc.oneof(bytes, fc.constantFrom(".", "..", "=")), async (from, to, text) => {
        const token = good.slice(0, from) + text + good.slice(to);
        expect(isSound(await ask(authentication, aRequest().header("x-jwt", token)))).toBe(true);
      }),
      { numRuns: 200 },
    );
  });

  it("claims and headers of its own choice never pass with the signature of a good token", async () => {
    const [header = "", payload = "", signature = ""] = good.split(".");
    const json = fc.jsonValue({ maxDepth: 2 });
    const members = fc.dictionary(
      fc.constantFrom("iss", "sub", "exp", "aud", "nbf", "alg", "kid", "crit", "b64", "jwk"),
      json,
    );
    const header2 = members.map((own) => base64url(JSON.stringify({ alg: "ES256", kid: "k", ...own })));
    const payload2 = members.map((own) => base64url(JSON.stringify({ ...claims, scope: "read", ...own })));
    const part = (own: string, other: fc.Arbitrary<string>): fc.Arbitrary<string> =>
      fc.oneof(fc.constant(own), other);
    await fc.assert(
      fc.asyncProperty(part(header, header2), part(payload, payload2), async (first, second) => {
        const token = `${first}.${second}.${signature}`;
        const outcome = await ask(authentication, aRequest().header("x-jwt", token));
        expect(isSound(outcome)).toBe(true);
        if (first !== header || second !== payload) expect(outcome.refusal).toBeDefined();
      }),
      { numRuns: 200 },
    );
  });

  it("in any place, is refused, anonymous or what was signed", async () => {
    const value = fc.oneof(
      bytes,
      fc.constantFrom(good, `Bearer ${good}`, `session=${good}`, "Bearer ", "Bearer a.b.c", "session=", ""),
      fc
        .array(
          fc.constantFrom("Bearer ", good, ".", ",", ";", "session=", '"', "access_token=", "&", "?", "%"),
          { maxLength: 6 },
        )
        .map((pieces) => pieces.join("")),
    );
    const name = fc.constantFrom(
      "authorization",
      "x-jwt",
      "cookie",
      "x-sub",
      "x-payload",
      "origin",
      "__proto__",
    );
    const lines = fc.dictionary(name, fc.array(value, { maxLength: 3 }));
    await fc.assert(
      fc.asyncProperty(fc.constantFrom("GET", "OPTIONS"), value, lines, async (method, path, headers) => {
        const request = Object.entries(headers).reduce(
          (built, [header, values]) => built.header(header, ...values),
          aRequest().method(method, `/?access_token=${path}`),
        );
        expect(isSound(await ask(authentication, request))).toBe(true);
      }),
      { numRuns: 200 },
    );
  });

  it("nothing of it stands in the record or in the body of a refusal", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.stringMatching(/^[A-Za-z0-9_-]{24,40}$/),
        fc.constantFrom(0, 1, 2),
        async (secret, at) => {
          const parts = good.split(".");
          parts[at] = secret;
          const outcome = await ask(
            authentication,
            aRequest().header("authorization", `Bearer ${parts.join(".")}`),
          );
          expect(outcome.refusal).toBeDefined();
          const told = JSON.stringify([outcome.record, outcome.refusal]);
          for (const part of parts) expect(told).not.toContain(part);
        },
      ),
    );
  });
});
