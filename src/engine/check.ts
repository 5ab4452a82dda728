import type { Attributes, Workload } from "../attributes/index.js";
import type { AuthnRecord } from "../authn/index.js";
import type { RuleRef } from "../rbac/index.js";
import { authenticate, type Identified } from "./authenticate.js";
import { authorize, firstMatch } from "./authorize.js";
import { allow, type Decision, type DryRun, deny, fail, noDryRun, type Outcome } from "./decision.js";
import { type Edits, invalidEdit, mergeEdits, noEdits, resolveEdits, withEdits } from "./edits.js";
import { ambiguity } from "./guard.js";
import type { Provider, Verdict } from "./provider.js";
import type { Chain, Snapshot } from "./snapshot.js";

/** What a check needs from outside. */
export interface CheckPorts {
  /** A fresh id for the decision, unguessable enough not to collide. */
  readonly decisionId: () => string;
  /** Milliseconds since the epoch, for the validity of tokens. */
  readonly wallClock: () => number;
}

/** What stands in every decision of a request, whatever its outcome. */
interface Circumstances {
  readonly generation: number;
  readonly workload: Workload | undefined;
  readonly failedOpen: boolean;
  readonly authn: AuthnRecord | undefined;
  /** As the stages so far left it. */
  readonly attributes: Attributes | undefined;
  readonly ports: CheckPorts;
}

/** A request under way through the stages. */
interface Progress extends Circumstances {
  readonly snapshot: Snapshot;
  readonly chain: Chain;
  readonly original: Uint8Array;
  readonly attributes: Attributes;
  readonly edits: Edits;
  readonly metadata: Readonly<Record<string, unknown>> | undefined;
  /** The CUSTOM rule whose provider allowed last. */
  readonly allowedBy: RuleRef | undefined;
}

/**
 * Decides. The one place where the order of the stages stands: guard, select, CUSTOM, authn, authorize; with
 * `customSeesIdentity` authn comes before CUSTOM. Gives a promise only when a provider has to be asked or a
 * credential cannot be judged at once. `original` is the CheckRequest as Envoy sent it.
 */
export function check(
  snapshot: Snapshot,
  attributes: Attributes,
  original: Uint8Array,
  ports: CheckPorts,
): Decision | Promise<Decision> {
  const workload = destinationWorkload(snapshot, attributes);
  const refused = guard(snapshot, attributes);
  if (refused !== undefined) return refuse(refused, snapshot.generation, ports, workload);
  if (workload === undefined && !mayBeUnknown(snapshot)) {
    return refuse(deny("select", "unknown_workload"), snapshot.generation, ports);
  }
  const chain = snapshot.plan(workload)[attributes.protocol];
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
    allowedBy: undefined,
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
  return end(
    { generation, workload, attributes: undefined, failedOpen: false, authn: undefined, ports },
    outcome,
  );
}

function guard(snapshot: Snapshot, { request }: Attributes): Outcome | undefined {
  if (!snapshot.mesh.strictRequests || request === undefined) return undefined;
  return ambiguity(request) === undefined ? undefined : deny("guard", "ambiguous_request");
}

/** The first source that knows the workload supplies all of it. */
function destinationWorkload(snapshot: Snapshot, attributes: Attributes): Workload | undefined {
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
    const match = filter && firstMatch(filter.rules, progress.attributes);
    if (filter === undefined || match === undefined) continue;
    if (filter.provider === undefined) return end(progress, deny("custom", "provider_unknown", match.ref));
    return ask(progress, filter.provider, match.ref, i);
  }
  return progress.snapshot.mesh.customSeesIdentity ? finish(progress) : identify(progress);
}

async function ask(progress: Progress, provider: Provider, ref: RuleRef, index: number): Promise<Decision> {
  const { attributes, original } = progress;
  const verdict = await provider({ attributes, original });
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
  if (found.refused !== undefined) return end({ ...progress, authn: record }, found.refused);
  const { attributes } = found;
  const edits = mergeEdits(progress.edits, found.edits);
  const known =
    record === undefined && edits === progress.edits && attributes === progress.attributes
      ? progress
      : { ...progress, attributes, edits, authn: record };
  return progress.snapshot.mesh.customSeesIdentity ? askProviders(known, 0) : finish(known);
}

/** Stage 4 and the end. */
function finish(progress: Progress): Decision {
  const { allowedBy, metadata, edits: wanted, attributes } = progress;
  const { outcome, dryRun, audit } = authorize(progress.chain.filters, attributes);
  if (!outcome.allowed) return end(progress, outcome, dryRun, audit);
  const byProvider = allowedBy !== undefined && outcome.stage === "none";
  const passed = byProvider ? allow("custom", "provider_allowed", allowedBy) : outcome;
  if (wanted === noEdits && metadata === undefined) return end(progress, passed, dryRun, audit);
  // What authentication alone wants are final values already.
  const edits = allowedBy === undefined ? wanted : resolveEdits(wanted, attributes);
  return end(progress, { ...passed, edits, metadata }, dryRun, audit);
}

function end(
  { generation, workload, failedOpen, authn, attributes, ports }: Circumstances,
  outcome: Outcome,
  dryRun: readonly DryRun[] = noDryRun,
  audit: boolean | undefined = undefined,
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
    attributes,
    authn,
    generation,
    workload,
    metadata,
  };
}
