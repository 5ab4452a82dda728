import type { Workload } from "../attributes/index.js";
import { type Authentication, type AuthnObserver, createAuthentication } from "../authn/index.js";
import type { Chain, CustomFilter, Plan, Provider } from "../engine/index.js";
import {
  type CustomRules,
  type Protocol,
  planAuthentication,
  planAuthorization,
  type TrustDomains,
  translateLegacy,
} from "../istio/index.js";
import { createQuotaStage, type QuotaStage } from "../quota/index.js";
import { compileRbac, type Rbac, type RbacFilter, type RuleSet } from "../rbac/index.js";
import type { Mesh } from "./mesh.js";
import type { Selected } from "./policy-index.js";
import type { QuotaPorts } from "./quotas.js";

/** What plans are made with, beside the policies. */
export interface PlanningContext {
  readonly mesh: Mesh;
  /** By name; undefined when it cannot be asked. */
  readonly providers: ReadonlyMap<string, Provider | undefined>;
  /** RegoPolicies by `NAMESPACE/NAME`. */
  readonly rego: ReadonlyMap<string, Provider>;
  readonly onAuthenticated: AuthnObserver;
  readonly quota: QuotaPorts;
}

/** Stands for a destination of which nothing is known, so that legacy RBAC finds no role for it. */
const nowhere: Workload = { namespace: "", name: "", type: "sidecar", labels: new Map(), services: [] };

/** Puts together what one workload asks of a request, in Istio's order. */
export function makePlan(selected: Selected, workload: Workload | undefined, context: PlanningContext): Plan {
  return {
    http: makeChain(selected, workload, "http", context),
    tcp: makeChain(selected, workload, "tcp", context),
  };
}

/** The mesh's trust domain and its other names. */
export function trustDomainsOf({ trustDomain, trustDomainAliases }: Mesh): TrustDomains {
  return { trustDomain, aliases: trustDomainAliases };
}

function makeChain(
  selected: Selected,
  workload: Workload | undefined,
  protocol: Protocol,
  context: PlanningContext,
): Chain {
  const { policies, rbac, legacy } = selected;
  const { custom, filters } = planAuthorization(policies, protocol);
  // From Istio 1.4 on one AuthorizationPolicy switches all legacy kinds off for its workloads.
  const legacyFilters =
    policies.length > 0 || legacy.length === 0
      ? []
      : compileLegacy(
          translateLegacy(legacy, {
            workload: workload ?? nowhere,
            protocol,
            trustDomains: trustDomainsOf(context.mesh),
          }),
        );
  return {
    custom: customFilters(custom, protocol, context),
    authn: protocol === "http" ? authenticationOf(selected, workload, context) : undefined,
    filters: [...filters, ...legacyFilters, ...rbac.map(({ filter }) => filter)],
    own: selected.rego.map(({ own }) => own),
    quota: quotaStage(selected, protocol, context),
  };
}

/** On TCP only the quotas that ask nothing of an HTTP request. */
function quotaStage(
  { quota }: Selected,
  protocol: Protocol,
  { mesh, quota: { ledger, observer } }: PlanningContext,
): QuotaStage | undefined {
  const asked = protocol === "http" ? quota : quota.filter(({ readsRequest }) => !readsRequest);
  if (asked.length === 0) return undefined;
  const quotas = asked.map((document) => document.quota);
  return createQuotaStage(quotas, { ledger, observer, headers: mesh.quotaHeaders });
}

/** Where Envoy's own verification is trusted, no rule of RequestAuthentication is asked. */
function authenticationOf(
  { jwt, credentials }: Selected,
  workload: Workload | undefined,
  { mesh, onAuthenticated }: PlanningContext,
): Authentication | undefined {
  const compiled = mesh.settings.envoyJwtPayloadKey === undefined ? jwt : [];
  if (compiled.length === 0 && credentials.length === 0) return undefined;
  const rules = planAuthentication(
    compiled.map(({ authentication }) => authentication),
    workload,
    mesh.rootNamespace,
  );
  const checks = new Map(compiled.flatMap((one) => [...one.checks]));
  const parts = {
    jwt: rules.flatMap((rule) => checks.get(rule) ?? []),
    credentials: credentials.map(({ check }) => check),
  };
  return createAuthentication(parts, onAuthenticated);
}

/**
 * As in Istio: rules of several providers on one workload refuse, unless the Mesh allows several; on TCP
 * there is no asking over HTTP, so such a CUSTOM rule does nothing there.
 */
function customFilters(
  custom: readonly CustomRules[],
  protocol: Protocol,
  { mesh, providers, rego }: PlanningContext,
): CustomFilter[] {
  const tooMany = custom.length > 1 && !mesh.multipleCustomProviders;
  return custom.flatMap(({ provider: providerName, rules }): CustomFilter[] => {
    if (tooMany) return [{ providerName, provider: undefined, rules }];
    const entry = mesh.extensionProviders.find(({ name }) => name === providerName);
    if (protocol === "tcp" && entry?.envoyExtAuthzHttp !== undefined) return [];
    const provider = entry?.rego === undefined ? providers.get(providerName) : rego.get(entry.rego.policy);
    return [{ providerName, provider, rules }];
  });
}

function compileLegacy(legacy: ReturnType<typeof translateLegacy>): RbacFilter[] {
  if (legacy === undefined) return [];
  const { rules, shadowRules, namespace } = legacy;
  return [{ enforced: compileRoles(rules, namespace), shadow: compileRoles(shadowRules, namespace) }];
}

/** The keys of a legacy filter are names of roles. */
function compileRoles(rbac: Rbac | undefined, namespace: string): RuleSet | undefined {
  return rbac === undefined ? undefined : compileRbac(rbac, (role) => `${namespace}/${role}`);
}
