import type { Attributes, Workload } from "../attributes/index.js";
import type { AuthnRecord } from "../authn/index.js";
import { after } from "../quota/index.js";
import { joinObligations, noObligations, type RuleRef } from "../rbac/index.js";
import { authenticate, type Identified } from "./authenticate.js";
import { authorize, firstMatch } from "./authorize.js";
import { allow, type Decision, type DryRun, deny, fail, noDryRun, type Outcome } from "./decision.js";
import { type Edits, invalidEdit, mergeEdits, noEdits, resolveEdits, withEdits } from "./edits.js";
import { ambiguity } from "./guard.js";
import { obligationsAsked, withoutObligations } from "./obligations.js";
import type { Provider, ProviderRequest, Verdict } from "./provider.js";
import { noQuota, type QuotaTaken, quotaTaken } from "./quota.js";
import type { Chain, OwnPolicy, Snapshot } from "./snapshot.js";

/** What a check needs from outside. */
export interface CheckPorts {
  /** A fresh id for the decision, unguessable enough not to collide. */
  readonly decisionId: () => string;
  /** Milliseconds since the epoch, for the validity of tokens. */
  readonly wallClock: () => number;
  /** The request was charged before: quotas are left alone. */
  readonly isCharged?: boolean;
}

/** A CheckRequest, or what makes one; may throw, which ends the request as any fault does. */
type Original = Uint8Array | (() => Uint8Array);

/** What stands in every decision of a request, whatever its outcome. */
interface Circumstances {
  readonly generation: number;
  readonly workload: Workload | undefined;
  readonly failedOpen: boolean;
  readonly authn: AuthnRecord | undefined;
  /** As the stages so far left it. */
  readonly attributes: Attributes | undefined;
  /** What the policies so far ask for. */
  readonly obligations: readonly string[];
  readonly ports: CheckPorts;
}

/** What the stages so far found out beside the answer. */
interface Found {
  readonly outcome: Outcome;
  readonly dryRun: readonly DryRun[];
  readonly audit: boolean | undefined;
}

/** A request under way through the stages. */
interface Progress extends Circumstances {
  readonly snapshot: Snapshot;
  readonly chain: Chain;
  readonly original: Original;
  readonly attributes: Attributes;
  readonly edits: Edits;
  readonly metadata: Readonly<Record<string, unknown>> | undefined;
  /** The CUSTOM rule whose provider allowed last. */
  readonly allowedBy: RuleRef | undefined;
  /** Of policies that providers have on trial. */
  readonly dryRun: readonly DryRun[];
}

/**
 * Decides. The one place where the order of the stages stands: guard, select, CUSTOM, authn, authorize, own
 * policies, quota; with `customSeesIdentity` authn comes before CUSTOM. Gives a promise only when a provider, a
 * credential or a counter cannot be asked at once. `original` is the CheckRequest as Envoy sent it, or
 * what gives one that is like it when a provider is asked.
 */
export function check(
  snapshot: Snapshot,
  attributes: Attributes,
  original: Original,
  ports: CheckPorts,
): Decision | Promise<Decision> {
  const workload = destinationWorkload(snapshot, attributes);
  const refused = guard(snapshot, attributes);
  if (refused !== undefined) return refuse(refused, snapshot.generation, ports, workload);
  if (workload === undefined && !mayBeUnknown(snapshot)) {
    return refuse(deny("select", "unknown_workload"), snapshot.generation, ports);
  }
  const chain = snapshot.plan(workload)[attributes.protocol];
  // A policy in Rego alone is asked with the request as it is; everything else is about who calls.
  if (attributes.identityFault !== undefined && !isOwnOnly(chain)) throw attributes.identityFault;
  const progress = {
    snapshot,
    generation: snapshot.generation,
    workload,
    chain,
    original,
    ports,
    attributes,
    edits: noEdits,
    metadata: undefined,
    failedOpen: false,
    authn: undefined,
    obligations: noObligations,
    allowedBy: undefined,
    dryRun: noDryRun,
  };
  return snapshot.mesh.customSeesIdentity ? identify(progress) : askProviders(progress, 0);
}

/** A refusal that no policy was asked about. `generation` is 0 where there is no valid configuration. */
export function refuse(
  outcome: Outcome,
  generation: number,
  ports: CheckPorts,
  workload?: Workload,
): Decision {
  const nothingKnown = { attributes: undefined, failedOpen: false, authn: undefined };
  return end({ generation, workload, ...nothingKnown, obligations: noObligations, ports }, outcome);
}

function guard(snapshot: Snapshot, { request }: Attributes): Outcome | undefined {
  if (!snapshot.mesh.strictRequests || request === undefined) return undefined;
  return ambiguity(request) === undefined ? undefined : deny("guard", "ambiguous_request");
}

function isOwnOnly({ custom, authn, filters, own }: Chain): boolean {
  return own.length > 0 && custom.length === 0 && authn === undefined && filters.length === 0;
}

