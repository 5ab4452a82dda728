import type { HttpRequest, RequestAuth } from "../attributes/index.js";
import { askJwtRules } from "./ask-jwt-rules.js";
import { isCorsPreflight, refuseJwt } from "./bearer-challenge.js";
import { principalOf, withWords } from "./claims.js";
import type { CredentialCheck } from "./credential.js";
import { askGroup, type CredentialFindings, groupChecks, type TakenCredential } from "./credential-group.js";
import type { AcceptedToken, JwtCheck, JwtFindings } from "./jwt-check.js";
import {
  type Authentication,
  type AuthnObserver,
  type AuthnOutcome,
  type AuthnRecord,
  type Refusal,
  type RefusedCredential,
  tooMany,
  type Unauthenticated,
} from "./outcome.js";
import {
  editedRequest,
  editRequest,
  type RequestEditor,
  removeHeader,
  requestChanges,
} from "./request-editor.js";
import { createSameChanges } from "./same-changes.js";
import { createOwners } from "./token-owners.js";
import type { FoundToken } from "./token-places.js";

/** Everything that says who may call a workload. */
export interface AuthenticationParts {
  /** In Envoy's order: sorted by issuer. */
  readonly jwt: readonly JwtCheck[];
  /** By kind, and within a kind by name. */
  readonly credentials: readonly CredentialCheck[];
}

/** What a request has found out while it was judged, for when it is judged again. */
interface Findings {
  readonly jwt: JwtFindings;
  readonly credentials: CredentialFindings;
  /** The caller was known before. */
  readonly isKnown: boolean;
}

/** How often a request is judged again after waiting; one that needs more carries dozens of credentials. */
const maxRounds = 64;

/** A request while it is judged. */
interface Run {
  readonly request: HttpRequest;
  readonly editor: RequestEditor;
  readonly findings: Findings;
  readonly refused: RefusedCredential[];
  /** The first identity found. */
  caller: Caller | undefined;
}

interface Caller {
  readonly auth: RequestAuth;
  readonly record: AuthnRecord;
  /** A token that is remembered, so that what is made of it can be too. */
  readonly token: AcceptedToken | undefined;
}

/** Ends the run: a refusal, or something to wait for. */
type Stop = Unauthenticated | Promise<unknown>;

/**
 * Stage 3 of a workload. JWT rules first, exactly as Envoy; then the other kinds, each of whose credentials must be
 * good. The first identity found is the request's. Judging is synchronous and begins anew after each wait, with all
 * that was found out remembered.
 */
export function createAuthentication(parts: AuthenticationParts, observe: AuthnObserver): Authentication {
  const groups = groupChecks(parts.credentials);
  const ownerOf = createOwners(parts.jwt, groups);
  const outputs = outputHeaders(parts);
  const sameChanges = createSameChanges();
  const isJwt = groups.length === 0 ? () => true : (found: FoundToken) => ownerOf(found) === "jwt";

  const askRules = (run: Run): Stop | undefined => {
    const verdict = askJwtRules(parts.jwt, run.editor, run.findings.jwt, isJwt);
    if (verdict.kind === "pending") return verdict.until;
    if (verdict.kind === "anonymous") return undefined;
    for (const failure of verdict.failures) run.refused.push({ method: "jwt", ...failure });
    if (verdict.kind === "refused") return stop(run, refuseJwt(verdict.reason, run.request));
    const { token } = verdict;
    run.caller = { auth: token.auth, record: token.record, token };
    return undefined;
  };

  const askOthers = (run: Run): Stop | undefined => {
    if (groups.length === 0) return undefined;
    const { editor, findings } = run;
    const original = editRequest(run.request);
    for (const group of groups) {
      const circumstances = {
        original,
        editor,
        nowMs: findings.jwt.nowMs,
        findings: findings.credentials,
        isFirst: run.caller === undefined && !findings.isKnown,
        isOurs: (found: FoundToken) => ownerOf(found) === group,
      };
      const verdict = askGroup(group, circumstances);
      if (verdict.kind === "pending") return verdict.until;
      if (verdict.kind === "anonymous") continue;
      if (verdict.kind === "refused") {
        run.refused.push(...verdict.failures);
        return stop(run, verdict.refusal);
      }
      run.caller ??= callerOf(verdict);
    }
    return undefined;
  };

  const goOn = ({ editor, findings, caller, refused }: Run): AuthnOutcome => {
    const changes = requestChanges(editor, outputs);
    // Who shows nothing is mostly changed alike, and so is a token. One that was never seen may never be again.
    const isNew = findings.jwt.cacheMisses > 0;
    const of = caller === undefined ? parts : isNew ? undefined : caller.token;
    const known = caller?.record;
    return {
      refusal: undefined,
      auth: caller?.auth,
      request: editedRequest(editor),
      changes: changes && of ? sameChanges(of, changes) : changes,
      record: refused.length > 0 ? { ...(known ?? anonymous), refused } : known,
    };
  };

  const judge = (request: HttpRequest, findings: Findings): AuthnOutcome | Promise<unknown> => {
    const run: Run = { request, editor: editRequest(request), findings, refused: [], caller: undefined };
    for (const name of outputs) removeHeader(run.editor, name);
    const stopped = isCorsPreflight(request) ? undefined : (askRules(run) ?? askOthers(run));
    return stopped ?? goOn(run);
  };

  return (request, nowMs, isKnown = false) => {
    const findings: Findings = {
      jwt: {
        nowMs,
        readings: { digests: new Map(), parsed: new Map() },
        verifications: new Map(),
        refreshed: new Set(),
        cacheHits: 0,
        cacheMisses: 0,
      },
      credentials: new Map(),
      isKnown,
    };
    const outcome = judge(request, findings);
    if (!(outcome instanceof Promise)) {
      observe(outcome, findings.jwt);
      return outcome;
    }
    return judgeAgain(outcome, () => judge(request, findings)).then((settled) => {
      observe(settled, findings.jwt);
      return settled;
    });
  };
}

async function judgeAgain(
  first: Promise<unknown>,
  judge: () => AuthnOutcome | Promise<unknown>,
): Promise<AuthnOutcome> {
  let waiting = first;
  for (let round = 0; round < maxRounds; round++) {
    await waiting;
    const outcome = judge();
    if (!(outcome instanceof Promise)) return outcome;
    waiting = outcome;
  }
  return { refusal: tooMany, record: anonymous };
}

function stop({ refused }: Run, refusal: Refusal): Unauthenticated {
  return { refusal, record: { ...anonymous, refused } };
}

function callerOf({ check, verdict }: TakenCredential): Caller {
  const { payload } = verdict;
  const { method, name } = check;
  return {
    auth: { payload: withWords(payload) },
    record: { method, issuer: name, principal: principalOf(payload), refused: [] },
    token: undefined,
  };
}

const anonymous: AuthnRecord = { method: undefined, issuer: "", principal: "", refused: [] };

/** Headers that only we set: a client's own are taken out of every request. */
function outputHeaders({ jwt, credentials }: AuthenticationParts): readonly string[] {
  const names = [
    ...jwt.flatMap(({ outputs }) => outputs),
    ...credentials.flatMap((check) => check.outputClaimToHeaders.map(({ header }) => header)),
  ];
  return [...new Set(names)];
}
