import { type JsonValue, member } from "../attributes/index.js";
import { countKeys, type KeySet, maxKeys, parseKeySet, type RemoteKeys } from "../authn/index.js";
import { GatehouseError } from "../diagnostics/index.js";
import { type HttpAnswer, type HttpClient, originOf } from "./http.js";
import { failureReason, type HttpFailureReason } from "./http-failure.js";

/** Why keys did not arrive. A closed set: what the other side sent is never shown. */
export type KeyFailureReason =
  | HttpFailureReason
  | "timeout"
  | "status"
  | "not_json"
  | "not_jwks"
  | "no_usable_key"
  | "too_many_keys"
  | "issuer_mismatch"
  | "bad_url";

/** A fetch that brought nothing. */
export interface KeyFailure {
  readonly reason: KeyFailureReason;
  /** The HTTP status, when that is the reason. */
  readonly status: number | undefined;
}

/** What an endpoint gave; nobody has looked into `text` yet. */
export interface KeyText {
  readonly text: string;
  /** From `max-age` and `age`; 0 when it may not be stored, undefined when nothing is said. */
  readonly maxAgeMs: number | undefined;
  readonly jwksUri: string;
  /** Discovery failed, and the `jwks_uri` found by an earlier one was asked. */
  readonly discoveryFailure: KeyFailure | undefined;
}

/** How a fetch ended. */
export type KeyFetched =
  | { readonly ok: true; readonly keys: KeyText }
  | { readonly ok: false; readonly failure: KeyFailure };

/**
 * Fetches the keys of a locator once, within its timeout for all exchanges together; never rejects. `knownUri` is
 * the `jwks_uri` that an earlier discovery found, if it may still be used.
 */
export type FetchKeys = (locator: RemoteKeys, knownUri: string | undefined) => Promise<KeyFetched>;

/** Longer answers are no key sets: the largest ones in use have some ten keys of 2 KiB. */
const maxBytes = 262_144;
const nothing = new Uint8Array();

/** Makes the fetch; `now` is in milliseconds and never goes back. */
export function createKeyFetch(send: HttpClient["send"], now: () => number): FetchKeys {
  const get = async (uri: string, timeoutMs: number): Promise<HttpAnswer> => {
    const url = readUrl(uri);
    if (url === undefined) throw new Refusal("bad_url");
    if (timeoutMs <= 0) throw new Refusal("timeout");
    const headers = new Map([
      ["accept", "application/json"],
      ["user-agent", "gatehouse"],
    ]);
    const answer = await send({
      origin: originOf(url),
      method: "GET",
      path: `${url.pathname}${url.search}`,
      headers,
      body: nothing,
      timeoutMs,
      maxBytes,
    });
    if (answer.status !== 200) throw new Refusal("status", answer.status);
    return answer;
  };

  /** OpenID Connect Discovery 1.0, section 4. */
  const discover = async (issuer: string, timeoutMs: number): Promise<string> => {
    const answer = await get(`${issuer.replace(/\/$/, "")}/.well-known/openid-configuration`, timeoutMs);
    const document = readJson(answer.body.toString("utf8"));
    // Section 4.3: otherwise anyone's document could speak for this issuer.
    if (member(document, "issuer") !== issuer) throw new Refusal("issuer_mismatch");
    const uri = member(document, "jwks_uri");
    const url = typeof uri === "string" ? readUrl(uri) : undefined;
    const mayBePlain = readUrl(issuer)?.protocol === "http:";
    if (url === undefined || (url.protocol === "http:" && !mayBePlain)) throw new Refusal("bad_url");
    return url.href;
  };

  return async ({ issuer, jwksUri, timeoutMs }, knownUri) => {
    const ends = now() + timeoutMs;
    let discoveryFailure: KeyFailure | undefined;
    try {
      let uri = jwksUri;
      if (uri === undefined) {
        // A hanging discovery must leave time for keys whose place is known.
        const discovered = discover(issuer, knownUri === undefined ? timeoutMs : timeoutMs / 2);
        uri = await discovered.catch((error: unknown) => {
          if (knownUri === undefined) throw error;
          discoveryFailure = failureOf(error);
          return knownUri;
        });
      }
      const { body, headers } = await get(uri, ends - now());
      const keys = {
        text: body.toString("utf8"),
        maxAgeMs: maxAgeOf(headers),
        jwksUri: uri,
        discoveryFailure,
      };
      return { ok: true, keys };
    } catch (error) {
      return { ok: false, failure: failureOf(error) };
    }
  };
}

/** Reads a JWKS from a URL: public keys only, and not so many that reading them would hold requests up. */
export function readKeySet(text: string): KeySet | KeyFailure {
  if (countKeys(text) > maxKeys) return { reason: "too_many_keys", status: undefined };
  const { keySet } = parseKeySet(text, { allowSymmetric: false });
  if (keySet === undefined) {
    const isJson = tryJson(text) !== undefined;
    return { reason: isJson ? "not_jwks" : "not_json", status: undefined };
  }
  return keySet.keys.length === 0 ? { reason: "no_usable_key", status: undefined } : keySet;
}

class Refusal extends Error {
  readonly failure: KeyFailure;

  constructor(reason: KeyFailureReason, status?: number) {
    super(reason);
    this.failure = { reason, status };
  }
}

function failureOf(error: unknown): KeyFailure {
  if (error instanceof Refusal) return error.failure;
  const isBadUrl = error instanceof GatehouseError && error.code === "bad_request";
  return { reason: isBadUrl ? "bad_url" : failureReason(error), status: undefined };
}

/** An absolute http or https URL without credentials, which would show wherever the URL does. */
function readUrl(text: string): URL | undefined {
  if (!URL.canParse(text)) return undefined;
  const url = new URL(text);
  const isHttp = url.protocol === "http:" || url.protocol === "https:";
  return isHttp && url.username === "" && url.password === "" ? url : undefined;
}

function readJson(text: string): JsonValue {
  const value = tryJson(text);
  if (value === undefined) throw new Refusal("not_json");
  return value;
}

function tryJson(text: string): JsonValue | undefined {
  try {
    return JSON.parse(text) as JsonValue;
  } catch {
    return undefined;
  }
}

/** RFC 9111 sections 4.2.1 and 4.2.3; `s-maxage` is for shared caches, of which we are none. */
function maxAgeOf(headers: HttpAnswer["headers"]): number | undefined {
  const valuesOf = (wanted: string): string[] =>
    headers.filter(([name]) => name === wanted).flatMap(([, value]) => value.split(","));
  const directives = valuesOf("cache-control").map((part) => part.trim().toLowerCase());
  if (directives.some((one) => /^no-(store|cache)(=|$)/.test(one))) return 0;
  const ages = directives.flatMap((one) => {
    const seconds = /^max-age="?(\d{1,10})"?$/.exec(one)?.[1];
    return seconds === undefined ? [] : [Number(seconds)];
  });
  if (ages.length === 0) return undefined;
  const age = /^\d{1,10}$/.exec(valuesOf("age")[0]?.trim() ?? "")?.[0] ?? "0";
  return Math.max(0, Math.min(...ages) - Number(age)) * 1000;
}