/** Whose policies are asked: the first source that knows the workload supplies all of it. */
export function destinationWorkload(snapshot: Snapshot, attributes: Attributes): Workload | undefined {
  return attributes.workload ?? snapshot.lookup(attributes) ?? snapshot.mesh.defaultWorkload;
}

/** A request whose workload nobody knows is judged by the mesh-wide policies, and not refused. */
export function mayBeUnknown({ mesh, scoped }: Snapshot): boolean {
  return mesh.unknownWorkload === "meshPolicies" || (mesh.unknownWorkload === "refuseIfScoped" && !scoped);
}

/** Stage 2, from filter `start` on; synchronous until a rule matches. */
function askProviders(progress: Progress, start: number): Decision | Promise<Decision> {
  const { custom } = progress.chain;
  for (let i = start; i < custom.length; i++) {
    const filter = custom[i];
    const match = filter && firstMatch(filter.rules, progress.attributes);
    if (filter === undefined || match === undefined) continue;
    if (filter.provider === undefined)
      return turnAway(progress, deny("custom", "provider_unknown", match.ref));
    return ask(progress, filter.provider, match.ref, i);
  }
  return progress.snapshot.mesh.customSeesIdentity ? finish(progress) : identify(progress);
}

function ask(
  progress: Progress,
  provider: Provider,
  ref: RuleRef,
  index: number,
): Decision | Promise<Decision> {
  const next = (verdict: Verdict): Decision | Promise<Decision> => {
    const refused = refusalOf(verdict, "custom", ref);
    if (refused !== undefined) return turnAway(progress, refused, progress.dryRun);
    return askProviders({ ...allowedBy(progress, verdict, ref), allowedBy: ref }, index + 1);
  };
  const verdict = provider(question(progress));
  return verdict instanceof Promise ? verdict.then(next) : next(verdict);
}

/** What a provider is asked with. */
function question(progress: Progress): ProviderRequest {
  const { original } = progress;
  return typeof original === "function"
    ? { ...progress, original: original() }
    : (progress as Progress & { readonly original: Uint8Array });
}

/** The request as a provider that let it pass left it. */
function allowedBy(progress: Progress, verdict: Verdict, { policy }: RuleRef): Progress {
  const { edits, failedOpen, dryRun } = verdict;
  // What is on trial asks for nothing.
  const isTrial = dryRun !== undefined;
  const asked = isTrial ? noObligations : (obligationsAsked(verdict.metadata, policy) ?? noObligations);
  const metadata = isTrial ? verdict.metadata : withoutObligations(verdict.metadata);
  return {
    ...progress,
    attributes: withEdits(progress.attributes, edits),
    edits: mergeEdits(progress.edits, edits),
    metadata: metadata === undefined ? progress.metadata : { ...progress.metadata, ...metadata },
    failedOpen: progress.failedOpen || failedOpen,
    obligations: joinObligations(progress.obligations, asked),
    dryRun:
      dryRun === undefined
        ? progress.dryRun
        : [...progress.dryRun, { action: "REGO", result: dryRun, policy }],
  };
}

/** Why the answers of providers end a request, for each stage that asks some. */
const refusalReasons = {
  custom: { failed: "provider_failed", denied: "provider_denied" },
  rego: { failed: "policy_failed", denied: "denied_by_policy" },
} as const;

/** What a verdict ends the request with; undefined when it lets it pass. */
function refusalOf(verdict: Verdict, stage: "custom" | "rego", rule: RuleRef): Outcome | undefined {
  const rights = { rewrites: verdict.mayRewrite === true, isRefusal: !verdict.allowed };
  if (invalidEdit(verdict.edits, rights) !== undefined) return { ...fail("bad_edit"), stage, rule };
  const reasons = refusalReasons[stage];
  if (verdict.allowed) {
    const isReadable =
      verdict.dryRun !== undefined || obligationsAsked(verdict.metadata, rule.policy) !== undefined;
    return isReadable ? undefined : { ...fail(reasons.failed), stage, rule };
  }
  const { failed, isBadRequest, httpStatus, code, body, edits, metadata } = verdict;
  const base = deny(stage, isBadRequest ? "bad_request" : failed ? reasons.failed : reasons.denied, rule);
  return { ...base, httpStatus, code: code === 0 ? base.code : code, body, edits, metadata };
}

/** Stage 3; synchronous unless a credential cannot be judged at once. */
function identify(progress: Progress): Decision | Promise<Decision> {
  const { chain, snapshot, attributes, ports } = progress;
  const found = authenticate(chain, snapshot.mesh, attributes, ports.wallClock);
  return found instanceof Promise
    ? found.then((identified) => goOn(progress, identified))
    : goOn(progress, found);
}

function goOn(progress: Progress, found: Identified): Decision | Promise<Decision> {
  const { record } = found;
  if (found.refused !== undefined) return turnAway({ ...progress, authn: record }, found.refused);
  const { attributes } = found;
  const edits = mergeEdits(progress.edits, found.edits);
  const known =
    record === undefined && edits === progress.edits && attributes === progress.attributes
      ? progress
      : { ...progress, attributes, edits, authn: record };
  return progress.snapshot.mesh.customSeesIdentity ? askProviders(known, 0) : finish(known);
}

