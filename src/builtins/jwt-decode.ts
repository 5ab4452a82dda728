import { objectAt, stringAt } from "./arguments.js";
import { type Builtin, BuiltinError, type Builtins } from "./builtin.js";
import { bytesOf, trimmed } from "./bytes.js";
import { secretKey, type TokenKey } from "./jwk.js";
import { headerAlgorithm, isSignedBy } from "./jwt-signature.js";
import {
  type HeaderFields,
  headerFields,
  partBytes,
  partText,
  readHeader,
  readObject,
  signedPart,
  splitToken,
  type Token,
} from "./jwt-token.js";
import { someKeyVerifies } from "./jwt-verify.js";
import { compareNumbers, floatOf, numberOf } from "./number.js";
import { tokenKeys } from "./token-keys.js";
import { get, isArray, isNumber, type RegoObject, type Value } from "./value.js";

/** Decodes without verifying; a token inside a token (`cty` is `JWT`) instead of the one around it. */
const decode: Builtin = (args) => {
  let text = stringAt(args, 0);
  for (;;) {
    const token = splitToken(text);
    const header = readHeader(token);
    const payload = partText(token.payload);
    if (contentType(header) !== "JWT") {
      return [header, readObject(payload), partBytes(token.signature).toString("hex")];
    }
    // Shorter by a quarter at least, so this ends.
    text = trimmed(payload, "\"'");
  }
};

function contentType(header: RegoObject): string {
  const type = get(header, "cty");
  if (type !== undefined && typeof type !== "string") throw new BuiltinError("cty: must be a string");
  return type ?? "";
}

/** What a token is verified against. */
interface Constraints {
  readonly keys: readonly TokenKey[] | undefined;
  readonly secret: string;
  readonly alg: string;
  readonly iss: string;
  readonly aud: string;
  /** Nanoseconds. */
  readonly time: number;
}

function constraintsOf(object: RegoObject, nowNs: bigint): Constraints {
  const text = (name: string): string | undefined => {
    const value = get(object, name);
    if (value === undefined && !object.has(name)) return undefined;
    return typeof value === "string" ? value : fail(`${name} constraint: must be a string`);
  };
  for (const name of object.keys()) {
    if (!constraintNames.has(name)) fail("unknown token validation constraint");
  }
  const certificate = text("cert");
  const keys = certificate === undefined ? undefined : tokenKeys(certificate);
  const secret = text("secret") ?? "";
  if ((keys === undefined) === (secret === "")) fail("exactly one key constraint is needed");
  const [alg, iss, aud] = [text("alg") ?? "", text("iss") ?? "", text("aud") ?? ""];
  return { keys, secret, alg, iss, aud, time: timeOf(get(object, "time"), nowNs) };
}

const constraintNames: ReadonlySet<Value> = new Set(["cert", "secret", "alg", "iss", "aud", "time"]);

function timeOf(value: Value | undefined, nowNs: bigint): number {
  if (value === undefined) return Number(nowNs);
  const time = isNumber(value) ? floatOf(value) : Number.NaN;
  if (!(time >= 0 && time < Number.POSITIVE_INFINITY))
    fail("time constraint: must be a number, and not negative");
  return time;
}

const unverified: Value = [false, new Map(), new Map()];

const decodeVerify: Builtin = (args, { nowNs }) => {
  const constraints = constraintsOf(objectAt(args, 1), nowNs);
  let text = stringAt(args, 0);
  for (;;) {
    const token = splitToken(text);
    const header = readHeader(token);
    const fields = headerFields(header);
    if (fields.alg === "" || fields.isCritical) return unverified;
    if (constraints.alg !== "" && constraints.alg !== fields.alg) return unverified;
    if (!isVerified(token, fields, constraints)) return unverified;
    const payload = partText(token.payload);
    if (/^jwt$/i.test(fields.cty)) {
      text = payload;
      continue;
    }
    const claims = readObject(payload);
    return claimsHold(claims, constraints) ? [true, header, claims] : unverified;
  }
};

function isVerified(token: Token, fields: HeaderFields, { keys, secret }: Constraints): boolean {
  const signed = { input: signedPart(token), signature: partBytes(token.signature) };
  const algorithm = headerAlgorithm(fields.alg);
  if (algorithm === undefined) return false;
  const exact = { anyLength: false, anySalt: false };
  const verifies = (key: TokenKey): boolean => isSignedBy(key, algorithm, signed, exact);
  if (keys !== undefined) return someKeyVerifies(keys, fields, verifies);
  return verifies({ alg: "", kid: "", ...secretKey(bytesOf(secret)) });
}

/** Throws a BuiltinError where a claim has a wrong type. */
function claimsHold(claims: RegoObject, { iss, aud, time }: Constraints): boolean {
  if (iss !== "") {
    const issuer = get(claims, "iss");
    if (issuer === undefined) return false;
    if (typeof issuer !== "string") fail("iss value must be a string");
    if (issuer !== iss) return false;
  }
  const audience = get(claims, "aud");
  if (audience === undefined ? aud !== "" : !isFor(audience, aud)) return false;
  const seconds = numberOf(String(time / 1e9));
  const expiry = get(claims, "exp");
  if (expiry !== undefined) {
    if (!isNumber(expiry)) fail("exp value must be a number");
    if (compareNumbers(seconds, expiry) >= 0) return false;
  }
  const start = get(claims, "nbf");
  if (start === undefined) return true;
  if (!isNumber(start)) fail("nbf value must be a number");
  return compareNumbers(seconds, start) >= 0;
}

function isFor(audience: Value, wanted: string): boolean {
  return isArray(audience) ? audience.includes(wanted) : audience === wanted;
}

function fail(why: string): never {
  throw new BuiltinError(why);
}

/** `io.jwt.decode` and `io.jwt.decode_verify` of OPA (topdown/tokens.go). */
export const jwtDecodeBuiltins: Builtins = { "io.jwt.decode": decode, "io.jwt.decode_verify": decodeVerify };
