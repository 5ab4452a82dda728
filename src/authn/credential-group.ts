import type { ByteString } from "../attributes/index.js";
import { claimHeaders } from "./claim-headers.js";
import type { CredentialCheck, CredentialVerdict } from "./credential.js";
import { type Refusal, type RefusedCredential, tooMany } from "./outcome.js";
import { addHeader, type RequestEditor } from "./request-editor.js";
import { type FoundToken, findTokens, placeKey, placeKeys, removeToken } from "./token-places.js";

/** Resources of one kind, in order; a credential is good when one of those that read its place takes it. */
export interface CredentialGroup {
  readonly checks: readonly CredentialCheck[];
  /** Which of `checks` read a place. */
  readonly byPlace: ReadonlyMap<string, readonly CredentialCheck[]>;
}

/** What a group says of a request. */
export type CredentialsVerdict =
  | TakenCredential
  | { readonly kind: "anonymous" }
  | { readonly kind: "refused"; readonly refusal: Refusal; readonly failures: readonly RefusedCredential[] }
  | { readonly kind: "pending"; readonly until: Promise<unknown> };

/** A credential that a resource knows. */
export interface TakenCredential {
  readonly kind: "accepted";
  readonly check: CredentialCheck;
  readonly verdict: Extract<CredentialVerdict, { refusal: undefined }>;
}

/** Verdicts of one request, kept when it is judged again after waiting. */
export type CredentialFindings = Map<CredentialCheck, Map<ByteString, CredentialVerdict>>;

/** Groups resources by their method, in the order given. */
export function groupChecks(checks: readonly CredentialCheck[]): CredentialGroup[] {
  const methods = [...new Set(checks.map(({ method }) => method))];
  return methods.map((method) => {
    const own = checks.filter((check) => check.method === method);
    const byPlace = new Map<string, CredentialCheck[]>();
    for (const check of own) {
      for (const key of placeKeys(check.places)) byPlace.set(key, [...(byPlace.get(key) ?? []), check]);
    }
    return { checks: own, byPlace };
  });
}

/** What a group judges a request by. */
interface Circumstances {
  /** The request as it came: a credential is judged also where another kind has taken its header out. */
  readonly original: RequestEditor;
  readonly editor: RequestEditor;
  readonly nowMs: number;
  readonly findings: CredentialFindings;
  /** Nobody is known yet: the first credential is the caller, and its claims go to the upstream. */
  readonly isFirst: boolean;
  /** Whether a credential is the group's, and not for another that reads the same place. */
  readonly isOurs: (token: FoundToken) => boolean;
}

/** Of one group in one request: each may cost a question to somebody outside. */
const maxCredentials = 8;

/** Every credential at the places of the group must be good; the first gives the identity. */
export function askGroup(group: CredentialGroup, circumstances: Circumstances): CredentialsVerdict {
  const { original, editor, isFirst, isOurs } = circumstances;
  let first: TakenCredential | undefined;
  const seen = new Set<string>();
  for (const { places } of group.checks) {
    for (const token of findTokens(places, original)) {
      const key = `${placeKey(token)} ${token.text}`;
      if (seen.has(key) || !isOurs(token)) continue;
      if (seen.size >= maxCredentials) return { kind: "refused", refusal: tooMany, failures: [] };
      seen.add(key);
      const judged = judgeToken(group.byPlace.get(placeKey(token)) ?? [], token.text, circumstances);
      if (judged.kind !== "accepted") return judged;
      const { check, verdict } = judged;
      if (!check.forwardOriginalToken) removeToken(editor, token);
      if (isFirst && first === undefined) {
        for (const [name, value] of claimHeaders(check.outputClaimToHeaders, verdict.payload)) {
          addHeader(editor, name, value);
        }
      }
      first ??= judged;
    }
  }
  return first ?? { kind: "anonymous" };
}

/** Asks one check after the other until one takes the credential. */
function judgeToken(
  checks: readonly CredentialCheck[],
  token: ByteString,
  { nowMs, findings }: Circumstances,
): Exclude<CredentialsVerdict, { kind: "anonymous" }> {
  const failures: RefusedCredential[] = [];
  let worst: Refusal | undefined;
  for (const check of checks) {
    const known = verdictsOf(check, findings);
    const verdict = known.get(token) ?? check.judge(token, nowMs);
    if (verdict instanceof Promise) {
      return { kind: "pending", until: verdict.then((value) => known.set(token, value)) };
    }
    known.set(token, verdict);
    if (verdict.refusal === undefined) return { kind: "accepted", check, verdict };
    failures.push({ method: check.method, issuer: check.name, reason: verdict.refusal.reason });
    // That one could not be asked weighs more than that another does not know the credential.
    if (worst === undefined || verdict.refusal.httpStatus > worst.httpStatus) worst = verdict.refusal;
  }
  if (worst === undefined) throw new TypeError("a place without a check");
  return { kind: "refused", refusal: worst, failures };
}

function verdictsOf(
  check: CredentialCheck,
  findings: CredentialFindings,
): Map<ByteString, CredentialVerdict> {
  const known = findings.get(check) ?? new Map<ByteString, CredentialVerdict>();
  findings.set(check, known);
  return known;
}
