import type { Attributes } from "../attributes/index.js";
import type { Path } from "../diagnostics/index.js";
import type { Predicate } from "../matchers/index.js";
import { compilePermission, compilePrincipal } from "../rbac/index.js";
import type { AuthorizationPolicy } from "./authorization-policy.js";
import { type Part, translateRule } from "./translate.js";
import type { TrustDomains } from "./trust-domain.js";

/** The rule of an ALLOW policy that came closest to matching, and what kept it from it. */
export interface NearestMiss {
  /** `NAMESPACE/NAME`. */
  readonly policy: string;
  readonly rule: number;
  /** The first condition that failed, from its rule on, e.g. `to[0].operation.methods`. */
  readonly condition: string;
  /** The same from the document's root. */
  readonly path: Path;
  /** How many conditions of that rule failed; 1 means that this one alone was in the way. */
  readonly failed: number;
}

/**
 * Finds the nearest miss among the ALLOW policies that apply to a request which none of them allows.
 * Undefined when none of them has a rule that can match on this protocol. Compiles as it goes: for `check
 * --explain`, not for requests.
 */
export function nearestMiss(
  policies: readonly AuthorizationPolicy[],
  attributes: Attributes,
  trustDomains: TrustDomains,
): NearestMiss | undefined {
  let nearest: NearestMiss | undefined;
  for (const policy of policies) {
    if (policy.action !== "ALLOW" || policy.dryRun) continue;
    for (const index of policy.rules.keys()) {
      const miss = missOf(policy, index, attributes, trustDomains);
      if (miss !== undefined && (nearest === undefined || miss.failed < nearest.failed)) nearest = miss;
    }
  }
  return nearest;
}

function missOf(
  policy: AuthorizationPolicy,
  index: number,
  attributes: Attributes,
  trustDomains: TrustDomains,
): NearestMiss | undefined {
  const context = { namespace: policy.namespace, trustDomains };
  const parts = translateRule(policy, index, attributes.protocol, context);
  if (parts === undefined) return undefined;
  const failed = [
    ...fewestFailures(parts.principals, compilePrincipal, attributes),
    ...fewestFailures(parts.permissions, compilePermission, attributes),
  ];
  const first = failed[0];
  if (first === undefined) return undefined;
  const condition = formatPath(first.slice(3));
  return {
    policy: `${policy.namespace}/${policy.name}`,
    rule: index,
    condition,
    path: first,
    failed: failed.length,
  };
}

/** Of the alternatives (`from` or `to` items), the one with the fewest failed conditions: their paths. */
function fewestFailures<Node>(
  alternatives: readonly (readonly Part<Node>[])[],
  compile: (node: Node) => Predicate<Attributes>,
  attributes: Attributes,
): readonly Path[] {
  let fewest: readonly Path[] | undefined;
  for (const parts of alternatives) {
    const failed = parts.filter((part) => !compile(part.node)(attributes)).map((part) => part.path);
    if (fewest === undefined || failed.length < fewest.length) fewest = failed;
  }
  return fewest ?? [];
}

/** `["to", 0, "operation"]` as `to[0].operation`. */
function formatPath(path: Path): string {
  return path.map((key, i) => (typeof key === "number" ? `[${key}]` : i === 0 ? key : `.${key}`)).join("");
}
