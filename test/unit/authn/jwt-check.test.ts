import { describe, expect, it } from "vitest";
import {
  createJwtCheck,
  type JwtReason,
  type JwtRule,
  type JwtSettings,
  type KeySet,
  type KeySource,
  type TokenVerifier,
} from "../../../src/authn/index.js";
import type { Jwt } from "../../../src/authn/jwt.js";
import type { AcceptedToken, JwtCheck } from "../../../src/authn/jwt-check.js";
import { noKeys } from "../../support/authn.js";
import {
  aRemoteRule,
  aRule,
  aSigner,
  aVerifier,
  countedKeys,
  keySet,
  noFindings,
  nowMs,
  nowSeconds,
} from "../../support/tokens.js";

const signer = aSigner("k");
const stranger = aSigner("k");

interface Setup {
  readonly rule?: Partial<JwtRule>;
  readonly settings?: Partial<JwtSettings>;
  readonly verifier?: TokenVerifier;
  readonly source?: KeySource;
}

function checkOf({ rule, settings, verifier = aVerifier(0), source }: Setup = {}): JwtCheck {
  const made = source === undefined ? aRule(signer, rule) : aRemoteRule(rule);
  const keys = source === undefined ? noKeys : () => source;
  return createJwtCheck(made, { clockSkewSeconds: 60, strict: false, ...settings }, { keys, verifier });
}

/** Judges as often as it takes. */
async function judge(
  check: JwtCheck,
  token: string,
  findings = noFindings(),
): Promise<AcceptedToken | string> {
  for (;;) {
    const judged = check.judge(token, findings);
    if (typeof judged === "string" || !("until" in judged)) return judged;
    await judged.until;
  }
}

/** The reason of a refusal, or `good`. */
async function verdict(setup: Setup, token: string, at = nowMs): Promise<string> {
  const judged = await judge(checkOf(setup), token, noFindings(at));
  return typeof judged === "string" ? judged : "good";
}

/** Keys that change as a test says. */
function changingKeys(first: KeySet | undefined, then?: KeySet): KeySource & { refreshes: number } {
  let keys = first;
  const source = {
    refreshes: 0,
    current: () => keys,
    refresh: () => {
      source.refreshes += 1;
      if (then === undefined) return undefined;
      return Promise.resolve().then(() => {
        keys = then;
      });
    },
  };
  return source;
}

describe("a token", () => {
  it("is good with the issuer, the time and a signature by the rule's key", async () => {
    expect(await verdict({}, signer.token())).toBe("good");
  });

  it("shows its claims, words as lists, and who it is of", async () => {
    const token = signer.token({
      scope: " a  b ",
      permission: ["x y"],
      roles: "r s",
      deep: { scope: "a b" },
    });
    expect(
      await judge(checkOf({ rule: { spaceDelimitedClaims: ["scope", "permission", "roles"] } }), token),
    ).toEqual({
      auth: {
        payload: {
          iss: "https://a",
          sub: "alice",
          exp: nowSeconds + 3600,
          scope: ["a", "b"],
          permission: ["x y"],
          roles: ["r", "s"],
          deep: { scope: "a b" },
        },
      },
      headers: [],
      record: { method: "jwt", issuer: "https://a", principal: "https://a/alice", refused: [] },
    });
  });

  it.each([
    ["everything", { iss: "b", nbf: nowSeconds + 3600, exp: 1, aud: "x" }, "jwt_unknown_issuer"],
    ["all but its issuer", { nbf: nowSeconds + 3600, exp: 1, aud: "x" }, "jwt_not_yet_valid"],
    ["its end, audience and signature", { exp: 1, aud: "x" }, "jwt_expired"],
    ["its audience and signature", { aud: "x" }, "jwt_audience_not_allowed"],
    ["its signature", { aud: "shop" }, "jwt_verification_failed"],
  ])("with %s wrong is refused for the first of them", async (_what, claims, reason) => {
    const setup: Setup = { rule: { audiences: ["shop"] } };
    expect(await verdict(setup, stranger.token(claims))).toBe(reason);
  });

  it.each([
    ["expires", { exp: nowSeconds - 60 }, "good"],
    ["expires", { exp: nowSeconds - 61 }, "jwt_expired"],
    ["begins", { nbf: nowSeconds + 60 }, "good"],
    ["begins", { nbf: nowSeconds + 61 }, "jwt_not_yet_valid"],
    ["never expires, having no end", { exp: undefined }, "good"],
    ["never expires, ending at 0", { exp: 0 }, "good"],
    ["expires at 1", { exp: 1 }, "jwt_expired"],
    ["was issued later", { iat: nowSeconds + 3600 }, "good"],
  ])("%s within the skew of clocks: %j is %s", async (_what, claims, expected) => {
    expect(await verdict({}, signer.token(claims), nowMs + 999)).toBe(expected);
  });

  it("is judged by the skew that is set", async () => {
    const settings = { clockSkewSeconds: 0 };
    expect(await verdict({ settings }, signer.token({ exp: nowSeconds }))).toBe("good");
    expect(await verdict({ settings }, signer.token({ exp: nowSeconds - 1 }))).toBe("jwt_expired");
    expect(await verdict({ settings }, signer.token({ nbf: nowSeconds + 1 }))).toBe("jwt_not_yet_valid");
  });

  it("of any issuer is taken where the rule names none", async () => {
    expect(await verdict({ rule: { issuer: "" } }, signer.token({ iss: "whoever" }))).toBe("good");
    expect(await verdict({ rule: { issuer: "https://a/" } }, signer.token())).toBe("jwt_unknown_issuer");
    expect(await verdict({}, signer.token({ iss: undefined }))).toBe("jwt_unknown_issuer");
  });

  it("longer than 64 KiB is none", async () => {
    expect(await verdict({}, signer.token({ pad: "x".repeat(45_000) }))).toBe("good");
    expect(await verdict({}, signer.token({ pad: "x".repeat(50_000) }))).toBe("jwt_bad_format");
  });

  it("without issuer or subject has no principal", async () => {
    const principal = async (claims: object): Promise<unknown> => {
      const judged = await judge(checkOf({ rule: { issuer: "" } }), signer.token({ ...claims }));
      return typeof judged === "string" ? judged : judged.record.principal;
    };
    expect(await principal({ iss: "" })).toBe("");
    expect(await principal({ sub: undefined })).toBe("");
  });

  it("gives the headers that the rule asks for: its payload as it stands, and claims", async () => {
    const rule = {
      outputPayloadToHeader: "x-payload",
      outputClaimToHeaders: [
        { header: "x-sub", claim: "sub" },
        { header: "x-none", claim: "none" },
      ],
    };
    const check = checkOf({ rule });
    expect(check.outputs).toEqual(["x-payload", "x-sub", "x-none"]);
    const token = signer.token();
    expect(await judge(check, token)).toMatchObject({
      headers: [
        ["x-payload", token.split(".")[1]],
        ["x-sub", "alice"],
      ],
    });
  });
});

