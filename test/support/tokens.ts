import { generateKeyPairSync, type JsonWebKey, type KeyObject, sign } from "node:crypto";
import {
  type Authentication,
  type AuthnObserver,
  type CredentialCheck,
  createAuthentication,
  createJwtCheck,
  createTokenCache,
  createTokenVerifier,
  defaultPlaces,
  type JwtRule,
  type JwtSettings,
  type KeySet,
  type KeySource,
  parseKeySet,
  type TokenVerifier,
} from "../../src/authn/index.js";
import type { JwtFindings } from "../../src/authn/jwt-check.js";
import { noKeys } from "./authn.js";
import { base64url } from "./jwt-kit.js";

/** The moment at which the tests of tokens take place. */
export const nowMs: number = Date.parse("2026-08-20T12:00:00Z");
export const nowSeconds: number = nowMs / 1000;

/** One P-256 key and tokens by it; made in a millisecond, where all of a `JwtKit` take seconds. */
export interface Signer {
  readonly kid: string;
  readonly jwk: JsonWebKey;
  /** A token of `https://a` for alice that is good for an hour, with these claims instead. */
  readonly token: (claims?: Claims, header?: Claims) => string;
  /** Signs two parts as they stand. */
  readonly signed: (headerPart: string, payloadPart: string) => string;
}

type Claims = Readonly<Record<string, unknown>>;

/** Makes a key. */
export function aSigner(kid: string): Signer {
  const { publicKey, privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const signed: Signer["signed"] = (headerPart, payloadPart) => {
    const input = `${headerPart}.${payloadPart}`;
    return `${input}.${signatureOf(input, privateKey)}`;
  };
  return {
    kid,
    jwk: { ...publicKey.export({ format: "jwk" }), ...(kid !== "" && { kid }) },
    signed,
    token: (claims = {}, header = {}) =>
      signed(
        part({ alg: "ES256", ...(kid !== "" && { kid }), ...header }),
        part({ iss: "https://a", sub: "alice", exp: nowSeconds + 3600, ...claims }),
      ),
  };
}

function signatureOf(input: string, key: KeyObject): string {
  return sign("sha256", Buffer.from(input), { key, dsaEncoding: "ieee-p1363" }).toString("base64url");
}

function part(value: Claims): string {
  return base64url(JSON.stringify(value));
}

/** JSON text of a JWKS. */
export function jwks(...signers: readonly Signer[]): string {
  return JSON.stringify({ keys: signers.map(({ jwk }) => jwk) });
}

/** The same as keys, of a new generation each time. */
export function keySet(...signers: readonly Signer[]): KeySet {
  const parsed = parseKeySet(jwks(...signers), { allowSymmetric: false }).keySet;
  if (parsed === undefined) throw new Error("no JWKS");
  return parsed;
}

/** A rule of `https://a` with Istio's defaults. */
export function aRule(signer: Signer, changes: Partial<JwtRule> = {}): JwtRule {
  return {
    issuer: "https://a",
    audiences: [],
    keys: { kind: "inline", jwks: jwks(signer) },
    places: defaultPlaces,
    forwardOriginalToken: false,
    outputPayloadToHeader: "",
    outputClaimToHeaders: [],
    spaceDelimitedClaims: ["scope", "permission"],
    ...changes,
  };
}

/** As {@link aRule}, but its keys are to be fetched. */
export function aRemoteRule(changes: Partial<JwtRule> = {}): JwtRule {
  const keys = { kind: "remote", issuer: "https://a", jwksUri: undefined, timeoutMs: 5000 } as const;
  return { ...aRule(aSigner("unused")), keys, ...changes };
}

/** Keys that count how often a signature was verified with them. */
export function countedKeys(...signers: readonly Signer[]): {
  readonly keys: KeySet;
  readonly verifications: () => number;
} {
  const { generation, keys } = keySet(...signers);
  let count = 0;
  const counted = keys.map((one) => ({
    ...one,
    get key() {
      count += 1;
      return one.key;
    },
  }));
  return { keys: { generation, keys: counted }, verifications: () => count };
}

/** What a request that comes now has found out: nothing yet. */
export function noFindings(ms: number = nowMs): JwtFindings {
  return {
    nowMs: ms,
    readings: { digests: new Map(), parsed: new Map() },
    verifications: new Map(),
    refreshed: new Set(),
    cacheHits: 0,
    cacheMisses: 0,
  };
}

/** A verifier that remembers up to `max` tokens. */
export function aVerifier(max: number): TokenVerifier {
  return createTokenVerifier(createTokenCache(max, () => performance.now()));
}

/** What authentication is made of in a test. */
export interface AuthenticationSetup {
  readonly rules?: readonly JwtRule[];
  readonly credentials?: readonly CredentialCheck[];
  readonly settings?: Partial<JwtSettings>;
  readonly source?: KeySource;
  readonly verifier?: TokenVerifier;
  readonly observe?: AuthnObserver;
}

/** Stage 3 of a workload. */
export function anAuthentication(setup: AuthenticationSetup): Authentication {
  const { rules = [], credentials = [], settings, source, observe = () => {} } = setup;
  const { verifier = aVerifier(0) } = setup;
  const keys = source === undefined ? noKeys : () => source;
  const jwtSettings = { clockSkewSeconds: 60, strict: false, ...settings };
  const jwt = rules.map((rule) => createJwtCheck(rule, jwtSettings, { keys, verifier }));
  return createAuthentication({ jwt, credentials }, observe);
}
