import type { ByteString, RequestAuth } from "../attributes/index.js";
import { createAudienceCheck } from "./audience.js";
import { claimHeaders } from "./claim-headers.js";
import { principalOf, withWords } from "./claims.js";
import type { Jwt } from "./jwt.js";
import type { JwtRule } from "./jwt-rule.js";
import type { JwtReason } from "./jwt-status.js";
import { type KeySet, parseKeySet } from "./key-set.js";
import type { KeySource, KeySources } from "./key-source.js";
import type { AuthnRecord } from "./outcome.js";
import { candidateKeys } from "./signature.js";
import { isCanonical, strictRefusal } from "./strict-jwt.js";
import type { VerifiedToken } from "./token-cache.js";
import { digestOf, parseOnce, type TokenReadings } from "./token-readings.js";
import type { TokenVerifier, Verification } from "./token-verifier.js";

/** How tokens are judged, for the whole mesh. */
export interface JwtSettings {
  /** By how much clocks may differ; Envoy's default is 60. */
  readonly clockSkewSeconds: number;
  /** Refuses what Envoy lets pass and the RFCs do not: see `strict.ts`. */
  readonly strict: boolean;
}

/** What judging tokens needs from outside. */
export interface JwtPorts {
  readonly keys: KeySources;
  readonly verifier: TokenVerifier;
}

/** What a rule makes of a token that it takes. The same object as long as the token is remembered. */
export interface AcceptedToken {
  readonly auth: RequestAuth;
  readonly headers: readonly (readonly [name: string, value: ByteString])[];
  readonly record: AuthnRecord;
}

/** What one request has found out so far; kept when it is judged again after waiting. */
export interface JwtFindings {
  readonly nowMs: number;
  readonly readings: TokenReadings;
  readonly verifications: Map<string, Verification>;
  /** Sources that were asked for newer keys. */
  readonly refreshed: Set<KeySource>;
  /** How often a token was remembered. */
  cacheHits: number;
  /** How often a signature had to be looked at. */
  cacheMisses: number;
}

/** Has to be awaited before the request can be judged again. */
export interface Pending {
  readonly until: Promise<unknown>;
}

/** A rule, ready to judge tokens. */
export interface JwtCheck {
  readonly rule: JwtRule;
  /** Headers that the rule may set. */
  readonly outputs: readonly string[];
  readonly judge: (token: ByteString, findings: JwtFindings) => AcceptedToken | JwtReason | Pending;
}

/** Longer ones are no tokens to us: nothing is spent on them. Envoy's own limit for all headers is 60 KiB. */
const maxTokenLength = 65_536;

/** Rules of which a token remembers what they made of it: those in force, and of an older configuration. */
const maxRules = 4;

/** For how long a token without `exp` is remembered. */
const openEndedMs = 300_000;

