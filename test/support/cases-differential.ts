import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { performance } from "node:perf_hooks";
import grpc from "@grpc/grpc-js";
import type { Decision, MeshSettings, Snapshot } from "../../src/engine/index.js";
import { createAuthorization } from "../../src/envoy/index.js";
import { compileRbac, type Rbac, type RbacFilter, type RbacPolicy } from "../../src/rbac/index.js";
import { createTransport } from "../../src/server/grpc.js";
import { loadProtos } from "../../src/server/protos.js";
import { startEnvoy } from "./envoy.js";
import { noAccessLog } from "./no-access-log.js";
import { noExtProc } from "./no-ext-proc.js";
import { noRateLimitService, noRateLimits } from "./no-rate-limits.js";
import { type RawCall, sendRaw } from "./raw-http.js";

/** A rule under test: one policy of an RBAC document, by a name that tells what it asks. */
export type Rules = Readonly<Record<string, RbacPolicy>>;

/** A request under test; the port is added. */
export type Request = Omit<RawCall, "port">;

/** One listener of Envoy with all the rules, and all the requests that it gets. */
export interface Scene {
  readonly name: string;
  readonly rules: Rules;
  /** By a name that tells what is special. */
  readonly requests: Readonly<Record<string, Request>>;
  /** Members of the HTTP connection manager beside our own. */
  readonly manager?: Readonly<Record<string, unknown>>;
  /** HTTP filters in front of all. */
  readonly before?: readonly unknown[];
  /** Dynamic metadata that our server may see. */
  readonly metadataNamespaces?: readonly string[];
  readonly routeMetadata?: Readonly<Record<string, unknown>>;
  /** `transport_socket` of the filter chain. */
  readonly transportSocket?: unknown;
  /** `listener_filters`. */
  readonly listenerFilters?: readonly unknown[];
  readonly mesh?: Partial<MeshSettings>;
}

/** Our side of a scene: a server on loopback that decides by `filters`. */
export interface Decider {
  readonly port: number;
  /** What it decided last, for the request that was sent last. */
  readonly last: () => Decision | undefined;
  readonly errors: readonly unknown[];
  readonly forgetErrors: () => void;
  readonly stop: () => Promise<unknown>;
}

const mesh: MeshSettings = {
  unknownWorkload: "meshPolicies",
  strictRequests: false,
  customSeesIdentity: false,
  envoyJwtPayloadKey: undefined,
  xff: { useRemoteAddress: false, numTrustedHops: 0 },
  xffPerType: {},
  defaultWorkload: undefined,
};

/** A snapshot in which these filters apply to everything. */
export function snapshotOf(filters: readonly RbacFilter[], settings: Partial<MeshSettings> = {}): Snapshot {
  const chain = { custom: [], authn: undefined, own: [], filters, quota: undefined };
  return {
    generation: 1,
    mesh: { ...mesh, ...settings },
    scoped: false,
    lookup: () => undefined,
    plan: () => ({ http: chain, tcp: chain }),
    rateLimits: noRateLimits,
  };
}

/**
 * Each rule as a shadow filter of its own, in the order of its name: `Decision.dryRun` has one result a rule.
 */
function shadowFilters(rules: Rules): readonly RbacFilter[] {
  return Object.entries(rules).map(([name, policy]) => {
    const rbac: Rbac = { action: "ALLOW", policies: { [name]: policy } };
    return { enforced: undefined, shadow: compileRbac(rbac, (key) => `default/${key}`) };
  });
}

/** An RBAC document as an enforced filter. */
export function enforcedFilter(rbac: Rbac): RbacFilter {
  return { enforced: compileRbac(rbac, (key) => `default/${key}`), shadow: undefined };
}

/** Starts the product's service on its own transport. */
export async function startDecider(snapshot: Snapshot, maxMessageBytes = 4_194_304): Promise<Decider> {
  let last: Decision | undefined;
  let id = 0;
  const errors: unknown[] = [];
  const transport = createTransport({
    authorization: createAuthorization({
      current: () => snapshot,
      decisionId: () => `d-${++id}`,
      encode: loadProtos().check.responseSerialize,
      now: () => performance.now(),
      wallClock: Date.now,
      observe: (decision) => {
        last = decision;
      },
      onError: (error) => errors.push(error),
    }),
    rateLimit: noRateLimitService,
    accessLog: noAccessLog,
    extProc: noExtProc,
    credentials: grpc.ServerCredentials.createInsecure(),
    refusePeer: undefined,
    maxMessageBytes,
    reflection: false,
    onError: (where, error) => errors.push(error ?? where),
  });
  const address = await transport.listen({ kind: "tcp", host: "127.0.0.1", port: 0 });
  transport.setServing(true);
  if (address.kind !== "tcp") throw new Error("expected a TCP address");
  return {
    port: address.port,
    last: () => last,
    errors,
    forgetErrors: () => {
      errors.splice(0);
    },
    stop: () => transport.drain(1_000),
  };
}

