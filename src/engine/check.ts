import type { Attributes, Workload } from "../attributes/index.js";
import type { RuleRef } from "../rbac/index.js";
import { authorize } from "./authorize.js";
import { allow, type Decision, type DryRun, deny, fail, noDryRun, type Outcome } from "./decision.js";
import { type Edits, invalidEdit, mergeEdits, noEdits, resolveEdits, withEdits } from "./edits.js";
import { ambiguity } from "./guard.js";
import type { Verdict } from "./provider.js";
import type { Chain, CustomFilter, Snapshot } from "./snapshot.js";

/** What a check needs from outside. */
export interface CheckPorts {
  /** A fresh id for the decision, unguessable enough not to collide. */
  readonly decisionId: () => string;
}

/** A request under way through the stages. */
interface Progress {
  readonly snapshot: Snapshot;
  readonly chain: Chain;
  readonly original: Uint8Array;
  readonly ports: CheckPorts;
  /** As the stages so far left it. */
  readonly attributes: Attributes;
  readonly edits: Edits;
  readonly metadata: Readonly<Record<string, unknown>> | undefined;
  readonly failedOpen: boolean;
  /** The CUSTOM rule whose provider allowed last. */
  readonly allowedBy: RuleRef | undefined;
}

/**
 * Decides. The one place where the order of the stages stands: guard, select, CUSTOM, authorize. Gives a
 * promise only when a provider has to be asked. `original` is the CheckRequest as Envoy sent it.
 */
export function check(
  snapshot: Snapshot,
  attributes: Attributes,
  original: Uint8Array,
  ports: CheckPorts,
): Decision | Promise<Decision> {
  const refused = guard(snapshot, attributes);
  if (refused !== undefined) return conclude(refused, snapshot, ports);
  const workload = destinationWorkload(snapshot, attributes);
  if (workload === undefined && !mayBeUnknown(snapshot)) {
    return conclude(deny("select", "unknown_workload"), snapshot, ports);
  }
  const chain = snapshot.plan(workload)[attributes.protocol];
  const progress = {
    snapshot,
    chain,
    original,
    ports,
    attributes,
    edits: noEdits,
    metadata: undefined,
    failedOpen: false,
    allowedBy: undefined,
  };
  return askProviders(progress, 0);
}

/** Refuses without a snapshot: there is no valid configuration yet. */
export function refuseAll(ports: CheckPorts): Decision {
  return conclude(fail("invalid_config"), undefined, ports);
}

/** Refuses because something went wrong that should not. */
export function refuseError(outcome: Outcome, generation: number, ports: CheckPorts): Decision {
  return { ...conclude(outcome, undefined, ports), generation };
}

function guard(snapshot: Snapshot, { request }: Attributes): Outcome | undefined {
  if (!snapshot.mesh.strictRequests || request === undefined) return undefined;
  return ambiguity(request) === undefined ? undefined : deny("guard", "ambiguous_request");
}

/** The first source that knows the workload supplies all of it. */
export function destinationWorkload(snapshot: Snapshot, attributes: Attributes): Workload | undefined {
  return attributes.workload ?? snapshot.lookup(attributes) ?? snapshot.mesh.defaultWorkload;
}

function mayBeUnknown({ mesh, scoped }: Snapshot): boolean {
  return mesh.unknownWorkload === "meshPolicies" || (mesh.unknownWorkload === "refuseIfScoped" && !scoped);
}

/** Stage 2, from filter `start` on; synchronous until a rule matches. */
function askProviders(progress: Progress, start: number): Decision | Promise<Decision> {
  const { custom } = progress.chain;
  for (let i = start; i < custom.length; i++) {
    const filter = custom[i];
    const match = filter?.rules.find((rule) => rule.matches(progress.attributes));
    if (filter === undefined || match === undefined) continue;
    if (filter.provider === undefined) return end(progress, deny("custom", "provider_unknown", match.ref));
    return ask(progress, filter, match.ref, i);
  }
  return finish(progress);
}

async function ask(progress: Progress, filter: CustomFilter, ref: RuleRef, index: number): Promise<Decision> {
  const { attributes, original } = progress;
  const verdict = await filter.provider?.({ attributes, original });
  if (verdict === undefined) return end(progress, deny("custom", "provider_unknown", ref));
  if (invalidEdit(verdict.edits) !== undefined)
    return end(progress, { ...fail("bad_edit"), stage: "custom", rule: ref });
  if (!verdict.allowed) return end(progress, refusal(verdict, ref));
  return askProviders(
    {
      ...progress,
      attributes: withEdits(attributes, verdict.edits),
      edits: mergeEdits(progress.edits, verdict.edits),
      metadata:
        verdict.metadata === undefined ? progress.metadata : { ...progress.metadata, ...verdict.metadata },
      failedOpen: progress.failedOpen || verdict.failedOpen,
      allowedBy: ref,
    },
    index + 1,
  );
}

function refusal(verdict: Verdict, rule: Outcome["rule"]): Outcome {
  const base = deny("custom", verdict.failed ? "provider_failed" : "provider_denied", rule);
  const { httpStatus, code, body, edits, metadata } = verdict;
  return { ...base, httpStatus, code: code === 0 ? base.code : code, body, edits, metadata };
}

/** Stage 4 and the end. */
function finish(progress: Progress): Decision {
  const { outcome, dryRun, audit } = authorize(progress.chain.filters, progress.attributes);
  if (!outcome.allowed) return end(progress, outcome, dryRun, audit);
  if (progress.allowedBy === undefined) return end(progress, outcome, dryRun, audit);
  const passed = outcome.stage === "none" ? allow("custom", "provider_allowed", progress.allowedBy) : outcome;
  const edits = resolveEdits(progress.edits, progress.attributes);
  return end(progress, { ...passed, edits, metadata: progress.metadata }, dryRun, audit);
}

function end(
  progress: Progress,
  outcome: Outcome,
  dryRun: readonly DryRun[] = noDryRun,
  audit: boolean | undefined = undefined,
): Decision {
  return decide(outcome, progress.snapshot.generation, progress.ports, dryRun, audit, progress.failedOpen);
}

function conclude(outcome: Outcome, snapshot: Snapshot | undefined, ports: CheckPorts): Decision {
  return decide(outcome, snapshot?.generation ?? 0, ports, noDryRun, undefined, false);
}

function decide(
  outcome: Outcome,
  generation: number,
  ports: CheckPorts,
  dryRun: readonly DryRun[],
  audit: boolean | undefined,
  failedOpen: boolean,
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
    failedOpen,
    generation,
    metadata,
  };
}
