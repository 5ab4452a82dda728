import { hash } from "node:crypto";
import type { ByteString } from "../attributes/index.js";
import type { CredentialCheck, CredentialVerdict } from "../authn/index.js";
import { readApiKey } from "./api-key-text.js";
import { refuseCredential, refuseUnjudged, refuseUse } from "./credential-refusal.js";
import { type ActiveToken, readIntrospectionAnswer } from "./introspection-answer.js";
import {
  createIntrospectionCache,
  type IntrospectionCache,
  noIntrospectionCache,
} from "./introspection-cache.js";
import type {
  IntrospectionEvent,
  IntrospectionPorts,
  IntrospectionReply,
  TokenIntrospection,
} from "./token-introspection.js";

/** RFC 6750 section 2.1 `b64token`. */
const b64token = /^[A-Za-z0-9\-._~+/]+=*$/;

/** Questions under way to one endpoint; more are refused at once, so that a slow endpoint holds no memory. */
const maxUnderWay = 256;

/** A refusal is asked about again soon: the token may have become good. */
const refusedTtlMs = 5000;

const invalidToken = 'Bearer error="invalid_token"';
const malformedToken = refuseCredential("token_malformed", "Token is malformed", invalidToken);
const inactiveToken = refuseCredential("introspection_inactive", "Token is not active", invalidToken);
const wrongIssuer = refuseCredential("introspection_wrong_issuer", "Token is not active", invalidToken);
const wrongAudience = refuseUse(
  "introspection_wrong_audience",
  "Audiences of the token are not allowed",
  invalidToken,
);
const failed = refuseUnjudged("introspection_failed");

/** A verdict, how it is counted, and until when it may be remembered. */
interface Judged {
  readonly verdict: CredentialVerdict;
  readonly event: IntrospectionEvent;
  /** Milliseconds since the epoch; undefined: not at all. */
  readonly untilMs: number | undefined;
}

/**
 * Judges opaque tokens by asking the endpoint. One question for all requests that wait for the same token. A verdict
 * is remembered by the SHA-256 of its token in a memory of this check alone; all else that the verdict read
 * (endpoint, client, scopes, audiences, issuer) is in `spec`, and another spec is another check.
 */
export function createIntrospectionCheck(
  spec: TokenIntrospection,
  { introspect, observe }: IntrospectionPorts,
): CredentialCheck {
  const cache = spec.cacheTtlMs === 0 ? noIntrospectionCache : createIntrospectionCache();
  const underWay = new Map<string, Promise<CredentialVerdict>>();
  const conclude = compileConclusion(spec);

  const ask = async (token: ByteString, key: string, nowMs: number): Promise<CredentialVerdict> => {
    let reply: IntrospectionReply;
    try {
      reply = await introspect(token);
    } catch {
      reply = { body: undefined, failure: "connect" };
    }
    const judged = conclude(reply, nowMs);
    observe(judged.event);
    remember(cache, key, judged, { nowMs, size: (reply.body?.byteLength ?? 0) * 2 });
    return judged.verdict;
  };

  const judge = (token: ByteString, nowMs: number): CredentialVerdict | Promise<CredentialVerdict> => {
    if (token.length > spec.maxTokenBytes || !b64token.test(token)) return malformedToken;
    const key = hash("sha256", token, "base64");
    const known = cache.find(key, nowMs);
    if (known !== undefined) {
      observe("cache_hit");
      return known;
    }
    const waiting = underWay.get(key);
    if (waiting !== undefined) {
      observe("cache_joined");
      return waiting;
    }
    if (underWay.size >= maxUnderWay) {
      observe("overloaded");
      return failed;
    }
    const asked = ask(token, key, nowMs).finally(() => underWay.delete(key));
    underWay.set(key, asked);
    return asked;
  };

  return {
    method: "introspection",
    name: `${spec.namespace}/${spec.name}`,
    places: spec.places,
    forwardOriginalToken: spec.forwardOriginalToken,
    outputClaimToHeaders: spec.outputClaimToHeaders,
    // Where both are read at one place, keys of ours are not sent to somebody else's endpoint.
    recognises: (token) => readApiKey(token) === undefined,
    judge,
  };
}

/**
 * INVARIANT: counted from when the question began, so that nothing is remembered longer than it may be however long
 * the answer took.
 */
function remember(
  cache: IntrospectionCache,
  key: string,
  { verdict, untilMs }: Judged,
  { nowMs, size }: { readonly nowMs: number; readonly size: number },
): void {
  if (untilMs !== undefined) cache.keep(key, verdict, { fromMs: nowMs, untilMs, size });
}

type Conclude = (reply: IntrospectionReply, nowMs: number) => Judged;

/** What is asked of a token, made ready once. */
function compileConclusion(spec: TokenIntrospection): Conclude {
  const refuse = compileRefusal(spec);
  const goodTtlMs = spec.cacheTtlMs;
  const badTtlMs = Math.min(goodTtlMs, refusedTtlMs);
  return (reply, nowMs) => {
    if (reply.failure !== undefined) return { verdict: failed, event: reply.failure, untilMs: undefined };
    const answer = readIntrospectionAnswer(reply.body, nowMs);
    const least = (ttlMs: number, end: number | undefined): number =>
      Math.min(nowMs + ttlMs, end ?? Infinity);
    switch (answer.kind) {
      case "malformed":
        return { verdict: failed, event: "malformed", untilMs: undefined };
      case "inactive":
        return { verdict: inactiveToken, event: "inactive", untilMs: least(badTtlMs, answer.fromMs) };
      case "active": {
        const refused = refuse(answer);
        if (refused !== undefined) {
          return { verdict: refused, event: "refused", untilMs: least(badTtlMs, answer.untilMs) };
        }
        const payload =
          answer.issuer === undefined ? { iss: spec.issuer, ...answer.payload } : answer.payload;
        const verdict: CredentialVerdict = { payload, refusal: undefined };
        return { verdict, event: "active", untilMs: least(goodTtlMs, answer.untilMs) };
      }
    }
  };
}

/** Why an active token is not taken here; undefined when it is. */
function compileRefusal({
  issuer,
  anyIssuer,
  audiences,
  requiredScopes,
}: TokenIntrospection): (token: ActiveToken) => CredentialVerdict | undefined {
  const scopeMissing = refuseUse(
    "introspection_scope_missing",
    "Scope of the token is not sufficient",
    `Bearer error="insufficient_scope", scope="${requiredScopes.join(" ")}"`,
  );
  const allowed = new Set(audiences);
  return (token) => {
    if (!anyIssuer && token.issuer !== undefined && token.issuer !== issuer) return wrongIssuer;
    if (allowed.size > 0 && !token.audiences.some((audience) => allowed.has(audience))) return wrongAudience;
    return requiredScopes.every((scope) => token.scopes.includes(scope)) ? undefined : scopeMissing;
  };
}