/** Compiles a rule. INVARIANT: its inline keys are a JWKS. */
export function createJwtCheck(rule: JwtRule, settings: JwtSettings, { keys, verifier }: JwtPorts): JwtCheck {
  const source = sourceOf(rule, keys);
  const allows = createAudienceCheck(rule.audiences, { exact: settings.strict });
  const split = new Set(rule.spaceDelimitedClaims);
  // What was verified under other rules for keys has to be verified again.
  const rules = settings.strict ? "strict:" : "";

  /** What depends on the token and the time only; the rest is the signature. */
  const refusalOf = (jwt: Jwt, nowMs: number): JwtReason | undefined => {
    if (rule.issuer !== "" && jwt.iss !== rule.issuer) return "jwt_unknown_issuer";
    const now = Math.floor(nowMs / 1000);
    if (now + settings.clockSkewSeconds < jwt.nbf) return "jwt_not_yet_valid";
    if (jwt.exp !== 0 && now > jwt.exp + settings.clockSkewSeconds) return "jwt_expired";
    if (!allows(jwt.aud)) return "jwt_audience_not_allowed";
    return settings.strict ? strictRefusal(jwt) : undefined;
  };

  const accept = (token: VerifiedToken): AcceptedToken => {
    const known = token.accepted.find((one) => one.rule === rule);
    if (known !== undefined) return known.made as AcceptedToken;
    const made = toAccepted(token.jwt, rule, split);
    if (token.accepted.length >= maxRules) token.accepted.shift();
    token.accepted.push({ rule, made });
    return made;
  };

  /** With a token that was not remembered. */
  const judgeFresh = (
    token: ByteString,
    key: string | undefined,
    current: KeySet | undefined,
    findings: JwtFindings,
  ): AcceptedToken | JwtReason | Pending => {
    const jwt = parseOnce(findings.readings, token);
    if (typeof jwt === "string") return jwt;
    const refusal = refusalOf(jwt, findings.nowMs);
    if (refusal !== undefined) return refusal;
    if (settings.strict && !isCanonical(jwt, token)) return "jwt_not_canonical";
    if (current === undefined || key === undefined) return "jwks_fetch_failed";
    if (current.keys.length === 0) return "jwks_no_valid_keys";
    const candidates = candidateKeys(jwt, current);
    const verified = findings.verifications.get(key);
    if (verified === undefined) {
      if (settings.strict && candidates.length > 1) return "jwt_key_ambiguous";
      if (candidates.length === 0) return refresh(findings) ?? "jwks_no_matching_key";
      const ttlMs =
        jwt.exp === 0 ? openEndedMs : (jwt.exp + settings.clockSkewSeconds) * 1000 - findings.nowMs;
      const until = verifier.verify(key, jwt, candidates, ttlMs).then((verification) => {
        findings.verifications.set(key, verification);
      });
      findings.cacheMisses += 1;
      return { until };
    }
    if (typeof verified !== "string") return accept(verified);
    // Where no key was meant by name, nothing else tells that the right one may be new.
    const isNamed = jwt.kid !== "" && candidates.some(({ kid }) => kid === jwt.kid);
    return verified === "jwt_verification_failed" && !isNamed ? (refresh(findings) ?? verified) : verified;
  };

  const refresh = (findings: JwtFindings): Pending | undefined => {
    if (findings.refreshed.has(source)) return undefined;
    findings.refreshed.add(source);
    const until = source.refresh();
    return until === undefined ? undefined : { until };
  };

  return {
    rule,
    outputs: [rule.outputPayloadToHeader, ...rule.outputClaimToHeaders.map(({ header }) => header)].filter(
      (name) => name !== "",
    ),
    judge(token, findings) {
      if (token.length > maxTokenLength) return "jwt_bad_format";
      const current = source.current();
      const key = current && `${rules}${current.generation}:${digestOf(findings.readings, token)}`;
      const known = key === undefined ? undefined : verifier.known(key);
      if (known === undefined) return judgeFresh(token, key, current, findings);
      const refusal = refusalOf(known.jwt, findings.nowMs);
      if (refusal !== undefined) return refusal;
      // Once, however often the request is judged: a token verified just now was no hit.
      if (key !== undefined && !findings.verifications.has(key)) {
        findings.verifications.set(key, known);
        findings.cacheHits += 1;
      }
      return accept(known);
    },
  };
}

function sourceOf({ keys: locator }: JwtRule, keys: KeySources): KeySource {
  if (locator.kind === "remote") return keys(locator);
  const { keySet } = parseKeySet(locator.jwks, { allowSymmetric: true });
  return { current: () => keySet, refresh: () => undefined };
}

function toAccepted(jwt: Jwt, rule: JwtRule, split: ReadonlySet<string>): AcceptedToken {
  const payloadHeader = rule.outputPayloadToHeader;
  return {
    auth: { payload: withWords(jwt.payload, split) },
    headers: [
      ...(payloadHeader === "" ? [] : [[payloadHeader, jwt.payloadPart] as const]),
      ...claimHeaders(rule.outputClaimToHeaders, jwt.payload),
    ],
    record: { method: "jwt", issuer: rule.issuer, principal: principalOf(jwt.payload), refused: [] },
  };
}
