import type { Workload } from "../attributes/index.js";
import type { CredentialCheck, JwtCheck, JwtRule } from "../authn/index.js";
import type { CompiledBodyPolicy } from "../body/index.js";
import type { OwnPolicy } from "../engine/index.js";
import {
  type Attachment,
  type CompiledAuthorizationPolicy,
  isMeshWide,
  type LegacyResource,
  policyNamespaces,
  type RequestAuthentication,
  selects,
} from "../istio/index.js";
import type { CompiledQuota } from "../quota/index.js";
import type { EnvoyRbac, RbacFilter } from "../rbac/index.js";
import type { RegoPolicy } from "../rego/index.js";

/** An EnvoyRbac document, ready to be asked. */
export interface CompiledEnvoyRbac {
  readonly rbac: EnvoyRbac;
  readonly filter: RbacFilter;
}

/** A RequestAuthentication document, its rules ready to judge tokens. */
export interface CompiledRequestAuthentication {
  readonly authentication: RequestAuthentication;
  readonly checks: ReadonlyMap<JwtRule, JwtCheck>;
}

/** A RegoPolicy document, ready to be asked. */
export interface CompiledRegoPolicy {
  readonly policy: RegoPolicy;
  readonly own: OwnPolicy;
}

/** A Quota document, ready to be charged. */
export interface CompiledQuotaDocument {
  readonly attachment: Attachment;
  /** `NAMESPACE/NAME`. */
  readonly label: string;
  readonly quota: CompiledQuota;
  /** It asks for something that only an HTTP request has. */
  readonly readsRequest: boolean;
}

/** A BodyPolicy document, ready to act. */
export interface CompiledBodyDocument {
  readonly attachment: Attachment;
  readonly compiled: CompiledBodyPolicy;
}

/** A TokenIntrospection or ApiKeys document, ready to judge credentials. */
export interface CompiledCredentials {
  readonly attachment: Attachment;
  readonly check: CredentialCheck;
}

/** What one resource amounts to where policies are concerned. */
export interface Compiled {
  readonly policies: readonly CompiledAuthorizationPolicy[];
  readonly jwt: CompiledRequestAuthentication | undefined;
  readonly credentials: CompiledCredentials | undefined;
  readonly rbac: CompiledEnvoyRbac | undefined;
  readonly rego: CompiledRegoPolicy | undefined;
  readonly quota: CompiledQuotaDocument | undefined;
  readonly body: CompiledBodyDocument | undefined;
  readonly legacy: LegacyResource | undefined;
}

/** What is attached to a workload. */
export interface Selected {
  readonly policies: readonly CompiledAuthorizationPolicy[];
  readonly jwt: readonly CompiledRequestAuthentication[];
  /** By kind, and within a kind by name. */
  readonly credentials: readonly CompiledCredentials[];
  /** In the order of namespace and name. */
  readonly rbac: readonly CompiledEnvoyRbac[];
  /** In the order of namespace and name, without those that act only as providers. */
  readonly rego: readonly CompiledRegoPolicy[];
  /** In the order of namespace and name. */
  readonly quota: readonly CompiledQuotaDocument[];
  /** In any order. */
  readonly body: readonly CompiledBodyDocument[];
  /** Only what can matter to the workload. */
  readonly legacy: readonly LegacyResource[];
}

/** Finds what is attached to a workload without looking at every policy. */
export interface PolicyIndex {
  /** Undefined workload: what is for the whole mesh. */
  select(workload: Workload | undefined): Selected;
  /** Something is not for the whole mesh. */
  readonly scoped: boolean;
}

/** Things of one namespace, by the first label that their selector asks for. */
interface Shelf<Item> {
  readonly unlabelled: Item[];
  readonly byLabel: Map<string, Item[]>;
}

interface Namespace {
  readonly policies: Shelf<CompiledAuthorizationPolicy>;
  readonly jwt: Shelf<CompiledRequestAuthentication>;
  readonly credentials: Shelf<CompiledCredentials>;
  readonly rbac: Shelf<CompiledEnvoyRbac>;
  readonly rego: Shelf<CompiledRegoPolicy>;
  readonly quota: Shelf<CompiledQuotaDocument>;
  readonly body: Shelf<CompiledBodyDocument>;
  /** Roles and bindings. */
  readonly legacy: LegacyResource[];
}

/** Resources between two pauses. */
const RESOURCES_PER_TURN = 1000;

