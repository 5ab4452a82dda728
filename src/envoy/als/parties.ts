import { LRUCache } from "lru-cache";
import { type JsonObject, member, parseSpiffeId, type Workload } from "../../attributes/index.js";
import type { Party, Reporter } from "../../report/index.js";
import { type Identifier, textOf } from "./identifier.js";
import { said } from "./tags.js";

/** Distinct workloads that are remembered by what proxies say of them. */
const maxParties = 10_000;
const maxReporters = 2_000;
/** Characters of texts that proxies say, in each memory: a message of theirs is shorter. */
const maxCharacters = 8 * 1_048_576;

/** Which workload stands at an end. The same facts give the same object, by which label sets are remembered. */
export interface Parties {
  /** The proxy that a stream's identifier names. */
  reporter(identifier: Identifier): Reporter;
  ofWorkload(workload: Workload): Party;
  /** Of Istio's endpoint metadata: `NAME;NAMESPACE;CANONICAL-SERVICE;CANONICAL-REVISION;CLUSTER`. */
  ofEndpoint(text: string): Party | undefined;
  /** Of custom tags named as Istio's labels: `source_workload`, `source_workload_namespace` … */
  ofTags(tags: ReadonlyMap<string, string>, names: TagNames): Party | undefined;
  /** Of a SPIFFE id of Istio's form, which names the namespace only. */
  ofPrincipal(principal: string): Party | undefined;
}

/** The custom tags that describe one end. */
export interface TagNames {
  readonly workload: string;
  readonly namespace: string;
  readonly canonicalService: string;
  readonly canonicalRevision: string;
  readonly cluster: string;
  readonly app: string;
  readonly version: string;
}

/** The tags of an end: `source` or `destination`. */
export function tagNames(end: "source" | "destination"): TagNames {
  return {
    workload: `${end}_workload`,
    namespace: `${end}_workload_namespace`,
    canonicalService: `${end}_canonical_service`,
    canonicalRevision: `${end}_canonical_revision`,
    cluster: `${end}_cluster`,
    app: `${end}_app`,
    version: `${end}_version`,
  };
}

interface Facts {
  readonly namespace: string;
  readonly name: string;
  readonly type?: Workload["type"];
  readonly labels: ReadonlyMap<string, string>;
  readonly cluster?: string;
  readonly canonicalService?: string;
  readonly canonicalRevision?: string;
}

/** What Istio's node ids begin with. */
const nodeTypes: readonly (readonly [prefix: string, type: Workload["type"]])[] = [
  ["router~", "gateway"],
  ["waypoint~", "waypoint"],
];

/** The labels that name a canonical service, and its revision; the first that is there counts, as in Istio. */
const serviceLabels = ["service.istio.io/canonical-name", "app.kubernetes.io/name", "app"];
const revisionLabels = ["service.istio.io/canonical-revision", "app.kubernetes.io/version", "version"];

const noLabels: ReadonlyMap<string, string> = new Map();

