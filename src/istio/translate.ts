import type { Path } from "../diagnostics/index.js";
import type { Permission, Principal, RbacPolicy } from "../rbac/index.js";
import type { AuthorizationPolicy, Condition, Operation, Rule, Source } from "./authorization-policy.js";
import {
  type Context,
  hosts,
  ipBlocks,
  keyGenerator,
  methods,
  namespaces,
  paths,
  ports,
  remoteIpBlocks,
  requestPrincipals,
  serviceAccounts,
  sourcePrincipals,
  trustDomains,
} from "./conditions.js";

/** Which of Envoy's two filters asks. */
export type Protocol = "http" | "tcp";

/** One condition of a rule as the author wrote it, translated. */
export interface Part<Node> {
  readonly node: Node;
  /** The field in the document, e.g. `["spec", "rules", 0, "to", 0, "operation", "notPaths"]`. */
  readonly path: Path;
}

/** A rule: some list of `principals` holds in full, and some list of `permissions` does. */
export interface RuleParts {
  readonly permissions: readonly (readonly Part<Permission>[])[];
  readonly principals: readonly (readonly Part<Principal>[])[];
}

/** Fields of an operation, in the order of Istio's translation. */
const operationGenerators = [
  ["hosts", "notHosts", hosts],
  ["methods", "notMethods", methods],
  ["paths", "notPaths", paths],
  ["ports", "notPorts", ports],
] as const;

const sourceGenerators = [
  ["principals", "notPrincipals", sourcePrincipals],
  ["requestPrincipals", "notRequestPrincipals", requestPrincipals],
  ["serviceAccounts", "notServiceAccounts", serviceAccounts],
  ["trustDomains", "notTrustDomains", trustDomains],
  ["namespaces", "notNamespaces", namespaces],
  ["remoteIpBlocks", "notRemoteIpBlocks", remoteIpBlocks],
  ["ipBlocks", "notIpBlocks", ipBlocks],
] as const;

/** One condition before it is known whether the protocol has it. */
interface Draft<Node> {
  readonly httpOnly: boolean;
  readonly values: readonly string[] | undefined;
  readonly not: boolean;
  readonly path: Path;
  readonly node: (values: readonly string[], context: Context) => Node;
}

/**
 * Translates rule `index` of a policy, or gives undefined when nothing of it can ever match. A condition that
 * the protocol does not have (HTTP on TCP) or that is unusable drops the whole rule of an ALLOW policy, and
 * only itself from any other: both ways refuse more, never less.
 */
export function translateRule(
  policy: AuthorizationPolicy,
  index: number,
  protocol: Protocol,
  context: Context,
): RuleParts | undefined {
  const rule = policy.rules[index];
  if (rule === undefined) return undefined;
  const base: Path = ["spec", "rules", index];
  const when = whenDrafts(rule, base);
  const tos = orOnce(rule.to.map((to, i) => operationDrafts(to, [...base, "to", i, "operation"])));
  const froms = orOnce(rule.from.map((from, i) => sourceDrafts(from, [...base, "from", i, "source"])));
  const permissionLists = tos.map((drafts) => [...drafts, ...when.permissions]);
  const principalLists = froms.map((drafts) => [...drafts, ...when.principals]);
  const lost = (draft: Draft<unknown>): boolean => draft.httpOnly && protocol === "tcp";
  if (policy.action === "ALLOW") {
    if (when.unusable || [...permissionLists, ...principalLists].some((list) => list.some(lost)))
      return undefined;
  }
  return {
    permissions: permissionLists.map((list) =>
      list.filter((d) => !lost(d)).map((d) => finish(d, context, (notRule) => ({ notRule }))),
    ),
    principals: principalLists.map((list) =>
      list.filter((d) => !lost(d)).map((d) => finish(d, context, (notId) => ({ notId }))),
    ),
  };
}

/** The rule as Envoy's RBAC policy. */
export function toRbacPolicy(parts: RuleParts): RbacPolicy {
  return {
    permissions: parts.permissions.map((list) => ({
      andRules: { rules: list.length === 0 ? [{ any: true }] : list.map((part) => part.node) },
    })),
    principals: parts.principals.map((list) => ({
      andIds: { ids: list.length === 0 ? [{ any: true }] : list.map((part) => part.node) },
    })),
  };
}

function finish<Node>(draft: Draft<Node>, context: Context, negate: (node: Node) => Node): Part<Node> {
  const node = draft.node(draft.values ?? [], context);
  return { node: draft.not ? negate(node) : node, path: draft.path };
}

/** No `from` (or `to`) at all is one without conditions. */
function orOnce<T>(lists: readonly (readonly T[])[]): readonly (readonly T[])[] {
  return lists.length === 0 ? [[]] : lists;
}

function operationDrafts(operation: Operation, path: Path): Draft<Permission>[] {
  return operationGenerators.flatMap(([field, notField, generator]) => [
    ...draft(generator, operation[field], false, [...path, field]),
    ...draft(generator, operation[notField], true, [...path, notField]),
  ]);
}

function sourceDrafts(source: Source, path: Path): Draft<Principal>[] {
  return sourceGenerators.flatMap(([field, notField, generator]) => [
    ...draft(generator, source[field], false, [...path, field]),
    ...draft(generator, source[notField], true, [...path, notField]),
  ]);
}

function whenDrafts(
  rule: Rule,
  base: Path,
): { permissions: Draft<Permission>[]; principals: Draft<Principal>[]; unusable: boolean } {
  const drafts = {
    permissions: [] as Draft<Permission>[],
    principals: [] as Draft<Principal>[],
    unusable: false,
  };
  for (const [i, condition] of rule.when.entries()) {
    const key = keyGenerator(condition.key);
    const path: Path = [...base, "when", i];
    if (key.side === "permission")
      drafts.permissions.push(...conditionDrafts(key.generator, condition, path));
    else if (key.side === "principal")
      drafts.principals.push(...conditionDrafts(key.generator, condition, path));
    else drafts.unusable = true;
  }
  return drafts;
}

function conditionDrafts<Node>(
  generator: { httpOnly: boolean; node: Draft<Node>["node"] },
  condition: Condition,
  path: Path,
): Draft<Node>[] {
  return [
    ...draft(generator, condition.values, false, [...path, "values"]),
    ...draft(generator, condition.notValues, true, [...path, "notValues"]),
  ];
}

function draft<Node>(
  generator: { readonly httpOnly: boolean; readonly node: Draft<Node>["node"] },
  values: readonly string[] | undefined,
  not: boolean,
  path: Path,
): Draft<Node>[] {
  if (values === undefined || values.length === 0) return [];
  return [{ httpOnly: generator.httpOnly, values, not, path, node: generator.node }];
}
