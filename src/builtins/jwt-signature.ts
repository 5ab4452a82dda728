import { constants, createHmac, sign, verify } from "node:crypto";
import { equalInConstantTime } from "./crypto-hash.js";
import type { TokenKey } from "./jwk.js";

/** How tokens are signed. */
export interface TokenAlgorithm {
  readonly family: "HS" | "RS" | "PS" | "ES" | "EdDSA";
  /** Undefined of EdDSA. */
  readonly hash: string | undefined;
}

const families = ["HS", "RS", "PS", "ES"] as const;
const bits = [256, 384, 512] as const;

/** The algorithms of tokens (RFC 7518) by name, which keys may be for. */
export const tokenAlgorithms: ReadonlyMap<string, TokenAlgorithm> = new Map<string, TokenAlgorithm>([
  ...families.flatMap((family) =>
    bits.map((size): [string, TokenAlgorithm] => [`${family}${size}`, { family, hash: `sha${size}` }]),
  ),
  ["EdDSA", { family: "EdDSA", hash: undefined }],
]);

/** The names that a token's header may use besides: RFC 9864's, and those of the library that OPA signs with. */
const otherNames: ReadonlyMap<string, string> = new Map([
  ["Ed25519", "EdDSA"],
  ...bits.flatMap((size): [string, string][] => [
    [`HMAC_WITH_SHA${size}`, `HS${size}`],
    [`RSA_PKCS1v15_WITH_SHA${size}`, `RS${size}`],
    [`RSA_PSS_WITH_SHA${size}`, `PS${size}`],
    [`ECDSA_WITH_P${size === 512 ? 521 : size}_AND_SHA${size}`, `ES${size}`],
  ]),
]);

/** The algorithm that a token's header names, undefined for an unknown one. */
export function headerAlgorithm(alg: string): TokenAlgorithm | undefined {
  return tokenAlgorithms.get(otherNames.get(alg) ?? alg);
}

const keyTypes = { HS: "secret", RS: "RSA", PS: "RSA", ES: "EC", EdDSA: "Ed25519" } as const;

/** What is signed, and the signature. */
export interface Signed {
  readonly input: Buffer;
  readonly signature: Buffer;
}

/** How lenient a verification is; each of OPA's two ways has its own. */
export interface Leniency {
  /** Halves of an ECDSA signature may have any length. */
  readonly anyLength: boolean;
  /** A PSS signature may have a salt of any length. */
  readonly anySalt: boolean;
}

/** Whether a signature was made with a key; a key of another type is none that it was made with. */
export function isSignedBy(key: TokenKey, by: TokenAlgorithm, signed: Signed, leniency: Leniency): boolean {
  try {
    return verifies(key, by, signed, leniency);
  } catch {
    // Signatures that the runtime cannot even read.
    return false;
  }
}

function verifies(key: TokenKey, by: TokenAlgorithm, signed: Signed, leniency: Leniency): boolean {
  if (key.key === undefined || key.type !== keyTypes[by.family]) return false;
  const { input, signature } = signed;
  switch (by.family) {
    case "HS":
      return equalInConstantTime(hmac(by, key.key.export(), input), signature);
    case "RS":
      return verify(by.hash, input, { key: key.key, padding: constants.RSA_PKCS1_PADDING }, signature);
    case "PS": {
      const saltLength = leniency.anySalt ? constants.RSA_PSS_SALTLEN_AUTO : constants.RSA_PSS_SALTLEN_DIGEST;
      const padding = constants.RSA_PKCS1_PSS_PADDING;
      return verify(by.hash, input, { key: key.key, padding, saltLength }, signature);
    }
    case "ES": {
      const fixed = leniency.anyLength ? fixedHalves(signature, key.size) : signature;
      if (fixed === undefined || fixed.length !== 2 * key.size) return false;
      return verify(by.hash, input, { key: key.key, dsaEncoding: "ieee-p1363" }, fixed);
    }
    case "EdDSA":
      return verify(undefined, input, key.key, signature);
  }
}

export function hmac({ hash }: TokenAlgorithm, secret: Buffer | Uint8Array, input: Buffer): Buffer {
  return createHmac(hash ?? "", secret)
    .update(input)
    .digest();
}

/** The halves of a signature as two numbers of a size; undefined when one is larger. */
function fixedHalves(signature: Buffer, size: number): Buffer | undefined {
  const middle = Math.floor(signature.length / 2);
  const halves = [signature.subarray(0, middle), signature.subarray(middle)].map((half) => {
    const start = half.findIndex((byte) => byte !== 0);
    const digits = start < 0 ? Buffer.alloc(0) : half.subarray(start);
    return digits.length > size ? undefined : Buffer.concat([Buffer.alloc(size - digits.length), digits]);
  });
  return halves.every((half) => half !== undefined) ? Buffer.concat(halves) : undefined;
}

/** A signature with a key; undefined when it cannot sign so. */
export function signatureBy(key: TokenKey, by: TokenAlgorithm, input: Buffer): Buffer | undefined {
  if (by.family === "HS") {
    const secret = secretOf(key);
    return secret === undefined ? undefined : hmac(by, secret, input);
  }
  if (key.type !== keyTypes[by.family]) return undefined;
  if (key.privateKey === undefined) return undefined;
  const pss = by.family === "PS";
  const padding = pss ? constants.RSA_PKCS1_PSS_PADDING : constants.RSA_PKCS1_PADDING;
  const saltLength = pss ? { saltLength: constants.RSA_PSS_SALTLEN_DIGEST } : {};
  const rsa = by.family === "RS" || pss ? { padding, ...saltLength } : {};
  const options = by.family === "ES" ? { dsaEncoding: "ieee-p1363" as const } : rsa;
  try {
    return sign(by.hash, input, { key: key.privateKey, ...options });
  } catch {
    // A key too small for the padding.
    return undefined;
  }
}

/** OPA also takes the bytes of an Ed25519 key for a secret, when it signs. */
function secretOf({ type, key, privateKey }: TokenKey): Buffer | undefined {
  if (type === "secret") return key?.export();
  if (type !== "Ed25519") return undefined;
  const { d = "", x = "" } = (privateKey ?? key)?.export({ format: "jwk" }) ?? {};
  return Buffer.concat([d, x].map((part) => Buffer.from(part, "base64url")));
}
