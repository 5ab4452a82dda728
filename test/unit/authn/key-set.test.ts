import { generateKeyPairSync, type JsonWebKey, type KeyObject } from "node:crypto";
import { describe, expect, it } from "vitest";
import { type KeySet, type ParsedKeys, parseKeySet } from "../../../src/authn/index.js";

const jwkOf = (key: KeyObject): JsonWebKey => key.export({ format: "jwk" });

const rsaPair = generateKeyPairSync("rsa", { modulusLength: 2048 });
const rsa = jwkOf(rsaPair.publicKey);
const shortRsa = jwkOf(generateKeyPairSync("rsa", { modulusLength: 1024 }).publicKey);
const p256 = generateKeyPairSync("ec", { namedCurve: "P-256" });
const ec = jwkOf(p256.publicKey);
const p384 = jwkOf(generateKeyPairSync("ec", { namedCurve: "P-384" }).publicKey);
const p521 = jwkOf(generateKeyPairSync("ec", { namedCurve: "P-521" }).publicKey);
const ed25519 = jwkOf(generateKeyPairSync("ed25519").publicKey);
const ed448 = jwkOf(generateKeyPairSync("ed448").publicKey);
const x25519 = jwkOf(generateKeyPairSync("x25519").publicKey);
const oct = { kty: "oct", k: Buffer.from("a secret").toString("base64url") };

const parse = (jwk: unknown, allowSymmetric = true): ParsedKeys =>
  parseKeySet(JSON.stringify({ keys: [jwk] }), { allowSymmetric });
/** What may be verified with a key, or why it is left out. */
const algorithms = (jwk: unknown, allowSymmetric = true): readonly string[] | string | undefined => {
  const { keySet, problems } = parse(jwk, allowSymmetric);
  return keySet?.keys[0]?.algorithms ?? problems[0]?.message;
};
const rsaAlgorithms = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"];

describe("what a key may verify", () => {
  it.each([
    ["RSA", rsa, rsaAlgorithms],
    ["P-256", ec, ["ES256"]],
    ["P-384", p384, ["ES384"]],
    ["P-521", p521, ["ES512"]],
    ["Ed25519", ed25519, ["EdDSA"]],
    ["a secret", oct, ["HS256", "HS384", "HS512"]],
  ])("is what its kind can: %s", (_kind, jwk, expected) => {
    expect(algorithms(jwk)).toEqual(expected);
  });

  it("is the one algorithm that it names", () => {
    expect(algorithms({ ...rsa, alg: "PS384" })).toEqual(["PS384"]);
    expect(algorithms({ ...ec, alg: "ES256" })).toEqual(["ES256"]);
    expect(algorithms({ ...ed25519, alg: "EdDSA" })).toEqual(["EdDSA"]);
    expect(algorithms({ ...oct, alg: "HS512" })).toEqual(["HS512"]);
  });

  it("is nothing where the algorithm is of another kind of key", () => {
    const mixed = [
      ...["HS256", "ES256", "EdDSA", "none", "RSA-OAEP", "rs256"].map((alg) => ({ ...rsa, alg })),
      ...["HS256", "RS256", "ES384", "none"].map((alg) => ({ ...ec, alg })),
      ...["HS256", "ES256"].map((alg) => ({ ...ed25519, alg })),
      ...["RS256", "ES256", "none", "dir"].map((alg) => ({ ...oct, alg })),
    ];
    expect(mixed.filter((jwk) => parse(jwk).keySet?.keys.length !== 0)).toEqual([]);
  });

  it("does not depend on an `alg` or `kid` that is no text", () => {
    const keys = parse({ ...rsa, alg: 1, kid: ["k"] }).keySet?.keys;
    expect(keys).toMatchObject([{ alg: "", kid: "", algorithms: rsaAlgorithms }]);
  });

  it("is nothing for a secret that came from a URL", () => {
    expect(algorithms(oct, false)).toBe("is symmetric, expected public keys only");
    expect(parse(oct, true).symmetric).toBe(true);
    expect(parse(rsa, true).symmetric).toBe(false);
  });
});