/** Indexes by namespace and label. */
export async function indexPolicies(
  compiled: Iterable<Compiled>,
  rootNamespace: string,
  pause: () => Promise<void>,
): Promise<PolicyIndex> {
  const namespaces = new Map<string, Namespace>();
  const configs: LegacyResource[] = [];
  let scoped = false;
  let count = 0;
  const namespaceOf = (name: string): Namespace => {
    const known = namespaces.get(name) ?? {
      policies: emptyShelf(),
      jwt: emptyShelf(),
      credentials: emptyShelf(),
      rbac: emptyShelf(),
      rego: emptyShelf(),
      quota: emptyShelf(),
      body: emptyShelf(),
      legacy: [],
    };
    namespaces.set(name, known);
    return known;
  };
  const put = <Item>(
    kind: (namespace: Namespace) => Shelf<Item>,
    attachment: Attachment,
    item: Item,
  ): void => {
    scoped ||= !isMeshWide(attachment, rootNamespace);
    shelve(kind(namespaceOf(attachment.namespace)), attachment, item);
  };
  for (const { policies, jwt, credentials, rbac, rego, quota, body, legacy } of compiled) {
    for (const policy of policies) put((namespace) => namespace.policies, policy.policy, policy);
    if (jwt !== undefined) put((namespace) => namespace.jwt, jwt.authentication, jwt);
    if (credentials !== undefined) {
      put((namespace) => namespace.credentials, credentials.attachment, credentials);
    }
    if (rego !== undefined && !rego.policy.providerOnly)
      put((namespace) => namespace.rego, rego.policy, rego);
    if (quota !== undefined) put((namespace) => namespace.quota, quota.attachment, quota);
    if (body !== undefined) put((namespace) => namespace.body, body.attachment, body);
    if (rbac !== undefined) put((namespace) => namespace.rbac, attachmentOf(rbac), rbac);
    if (legacy?.kind === "ServiceRole" || legacy?.kind === "ServiceRoleBinding") {
      namespaceOf(legacy.namespace).legacy.push(legacy);
    } else if (legacy?.kind === "RbacConfig" || legacy?.kind === "ClusterRbacConfig") {
      configs.push(legacy);
      scoped ||= legacy.mode !== "OFF";
    }
    if (++count % RESOURCES_PER_TURN === 0) await pause();
  }
  return {
    scoped,
    select(workload) {
      const names = workload === undefined ? [rootNamespace] : policyNamespaces(workload, rootNamespace);
      const found = [...names].flatMap((name) => namespaces.get(name) ?? []);
      const applies = (attachment: Attachment): boolean =>
        workload === undefined
          ? isMeshWide(attachment, rootNamespace)
          : selects(attachment, workload, rootNamespace);
      const own = workload === undefined ? undefined : namespaces.get(workload.namespace);
      return {
        policies: found
          .flatMap(({ policies }) => candidates(policies, workload))
          .filter(({ policy }) => applies(policy)),
        jwt: found
          .flatMap(({ jwt }) => candidates(jwt, workload))
          .filter(({ authentication }) => applies(authentication)),
        credentials: found
          .flatMap(({ credentials }) => candidates(credentials, workload))
          .filter(({ attachment }) => applies(attachment))
          .sort(
            ({ check: a }, { check: b }) => compareTexts(a.method, b.method) || compareTexts(a.name, b.name),
          ),
        rbac: found
          .flatMap(({ rbac }) => candidates(rbac, workload))
          .filter((rbac) => applies(attachmentOf(rbac)))
          .sort(byName),
        rego: found
          .flatMap(({ rego }) => candidates(rego, workload))
          .filter(({ policy }) => applies(policy))
          .sort(({ own: a }, { own: b }) => compareTexts(a.ref.policy, b.ref.policy)),
        quota: found
          .flatMap(({ quota }) => candidates(quota, workload))
          .filter(({ attachment }) => applies(attachment))
          .sort(({ label: a }, { label: b }) => compareTexts(a, b)),
        body: found
          .flatMap(({ body }) => candidates(body, workload))
          .filter(({ attachment }) => applies(attachment)),
        legacy: [...configs, ...(own?.legacy ?? [])],
      };
    },
  };
}

function emptyShelf<Item>(): Shelf<Item> {
  return { unlabelled: [], byLabel: new Map() };
}

function shelve<Item>(
  { unlabelled, byLabel }: Shelf<Item>,
  { selector }: Pick<Attachment, "selector">,
  item: Item,
): void {
  const first = selector?.[0];
  if (first === undefined) {
    unlabelled.push(item);
    return;
  }
  const key = labelKey(first);
  const items = byLabel.get(key);
  if (items === undefined) byLabel.set(key, [item]);
  else items.push(item);
}

/** All that can select the workload, and some that do not. */
function candidates<Item>({ unlabelled, byLabel }: Shelf<Item>, workload: Workload | undefined): Item[] {
  if (workload === undefined || byLabel.size === 0) return unlabelled;
  return [...unlabelled, ...[...workload.labels].flatMap((label) => byLabel.get(labelKey(label)) ?? [])];
}

function labelKey([label, value]: readonly [string, string]): string {
  return `${label}\n${value}`;
}

function attachmentOf({ rbac: { namespace, selector } }: CompiledEnvoyRbac): Attachment {
  return { namespace, selector, targetRefs: [] };
}

function byName({ rbac: a }: CompiledEnvoyRbac, { rbac: b }: CompiledEnvoyRbac): number {
  return compareTexts(`${a.namespace}/${a.name}`, `${b.namespace}/${b.name}`);
}

function compareTexts(left: string, right: string): number {
  return left < right ? -1 : left > right ? 1 : 0;
}