/** An empty memory of workloads. */
export function createParties(): Parties {
  const parties = memory<Party>(maxParties);
  const reporters = memory<Reporter>(maxReporters);
  /** Under the texts as they came: to put others together for each entry would cost more than all else here. */
  const byEndpoint = memory<Party>(maxParties);
  const byPrincipal = memory<Party>(maxParties);
  const byWorkload = new WeakMap<Workload, Party>();

  function remember(key: string, facts: () => Facts): Party {
    const known = parties.get(key);
    if (known !== undefined) return known;
    const party = toParty(facts());
    parties.set(key, party);
    return party;
  }

  function ofNode({ id, metadata }: Identifier): Party | undefined {
    const namespace = textOf(metadata, "NAMESPACE");
    if (namespace === "") return undefined;
    const labels = labelsOf(metadata);
    const facts: Facts = {
      namespace,
      name: textOf(metadata, "WORKLOAD_NAME"),
      type: nodeTypes.find(([prefix]) => id.startsWith(prefix))?.[1] ?? "sidecar",
      labels,
      cluster: textOf(metadata, "CLUSTER_ID"),
      canonicalService: textOf(metadata, "CANONICAL_SERVICE"),
      canonicalRevision: textOf(metadata, "CANONICAL_REVISION"),
    };
    // Protobuf maps come in any order.
    const sorted = [...labels].sort(([one], [other]) => (one < other ? -1 : 1));
    return remember(`node ${JSON.stringify([facts, sorted])}`, () => facts);
  }

  return {
    reporter(identifier) {
      const { id, cluster, logName } = identifier;
      const party = ofNode(identifier);
      const key = JSON.stringify([id, cluster, logName]);
      const known = reporters.get(key);
      if (known !== undefined && known.party === party) return known;
      const reporter = { id, cluster, logName, party };
      reporters.set(key, reporter);
      return reporter;
    },
    ofWorkload(workload) {
      const known = byWorkload.get(workload);
      if (known !== undefined) return known;
      const party: Party = {
        workload,
        cluster: "",
        canonicalService: firstOf(workload.labels, serviceLabels) || workload.name,
        canonicalRevision: firstOf(workload.labels, revisionLabels) || "latest",
      };
      byWorkload.set(workload, party);
      return party;
    },
    ofEndpoint(text) {
      if (text === "" || text === "-") return undefined;
      const known = byEndpoint.get(text);
      if (known !== undefined) return known;
      const [name = "", namespace = "", canonicalService = "", canonicalRevision = "", cluster = ""] =
        text.split(";");
      if (name === "" && namespace === "") return undefined;
      const facts = { namespace, name, labels: noLabels, cluster, canonicalService, canonicalRevision };
      const party = toParty(facts);
      byEndpoint.set(text, party);
      return party;
    },
    ofTags(tags, names) {
      const name = said(tags.get(names.workload));
      const namespace = said(tags.get(names.namespace));
      if (name === "" && namespace === "") return undefined;
      const cluster = said(tags.get(names.cluster));
      const canonicalService = said(tags.get(names.canonicalService));
      const canonicalRevision = said(tags.get(names.canonicalRevision));
      const app = said(tags.get(names.app));
      const version = said(tags.get(names.version));
      const all = [name, namespace, cluster, canonicalService, canonicalRevision, app, version];
      return remember(`tags ${all.join("\0")}`, () => {
        const labels = new Map<string, string>();
        if (app !== "") labels.set("app", app);
        if (version !== "") labels.set("version", version);
        return { namespace, name, labels, cluster, canonicalService, canonicalRevision };
      });
    },
    ofPrincipal(principal) {
      if (!principal.startsWith("spiffe://")) return undefined;
      const known = byPrincipal.get(principal);
      if (known !== undefined) return known;
      const id = parseSpiffeId(principal);
      if (id === undefined) return undefined;
      // All accounts of a namespace are the same party.
      const party = remember(`namespace ${id.namespace}`, () => ({
        namespace: id.namespace,
        name: "",
        labels: noLabels,
      }));
      byPrincipal.set(principal, party);
      return party;
    },
  };
}

/** What is remembered is no longer than a few times its key. */
function memory<Held extends object>(max: number): LRUCache<string, Held> {
  return new LRUCache({ max, maxSize: maxCharacters, sizeCalculation: (_, key) => Math.max(1, key.length) });
}

function toParty(facts: Facts): Party {
  const { namespace, name, type = "sidecar", labels, cluster = "" } = facts;
  const canonicalService = facts.canonicalService || firstOf(labels, serviceLabels) || name;
  const revision = facts.canonicalRevision || firstOf(labels, revisionLabels);
  return {
    workload: { namespace, name, type, labels, services: [] },
    cluster,
    canonicalService,
    // Of a workload without a name nothing is known, neither is its revision.
    canonicalRevision: revision !== "" || canonicalService === "" ? revision : "latest",
  };
}

function firstOf(labels: ReadonlyMap<string, string>, names: readonly string[]): string {
  for (const name of names) {
    const value = labels.get(name);
    if (value !== undefined && value !== "") return value;
  }
  return "";
}

function labelsOf(metadata: JsonObject): ReadonlyMap<string, string> {
  const labels = member(metadata, "LABELS");
  if (typeof labels !== "object" || labels === null || Array.isArray(labels)) return noLabels;
  const texts = new Map<string, string>();
  for (const [name, value] of Object.entries(labels)) if (typeof value === "string") texts.set(name, value);
  return texts;
}
