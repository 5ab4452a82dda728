import { createHmac, generateKeyPairSync, type JsonWebKey, type KeyObject, sign } from "node:crypto";
import { describe, expect, it } from "vitest";
import { type KeySet, parseKeySet } from "../../../src/authn/index.js";
import { type Jwt, parseJwt } from "../../../src/authn/jwt.js";
import { candidateKeys, verifySignature } from "../../../src/authn/signature.js";
import { base64url } from "../../support/jwt-kit.js";

const rsa = generateKeyPairSync("rsa", { modulusLength: 2048 });
const otherRsa = generateKeyPairSync("rsa", { modulusLength: 2048 });
const p256 = generateKeyPairSync("ec", { namedCurve: "P-256" });
const p384 = generateKeyPairSync("ec", { namedCurve: "P-384" });
const p521 = generateKeyPairSync("ec", { namedCurve: "P-521" });
const ed25519 = generateKeyPairSync("ed25519");
const secret = Buffer.from("a secret of thirty-two characters");

type Members = Readonly<Record<string, unknown>>;

const jwk = ({ publicKey }: { readonly publicKey: KeyObject }, members: Members = {}): JsonWebKey => ({
  ...publicKey.export({ format: "jwk" }),
  ...members,
});
const oct = (members: Members = {}): Members => ({
  kty: "oct",
  k: secret.toString("base64url"),
  ...members,
});

function keys(...jwks: readonly unknown[]): KeySet {
  const { keySet } = parseKeySet(JSON.stringify({ keys: jwks }), { allowSymmetric: true });
  if (keySet === undefined) throw new Error("no JWKS");
  return keySet;
}

function jwt(header: Members, signer: (input: Buffer) => Buffer): Jwt {
  const input = `${base64url(JSON.stringify(header))}.${base64url('{"iss":"a"}')}`;
  const parsed = parseJwt(`${input}.${signer(Buffer.from(input)).toString("base64url")}`);
  if (typeof parsed === "string") throw new Error(parsed);
  return parsed;
}

const hmac =
  (hash: string, key: string | Buffer = secret) =>
  (input: Buffer): Buffer =>
    createHmac(hash, key).update(input).digest();
const by =
  (hash: string | null, { privateKey }: { readonly privateKey: KeyObject }, pss = false) =>
  (input: Buffer): Buffer =>
    sign(hash, input, {
      key: privateKey,
      dsaEncoding: "ieee-p1363",
      // RSA_PKCS1_PSS_PADDING, the salt as long as the hash.
      ...(pss && { padding: 6, saltLength: -1 }),
    });

const verify = (token: Jwt, set: KeySet): Promise<string> =>
  verifySignature(token, candidateKeys(token, set));

describe("a signature", () => {
  it.each([
    ["RS256", by("sha256", rsa), jwk(rsa)],
    ["RS384", by("sha384", rsa), jwk(rsa)],
    ["RS512", by("sha512", rsa), jwk(rsa)],
    ["PS256", by("sha256", rsa, true), jwk(rsa)],
    ["PS384", by("sha384", rsa, true), jwk(rsa)],
    ["PS512", by("sha512", rsa, true), jwk(rsa)],
    ["ES256", by("sha256", p256), jwk(p256)],
    ["ES384", by("sha384", p384), jwk(p384)],
    ["ES512", by("sha512", p521), jwk(p521)],
    ["EdDSA", by(null, ed25519), jwk(ed25519)],
    ["HS256", hmac("sha256"), oct()],
    ["HS384", hmac("sha384"), oct()],
    ["HS512", hmac("sha512"), oct()],
  ])("%s is verified with its key, and with no other", async (alg, signer, key) => {
    const token = jwt({ alg }, signer);
    expect(await verify(token, keys(key))).toBe("ok");
    expect(await verify(token, keys({ ...key, alg }))).toBe("ok");
    const strangers = keys(jwk(otherRsa), { kty: "oct", k: "AAAA" }).keys;
    expect(await verifySignature(token, strangers)).toBe("jwt_verification_failed");
  });

  it("over other parts is none", async () => {
    const token = jwt({ alg: "ES256" }, by("sha256", p256));
    const other = { ...token, payloadPart: base64url('{"iss":"b"}') };
    expect(await verify(other, keys(jwk(p256)))).toBe("jwt_verification_failed");
    expect(await verify({ ...token, headerPart: base64url('{"alg":"ES256","x":1}') }, keys(jwk(p256)))).toBe(
      "jwt_verification_failed",
    );
  });

  it("may be by any of the keys that fit", async () => {
    const token = jwt({ alg: "RS256" }, by("sha256", rsa));
    expect(await verify(token, keys(jwk(p256), jwk(otherRsa), oct(), jwk(rsa)))).toBe("ok");
  });

  it("of Ed25519 has 64 bytes, or all ends where such a key is tried, as in Envoy", async () => {
    const token = jwt({ alg: "RS256" }, by("sha256", rsa));
    const wrongLength = "jwt_ed25519_signature_wrong_length";
    expect(await verify(token, keys(jwk(ed25519), jwk(rsa)))).toBe(wrongLength);
    expect(await verify(token, keys(jwk(rsa), jwk(ed25519)))).toBe("ok");
  });
});