describe("a token that was seen before", () => {
  it("is the same object, found at once", async () => {
    const check = checkOf({ verifier: aVerifier(10) });
    const token = signer.token();
    const first = await judge(check, token);
    const findings = noFindings();
    expect(check.judge(token, findings)).toBe(first);
    expect(findings).toMatchObject({ cacheHits: 1, cacheMisses: 0 });
  });

  it("was missed once and found never the first time", async () => {
    const findings = noFindings();
    await judge(checkOf({ verifier: aVerifier(10) }), signer.token(), findings);
    expect(findings).toMatchObject({ cacheHits: 0, cacheMisses: 1 });
  });

  it("is verified anew where none may be remembered", async () => {
    const counted = countedKeys(signer);
    const check = checkOf({ source: changingKeys(counted.keys) });
    for (let i = 0; i < 3; i++) await judge(check, signer.token({ jti: "one" }));
    expect(counted.verifications()).toBe(3);
  });

  it("is still judged by issuer, time and audience", async () => {
    const verifier = aVerifier(10);
    const token = signer.token();
    const source = changingKeys(keySet(signer));
    expect(await verdict({ verifier, source }, token)).toBe("good");
    expect(await verdict({ verifier, source }, token, nowMs + 3_660_999)).toBe("good");
    expect(await verdict({ verifier, source }, token, nowMs + 3_661_000)).toBe("jwt_expired");
    expect(await verdict({ verifier, source, rule: { audiences: ["x"] } }, token)).toBe(
      "jwt_audience_not_allowed",
    );
    expect(await verdict({ verifier, source, rule: { issuer: "b" } }, token)).toBe("jwt_unknown_issuer");
  });

  it("is judged by the keys in force, not by those that verified it", async () => {
    const verifier = aVerifier(10);
    const token = signer.token();
    expect(await verdict({ verifier, source: changingKeys(keySet(signer)) }, token)).toBe("good");
    expect(await verdict({ verifier, source: changingKeys(keySet(stranger)) }, token)).toBe(
      "jwt_verification_failed",
    );
    expect(await verdict({ verifier, source: changingKeys(undefined) }, token)).toBe("jwks_fetch_failed");
  });

  it("gives each rule what that rule asks for", async () => {
    const verifier = aVerifier(10);
    const source = changingKeys(keySet(signer));
    const outputClaimToHeaders = [{ header: "x", claim: "sub" }];
    const token = signer.token();
    expect(await judge(checkOf({ verifier, source }), token)).toMatchObject({ headers: [] });
    expect(await judge(checkOf({ verifier, source, rule: { outputClaimToHeaders } }), token)).toMatchObject({
      headers: [["x", "alice"]],
    });
  });
});

