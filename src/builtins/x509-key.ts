import { createPublicKey, type KeyObject } from "node:crypto";
import { BuiltinError } from "./builtin.js";
import {
  context,
  der,
  enter,
  isEmpty,
  read,
  readBitString,
  readInteger,
  readOid,
  rightAligned,
  tags,
} from "./der.js";

/** `1.2.840.113549.1.1.1` and what follows it in an AlgorithmIdentifier. */
export interface Algorithm {
  readonly oid: string;
  /** The whole element; empty when there is none. */
  readonly parameters: Buffer;
}

/** A public key of a certificate. Numbers are those that Go shows of it. */
export type CertificateKey =
  | { readonly type: "RSA"; readonly n: bigint; readonly e: bigint; readonly key: KeyObject | undefined }
  | {
      readonly type: "EC";
      readonly curve: Curve;
      readonly x: bigint;
      readonly y: bigint;
      readonly key: KeyObject;
    }
  | { readonly type: "DSA"; readonly p: bigint; readonly q: bigint; readonly g: bigint; readonly y: bigint }
  | { readonly type: "Ed25519"; readonly bytes: Buffer; readonly key: KeyObject }
  | { readonly type: "X25519" }
  | { readonly type: "unknown" };

/** A curve of NIST, and the size of its field in bytes. */
export interface Curve {
  readonly name: "P-224" | "P-256" | "P-384" | "P-521";
  readonly size: number;
}

const curves: Readonly<Record<string, Curve>> = {
  "1.3.132.0.33": { name: "P-224", size: 28 },
  "1.2.840.10045.3.1.7": { name: "P-256", size: 32 },
  "1.3.132.0.34": { name: "P-384", size: 48 },
  "1.3.132.0.35": { name: "P-521", size: 66 },
};

/** The curve of an object identifier, undefined for any that Go does not have. */
export function curveOf(oid: string): Curve | undefined {
  return Object.hasOwn(curves, oid) ? curves[oid] : undefined;
}

/** The object identifiers of key types. */
export const keyOids = {
  rsa: "1.2.840.113549.1.1.1",
  dsa: "1.2.840.10040.4.1",
  ec: "1.2.840.10045.2.1",
  x25519: "1.3.101.110",
  ed25519: "1.3.101.112",
} as const;

/** Reads the contents of an AlgorithmIdentifier. */
export function readAlgorithm(contents: Buffer): Algorithm {
  const input = der(contents);
  const oid = readOid(input).join(".");
  return { oid, parameters: isEmpty(input) ? Buffer.alloc(0) : read(input).whole };
}

/**
 * Reads a SubjectPublicKeyInfo, which is all of the bytes (Go's x509.parsePublicKey). Throws a BuiltinError for a
 * malformed key of a known type; one of another type is `unknown`.
 */
export function readPublicKey(info: Buffer): CertificateKey {
  const input = enter(der(info), tags.sequence);
  const { oid, parameters } = readAlgorithm(read(input, tags.sequence).body);
  const bytes = rightAligned(readBitString(input));
  switch (oid) {
    case keyOids.rsa: {
      if (parameters.toString("hex") !== "0500") throw new BuiltinError("RSA key without NULL parameters");
      const numbers = enter(der(bytes), tags.sequence);
      const [n, e] = [positive(readInteger(numbers)), positive(readInteger(numbers))];
      if (e >= 2n ** 63n) throw new BuiltinError("RSA exponent is too large");
      return { type: "RSA", n, e, key: keyOf(info) };
    }
    case keyOids.ec: {
      const curve = curveOf(readOid(der(parameters)).join("."));
      if (curve === undefined) throw new BuiltinError("unsupported elliptic curve");
      if (bytes[0] !== 4 || bytes.length !== 1 + 2 * curve.size)
        throw new BuiltinError("invalid curve point");
      const key = keyOf(info);
      if (key === undefined) throw new BuiltinError("point is not on its curve");
      const [x, y] = [bytes.subarray(1, 1 + curve.size), bytes.subarray(1 + curve.size)].map(unsigned);
      return { type: "EC", curve, x: x ?? 0n, y: y ?? 0n, key };
    }
    case keyOids.ed25519: {
      const key = parameters.length === 0 && bytes.length === 32 ? keyOf(info) : undefined;
      if (key === undefined) throw new BuiltinError("malformed Ed25519 key");
      return { type: "Ed25519", bytes, key };
    }
    case keyOids.x25519:
      if (parameters.length > 0 || bytes.length !== 32) throw new BuiltinError("malformed X25519 key");
      return { type: "X25519" };
    case keyOids.dsa: {
      const y = positive(readInteger(der(bytes)));
      const numbers = enter(der(parameters), tags.sequence);
      const [p, q, g] = [readInteger(numbers), readInteger(numbers), readInteger(numbers)].map(positive);
      return { type: "DSA", p: p ?? 0n, q: q ?? 0n, g: g ?? 0n, y };
    }
    default:
      return { type: "unknown" };
  }
}

/** undefined when the library of the runtime cannot use the key. */
function keyOf(info: Buffer): KeyObject | undefined {
  try {
    return createPublicKey({ key: info, format: "der", type: "spki" });
  } catch {
    return undefined;
  }
}

function positive(value: bigint): bigint {
  if (value <= 0n) throw new BuiltinError("number in a key is not positive");
  return value;
}

/** The number of big-endian bytes. */
export function unsigned(bytes: Buffer): bigint {
  return bytes.length === 0 ? 0n : BigInt(`0x${bytes.toString("hex")}`);
}

/** RSASSA-PSS parameters whose hash is used throughout and as long as the salt: the hash. */
export function pssHash(parameters: Buffer): string | undefined {
  try {
    const input = enter(der(parameters), tags.sequence);
    const hash = readAlgorithm(read(enter(input, context(0, true)), tags.sequence).body);
    const mask = readAlgorithm(read(enter(input, context(1, true)), tags.sequence).body);
    const maskHash = readAlgorithm(read(der(mask.parameters), tags.sequence).body);
    const salt = readInteger(enter(input, context(2, true)));
    const trailer = isEmpty(input) ? 1n : readInteger(enter(input, context(3, true)));
    const [known, length] = pssHashes[hash.oid] ?? ["", -1n];
    const plain = [hash, maskHash].every((one) => ["", "0500"].includes(one.parameters.toString("hex")));
    const agree = mask.oid === "1.2.840.113549.1.1.8" && maskHash.oid === hash.oid;
    return plain && agree && trailer === 1n && salt === length ? known : undefined;
  } catch (error) {
    if (error instanceof BuiltinError) return undefined;
    throw error;
  }
}

const pssHashes: Readonly<Record<string, readonly [string, bigint]>> = {
  "2.16.840.1.101.3.4.2.1": ["sha256", 32n],
  "2.16.840.1.101.3.4.2.2": ["sha384", 48n],
  "2.16.840.1.101.3.4.2.3": ["sha512", 64n],
};

/**
 * Whether Go 1.26 uses an RSA key: at least 1,024 bits, odd, and an exponent of at most 31 bits; and whether the
 * runtime does: at most 16,384 bits.
 */
export function isUsableRsa(n: bigint, e: bigint): boolean {
  return n >= 1n << 1023n && n < 1n << 16_384n && n % 2n === 1n && e > 1n && e < 1n << 31n && e % 2n === 1n;
}