/** Stage 4. */
function finish(progress: Progress): Decision | Promise<Decision> {
  const authorized = authorize(progress.chain.filters, progress.attributes);
  const dryRun =
    progress.dryRun === noDryRun ? authorized.dryRun : [...progress.dryRun, ...authorized.dryRun];
  const found = { ...authorized, dryRun };
  if (!found.outcome.allowed) return turnAway(progress, found.outcome, dryRun, found.audit);
  const obligations = joinObligations(progress.obligations, found.obligations);
  return askOwn({ ...progress, dryRun, obligations }, found, 0);
}

/** Stage 5, from policy `start` on; synchronous unless a policy has to be waited for. */
function askOwn(progress: Progress, found: Found, start: number): Decision | Promise<Decision> {
  let now = progress;
  const { own } = progress.chain;
  for (let i = start; i < own.length; i++) {
    const policy = own[i];
    if (policy === undefined) continue;
    const verdict = policy.provider(question(now));
    if (verdict instanceof Promise) {
      const before = now;
      return verdict.then((settled) => {
        const next = judgeOwn(before, settled, policy, found);
        return "decisionId" in next ? next : askOwn(next, found, i + 1);
      });
    }
    const next = judgeOwn(now, verdict, policy, found);
    if ("decisionId" in next) return next;
    now = next;
  }
  return takeQuota(now, found);
}

/** The refusal, or the request on its way to the next policy. */
function judgeOwn(
  progress: Progress,
  verdict: Verdict,
  { ref }: OwnPolicy,
  { audit }: Found,
): Decision | Progress {
  const refused = refusalOf(verdict, "rego", ref);
  return refused === undefined
    ? allowedBy(progress, verdict, ref)
    : turnAway(progress, refused, progress.dryRun, audit);
}

/** Stage 6; synchronous unless the counters stand elsewhere. */
function takeQuota(progress: Progress, found: Found): Decision | Promise<Decision> {
  const { quota } = progress.chain;
  if (quota === undefined || progress.ports.isCharged === true) return pass(progress, found, noQuota);
  return after(quota.charge(progress), (outcome) => pass(progress, found, quotaTaken(quota, outcome)));
}

/** The end of a request that a stage before the quota refuses; quotas that want it count it all the same. */
function turnAway(
  progress: Progress,
  outcome: Outcome,
  dryRun: readonly DryRun[] = noDryRun,
  audit: boolean | undefined = undefined,
): Decision {
  if (progress.ports.isCharged !== true) progress.chain.quota?.chargeRefused?.(progress);
  return end(progress, outcome, dryRun, audit);
}

/** The end of a request that no stage before the quota refused. */
function pass(progress: Progress, { outcome, audit }: Found, quota: QuotaTaken): Decision {
  const { allowedBy: custom, chain, metadata, edits: wanted, attributes } = progress;
  const dryRun = quota.dryRun.length === 0 ? progress.dryRun : [...progress.dryRun, ...quota.dryRun];
  const failedOpen = progress.failedOpen || quota.failedOpen;
  const last = failedOpen === progress.failedOpen ? progress : { ...progress, failedOpen };
  if (quota.refused !== undefined) return end(last, quota.refused, dryRun, audit, quota);
  const own = chain.own.at(-1)?.ref;
  const passed = outcome.stage === "none" ? (answerOf(own, custom) ?? outcome) : outcome;
  if (wanted === noEdits && metadata === undefined) return end(last, passed, dryRun, audit, quota);
  // What authentication alone wants are final values already.
  const edits = custom === undefined && own === undefined ? wanted : resolveEdits(wanted, attributes);
  return end(last, { ...passed, edits, metadata }, dryRun, audit, quota);
}

/** Who allowed, where no rule of stage 4 did. */
function answerOf(own: RuleRef | undefined, custom: RuleRef | undefined): Outcome | undefined {
  if (own !== undefined) return allow("rego", "allowed_by_policy", own);
  return custom === undefined ? undefined : allow("custom", "provider_allowed", custom);
}

function end(
  { generation, workload, failedOpen, authn, attributes, obligations, ports }: Circumstances,
  outcome: Outcome,
  dryRun: readonly DryRun[] = noDryRun,
  audit: boolean | undefined = undefined,
  quota: QuotaTaken = noQuota,
): Decision {
  const { allowed, code, httpStatus, stage, reason, rule, body, edits, metadata } = outcome;
  const decisionId = ports.decisionId();
  return {
    decisionId,
    allowed,
    code,
    httpStatus,
    stage,
    reason,
    rule,
    body,
    edits,
    dryRun,
    audit,
    quota,
    failedOpen,
    obligations: allowed ? obligations : noObligations,
    attributes,
    authn,
    generation,
    workload,
    metadata,
  };
}
