import { LRUCache } from "lru-cache";
import type { Attributes, Workload } from "../attributes/index.js";
import { type AuthnObserver, createJwtCheck, type JwtPorts } from "../authn/index.js";
import type { BodyPlan, BodyPolicy } from "../body/index.js";
import type { Plan, Provider, Snapshot } from "../engine/index.js";
import {
  type AuthorizationPolicy,
  compileAuthorizationPolicy,
  type LegacyResource,
  type RequestAuthentication,
} from "../istio/index.js";
import type { Quota } from "../quota/index.js";
import type { RateLimitPorts, RateLimits } from "../ratelimit/index.js";
import { compileRbac, type EnvoyRbac, type Rbac, type RuleSet } from "../rbac/index.js";
import type { RegoPolicy } from "../rego/index.js";
import { type BodyPorts, bodyContextOf, compileBodyDocument, makeBodyPlan } from "./bodies.js";
import { type ConnectIntrospection, compileCredentials } from "./credentials.js";
import type { ExtensionProvider } from "./extension-provider.js";
import { defaultMesh, type Egress, type Mesh } from "./mesh.js";
import { makePlan, trustDomainsOf } from "./planning.js";
import { type Compiled, type CompiledRegoPolicy, indexPolicies } from "./policy-index.js";
import { type CompiledResource, compileQuotaDocument, type QuotaPorts, rateLimitsOf } from "./quotas.js";
import { buildRegistry, type Named } from "./registry.js";
import type { Endpoint, ServiceEntry } from "./registry-kinds.js";
import type { ConfigUpdate, Resource } from "./resource.js";
import { compileTelemetry, type TelemetryInForce, type TelemetryPorts } from "./telemetry.js";

/** What an assembler takes from its surroundings. */
export interface AssemblerOptions {
  /** Awaited often, so that requests are answered meanwhile. */
  readonly pause: () => Promise<void>;
  /**
   * The client of an extension provider; undefined when the entry says no address. Called again for the same
   * entry.
   */
  readonly providers: (entry: ExtensionProvider, egress: Egress) => Provider | undefined;
  readonly jwt: JwtPorts;
  readonly introspection: ConnectIntrospection;
  /** Makes a RegoPolicy ready to be asked; rejects when its program cannot be run. */
  readonly rego: (policy: RegoPolicy) => Promise<Provider>;
  /** Told of every outcome of authentication. */
  readonly onAuthenticated: AuthnObserver;
  /** Where quotas and rate limits are counted. */
  readonly quota: QuotaPorts;
  readonly rateLimit: RateLimitPorts;
  readonly telemetry: TelemetryPorts;
  /** Absent: what responses cost is not charged. */
  readonly bodies?: BodyPorts | undefined;
}

/** A snapshot, what acts on bodies and responses, and what is made of what happens; put in force together. */
export interface Assembled extends Snapshot {
  /** The body policies of a workload, remembered as `plan` is; undefined: there is no BodyPolicy at all. */
  readonly bodies: (workload: Workload | undefined) => BodyPlan | undefined;
  readonly telemetry: TelemetryInForce;
}

/** Compiles configurations, keeping what did not change. */
export interface Assembler {
  /**
   * The snapshot after a step. Rejects without having changed anything when something cannot be compiled.
   * Steps must come one after the other.
   */
  apply(update: ConfigUpdate): Promise<Assembled>;
}

/** All that one step leaves for the next; replaced as a whole. */
interface State {
  readonly generation: number;
  readonly resources: ReadonlyMap<string, Entry>;
  readonly mesh: Mesh;
  readonly providers: ReadonlyMap<string, Provider | undefined>;
  readonly lookup: (attributes: Attributes) => Workload | undefined;
  readonly plans: LRUCache<Workload, Plan>;
  readonly rateLimits: RateLimits;
  readonly telemetry: TelemetryInForce;
}

interface Entry extends CompiledResource {
  readonly compiled: Compiled;
}

/** As many as workloads are told apart by a reader of requests. */
const MAX_PLANS = 10_000;
/**
 * So many plans, last used first, are made before a snapshot is in force; the others when they are asked for.
 */
const WARM_PLANS = 512;
const PLANS_PER_TURN = 16;
/** Policies compiled between two pauses. */
const COMPILED_PER_TURN = 16;

