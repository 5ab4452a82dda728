import { generateKeyPairSync, type KeyObject, randomBytes } from "node:crypto";
import { SignJWT } from "jose";
import { loadProtos } from "../src/server/protos.js";
import { benchRequest } from "./request.js";

/** What signs with an algorithm, and the key that verifies it. */
export interface Signer {
  readonly alg: string;
  readonly jwk: Readonly<Record<string, unknown>>;
  /** A token of the benchmark's issuer; `jti` makes it another one. */
  readonly sign: (jti: string) => Promise<string>;
}

/** The issuer of every benchmark token. */
export const benchIssuer = "https://issuer.example.com";

/** Algorithms by how their keys are made. */
const makers: Readonly<
  Record<string, () => { readonly privateKey: KeyObject; readonly publicKey: KeyObject }>
> = {
  RS256: () => generateKeyPairSync("rsa", { modulusLength: 2048 }),
  PS256: () => generateKeyPairSync("rsa", { modulusLength: 2048 }),
  ES256: () => generateKeyPairSync("ec", { namedCurve: "P-256" }),
  EdDSA: () => generateKeyPairSync("ed25519"),
};

/** One signer for each algorithm, HS256 too. */
export function benchSigners(): Signer[] {
  const asymmetric = Object.entries(makers).map(([alg, make]) => {
    const { privateKey, publicKey } = make();
    return signer(alg, privateKey, { ...publicKey.export({ format: "jwk" }), alg, kid: alg });
  });
  const secret = randomBytes(32);
  const jwk = { kty: "oct", k: secret.toString("base64url"), alg: "HS256", kid: "HS256" };
  return [...asymmetric, signer("HS256", secret, jwk)];
}

function signer(alg: string, key: KeyObject | Uint8Array, jwk: Signer["jwk"]): Signer {
  const claims = {
    scope: "openid carts:read carts:write",
    groups: ["dev", "admin"],
    azp: "web",
    tenant: "acme",
  };
  return {
    alg,
    jwk,
    sign: (jti) =>
      new SignJWT({ ...claims, jti })
        .setProtectedHeader({ alg, kid: alg, typ: "JWT" })
        .setIssuer(benchIssuer)
        .setSubject("user-8f14e45f")
        .setAudience("shop")
        .setIssuedAt()
        .setExpirationTime("1h")
        .sign(key),
  };
}

/** A RequestAuthentication of the benchmark's workload for these keys. */
export function benchAuthentication(signers: readonly Signer[], namespace: string): object {
  const jwks = JSON.stringify({ keys: signers.map(({ jwk }) => jwk) });
  return {
    apiVersion: "security.istio.io/v1",
    kind: "RequestAuthentication",
    metadata: { name: "login", namespace },
    spec: { jwtRules: [{ issuer: benchIssuer, audiences: ["shop"], jwks }] },
  };
}

/** The benchmark's request with another token, or without one. */
export function requestWithToken(token: string | undefined): Buffer {
  const request = benchRequest({ headers: "raw", certificate: false });
  const lines = request.attributes?.request?.http?.header_map?.headers ?? [];
  const kept = lines.filter(({ key }) => key !== "authorization");
  const added =
    token === undefined ? [] : [{ key: "authorization", raw_value: Buffer.from(`Bearer ${token}`) }];
  const http = { ...request.attributes?.request?.http, header_map: { headers: [...kept, ...added] } };
  const attributes = { ...request.attributes, request: { ...request.attributes?.request, http } };
  return loadProtos().check.requestSerialize({ attributes });
}
