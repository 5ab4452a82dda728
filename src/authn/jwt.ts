import type { Buffer } from "node:buffer";
import { type ByteString, type JsonObject, type JsonValue, member } from "../attributes/index.js";
import { decodeBase64url } from "./base64url.js";
import { parseJsonObject } from "./json-object.js";
import type { JwtReason } from "./jwt-status.js";

/** A token taken apart. Nothing in it has been verified. */
export interface Jwt {
  readonly alg: string;
  /** Empty when the header has none. */
  readonly kid: string;
  readonly header: JsonObject;
  /** As they stand in the token: what the signature is over. */
  readonly headerPart: string;
  readonly payloadPart: string;
  readonly payload: JsonObject;
  readonly signature: Buffer;
  readonly iss: string;
  readonly aud: readonly string[];
  /** Seconds since the epoch, 0 when absent. */
  readonly nbf: number;
  readonly exp: number;
}

/** The algorithms that Envoy knows (`source/common/jwt/jwt.cc`); `none` is not among them. */
const algorithms: ReadonlySet<string> = new Set([
  "ES256",
  "ES384",
  "ES512",
  "HS256",
  "HS384",
  "HS512",
  "RS256",
  "RS384",
  "RS512",
  "PS256",
  "PS384",
  "PS512",
  "EdDSA",
]);

/** Takes a token apart with Envoy's checks, in Envoy's order. */
export function parseJwt(token: ByteString): Jwt | JwtReason {
  const parts = splitParts(token);
  if (parts === undefined) return "jwt_bad_format";
  const [headerPart, payloadPart, signaturePart] = parts;

  const headerBytes = decodeBase64url(headerPart);
  if (headerBytes === undefined) return "jwt_header_bad_base64";
  const header = parseJsonObject(headerBytes);
  if (header === undefined) return "jwt_header_bad_json";
  const alg = member(header, "alg");
  if (typeof alg !== "string") return "jwt_header_bad_alg";
  if (!algorithms.has(alg)) return "jwt_header_unsupported_alg";
  const kid = own(header, "kid", absent);
  if (typeof kid !== "string") return "jwt_header_bad_kid";

  const payloadBytes = decodeBase64url(payloadPart);
  if (payloadBytes === undefined) return "jwt_payload_bad_base64";
  const payload = parseJsonObject(payloadBytes);
  if (payload === undefined) return "jwt_payload_bad_json";
  const claims = readClaims(payload);
  if (typeof claims === "string") return claims;

  const signature = decodeBase64url(signaturePart);
  if (signature === undefined) return "jwt_signature_bad_base64";
  return { alg, kid, header, headerPart, payloadPart, payload, signature, ...claims };
}

/** Three parts between dots; empty ones are not counted. */
export function splitParts(token: ByteString): readonly [string, string, string] | undefined {
  // One part more than is needed, and an empty one before the first.
  const parts = token.split(/\.+/, 5).filter((part) => part !== "");
  const [header, payload, signature] = parts;
  if (parts.length !== 3 || header === undefined || payload === undefined || signature === undefined) {
    return undefined;
  }
  return [header, payload, signature];
}

/** Stands for a text that is not there; null is there, with the wrong type. */
const absent = "";

const outOfRange = 2 ** 64;

function readClaims(payload: JsonObject): Pick<Jwt, "iss" | "aud" | "nbf" | "exp"> | JwtReason {
  const iss = own(payload, "iss", absent);
  if (typeof iss !== "string") return "jwt_payload_bad_iss";
  if (typeof own(payload, "sub", absent) !== "string") return "jwt_payload_bad_sub";
  const iat = readSeconds(payload, "iat");
  if (typeof iat === "string") return iat;
  const nbf = readSeconds(payload, "nbf");
  if (typeof nbf === "string") return nbf;
  const exp = readSeconds(payload, "exp");
  if (typeof exp === "string") return exp;
  if (typeof own(payload, "jti", absent) !== "string") return "jwt_payload_bad_jti";
  const audience = own(payload, "aud", []);
  const aud = typeof audience === "string" ? [audience] : audience;
  if (!isTexts(aud)) return "jwt_payload_bad_aud";
  return { iss, aud, nbf, exp };
}

const timeReasons = {
  iat: ["jwt_payload_bad_iat", "jwt_payload_iat_out_of_range"],
  nbf: ["jwt_payload_bad_nbf", "jwt_payload_nbf_out_of_range"],
  exp: ["jwt_payload_bad_exp", "jwt_payload_exp_out_of_range"],
} as const;

/** Whole seconds; a fraction is cut off. */
function readSeconds(payload: JsonObject, claim: keyof typeof timeReasons): number | JwtReason {
  const value = own(payload, claim, 0);
  if (typeof value !== "number") return timeReasons[claim][0];
  if (value < 0 || value >= outOfRange) return timeReasons[claim][1];
  return Math.trunc(value);
}

function own(payload: JsonObject, name: string, otherwise: JsonValue): JsonValue {
  const value = member(payload, name);
  return value === undefined ? otherwise : value;
}

function isTexts(value: JsonValue): value is readonly string[] {
  return Array.isArray(value) && value.every((item) => typeof item === "string");
}