/** Makes an assembler that knows no configuration. */
export function createAssembler(options: AssemblerOptions): Assembler {
  const { pause, providers } = options;
  let state: State = {
    generation: 0,
    resources: new Map(),
    mesh: defaultMesh,
    providers: new Map(),
    lookup: () => undefined,
    plans: newMemory<Plan>(),
    rateLimits: rateLimitsOf([], options),
    telemetry: compileTelemetry([], defaultMesh, options.telemetry),
  };

  const compileAll = async (
    { upserts, removed }: ConfigUpdate,
    mesh: Mesh,
  ): Promise<ReadonlyMap<string, Entry>> => {
    const next = new Map(state.resources);
    for (const id of removed) next.delete(id);
    const sameMesh = settingsOf(mesh) === settingsOf(state.mesh);
    const again = sameMesh ? [] : [...next.values()].map(({ resource }) => resource);
    let count = 0;
    for (const resource of [...again, ...upserts]) {
      const old = next.get(resource.id);
      const compiled =
        (sameMesh || resource.kind === "RegoPolicy") && old?.resource.hash === resource.hash
          ? old.compiled
          : await compile(resource, mesh, options);
      next.set(resource.id, { resource, compiled });
      if (++count % COMPILED_PER_TURN === 0) await pause();
    }
    return next;
  };

  const warm = async (plan: Snapshot["plan"], { settings }: Mesh): Promise<void> => {
    plan(undefined);
    if (settings.defaultWorkload !== undefined) plan(settings.defaultWorkload);
    let count = 0;
    // From the least recently used on, so that the new order is the old one.
    for (const workload of [...state.plans.keys()].slice(0, WARM_PLANS).reverse()) {
      plan(workload);
      if (++count % PLANS_PER_TURN === 0) await pause();
    }
  };

  return {
    async apply(update) {
      const touched = touchedKinds(update);
      const mesh = touched.has("Mesh") ? meshAfter(state.resources, update) : state.mesh;
      const resources = await compileAll(update, mesh);
      const index = await indexPolicies(compiledOf(resources), mesh.rootNamespace, pause);
      const context = {
        mesh,
        providers:
          mesh === state.mesh
            ? state.providers
            : new Map(mesh.extensionProviders.map((entry) => [entry.name, providers(entry, mesh.egress)])),
        rego: new Map([...compiledOf(resources)].flatMap(({ rego }) => (rego ? [providerOf(rego)] : []))),
        onAuthenticated: options.onAuthenticated,
        quota: options.quota,
      };
      const domainsChanged = mesh !== state.mesh;
      const lookup =
        domainsChanged || touched.has("WorkloadEntry") || touched.has("ServiceEntry")
          ? registryOf(resources, mesh)
          : state.lookup;
      const rateLimits =
        touched.has("RateLimitConfig") || touched.has("Quota")
          ? rateLimitsOf(resources.values(), options)
          : state.rateLimits;
      const telemetry =
        mesh !== state.mesh || telemetryKinds.some((kind) => touched.has(kind))
          ? compileTelemetry(resourcesOf(resources), mesh, options.telemetry)
          : state.telemetry;
      const bodyContext = bodyContextOf(compiledOf(resources), context.rego, options.quota, options.bodies);
      const bodies =
        bodyContext === undefined
          ? () => undefined
          : perWorkload(newMemory<BodyPlan>(), (workload) =>
              makeBodyPlan(index.select(workload), bodyContext),
            );
      const plans = newMemory<Plan>();
      const plan = perWorkload(plans, (workload) => makePlan(index.select(workload), workload, context));
      await warm(plan, mesh);
      const generation = state.generation + 1;
      state = {
        generation,
        resources,
        mesh,
        providers: context.providers,
        lookup,
        plans,
        rateLimits,
        telemetry,
      };
      const { settings } = mesh;
      return {
        generation,
        mesh: settings,
        scoped: index.scoped,
        lookup,
        plan,
        rateLimits,
        telemetry,
        bodies,
      };
    },
  };
}

/** Remembers what is made for the workloads that were asked for last. */
function perWorkload<Made extends object>(
  made: LRUCache<Workload, Made>,
  make: (workload: Workload | undefined) => Made,
): (workload: Workload | undefined) => Made {
  let unknown: Made | undefined;
  return (workload) => {
    const known = workload === undefined ? unknown : made.get(workload);
    if (known !== undefined) return known;
    const fresh = make(workload);
    if (workload === undefined) unknown = fresh;
    else made.set(workload, fresh);
    return fresh;
  };
}

/** The Mesh among resources, or what holds without one. */
export function meshOf(resources: Iterable<Resource>): Mesh {
  for (const { kind, spec } of resources) if (kind === "Mesh") return spec as Mesh;
  return defaultMesh;
}

function meshAfter(before: ReadonlyMap<string, Entry>, { upserts, removed }: ConfigUpdate): Mesh {
  const gone = new Set(removed);
  const stayed = [...before.values()].map(({ resource }) => resource).filter(({ id }) => !gone.has(id));
  return meshOf([...upserts, ...stayed]);
}

