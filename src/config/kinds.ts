import { type BodyPolicy, completeBodyPolicy, parseBodyPolicy } from "../body/index.js";
import {
  completeTokenIntrospection,
  parseApiKeys,
  parseTokenIntrospection,
  type TokenIntrospection,
} from "../credentials/index.js";
import type { Parsed, ResourceDocument } from "../documents/index.js";
import {
  completeRequestAuthentication,
  parseAuthorizationPolicy,
  parseLegacy,
  parseRequestAuthentication,
  type RequestAuthentication,
} from "../istio/index.js";
import { parseQuota } from "../quota/index.js";
import { parseEnvoyRbac } from "../rbac/index.js";
import {
  completeRegoPolicy,
  parseRegoPolicy,
  prepareRegoPolicy,
  type RegoCompiler,
  type RegoPolicy,
} from "../rego/index.js";
import { parseMetric, parseTelemetry } from "../report/index.js";
import type { Served } from "./head.js";
import { parseMesh } from "./mesh.js";
import { parseServiceEntry, parseWorkloadEntry } from "./registry-kinds.js";

/** One kind of document: what it is called and who reads its `spec`. */
export interface Kind {
  readonly group: string;
  readonly kind: string;
  readonly versions: readonly string[];
  readonly parse: (document: ResourceDocument) => Parsed<unknown>;
  /**
   * Makes a parsed spec whole with the texts of its references, in their order. Needed exactly by kinds whose
   * parser gives references.
   */
  readonly complete?: (spec: unknown, texts: readonly string[]) => Parsed<unknown>;
  /** Does what takes longer, once the spec is whole; `previous` is what it gave last for the resource. Never rejects. */
  readonly prepare?: (spec: unknown, ports: PreparePorts, previous: unknown) => Promise<Parsed<unknown>>;
}

/** What kinds are made ready with. */
export interface PreparePorts {
  readonly rego: RegoCompiler;
}

/** Finds kinds by group and name. */
export interface KindTable extends Served {
  readonly find: (group: string, kind: string) => Kind | undefined;
}

const security = { group: "security.istio.io", versions: ["v1", "v1beta1"] };
const legacy = { group: "rbac.istio.io", versions: ["v1alpha1"], parse: parseLegacy };
const networking = { group: "networking.istio.io", versions: ["v1", "v1beta1", "v1alpha3"] };
const telemetry = { group: "telemetry.istio.io", versions: ["v1", "v1alpha1"] };
const gatehouse = { group: "gatehouse.dev", versions: ["v1alpha1"] };

/** Every kind that this version loads. */
export const kinds: readonly Kind[] = [
  { ...security, kind: "AuthorizationPolicy", parse: parseAuthorizationPolicy },
  {
    ...security,
    kind: "RequestAuthentication",
    parse: parseRequestAuthentication,
    complete: (spec, texts) => completeRequestAuthentication(spec as RequestAuthentication, texts),
  },
  { ...legacy, kind: "ServiceRole" },
  { ...legacy, kind: "ServiceRoleBinding" },
  { ...legacy, kind: "RbacConfig" },
  { ...legacy, kind: "ClusterRbacConfig" },
  { ...legacy, kind: "AuthorizationPolicy" },
  { ...networking, kind: "WorkloadEntry", parse: parseWorkloadEntry },
  { ...networking, kind: "ServiceEntry", parse: parseServiceEntry },
  { ...telemetry, kind: "Telemetry", parse: parseTelemetry },
  { ...gatehouse, kind: "Metric", parse: parseMetric },
  { ...gatehouse, kind: "Mesh", parse: parseMesh },
  { ...gatehouse, kind: "EnvoyRbac", parse: parseEnvoyRbac },
  {
    ...gatehouse,
    kind: "TokenIntrospection",
    parse: parseTokenIntrospection,
    complete: (spec, texts) => completeTokenIntrospection(spec as TokenIntrospection, texts),
  },
  { ...gatehouse, kind: "ApiKeys", parse: parseApiKeys },
  { ...gatehouse, kind: "Quota", parse: parseQuota },
  {
    ...gatehouse,
    kind: "BodyPolicy",
    parse: parseBodyPolicy,
    complete: (spec, texts) => completeBodyPolicy(spec as BodyPolicy, texts),
  },
  {
    ...gatehouse,
    kind: "RegoPolicy",
    parse: parseRegoPolicy,
    complete: (spec, texts) => completeRegoPolicy(spec as RegoPolicy, texts),
    prepare: (spec, { rego }, previous) =>
      prepareRegoPolicy(spec as RegoPolicy, rego, previous as RegoPolicy | undefined),
  },
];

/** Groups in which an unknown kind is an error, also those whose kinds come with later versions. */
const groups = [security.group, "rbac.istio.io", networking.group, telemetry.group, gatehouse.group];

/** Makes the table. */
export function createKindTable(list: readonly Kind[] = kinds): KindTable {
  const table = new Map(list.map((kind) => [`${kind.group}/${kind.kind}`, kind]));
  const find = (group: string, kind: string): Kind | undefined => table.get(`${group}/${kind}`);
  return {
    find,
    groups: new Set([...groups, ...list.map(({ group }) => group)]),
    kinds: new Set(list.map(({ kind }) => kind)),
    versions: (group, kind) => find(group, kind)?.versions,
  };
}