describe("a token that many rules look at", () => {
  class CountedMap<Key, Value> extends Map<Key, Value> {
    written = 0;
    override set(key: Key, value: Value): this {
      this.written += 1;
      return super.set(key, value);
    }
  }

  it.each([
    ["good", signer.token(), 60],
    ["of another issuer", signer.token({ iss: "b" }), 60],
    ["malformed", "a.b", 60],
  ])("is read once and hashed once, however often: %s", async (_what, token, rules) => {
    const digests = new CountedMap<string, string>();
    const parsed = new CountedMap<string, Jwt | JwtReason>();
    const findings = { ...noFindings(), readings: { digests, parsed } };
    const source = changingKeys(keySet(signer));
    for (let i = 0; i < rules; i++) await judge(checkOf(i % 2 === 0 ? {} : { source }), token, findings);
    expect([digests.written, parsed.written]).toEqual([1, 1]);
  });

  it("is verified once by keys that they share", async () => {
    const counted = countedKeys(signer);
    const source = changingKeys(counted.keys);
    const findings = noFindings();
    const token = signer.token();
    for (let i = 0; i < 20; i++) await judge(checkOf({ source }), token, findings);
    expect(counted.verifications()).toBe(1);
  });
});

describe("keys that are fetched", () => {
  it("that have not arrived refuse a token that is good so far, and no other with another reason", async () => {
    const source = changingKeys(undefined);
    expect(await verdict({ source }, signer.token())).toBe("jwks_fetch_failed");
    expect(await verdict({ source }, signer.token({ exp: 1 }))).toBe("jwt_expired");
    expect(await verdict({ source }, "a.b")).toBe("jwt_bad_format");
  });

  it("of which none can be used refuse all", async () => {
    expect(await verdict({ source: changingKeys(keySet()) }, signer.token())).toBe("jwks_no_valid_keys");
  });

  it("are asked for once when a token names a key that is not there; then the new key works", async () => {
    const fresh = aSigner("new");
    const source = changingKeys(keySet(signer), keySet(signer, fresh));
    expect(await verdict({ source }, fresh.token())).toBe("good");
    expect(source.refreshes).toBe(1);
    expect(await verdict({ source }, signer.token())).toBe("good");
    expect(source.refreshes).toBe(1);
  });

  it("are not asked for twice by one request", async () => {
    const source = changingKeys(keySet(signer), keySet(stranger));
    const findings = noFindings();
    const check = checkOf({ source });
    expect(await judge(check, aSigner("other").token(), findings)).toBe("jwks_no_matching_key");
    expect(await judge(check, aSigner("another").token(), findings)).toBe("jwks_no_matching_key");
    expect(source.refreshes).toBe(1);
  });

  it("refuse at once when nothing newer may be asked for now", async () => {
    const source = changingKeys(keySet(signer));
    expect(checkOf({ source }).judge(aSigner("new").token(), noFindings())).toBe("jwks_no_matching_key");
  });

  it("are asked for, too, when a token names no key and none has signed it", async () => {
    const fresh = aSigner("");
    const source = changingKeys(keySet(signer), keySet(fresh));
    expect(await verdict({ source }, fresh.token())).toBe("good");
    expect(await verdict({ source: changingKeys(keySet(signer)) }, fresh.token())).toBe(
      "jwt_verification_failed",
    );
  });

  it("are asked for once, too, when a token names a key and the keys that may be meant have no name", async () => {
    const fresh = aSigner("");
    const token = fresh.token({}, { kid: "new" });
    const source = changingKeys(keySet(aSigner("")), keySet(fresh));
    expect(await verdict({ source }, token)).toBe("good");
    expect(source.refreshes).toBe(1);
    const useless = changingKeys(keySet(aSigner("")), keySet(aSigner("")));
    const findings = noFindings();
    const check = checkOf({ source: useless });
    for (let i = 0; i < 3; i++) expect(await judge(check, token, findings)).toBe("jwt_verification_failed");
    expect(useless.refreshes).toBe(1);
  });

  it("are not asked for because of a token that is bad anyway", async () => {
    const source = changingKeys(keySet(signer), keySet(signer));
    const bad = [aSigner("new").token({ exp: 1 }), aSigner("new").token({ iss: "b" }), stranger.token(), "x"];
    for (const token of bad) await verdict({ source }, token);
    expect(source.refreshes).toBe(0);
  });
});
