import type { AcceptedToken, JwtCheck, JwtFindings, Pending } from "./jwt-check.js";
import type { JwtReason } from "./jwt-status.js";
import { addHeader, type RequestEditor, removeHeader } from "./request-editor.js";
import { type FoundToken, findTokens, removeToken } from "./token-places.js";

/** What the JWT rules of a workload say of a request. */
export type JwtVerdict =
  | { readonly kind: "accepted"; readonly token: AcceptedToken; readonly failures: readonly JwtFailure[] }
  | { readonly kind: "anonymous" }
  | { readonly kind: "refused"; readonly reason: JwtReason; readonly failures: readonly JwtFailure[] }
  | { readonly kind: "pending"; readonly until: Promise<unknown> };

/** A rule that found a token and did not take it. */
export interface JwtFailure {
  readonly issuer: string;
  readonly reason: JwtReason;
}

/** What a run over the rules has come to. */
interface Run {
  readonly editor: RequestEditor;
  readonly findings: JwtFindings;
  /** Whether a token is for the JWT rules, and not for another resource that reads the same place. */
  readonly isOurs: (token: FoundToken) => boolean;
  /** The token verified last: its payload is what policies see. */
  accepted: AcceptedToken | undefined;
}

/**
 * Asks the rules one after the other as Envoy does for the requirement that Istio makes of them:
 * `any{P1 … Pn, all{any{Pi, allow_missing} …}}` (`verifier.cc`). The first rule whose tokens are all good ends it;
 * without one the request passes only where every rule misses a token. What a rule takes out of the request and puts
 * into it stays, whatever comes of the rule, and the next one sees it so.
 */
export function askJwtRules(
  checks: readonly JwtCheck[],
  editor: RequestEditor,
  findings: JwtFindings,
  isOurs: Run["isOurs"],
): JwtVerdict {
  const run: Run = { editor, findings, isOurs, accepted: undefined };
  const failures: JwtFailure[] = [];
  let final: JwtReason = "jwt_missing";
  const note = (reason: JwtReason): void => {
    // The last that is neither missing nor of another issuer, else of another issuer, else missing.
    if ((reason !== "jwt_missing" && reason !== "jwt_unknown_issuer") || final === "jwt_missing")
      final = reason;
  };
  for (const check of checks) {
    const status = askRule(check, run);
    if (typeof status !== "string") return { kind: "pending", until: status.until };
    if (status === "ok") return passed(run, failures);
    if (status !== "jwt_missing") failures.push({ issuer: check.rule.issuer, reason: status });
    note(status);
  }
  if (failures.length === 0) return { kind: "anonymous" };
  if (checks.length > 1) {
    const status = askAll(checks, run);
    if (typeof status !== "string") return { kind: "pending", until: status.until };
    if (status === "ok") return passed(run, failures);
    note(status);
  }
  return { kind: "refused", reason: final, failures };
}

/** The second arm: every rule once more, and none may fail but by missing a token. */
function askAll(checks: readonly JwtCheck[], run: Run): "ok" | JwtReason | Pending {
  for (const check of checks) {
    const status = askRule(check, run);
    if (status !== "ok" && status !== "jwt_missing") return status;
  }
  return "ok";
}

/**
 * All tokens of a rule must be good, from the last to the first; the first that is not says why. The headers that the
 * rule sets are taken out before, every time that it is asked.
 */
function askRule({ rule, judge, outputs }: JwtCheck, run: Run): "ok" | JwtReason | Pending {
  const { editor, findings, isOurs } = run;
  for (const name of outputs) removeHeader(editor, name);
  const tokens = findTokens(rule.places, editor).filter(isOurs);
  if (tokens.length === 0) return "jwt_missing";
  for (const token of tokens.reverse()) {
    const judged = judge(token.text, findings);
    if (typeof judged === "string") return judged;
    if ("until" in judged) return judged;
    for (const [name, value] of judged.headers) addHeader(editor, name, value);
    if (!rule.forwardOriginalToken) removeToken(editor, token);
    run.accepted = judged;
  }
  return "ok";
}

/** That a token is not of the other issuers is nothing to tell once its own has taken it. */
function passed({ accepted }: Run, failures: readonly JwtFailure[]): JwtVerdict {
  if (accepted === undefined) return { kind: "anonymous" };
  const told = failures.filter(({ reason }) => reason !== "jwt_unknown_issuer");
  return { kind: "accepted", token: accepted, failures: told };
}