/** Envoy's configuration for the scenes; the clusters are `ours-SCENE`. */
export function sceneBootstrap(scenes: readonly Scene[]): Record<string, unknown> {
  return {
    static_resources: {
      listeners: scenes.map(listener),
      clusters: scenes.map((scene) => checkCluster(`ours-${scene.name}`)),
    },
  };
}

function listener(scene: Scene): unknown {
  return {
    name: scene.name,
    address: { socket_address: { address: "127.0.0.1", port_value: 0 } },
    listener_filters: scene.listenerFilters ?? [],
    filter_chains: [
      {
        ...(scene.transportSocket === undefined ? {} : { transport_socket: scene.transportSocket }),
        filters: [
          {
            name: "envoy.filters.network.http_connection_manager",
            typed_config: {
              "@type":
                "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
              stat_prefix: scene.name,
              max_request_headers_kb: 96,
              ...scene.manager,
              http_filters: [
                ...(scene.before ?? []),
                extAuthz(
                  `ours-${scene.name}`,
                  scene.metadataNamespaces ?? [],
                  Object.keys(scene.routeMetadata ?? {}),
                ),
                ...Object.entries(scene.rules).map(([name, policy], index) =>
                  shadowRbac(name, policy, index),
                ),
                router,
              ],
              route_config: directRoutes(scene.routeMetadata, verdictHeader),
            },
          },
        ],
      },
    ],
  };
}

/** The filter as our bootstraps have it. */
export function extAuthz(
  cluster: string,
  metadataNamespaces: readonly string[] = [],
  routeMetadataNamespaces: readonly string[] = [],
): unknown {
  return {
    name: "envoy.filters.http.ext_authz",
    typed_config: {
      "@type": "type.googleapis.com/envoy.extensions.filters.http.ext_authz.v3.ExtAuthz",
      transport_api_version: "V3",
      grpc_service: { envoy_grpc: { cluster_name: cluster }, timeout: "5s" },
      failure_mode_allow: false,
      validate_mutations: true,
      encode_raw_headers: true,
      include_peer_certificate: true,
      include_tls_session: true,
      metadata_context_namespaces: metadataNamespaces,
      route_metadata_context_namespaces: routeMetadataNamespaces,
    },
  };
}

const rbacType = "type.googleapis.com/envoy.extensions.filters.http.rbac.v3.RBAC";

function shadowRbac(name: string, policy: RbacPolicy, index: number): unknown {
  return {
    name: `envoy.filters.http.rbac`,
    typed_config: {
      "@type": rbacType,
      shadow_rules: { action: "ALLOW", policies: { [name]: policy } },
      shadow_rules_stat_prefix: `r${index}_`,
    },
  };
}

/** Envoy's own filter with the rules enforced. */
export function nativeRbac(rules: Rbac): unknown {
  return { name: "envoy.filters.http.rbac", typed_config: { "@type": rbacType, rules } };
}

/** Envoy's last HTTP filter. */
export const router: unknown = {
  name: "envoy.filters.http.router",
  typed_config: { "@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router" },
};

const verdictHeader = {
  header: { key: "x-verdicts", value: "%DYNAMIC_METADATA(envoy.filters.http.rbac)%" },
};

/** Answers everything that arrives with 200. */
export function directRoutes(metadata?: Readonly<Record<string, unknown>>, ...headers: unknown[]): unknown {
  const rest = {
    direct_response: { status: 200 },
    response_headers_to_add: headers,
    ...(metadata === undefined ? {} : { metadata: { filter_metadata: metadata } }),
  };
  return {
    name: "all",
    virtual_hosts: [
      {
        name: "all",
        domains: ["*"],
        routes: [
          { match: { connect_matcher: {} }, ...rest },
          { match: { prefix: "" }, ...rest },
        ],
      },
    ],
  };
}

/** A cluster that speaks gRPC; its port is given at start. */
export function checkCluster(name: string): unknown {
  return {
    name,
    type: "STATIC",
    connect_timeout: "1s",
    typed_extension_protocol_options: {
      "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
        "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
        explicit_http_config: { http2_protocol_options: {} },
      },
    },
    load_assignment: {
      cluster_name: name,
      endpoints: [
        {
          lb_endpoints: [
            { endpoint: { address: { socket_address: { address: "127.0.0.1", port_value: 1 } } } },
          ],
        },
      ],
    },
  };
}

/**
 * Envoy's own verdicts as the answer's header tells them: whether each rule matched, in order; undefined
 * without one.
 */
