import { isWellFormed, type JsonObject, type JsonValue, member } from "../attributes/index.js";

/** What an introspection endpoint said of a token (RFC 7662 section 2.2). */
export type IntrospectionAnswer =
  | ActiveToken
  /** `fromMs`: not before then, in milliseconds since the epoch, when that is the reason. */
  | { readonly kind: "inactive"; readonly fromMs: number | undefined }
  /** Nothing that a judgement could be built on. */
  | { readonly kind: "malformed" };

/** A token that is good now, as far as the endpoint and the token's own times say. */
export interface ActiveToken {
  readonly kind: "active";
  /** All members but `active`. */
  readonly payload: JsonObject;
  readonly issuer: string | undefined;
  readonly scopes: readonly string[];
  readonly audiences: readonly string[];
  /** `exp` in milliseconds since the epoch. */
  readonly untilMs: number | undefined;
}

/** Deeper answers are refused, so that nobody behind runs out of stack on them. */
const maxDepth = 32;

const malformed: IntrospectionAnswer = { kind: "malformed" };
const inactive: IntrospectionAnswer = { kind: "inactive", fromMs: undefined };

/**
 * Reads the body of a 200. Only `active: true`, the boolean, is an active token; any other value makes it
 * inactive, and no value at all, or another wrong member, makes the answer malformed. `exp` and `nbf` are compared
 * without skew: the endpoint has just judged the token by its own clock, so only a plain contradiction is left.
 */
export function readIntrospectionAnswer(body: Uint8Array, nowMs: number): IntrospectionAnswer {
  const answer = parse(body);
  if (answer === undefined) return malformed;
  const active = member(answer, "active");
  if (active !== true) return active === undefined ? malformed : inactive;
  if (!isShallow(answer, maxDepth)) return malformed;
  const claims = readClaims(answer);
  if (claims === undefined) return malformed;
  const { exp, nbf, scopes } = claims;
  if (exp !== undefined && exp * 1000 <= nowMs) return inactive;
  if (nbf !== undefined && nbf * 1000 > nowMs) return { kind: "inactive", fromMs: nbf * 1000 };
  return {
    kind: "active",
    payload: payloadOf(answer, claims),
    issuer: claims.iss,
    scopes,
    audiences: claims.audiences,
    untilMs: exp === undefined ? undefined : exp * 1000,
  };
}

/** Strict: UTF-8, one JSON object, no half characters by escapes. */
function parse(body: Uint8Array): JsonObject | undefined {
  try {
    const text = new TextDecoder("utf-8", { fatal: true }).decode(body);
    const value: unknown = JSON.parse(text, (name, member: unknown) => {
      if (!isWellFormed(name) || (typeof member === "string" && !isWellFormed(member))) throw new TypeError();
      return member;
    });
    return typeof value === "object" && value !== null && !Array.isArray(value)
      ? (value as JsonObject)
      : undefined;
  } catch {
    return undefined;
  }
}

interface Claims {
  readonly iss: string | undefined;
  readonly sub: string | undefined;
  readonly exp: number | undefined;
  readonly nbf: number | undefined;
  readonly audiences: readonly string[];
  readonly scopes: readonly string[];
}

/** The members that are read; undefined when one is not of its type. Null is as good as absent. */
function readClaims(answer: JsonObject): Claims | undefined {
  const texts = ["iss", "sub", "username", "client_id"].map((name) => member(answer, name) ?? undefined);
  const times = ["exp", "nbf", "iat"].map((name) => member(answer, name) ?? undefined);
  const audiences = textsOf(member(answer, "aud"), (one) => [one]);
  const scopes = textsOf(member(answer, "scope"), (words) => words.split(" ").filter((word) => word !== ""));
  if (!texts.every(isTextOrAbsent) || !times.every(isNumberOrAbsent)) return undefined;
  if (audiences === undefined || scopes === undefined) return undefined;
  const [iss, sub, username, clientId] = texts;
  const [exp, nbf] = times;
  return {
    iss: iss || undefined,
    sub: sub || username || clientId || undefined,
    exp,
    nbf,
    audiences,
    scopes,
  };
}

function isTextOrAbsent(value: JsonValue | undefined): value is string | undefined {
  return value === undefined || typeof value === "string";
}

function isNumberOrAbsent(value: JsonValue | undefined): value is number | undefined {
  return value === undefined || typeof value === "number";
}

/** A text, or a list of texts as some servers write it. */
function textsOf(
  value: JsonValue | undefined,
  split: (text: string) => readonly string[],
): readonly string[] | undefined {
  if (value === undefined || value === null) return [];
  if (typeof value === "string") return split(value);
  return Array.isArray(value) && value.every((item): item is string => typeof item === "string")
    ? value
    : undefined;
}

function payloadOf(answer: JsonObject, { iss, sub }: Claims): JsonObject {
  const read = new Set(["active", "iss", "sub"]);
  const others = Object.entries(answer).filter(([name, value]) => !read.has(name) && value !== null);
  return Object.fromEntries([
    ...(iss === undefined ? [] : [["iss", iss] as const]),
    ...(sub === undefined ? [] : [["sub", sub] as const]),
    ...others,
  ]);
}

function isShallow(value: JsonValue, depth: number): boolean {
  if (typeof value !== "object" || value === null) return true;
  return depth > 0 && Object.values(value).every((item: JsonValue) => isShallow(item, depth - 1));
}