describe("a key that cannot be used", () => {
  it.each([
    ["RSA of 1024 bits", shortRsa, "has 1024 bits, expected at least 2048"],
    ["RSA without modulus", { ...rsa, n: undefined }, "has no `n` or no `e`"],
    ["RSA with the exponent 1", { ...rsa, e: "AQ" }, "has an exponent that is neither 3 nor 65537"],
    ["RSA with an even exponent", { ...rsa, e: "AQAA" }, "has an exponent that is neither 3 nor 65537"],
    ["a point that is not on its curve", { ...ec, y: ec.x }, "is no EC key"],
    ["EC of another curve's point", { ...ec, crv: "P-384" }, "is no EC key"],
    ["secp256k1", { ...ec, crv: "secp256k1" }, "has a `crv` that is none of P-256, P-384 and P-521"],
    ["Ed448", ed448, "has a `crv` that is not Ed25519"],
    ["X25519", x25519, "has a `crv` that is not Ed25519"],
    ["no secret", { kty: "oct" }, "has no `k`"],
    ["an empty secret", { kty: "oct", k: "" }, "has no `k`"],
    ["no kind", { ...rsa, kty: undefined }, "has a `kty` that is none of RSA, EC, OKP and oct"],
    ["RSA material as a secret", { ...rsa, kty: "oct" }, "has no `k`"],
    ["a list", [], "has a `kty` that is none of RSA, EC, OKP and oct"],
    ["null", null, "has a `kty` that is none of RSA, EC, OKP and oct"],
    [
      "a prototype's kind",
      JSON.parse('{"__proto__":{"kty":"RSA"}}'),
      "has a `kty` that is none of RSA, EC, OKP and oct",
    ],
  ])("is left out: %s", (_what, jwk, message) => {
    expect(parse(jwk)).toMatchObject({ keySet: { keys: [] }, problems: [{ index: 0, message }] });
  });

  it("leaves the others in", () => {
    const { keySet, problems } = parseKeySet(JSON.stringify({ keys: [shortRsa, { ...ec, kid: "k" }, 7] }), {
      allowSymmetric: false,
    });
    expect(keySet?.keys.map(({ kid }) => kid)).toEqual(["k"]);
    expect(problems.map(({ index }) => index)).toEqual([0, 2]);
  });
});

describe("a JWKS", () => {
  it.each(["", "null", "[]", '"keys"', "{}", '{"keys":{}}', '{"keys":', '{"__proto__":{"keys":[]}}'])(
    "is not %s",
    (text) => {
      const { keySet, problems } = parseKeySet(text, { allowSymmetric: true });
      expect(keySet).toBeUndefined();
      expect(problems).toEqual([
        { index: undefined, message: expect.stringContaining("expected a JWK Set") },
      ]);
    },
  );

  it("may be without a key", () => {
    expect(parseKeySet('{"keys":[]}', { allowSymmetric: false })).toMatchObject({
      keySet: { keys: [] },
      problems: [],
    });
  });

  it("with private keys is used as if they were public, and its owner told", () => {
    for (const pair of [rsaPair, p256]) {
      const { keySet, problems } = parse(jwkOf(pair.privateKey));
      expect(keySet?.keys[0]?.key.type).toBe("public");
      expect(problems).toEqual([{ index: 0, message: "is a private key" }]);
    }
  });

  it("is of a generation of its own each time that it is read", () => {
    const sets = [1, 2, 3].map(() => parse(ec).keySet as KeySet);
    expect(new Set(sets.map(({ generation }) => generation)).size).toBe(3);
  });

  it("tells nothing of its keys in what is wrong with them", () => {
    const bad = [
      { ...oct, alg: "RS256" },
      { ...jwkOf(rsaPair.privateKey), e: "AQ" },
    ];
    const { problems } = parseKeySet(JSON.stringify({ keys: bad }), { allowSymmetric: true });
    expect(problems).toHaveLength(2);
    expect(JSON.stringify(problems)).not.toContain(oct.k);
    expect(JSON.stringify(problems)).not.toContain(String(rsa.n).slice(0, 20));
  });
});
