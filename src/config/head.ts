import { type Code, codes, type Finding, finding, type Path, show } from "../diagnostics/index.js";
import {
  asFields,
  type Fields,
  type ResourceDocument,
  readFields,
  readText,
  wrongType,
} from "../documents/index.js";

/** A document's head: either a resource to be parsed by its kind, or nothing to load. */
export interface Head {
  readonly group: string;
  readonly document: ResourceDocument | undefined;
  readonly findings: readonly Finding[];
}

/** Which kinds exist; `versions` of a kind that is not served is undefined. */
export interface Served {
  readonly groups: ReadonlySet<string>;
  /** Names of kinds, whatever their group. */
  readonly kinds: ReadonlySet<string>;
  readonly versions: (group: string, kind: string) => readonly string[] | undefined;
}

/** Istio kinds that do something in a mesh but not here. */
const withoutEffect: ReadonlySet<string> = new Set([
  "security.istio.io/PeerAuthentication",
  "networking.istio.io/VirtualService",
  "networking.istio.io/DestinationRule",
  "networking.istio.io/Gateway",
  "networking.istio.io/Sidecar",
  "networking.istio.io/EnvoyFilter",
  "networking.istio.io/ProxyConfig",
  "networking.istio.io/WorkloadGroup",
  "extensions.istio.io/WasmPlugin",
  // Where Istio itself has it since 1.12.
  "networking.istio.io/WasmPlugin",
]);

/** Groups of Istio without a kind that has an effect here. */
const otherIstioGroups: ReadonlySet<string> = new Set(["extensions.istio.io"]);

/** `metadata` as Kubernetes has it (ObjectMeta). */
const metadataFields: ReadonlySet<string> = new Set([
  "name",
  "generateName",
  "namespace",
  "selfLink",
  "uid",
  "resourceVersion",
  "generation",
  "creationTimestamp",
  "deletionTimestamp",
  "deletionGracePeriodSeconds",
  "labels",
  "annotations",
  "ownerReferences",
  "finalizers",
  "managedFields",
  "clusterName",
]);

const topFields: ReadonlySet<string> = new Set(["apiVersion", "kind", "metadata", "spec", "status"]);

/** DNS-1123 subdomain and label. */
const subdomain = /^[a-z0-9](?:[-a-z0-9]*[a-z0-9])?(?:\.[a-z0-9](?:[-a-z0-9]*[a-z0-9])?)*$/;
const label = /^[a-z0-9](?:[-a-z0-9]*[a-z0-9])?$/;
const MAX_NAME = 253;
const MAX_NAMESPACE = 63;

/** Reads what every document has in common, and decides what is to become of it. */
export function readHead(value: unknown, served: Served): Head {
  if (!isFields(value)) {
    // Not shown: it may be a secret in a file that should have another name.
    const message = "document is no mapping, expected one with apiVersion and kind";
    return nothing(codes.notAnObject, [], message);
  }
  const apiVersion = own(value, "apiVersion");
  const kind = own(value, "kind");
  if (apiVersion === undefined && own(value, "domain") !== undefined) {
    const message =
      "config file of envoyproxy/ratelimit in flow style, expected `domain:` at the start of a line, or --ratelimit-config";
    return nothing(codes.unknownKind, ["domain"], message);
  }
  for (const [name, text] of [
    ["apiVersion", apiVersion],
    ["kind", kind],
  ] as const) {
    if (text === undefined || text === null || text === "") {
      return nothing(codes.missingKind, [], `\`${name}\` is missing, expected apiVersion and kind`);
    }
    if (typeof text !== "string") {
      return nothing(codes.wrongType, [name], `\`${name}\` is ${show(text)}, expected text`);
    }
  }
  const slash = String(apiVersion).indexOf("/");
  const group = slash === -1 ? "" : String(apiVersion).slice(0, slash);
  const version = String(apiVersion).slice(slash + 1);
  const refusal = refuse({ group, version, kind: String(kind) }, served);
  if (refusal !== undefined) return { group, document: undefined, findings: [refusal] };
  return readMetadata(value, group);
}

