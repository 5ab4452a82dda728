import { generateKeyPairSync, type JsonWebKey, randomBytes } from "node:crypto";
import type { JwtRule } from "../../../src/authn/index.js";
import type { Finding } from "../../../src/diagnostics/index.js";
import type { Parsed, ResourceDocument } from "../../../src/documents/index.js";
import { parseRequestAuthentication, type RequestAuthentication } from "../../../src/istio/index.js";

const pair = generateKeyPairSync("ec", { namedCurve: "P-256" });
export const publicKey: JsonWebKey = pair.publicKey.export({ format: "jwk" });
export const privateKey: JsonWebKey = pair.privateKey.export({ format: "jwk" });
export const secretKey: { readonly kty: string; readonly k: string } = {
  kty: "oct",
  k: randomBytes(32).toString("base64url"),
};
export const jwksOf = (...keys: unknown[]): string => JSON.stringify({ keys });
export const jwks: string = jwksOf(publicKey);

export function aDocument(spec: unknown, annotations: Record<string, string> = {}): ResourceDocument {
  return {
    apiVersion: "security.istio.io/v1",
    kind: "RequestAuthentication",
    name: "r",
    namespace: "foo",
    annotations: new Map(Object.entries(annotations)),
    spec,
  };
}

export const issuer: string = "https://issuer.test";

/** One rule of an issuer with an inline key, and what a test adds. */
export function parseRule(fields: Record<string, unknown>): Parsed<RequestAuthentication> {
  return parseRequestAuthentication(aDocument({ jwtRules: [{ issuer, jwks, ...fields }] }));
}

export function ruleOf(fields: Record<string, unknown>): JwtRule | undefined {
  return parseRule(fields).spec?.rules[0];
}

/** A rule of which only these fields are given. */
export function parseBare(fields: Record<string, unknown>): Parsed<RequestAuthentication> {
  return parseRequestAuthentication(aDocument({ jwtRules: [fields] }));
}

/** `CODE path: message`, the path below the first rule. */
export function said({ findings }: Parsed<unknown>): string[] {
  return findings.map((f) =>
    `${f.code.code} ${f.path.join(".")}: ${f.message}`.replace("spec.jwtRules.0.", ""),
  );
}

export function isError({ code }: Finding): boolean {
  return code.severity === "error";
}
