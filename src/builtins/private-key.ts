import { createPrivateKey, createPublicKey, type JsonWebKey, type KeyObject } from "node:crypto";
import { BuiltinError } from "./builtin.js";
import { der, enter, read, readInteger, tags } from "./der.js";
import { integer } from "./number.js";
import type { Value } from "./value.js";
import { struct } from "./x509-json.js";
import { readPublicKey, unsigned } from "./x509-key.js";

/** A private key with what a JWK shows of it. */
export interface PrivateKey {
  readonly key: KeyObject;
  readonly jwk: JsonWebKey;
}

/** The encodings of private keys. */
export type KeyEncoding = "pkcs1" | "pkcs8" | "sec1";

/** Reads a private key in DER, of a type that Go has; throws a BuiltinError for another one. */
export function readPrivateKey(bytes: Buffer, type: KeyEncoding): PrivateKey {
  let key: KeyObject;
  let jwk: JsonWebKey;
  try {
    key = createPrivateKey({ key: bytes, format: "der", type });
    jwk = key.asymmetricKeyDetails?.namedCurve === "secp224r1" ? p224Jwk(key) : key.export({ format: "jwk" });
  } catch {
    throw new BuiltinError("malformed private key");
  }
  if (jwk.kty === "RSA" && !isRsaKey(jwk))
    throw new BuiltinError("numbers of an RSA key do not fit together");
  const known =
    jwk.kty === "RSA" || ["P-224", "P-256", "P-384", "P-521", "Ed25519", "X25519"].includes(jwk.crv ?? "");
  if (!known || key.asymmetricKeyType === "rsa-pss") throw new BuiltinError("unknown type of private key");
  return { key, jwk };
}

/** What a JWK would show of a key on P-224, a curve that JWK does not have. */
function p224Jwk(key: KeyObject): JsonWebKey {
  const shown = readPublicKey(createPublicKey(key).export({ format: "der", type: "spki" }));
  const input = enter(der(key.export({ format: "der", type: "sec1" })), tags.sequence);
  readInteger(input);
  const d = read(input, tags.octetString).body.toString("base64url");
  if (shown.type !== "EC") throw new BuiltinError("malformed private key");
  const [x, y] = [shown.x, shown.y].map((number) =>
    Buffer.from(number.toString(16).padStart(56, "0"), "hex").toString("base64url"),
  );
  return { kty: "EC", crv: "P-224", d, x: x ?? "", y: y ?? "" };
}

/** The number of a member of a JWK. */
export function jwkNumber(member: string | undefined): bigint {
  return unsigned(Buffer.from(member ?? "", "base64url"));
}

/** Whether the numbers of a private RSA key fit together; Go takes no others. Keys of over 16,384 bits do not. */
export function isRsaKey(jwk: JsonWebKey): boolean {
  const [n = 0n, e = 0n, d = 0n, p = 0n, q = 0n] = [jwk.n, jwk.e, jwk.d, jwk.p, jwk.q].map(jwkNumber);
  if (n >= 1n << 16_384n) return false;
  const [dp, dq, qi = 0n] = [jwk.dp, jwk.dq, jwk.qi].map(jwkNumber);
  const isOne = (value: bigint, modulus: bigint): boolean => value % modulus === 1n;
  return (
    p > 2n &&
    q > 2n &&
    n === p * q &&
    isOne(e * d, p - 1n) &&
    isOne(e * d, q - 1n) &&
    dp === d % (p - 1n) &&
    dq === d % (q - 1n) &&
    isOne(qi * q, p)
  );
}

/** What Go's JSON of a private key shows. */
export function privateKeyJson({ jwk }: PrivateKey): Value {
  const number = (member: string | undefined): Value => integer(jwkNumber(member));
  switch (jwk.kty) {
    case "RSA":
      return struct({
        N: number(jwk.n),
        E: number(jwk.e),
        D: number(jwk.d),
        Primes: [number(jwk.p), number(jwk.q)],
        Precomputed: struct({ Dp: number(jwk.dp), Dq: number(jwk.dq), Qinv: number(jwk.qi), CRTValues: [] }),
      });
    case "EC":
      return struct({ Curve: new Map(), X: number(jwk.x), Y: number(jwk.y), D: number(jwk.d) });
    default:
      if (jwk.crv !== "Ed25519") return new Map();
      return Buffer.concat([jwk.d, jwk.x].map((part) => Buffer.from(part ?? "", "base64url"))).toString(
        "base64",
      );
  }
}
