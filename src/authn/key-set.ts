import { createPublicKey, createSecretKey, type JsonWebKey, type KeyObject } from "node:crypto";
import { type JsonValue, member } from "../attributes/index.js";
import { decodeBase64url } from "./base64url.js";

/** A key that signatures may be verified with. */
export interface VerificationKey {
  /** Empty when the JWK has none. */
  readonly kid: string;
  /** The one algorithm that the JWK names; empty when it names none. */
  readonly alg: string;
  /** What may be verified with it: decided by the key, never by a token. */
  readonly algorithms: readonly string[];
  readonly key: KeyObject;
}

/** Keys of one issuer at one time. Immutable: newer keys are another set. */
export interface KeySet {
  /** Another one for every set of this process: what an older set verified does not count for a newer one. */
  readonly generation: number;
  readonly keys: readonly VerificationKey[];
}

/** Something about a JWKS that its owner should know; holds no key material. */
export interface KeyProblem {
  /** Index in `keys`; undefined: the whole text. */
  readonly index: number | undefined;
  readonly message: string;
}

/** What a JWKS amounts to. */
export interface ParsedKeys {
  /** Undefined when the text is no JWKS. Without a usable key its `keys` are empty. */
  readonly keySet: KeySet | undefined;
  readonly problems: readonly KeyProblem[];
  /** Some usable key is symmetric: whoever may verify with it may sign with it. */
  readonly symmetric: boolean;
}

/** Shorter RSA keys verify nothing (RFC 7518 section 3.3, and jose refuses them). */
const leastRsaBits = 2048;

const rsaAlgorithms = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"];
const hmacAlgorithms = ["HS256", "HS384", "HS512"];
const curveOf: ReadonlyMap<string, string> = new Map([
  ["ES256", "P-256"],
  ["ES384", "P-384"],
  ["ES512", "P-521"],
]);
const algorithmOfCurve: ReadonlyMap<string, string> = new Map([...curveOf].map(([alg, crv]) => [crv, alg]));

let generations = 0;

/**
 * Reads a JWK Set as Envoy does (`source/common/jwt/jwks.cc`): a key that cannot be used is left out. Symmetric
 * keys are only taken where `allowSymmetric`: never from a URL. Private parts are ignored.
 */
export function parseKeySet(
  text: string,
  { allowSymmetric }: { readonly allowSymmetric: boolean },
): ParsedKeys {
  const problems: KeyProblem[] = [];
  const list = readKeys(text);
  if (typeof list === "string") {
    return { keySet: undefined, problems: [{ index: undefined, message: list }], symmetric: false };
  }
  let symmetric = false;
  const keys = list.flatMap((jwk, index): VerificationKey[] => {
    const key = readKey(jwk, allowSymmetric);
    if (typeof key === "string") {
      problems.push({ index, message: key });
      return [];
    }
    if (key.key.type === "secret") symmetric = true;
    else if (member(jwk, "d") !== undefined) problems.push({ index, message: "is a private key" });
    return [key];
  });
  generations += 1;
  return { keySet: { generation: generations, keys }, problems, symmetric };
}

function readKeys(text: string): readonly JsonValue[] | string {
  let value: JsonValue;
  try {
    value = JSON.parse(text) as JsonValue;
  } catch {
    return "is not JSON, expected a JWK Set";
  }
  const keys = member(value, "keys");
  return Array.isArray(keys) ? (keys as readonly JsonValue[]) : "has no list `keys`, expected a JWK Set";
}

/** A key, or why there is none. */
function readKey(jwk: JsonValue, allowSymmetric: boolean): VerificationKey | string {
  const kty = textOf(jwk, "kty");
  const alg = textOf(jwk, "alg") ?? "";
  const kid = textOf(jwk, "kid") ?? "";
  const read =
    kty === "RSA"
      ? readRsa(jwk, alg)
      : kty === "EC"
        ? readEc(jwk, alg)
        : kty === "OKP"
          ? readOkp(jwk, alg)
          : kty === "oct"
            ? readOct(jwk, alg, allowSymmetric)
            : "has a `kty` that is none of RSA, EC, OKP and oct";
  return typeof read === "string" ? read : { kid, alg, ...read };
}

type Material = Pick<VerificationKey, "algorithms" | "key">;

function readRsa(jwk: JsonValue, alg: string): Material | string {
  if (alg !== "" && !rsaAlgorithms.includes(alg)) return "has an `alg` that RSA keys do not have";
  const [n, e] = [textOf(jwk, "n"), textOf(jwk, "e")];
  if (n === undefined || e === undefined) return "has no `n` or no `e`";
  const exponent = decodeBase64url(e)?.toString("hex").replace(/^0+/, "");
  if (exponent !== "3" && exponent !== "10001") return "has an exponent that is neither 3 nor 65537";
  const key = publicKey({ kty: "RSA", n, e });
  const bits = key?.asymmetricKeyDetails?.modulusLength ?? 0;
  if (key === undefined) return "is no RSA key";
  if (bits < leastRsaBits) return `has ${bits} bits, expected at least ${leastRsaBits}`;
  return { algorithms: alg === "" ? rsaAlgorithms : [alg], key };
}

function readEc(jwk: JsonValue, alg: string): Material | string {
  const crv = textOf(jwk, "crv") ?? curveOf.get(alg) ?? "P-256";
  const algorithm = algorithmOfCurve.get(crv);
  if (algorithm === undefined) return "has a `crv` that is none of P-256, P-384 and P-521";
  if (alg !== "" && alg !== algorithm) return "has an `alg` that does not fit its curve";
  const [x, y] = [textOf(jwk, "x"), textOf(jwk, "y")];
  const key = x === undefined || y === undefined ? undefined : publicKey({ kty: "EC", crv, x, y });
  return key === undefined ? "is no EC key" : { algorithms: [algorithm], key };
}

/** RFC 8037; X25519 is for agreement, and Envoy has no Ed448. */
function readOkp(jwk: JsonValue, alg: string): Material | string {
  if (alg !== "" && alg !== "EdDSA") return "has an `alg` that is not EdDSA";
  const [crv, x] = [textOf(jwk, "crv"), textOf(jwk, "x")];
  if (crv !== "Ed25519") return "has a `crv` that is not Ed25519";
  const key = x === undefined ? undefined : publicKey({ kty: "OKP", crv, x });
  return key === undefined ? "is no Ed25519 key" : { algorithms: ["EdDSA"], key };
}

function readOct(jwk: JsonValue, alg: string, allowed: boolean): Material | string {
  if (!allowed) return "is symmetric, expected public keys only";
  if (alg !== "" && !hmacAlgorithms.includes(alg))
    return "has an `alg` that is none of HS256, HS384 and HS512";
  const secret = decodeBase64url(textOf(jwk, "k") ?? "");
  if (secret === undefined || secret.length === 0) return "has no `k`";
  return { algorithms: alg === "" ? hmacAlgorithms : [alg], key: createSecretKey(secret) };
}

function publicKey(jwk: JsonWebKey): KeyObject | undefined {
  try {
    return createPublicKey({ key: jwk, format: "jwk" });
  } catch {
    return undefined;
  }
}

function textOf(jwk: JsonValue, name: string): string | undefined {
  const value = member(jwk, name);
  return typeof value === "string" ? value : undefined;
}
