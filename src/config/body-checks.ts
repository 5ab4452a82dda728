import { type BodyPolicy, regoPoliciesOf, usageFindings } from "../body/index.js";
import { codes, type Diagnostic, type Finding } from "../diagnostics/index.js";
import { type AuthorizationPolicy, trialObligations, unknownObligations } from "../istio/index.js";
import type { Quota } from "../quota/index.js";
import type { Diagnose, DocumentReading, Placement } from "./reading.js";
import type { Resource } from "./resource.js";

/** What only shows between BodyPolicies and the RegoPolicies, Quotas and obligations that go with them. */
export function bodyFindings(
  placements: readonly Placement[],
  resources: ReadonlyMap<string, Resource>,
  diagnose: Diagnose,
): Diagnostic[] {
  const bodies = new Set<string>();
  const onTrial = new Set<string>();
  const rego = new Set<string>();
  const quotas = new Map<string, Quota>();
  for (const { kind, namespace, name, spec } of resources.values()) {
    const label = `${namespace}/${name}`;
    if (kind === "BodyPolicy") {
      bodies.add(label);
      if ((spec as BodyPolicy | undefined)?.dryRun === true) onTrial.add(label);
    } else if (kind === "RegoPolicy") rego.add(label);
    else if (kind === "Quota" && spec !== undefined) quotas.set(label, spec as Quota);
  }
  return placements.flatMap((placement) =>
    placement.reading.documents.flatMap((read) => {
      const spec = resources.get(read.id)?.spec;
      if (spec === undefined) return [];
      return findingsOf(read, spec, { bodies, onTrial, rego, quotas }).map(({ code, path, message }) =>
        diagnose(placement, read, code, path, message),
      );
    }),
  );
}

interface Known {
  readonly bodies: ReadonlySet<string>;
  readonly onTrial: ReadonlySet<string>;
  readonly rego: ReadonlySet<string>;
  readonly quotas: ReadonlyMap<string, Quota>;
}

type Plain = Pick<Finding, "code" | "path" | "message">;

function findingsOf({ id, kind }: DocumentReading, spec: unknown, known: Known): readonly Plain[] {
  if (id.startsWith("security.istio.io/AuthorizationPolicy/")) {
    const policy = spec as AuthorizationPolicy;
    return [...unknownObligations(policy, known.bodies), ...trialObligations(policy, known.onTrial)];
  }
  if (kind !== "BodyPolicy") return [];
  const policy = spec as BodyPolicy;
  const asked = regoPoliciesOf(policy).filter((one) => !known.rego.has(one.policy));
  return [
    ...usageFindings(policy.usage, known.quotas),
    ...asked.map(({ policy: name, path }) => ({
      code: codes.unknownBodyRegoPolicy,
      path,
      message: `no RegoPolicy \`${name}\` is loaded, requests that reach this rule are refused`,
    })),
  ];
}

/** Quotas that some BodyPolicy charges when a response is over, as `Quota NAMESPACE/NAME`: they count without a cost too. */
export function quotasChargedLater(resources: ReadonlyMap<string, Resource>): ReadonlySet<string> {
  const charged = new Set<string>();
  for (const { kind, spec } of resources.values()) {
    const usage = kind === "BodyPolicy" ? (spec as BodyPolicy | undefined)?.usage : undefined;
    if (usage !== undefined) charged.add(`Quota ${usage.quota}`);
  }
  return charged;
}