function nativeVerdicts(header: string | undefined, count: number): readonly boolean[] | undefined {
  if (header === undefined) return undefined;
  const metadata = JSON.parse(header) as Record<string, string>;
  return Array.from(
    { length: count },
    (_, index) => metadata[`r${index}_shadow_engine_result`] === "allowed",
  );
}

/** What came of a scene. */
export interface Comparison {
  /** Rules times requests that both sides judged. */
  readonly compared: number;
  /** Of those, how many matched. */
  readonly matched: number;
  /** Rule, request and both verdicts, where they differ. */
  readonly disagreements: readonly string[];
  /** Requests that Envoy answered before any filter saw them, with the status. */
  readonly rejected: Readonly<Record<string, number>>;
}

/** A real Envoy with all the scenes, and our servers behind it. */
export interface Stage {
  readonly play: (scene: Scene) => Promise<Comparison>;
  readonly stop: () => Promise<void>;
}

/**
 * Starts Envoy and our servers. A request goes through our check and through Envoy's own RBAC filter at once,
 * and each rule is a shadow filter of its own on both sides: one request tells about all rules.
 */
export async function startStage(
  scenes: readonly Scene[],
  listeners: Readonly<Record<string, number>> = {},
): Promise<Stage> {
  const deciders = new Map<Scene, Decider>();
  for (const scene of scenes)
    deciders.set(scene, await startDecider(snapshotOf(shadowFilters(scene.rules), scene.mesh)));
  const stopDeciders = async (): Promise<void> => {
    for (const decider of deciders.values()) await decider.stop();
  };
  const clusters = Object.fromEntries([...deciders].map(([scene, { port }]) => [`ours-${scene.name}`, port]));
  try {
    const envoy = await startEnvoy({ bootstrap: sceneBootstrap(scenes), clusters, listeners });
    return {
      play: async (scene) => {
        const decider = deciders.get(scene);
        if (decider === undefined) throw new Error(`scene \`${scene.name}\` is not on this stage`);
        return play(scene, envoy.ports[scene.name] ?? 0, decider);
      },
      stop: async () => {
        await envoy.stop();
        await stopDeciders();
      },
    };
  } catch (error) {
    await stopDeciders();
    throw error;
  }
}

async function play(scene: Scene, port: number, decider: Decider): Promise<Comparison> {
  const names = Object.keys(scene.rules);
  const disagreements: string[] = [];
  const rejected: Record<string, number> = {};
  let compared = 0;
  let matched = 0;
  for (const [title, request] of Object.entries(scene.requests)) {
    const before = decider.last();
    const answer = await sendRaw({ ...request, port });
    const decision = decider.last();
    if (decision === undefined || decision === before) {
      rejected[title] = answer.status;
      continue;
    }
    const theirs = nativeVerdicts(answer.headers.get("x-verdicts"), names.length);
    for (const [index, name] of names.entries()) {
      const ours =
        decision.dryRun[index] === undefined ? decision.reason : decision.dryRun[index].result === "allowed";
      const native = theirs?.[index];
      compared++;
      if (native === true) matched++;
      if (ours === native) continue;
      disagreements.push(
        `rule ${name} on ${title}: Envoy ${native ?? answer.status}, ours ${ours}: ${JSON.stringify(request.bytes)}`,
      );
    }
  }
  return { compared, matched, disagreements, rejected };
}

/** What a real Envoy says of each rule that it refuses to load, by the rule's name. */
export async function refusedByEnvoy(rules: Rules): Promise<ReadonlyMap<string, string>> {
  const folder = await mkdtemp(join(tmpdir(), "gatehouse-lds-"));
  const names = Object.keys(rules);
  const resources = Object.values(rules).map((policy, index) => ({
    "@type": "type.googleapis.com/envoy.config.listener.v3.Listener",
    ...(listener({ name: `r${index}`, rules: { policy }, requests: {} }) as object),
  }));
  const lds = join(folder, "lds.json");
  await writeFile(lds, JSON.stringify({ version_info: "1", resources }));
  const bootstrap = {
    node: { id: "test", cluster: "test" },
    dynamic_resources: { lds_config: { path_config_source: { path: lds }, resource_api_version: "V3" } },
    static_resources: { clusters: names.map((_, index) => checkCluster(`ours-r${index}`)) },
  };
  const envoy = await startEnvoy({ bootstrap });
  try {
    const dump = JSON.parse(await envoy.adminText("/config_dump?resource=dynamic_listeners")) as {
      configs?: { name?: string; error_state?: { details?: string } }[];
    };
    const refused = new Map<string, string>();
    for (const { name = "r-", error_state } of dump.configs ?? []) {
      const rule = names[Number(name.slice(1))];
      if (error_state !== undefined && rule !== undefined) refused.set(rule, error_state.details ?? "");
    }
    return refused;
  } finally {
    await envoy.stop();
    await rm(folder, { recursive: true, force: true });
  }
}
