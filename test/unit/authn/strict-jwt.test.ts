import { describe, expect, it } from "vitest";
import type { JwtRule } from "../../../src/authn/index.js";
import { base64url } from "../../support/jwt-kit.js";
import { aRequest } from "../../support/request.js";
import {
  anAuthentication,
  aRemoteRule,
  aRule,
  aSigner,
  aVerifier,
  jwks,
  keySet,
  nowMs,
  nowSeconds,
} from "../../support/tokens.js";

const signer = aSigner("k");

/** The reason of a refusal in strict mode and without it, or `good`. */
async function verdicts(token: string, rule: Partial<JwtRule> = {}): Promise<readonly string[]> {
  const { request } = aRequest().header("authorization", `Bearer ${token}`).build();
  if (request === undefined) throw new Error("not HTTP");
  const judge = async (strict: boolean): Promise<string> => {
    const authentication = anAuthentication({ rules: [aRule(signer, rule)], settings: { strict } });
    return (await authentication(request, nowMs)).refusal?.reason ?? "good";
  };
  return [await judge(true), await judge(false)];
}

const header = base64url(JSON.stringify({ alg: "ES256", kid: "k" }));
const claims = JSON.stringify({ iss: "https://a", exp: nowSeconds + 60, x: "éé" });
const payload = base64url(claims);

/** The same bytes, with a bit set that means none of them. */
function loosened(part: string): string {
  const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  const other = alphabet[alphabet.indexOf(part.slice(-1)) + 1] ?? "";
  const changed = part.slice(0, -1) + other;
  if (!Buffer.from(changed, "base64url").equals(Buffer.from(part, "base64url")))
    throw new Error("no bit left");
  return changed;
}

describe("strict mode", () => {
  it("takes a token as the RFCs want it", async () => {
    expect(await verdicts(signer.token())).toEqual(["good", "good"]);
    expect(await verdicts(signer.signed(header, payload))).toEqual(["good", "good"]);
  });

  it("refuses a token without end", async () => {
    expect(await verdicts(signer.token({ exp: undefined }))).toEqual(["jwt_without_expiration", "good"]);
    expect(await verdicts(signer.token({ exp: 0 }))).toEqual(["jwt_without_expiration", "good"]);
  });

  it("refuses a token with critical extensions", async () => {
    expect(await verdicts(signer.token({}, { crit: ["x"], x: 1 }))).toEqual([
      "jwt_critical_extension",
      "good",
    ]);
  });

  it.each([
    ["padding", Buffer.from(claims).toString("base64")],
    ["white space", `${payload.slice(0, 4)} ${payload.slice(4)}`],
  ])("refuses a token with %s in its parts", async (_what, part) => {
    expect(part).not.toBe(payload);
    expect(await verdicts(signer.signed(header, part))).toEqual(["jwt_not_canonical", "good"]);
  });

  const token = signer.token();
  const [first = "", second = "", third = ""] = token.split(".");
  it.each([
    ["padding at its end", `${token}==`],
    ["white space at its end", `${token} `],
    ["a dot before it", `.${token}`],
    ["a dot behind it", `${token}.`],
    ["two dots between its parts", `${first}..${second}.${third}`],
    ["white space in its signature", `${first}.${second}. ${third}`],
    ["loose bits in its signature", `${first}.${second}.${loosened(third)}`],
    ["loose bits in its header", signer.signed(loosened(header), payload)],
    ["loose bits in its payload", signer.signed(header, loosened(base64url(claims.replace("éé", ""))))],
  ])("refuses a token with %s", async (_what, spelled) => {
    expect(await verdicts(spelled)).toEqual(["jwt_not_canonical", "good"]);
  });

  it("refuses it also where the same token is remembered as it should be spelled", async () => {
    const authentication = anAuthentication({
      rules: [aRule(signer)],
      verifier: aVerifier(10),
      settings: { strict: true },
    });
    const judge = async (spelled: string): Promise<unknown> => {
      const { request } = aRequest().header("authorization", `Bearer ${spelled}`).build();
      return request && (await authentication(request, nowMs)).refusal?.reason;
    };
    expect([await judge(token), await judge(`${token}==`), await judge(token)]).toEqual([
      undefined,
      "jwt_not_canonical",
      undefined,
    ]);
  });

  it("refuses a token that several keys could have signed", async () => {
    const keys = { kind: "inline", jwks: jwks(signer, aSigner("k")) } as const;
    expect(await verdicts(signer.token(), { keys })).toEqual(["jwt_key_ambiguous", "good"]);
    const others = { kind: "inline", jwks: jwks(signer, aSigner("l")) } as const;
    expect(await verdicts(signer.token(), { keys: others })).toEqual(["good", "good"]);
  });

  it("does not count what was verified without it", async () => {
    const current = keySet(signer, aSigner("k"));
    const source = { current: () => current, refresh: () => undefined };
    const verifier = aVerifier(10);
    const { request } = aRequest().header("authorization", `Bearer ${signer.token()}`).build();
    const judge = async (strict: boolean): Promise<unknown> => {
      const rules = [aRemoteRule()];
      const authentication = anAuthentication({ rules, source, verifier, settings: { strict } });
      return request && (await authentication(request, nowMs)).refusal?.reason;
    };
    expect([await judge(false), await judge(true), await judge(false)]).toEqual([
      undefined,
      "jwt_key_ambiguous",
      undefined,
    ]);
  });

  it("compares audiences as they stand", async () => {
    const rule = { audiences: ["https://shop"] };
    expect(await verdicts(signer.token({ aud: "https://shop" }), rule)).toEqual(["good", "good"]);
    expect(await verdicts(signer.token({ aud: "shop/" }), rule)).toEqual([
      "jwt_audience_not_allowed",
      "good",
    ]);
  });
});
