import {
  createPrivateKey,
  createPublicKey,
  createSecretKey,
  type JsonWebKey,
  type KeyObject,
} from "node:crypto";
import { fromAnyBase64 } from "./base64.js";
import { BuiltinError } from "./builtin.js";
import { firstDocument } from "./json-first.js";
import { readJson } from "./json-text.js";
import { LimitError } from "./limit.js";
import { isRsaKey } from "./private-key.js";
import { get, isArray, isObject, type RegoObject, type Value } from "./value.js";
import { oneCertificate } from "./x509-certificate.js";
import { isUsableRsa, unsigned } from "./x509-key.js";

/** A key with which tokens are verified or signed. */
export interface TokenKey {
  /** The algorithm that the key is for; empty when it does not say. */
  readonly alg: string;
  readonly kid: string;
  readonly type: "RSA" | "EC" | "Ed25519" | "secret" | "unusable";
  /** The public half, or the secret; undefined when the key can do nothing. */
  readonly key: KeyObject | undefined;
  /** Whether it was given as a private key, which `io.jwt.verify_*` does not take. */
  readonly isPrivate: boolean;
  /** What signs; undefined of a public key. */
  readonly privateKey: KeyObject | undefined;
  /** Bytes of each half of an ECDSA signature. */
  readonly size: number;
}

/** Keys in a set at most, as in OPA's library. */
const maxKeys = 1_000;

/**
 * The keys of a JWK or JWK set, as OPA's library reads them: one that is malformed makes all of the text an error
 * (a BuiltinError), also when no token asks for it.
 */
export function readJwks(text: string): readonly TokenKey[] {
  const first = firstDocument(text, "anything");
  const value = readJson(first);
  if (!isObject(value)) throw new BuiltinError("JWK is no object");
  const keys = first === text ? get(value, "keys") : undefined;
  if (keys === undefined) return [readJwk(value)];
  if (!isArray(keys)) throw new BuiltinError("`keys` of a JWK set is no array");
  if (keys.length > maxKeys) throw new LimitError("too many keys in a JWK set");
  return keys.map((key) => (isObject(key) ? readJwk(key) : fail("key is no object")));
}

function readJwk(jwk: RegoObject): TokenKey {
  const alg = text(jwk, "alg");
  if (alg !== undefined && !keyAlgorithms.has(alg)) fail(`unknown \`alg\` \`${alg}\``);
  for (const name of ["use", "x5t", "x5t#S256", "x5u"]) text(jwk, name);
  checkOperations(get(jwk, "key_ops") ?? null);
  checkChain(get(jwk, "x5c"));
  const named = { alg: alg ?? "", kid: text(jwk, "kid") ?? "" };
  switch (text(jwk, "kty")) {
    case "RSA":
      return { ...named, ...rsaKey(jwk) };
    case "EC":
      return { ...named, ...ecKey(jwk) };
    case "OKP":
      return { ...named, ...okpKey(jwk) };
    case "oct":
      return { ...named, ...secretKey(required(jwk, "k")) };
    default:
      return fail("invalid `kty`");
  }
}

type Material = Omit<TokenKey, "alg" | "kid">;

const unusable: Material = {
  type: "unusable",
  key: undefined,
  isPrivate: false,
  privateKey: undefined,
  size: 0,
};

/** What a secret verifies and signs with. */
export function secretKey(bytes: Buffer): Material {
  return { ...unusable, type: "secret", key: createSecretKey(bytes) };
}

function rsaKey(jwk: RegoObject): Material {
  const [n, e] = [required(jwk, "n"), required(jwk, "e")];
  const [modulus, exponent] = [unsigned(n), unsigned(e)];
  if (modulus === 0n || exponent % 2n === 0n || exponent >= 2n ** 63n) fail("invalid `n` or `e`");
  const isPrivate = hasPrivatePart(jwk);
  if (isPrivate) for (const name of ["d", "p", "q"]) required(jwk, name);
  // Go reads other keys, too, and refuses to use them.
  if (!isUsableRsa(modulus, exponent)) return { ...unusable, type: "RSA", isPrivate };
  const shown = { kty: "RSA", n: n.toString("base64url"), e: e.toString("base64url") };
  const key = usable(() => createPublicKey({ key: shown, format: "jwk" }));
  const whole: JsonWebKey = isPrivate ? { ...shown, ...rsaSecret(jwk) } : shown;
  const privateKey =
    isPrivate && isRsaKey(whole) ? usable(() => createPrivateKey({ key: whole, format: "jwk" })) : undefined;
  return { type: "RSA", key, isPrivate, privateKey, size: 0 };
}

/** The private numbers of an RSA key; those that follow from the others may be absent. */
function rsaSecret(jwk: RegoObject): JsonWebKey {
  const [d, p, q] = ["d", "p", "q"].map((name) => unsigned(required(jwk, name)));
  if (d === undefined || p === undefined || q === undefined || p < 3n || q < 3n)
    return fail("invalid primes");
  // Euclid's algorithm takes the square of their length.
  if (p >= maxPrime || q >= maxPrime) return fail("invalid primes");
  const given = (name: string, follows: () => bigint): string => {
    const found = bytes(jwk, name);
    const hex = (found === undefined ? follows() : unsigned(found)).toString(16);
    return Buffer.from(hex.length % 2 === 0 ? hex : `0${hex}`, "hex").toString("base64url");
  };
  return {
    d: given("d", () => d),
    p: given("p", () => p),
    q: given("q", () => q),
    dp: given("dp", () => d % (p - 1n)),
    dq: given("dq", () => d % (q - 1n)),
    qi: given("qi", () => inverse(q % p, p)),
  };
}