describe("a key", () => {
  it("is not used for an algorithm of another kind, whatever the token says", async () => {
    const pem = String(rsa.publicKey.export({ format: "pem", type: "spki" }));
    const n = Buffer.from(String(jwk(rsa).n), "base64url");
    for (const material of [pem, pem.trim(), n, String(jwk(rsa).n)]) {
      const token = jwt({ alg: "HS256" }, hmac("sha256", material));
      expect(await verify(token, keys(jwk(rsa)))).toBe("jwt_verification_failed");
    }
    for (const alg of ["RS256", "HS256", "ES384", "EdDSA"]) {
      const token = jwt({ alg }, by("sha256", p256));
      expect(await verify(token, keys(jwk(p256)))).toBe("jwt_verification_failed");
    }
    expect(await verify(jwt({ alg: "RS256" }, hmac("sha256")), keys(oct()))).toBe("jwt_verification_failed");
  });

  it("with an `alg` is no candidate for another", async () => {
    const token = jwt({ alg: "PS256" }, by("sha256", rsa, true));
    expect(await verify(token, keys(jwk(rsa, { alg: "RS256" })))).toBe("jwks_no_matching_key");
  });

  it("with a `kid` is no candidate for a token with another", () => {
    const token = (kid?: string): Jwt => jwt({ alg: "ES256", kid }, by("sha256", p256));
    const set = keys(jwk(p256, { kid: "a" }), jwk(p256, { kid: "b" }), jwk(p256), jwk(p256, { kid: "" }));
    const found = (kid?: string): string[] => candidateKeys(token(kid), set).map((key) => key.kid);
    expect(found("a")).toEqual(["a", "", ""]);
    expect(found("c")).toEqual(["", ""]);
    expect(found()).toEqual(["a", "b", "", ""]);
    expect(found("")).toEqual(["a", "b", "", ""]);
  });

  it.each(["../../etc/passwd", "a' OR '1'='1", "__proto__", "constructor", "a\0", "a\n", "A", " a"])(
    "is not found by a `kid` like %j",
    async (kid) => {
      const token = jwt({ alg: "ES256", kid }, by("sha256", p256));
      expect(await verify(token, keys(jwk(p256, { kid: "a" })))).toBe("jwks_no_matching_key");
    },
  );

  it("in the token's own header is never used", async () => {
    const own = { jwk: jwk(p384), jku: "https://evil.test/", x5u: "https://evil.test/", x5c: ["MII"] };
    const token = jwt({ alg: "ES384", ...own }, by("sha384", p384));
    expect(await verify(token, keys(jwk(p256)))).toBe("jwt_verification_failed");
    expect(await verify(jwt({ alg: "ES256", ...own }, by("sha256", p256)), keys(jwk(p256)))).toBe("ok");
  });
});

describe("an extension that must be understood", () => {
  it.each([
    ["is not looked at, as in Envoy", { crit: ["exp-at"], "exp-at": 1 }],
    ["is not looked at for `b64` either", { crit: ["b64"], b64: false }],
  ])("%s", async (_what, members) => {
    const token = jwt({ alg: "ES256", ...members }, by("sha256", p256));
    expect(await verify(token, keys(jwk(p256)))).toBe("ok");
  });
});