function newMemory<Made extends object>(): LRUCache<Workload, Made> {
  return new LRUCache({ max: MAX_PLANS });
}

/** Kinds by name, of our own ids: `GROUP/KIND/NAMESPACE/NAME`. */
function touchedKinds({ upserts, removed }: ConfigUpdate): ReadonlySet<string> {
  return new Set([...upserts.map(({ kind }) => kind), ...removed.map((id) => id.split("/")[1] ?? "")]);
}

const nothing: Compiled = {
  policies: [],
  jwt: undefined,
  credentials: undefined,
  rbac: undefined,
  rego: undefined,
  quota: undefined,
  body: undefined,
  legacy: undefined,
};

/** What of a Mesh stands in compiled resources. */
function settingsOf(mesh: Mesh): string {
  return JSON.stringify([trustDomainsOf(mesh), mesh.jwt, mesh.egress]);
}

/** INVARIANT: `spec` has the type that the kind's parser gives (see `kinds.ts`). */
async function compile(resource: Resource, mesh: Mesh, ports: AssemblerOptions): Promise<Compiled> {
  const { id, kind, spec } = resource;
  const trustDomains = trustDomainsOf(mesh);
  if (id.startsWith("security.istio.io/AuthorizationPolicy/")) {
    return { ...nothing, policies: [compileAuthorizationPolicy(spec as AuthorizationPolicy, trustDomains)] };
  }
  if (kind === "RequestAuthentication") {
    const authentication = spec as RequestAuthentication;
    const checks = authentication.rules.map(
      (rule) => [rule, createJwtCheck(rule, mesh.jwt, ports.jwt)] as const,
    );
    return { ...nothing, jwt: { authentication, checks: new Map(checks) } };
  }
  if (id.startsWith("rbac.istio.io/")) {
    const legacy = spec as LegacyResource;
    if (legacy.kind !== "AuthorizationPolicy") return { ...nothing, legacy };
    const policies = legacy.policies.map((policy) => compileAuthorizationPolicy(policy, trustDomains));
    return { ...nothing, policies };
  }
  if (kind === "EnvoyRbac") {
    const rbac = spec as EnvoyRbac;
    const name = `${rbac.namespace}/${rbac.name}`;
    const filter = { enforced: ruleSet(rbac.rules, name), shadow: ruleSet(rbac.shadowRules, name) };
    return { ...nothing, rbac: { rbac, filter } };
  }
  if (kind === "Quota") return { ...nothing, quota: compileQuotaDocument(spec as Quota) };
  if (kind === "BodyPolicy") return { ...nothing, body: compileBodyDocument(spec as BodyPolicy) };
  if (kind === "RateLimitConfig" || kind === "Telemetry" || kind === "Metric") return nothing;
  if (kind === "RegoPolicy") {
    const policy = spec as RegoPolicy;
    const name = `${policy.namespace}/${policy.name}`;
    const ref = { key: name, policy: name, rule: undefined };
    return { ...nothing, rego: { policy, own: { ref, provider: await ports.rego(policy) } } };
  }
  return { ...nothing, credentials: compileCredentials(resource, mesh.egress, ports.introspection) };
}

function providerOf({ own: { ref, provider } }: CompiledRegoPolicy): [string, Provider] {
  return [ref.policy, provider];
}

function ruleSet(rbac: Rbac | undefined, policy: string): RuleSet | undefined {
  return rbac === undefined ? undefined : compileRbac(rbac, () => policy);
}

/** Kinds that telemetry is made of: those of credentials say what has to be masked. */
const telemetryKinds = ["Telemetry", "Metric", "RequestAuthentication", "TokenIntrospection", "ApiKeys"];

function* resourcesOf(resources: ReadonlyMap<string, Entry>): Generator<Resource> {
  for (const { resource } of resources.values()) yield resource;
}

function* compiledOf(resources: ReadonlyMap<string, Entry>): Generator<Compiled> {
  for (const { compiled } of resources.values()) yield compiled;
}

function registryOf(
  resources: ReadonlyMap<string, Entry>,
  { trustDomain, trustDomainAliases }: Mesh,
): State["lookup"] {
  const workloads: Named<Endpoint>[] = [];
  const services: Named<ServiceEntry>[] = [];
  for (const { resource } of resources.values()) {
    const { kind, namespace, name, spec } = resource;
    if (kind === "WorkloadEntry") workloads.push({ namespace, name, spec: spec as Endpoint });
    if (kind === "ServiceEntry") services.push({ namespace, name, spec: spec as ServiceEntry });
  }
  return buildRegistry(workloads, services, new Set([trustDomain, ...trustDomainAliases]));
}