/** No prime of a key that can be used is larger. */
const maxPrime = 1n << 16_384n;

/** The inverse of a number to a modulus, 0 when there is none. */
function inverse(value: bigint, modulus: bigint): bigint {
  let [a, b, x, y] = [modulus, value, 0n, 1n];
  while (b !== 0n) {
    const quotient = a / b;
    [a, b, x, y] = [b, a - quotient * b, y, x - quotient * y];
  }
  return a === 1n ? ((x % modulus) + modulus) % modulus : 0n;
}

const curveSizes: ReadonlyMap<string, number> = new Map([
  ["P-256", 32],
  ["P-384", 48],
  ["P-521", 66],
]);

function ecKey(jwk: RegoObject): Material {
  const crv = text(jwk, "crv") ?? fail("missing `crv`");
  const size = curveSizes.get(crv) ?? fail("unknown curve");
  const coordinate = (name: string): string => exactly(required(jwk, name), size).toString("base64url");
  const shown: JsonWebKey = { kty: "EC", crv, x: coordinate("x"), y: coordinate("y") };
  const key =
    usable(() => createPublicKey({ key: shown, format: "jwk" })) ?? fail("point is not on its curve");
  if (!hasPrivatePart(jwk)) return { ...unusable, type: "EC", key, size };
  const d = exactly(required(jwk, "d"), size).toString("base64url");
  const privateKey = usable(() => createPrivateKey({ key: { ...shown, d }, format: "jwk" }));
  return { type: "EC", key, isPrivate: true, privateKey, size };
}

function okpKey(jwk: RegoObject): Material {
  const crv = text(jwk, "crv");
  const x = required(jwk, "x");
  const d = hasPrivatePart(jwk) ? required(jwk, "d") : undefined;
  if (crv !== "Ed25519" && crv !== "X25519") fail("unknown curve");
  if (x.length !== 32 || (d !== undefined && d.length !== 32)) fail("key of a wrong size");
  if (crv === "X25519") return unusable;
  const shown: JsonWebKey = { kty: "OKP", crv, x: x.toString("base64url") };
  const key = usable(() => createPublicKey({ key: shown, format: "jwk" }));
  if (d === undefined) return { ...unusable, type: "Ed25519", key };
  const privateKey = usable(() =>
    createPrivateKey({ key: { ...shown, d: d.toString("base64url") }, format: "jwk" }),
  );
  const derived = privateKey?.export({ format: "jwk" }).x;
  if (derived !== shown.x) fail("`x` does not belong to `d`");
  return { type: "Ed25519", key, isPrivate: true, privateKey, size: 0 };
}

function hasPrivatePart(jwk: RegoObject): boolean {
  return get(jwk, "d") !== undefined;
}

function exactly(number: Buffer, size: number): Buffer {
  return number.length === size ? number : fail("number of a wrong length for its curve");
}

/** A member that is a string; null is the empty string. */
function text(jwk: RegoObject, name: string): string | undefined {
  const value = get(jwk, name);
  if (value === null) return "";
  return value === undefined || typeof value === "string" ? value : fail(`\`${name}\` is no string`);
}

function bytes(jwk: RegoObject, name: string): Buffer | undefined {
  const value = text(jwk, name);
  return value === undefined ? undefined : (fromAnyBase64(value) ?? fail(`\`${name}\` is no base64url`));
}

function required(jwk: RegoObject, name: string): Buffer {
  const value = bytes(jwk, name);
  return value === undefined || value.length === 0 ? fail(`missing \`${name}\``) : value;
}

function checkOperations(value: Value): void {
  const fine =
    value === null || (isArray(value) && value.every((item) => typeof item === "string" || item === null));
  if (!fine) fail("`key_ops` is no array of strings");
}

/** Certificates that a key comes with must be some; nothing else is done with them. */
function checkChain(value: Value | undefined): void {
  if (value === undefined) return;
  if (!isArray(value)) fail("`x5c` is no array");
  for (const item of value) {
    const der = typeof item === "string" ? fromAnyBase64(item.replace(/\s+/g, "")) : undefined;
    oneCertificate(der ?? fail("`x5c` is no base64"));
  }
}

function usable(make: () => KeyObject): KeyObject | undefined {
  try {
    return make();
  } catch {
    return undefined;
  }
}

/** What a JWK's `alg` may say; RFC 7518 and its successors. */
const keyAlgorithms: ReadonlySet<string> = new Set(
  (
    "ES256 ES256K ES384 ES512 EdDSA Ed25519 HS256 HS384 HS512 none PS256 PS384 PS512 RS256 RS384 RS512 " +
    "A128CBC-HS256 A128GCM A192CBC-HS384 A192GCM A256CBC-HS512 A256GCM A128GCMKW A128KW A192GCMKW A192KW " +
    "A256GCMKW A256KW dir ECDH-ES ECDH-ES+A128KW ECDH-ES+A192KW ECDH-ES+A256KW PBES2-HS256+A128KW " +
    "PBES2-HS384+A192KW PBES2-HS512+A256KW RSA1_5 RSA-OAEP RSA-OAEP-256 RSA-OAEP-384 RSA-OAEP-512"
  ).split(" "),
);

function fail(why: string): never {
  throw new BuiltinError(`malformed JWK: ${why}`);
}
