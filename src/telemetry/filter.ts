import type { BodyRecord } from "./body-record.js";
import type { DecisionOutcome, KnownDecision, ServedResponse } from "./joined.js";

/** What `/decisions` can be asked for. All that is given must hold. */
export interface DecisionFilter {
  /** True: only what was refused, by us or by Envoy in want of our answer; false: only what passed. */
  readonly denied?: boolean | undefined;
  /** `NAMESPACE/NAME` that decided, or that refused in a later phase. */
  readonly policy?: string | undefined;
  readonly outcome?: DecisionOutcome | undefined;
  /** The caller: `ISSUER/SUBJECT` of the credential, or the principal of the certificate. */
  readonly principal?: string | undefined;
  /** In any case; without a port it fits every port. */
  readonly host?: string | undefined;
  /** What the path begins with. */
  readonly path?: string | undefined;
  /** Not before, milliseconds since the epoch. */
  readonly since?: number | undefined;
  readonly decisionId?: string | undefined;
  /** x-request-id, known when the proxy has reported. Clients choose it, so that several decisions may have one. */
  readonly requestId?: string | undefined;
  readonly stage?: string | undefined;
  readonly reason?: string | undefined;
  /** `NAMESPACE/NAME` of a quota that was asked. */
  readonly quota?: string | undefined;
  /** `NAMESPACE/NAME` of a BodyPolicy that applied or was asked for. */
  readonly bodyPolicy?: string | undefined;
  /** True: only what was served without its obligations; false: all else. */
  readonly unmet?: boolean | undefined;
  /** Only what came or changed since the record with this `cursor`, then the one that changed first comes first. */
  readonly after?: number | undefined;
  readonly limit?: number | undefined;
}

interface Held {
  readonly decision: KnownDecision;
  readonly outcome: DecisionOutcome;
  readonly response: ServedResponse | null;
  readonly body: BodyRecord | null;
  readonly unmet: readonly string[];
}

/** Whether a decision is what is asked for; `after` and `limit` are not looked at. */
export function matches(held: Held, filter: DecisionFilter): boolean {
  const { decision: record, outcome, response, body, unmet } = held;
  const { denied, policy, principal, host, path, since, decisionId, requestId, stage, reason, quota } =
    filter;
  return (
    (denied === undefined || isRefused(record, outcome) === denied) &&
    (policy === undefined || record.policy === policy || body?.refused?.policy === policy) &&
    (filter.outcome === undefined || filter.outcome === outcome) &&
    (principal === undefined ||
      record.request_principal === principal ||
      record.source_principal === principal) &&
    (host === undefined || isHost(record.host, host)) &&
    (path === undefined || (record.path?.startsWith(path) ?? false)) &&
    (since === undefined || record.time >= since) &&
    (decisionId === undefined || record.decision_id === decisionId) &&
    (requestId === undefined || response?.request_id === requestId) &&
    (stage === undefined || record.stage === stage || (stage === "body" && isRefusedLater(body))) &&
    (reason === undefined || record.reason === reason || body?.refused?.reason === reason) &&
    (quota === undefined || record.quota.some((taken) => taken.quota === quota)) &&
    (filter.bodyPolicy === undefined || concerns(held, filter.bodyPolicy)) &&
    (filter.unmet === undefined || unmet.length > 0 === filter.unmet)
  );
}

function concerns({ decision, body }: Held, policy: string): boolean {
  return decision.obligations.includes(policy) || (body?.policies.includes(policy) ?? false);
}

function isRefusedLater(body: BodyRecord | null): boolean {
  return (body?.refused ?? null) !== null;
}

function isRefused({ allowed }: KnownDecision, outcome: DecisionOutcome): boolean {
  return allowed === false || outcome === "denied" || outcome === "error" || outcome === "timeout";
}

const port = /:\d+$/;

function isHost(host: string | null, asked: string): boolean {
  if (host === null) return false;
  const [one, other] = [host.toLowerCase(), asked.toLowerCase()];
  return one === other || one.replace(port, "") === other;
}