interface TypeName {
  readonly group: string;
  readonly version: string;
  readonly kind: string;
}

function refuse({ group, version, kind }: TypeName, served: Served): Finding | undefined {
  const versions = served.versions(group, kind);
  if (versions?.includes(version)) return undefined;
  if (versions !== undefined) {
    const message = `unknown version ${show(version)} of ${kind}, expected ${versions.join(", ")}`;
    return finding(codes.unknownKind, ["apiVersion"], message);
  }
  if (withoutEffect.has(`${group}/${kind}`)) {
    return finding(codes.kindWithoutEffect, ["kind"], `kind ${show(kind)} has no effect here`);
  }
  if (served.groups.has(group) || otherIstioGroups.has(group)) {
    return finding(codes.unknownKind, ["kind"], `unknown kind ${show(kind)} in group ${show(group)}`);
  }
  if (served.kinds.has(kind)) {
    const message = `kind ${show(kind)} in group ${show(group)}, which does not have it: is the apiVersion right?`;
    return finding(codes.unknownKind, ["apiVersion"], message);
  }
  const message = `document of group ${show(group)} is skipped, it is not served here`;
  return finding(codes.foreignGroup, ["apiVersion"], message);
}

function readMetadata(value: Fields, group: string): Head {
  const findings: Finding[] = [];
  asFields(value, [], findings, topFields);
  const metadata = readFields(withoutNulls(value), "metadata", [], findings, metadataFields) ?? {};
  const document: ResourceDocument = {
    apiVersion: String(value["apiVersion"]),
    kind: String(value["kind"]),
    name: readName(metadata, findings),
    namespace: readNamespace(metadata, findings),
    annotations: readStrings(metadata, "annotations", findings),
    labels: readStrings(metadata, "labels", findings),
    // A null stays: Kubernetes does not take `spec:` without anything behind it for an absent one.
    spec: value["spec"],
  };
  return { group, document, findings };
}

function readName(metadata: Fields, out: Finding[]): string {
  const path = [...metadataPath, "name"];
  const name = metadata["name"] || undefined;
  if (typeof name !== "string") {
    out.push(wrongType(name, path, "a name"));
    return "";
  }
  if (name.length > MAX_NAME || !subdomain.test(name)) {
    const message = `name ${show(name)} is not valid, expected lower-case letters, digits, \`-\` and \`.\``;
    out.push(finding(codes.invalidName, path, message));
  }
  return name;
}

function readNamespace(metadata: Fields, out: Finding[]): string {
  const namespace = readText(withoutNulls(metadata), "namespace", metadataPath, out) || "default";
  if (namespace.length > MAX_NAMESPACE || !label.test(namespace)) {
    const message = `namespace ${show(namespace)} is not valid, expected lower-case letters, digits and \`-\``;
    out.push(finding(codes.invalidName, [...metadataPath, "namespace"], message));
  }
  return namespace;
}

const noStrings: ReadonlyMap<string, string> = new Map();

function readStrings(metadata: Fields, key: string, out: Finding[]): ReadonlyMap<string, string> {
  const given = readFields(withoutNulls(metadata), key, metadataPath, out);
  if (given === undefined) return noStrings;
  const read = new Map<string, string>();
  for (const [name, value] of Object.entries(given)) {
    if (typeof value === "string") read.set(name, value);
    else out.push(wrongType(value, [...metadataPath, key, name], "a string"));
  }
  return read;
}

const metadataPath: Path = ["metadata"];

/**
 * Kubernetes takes a null in `metadata` as absent; `kubectl get -o yaml` prints `creationTimestamp: null`.
 */
function withoutNulls(fields: Fields): Fields {
  if (Object.values(fields).every((value) => value !== null)) return fields;
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== null));
}

function nothing(code: Code, path: Path, message: string): Head {
  return { group: "", document: undefined, findings: [finding(code, path, message)] };
}

function isFields(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function own(fields: Fields, key: string): unknown {
  return Object.hasOwn(fields, key) ? fields[key] : undefined;
}
