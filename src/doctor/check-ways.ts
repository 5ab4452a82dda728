import { codes, show } from "../diagnostics/index.js";
import { isPolicy } from "./check-order.js";
import type { Chain, EnvoyConfig, Filter, Listener, Manager } from "./envoy-config.js";
import { isSet, type Tell } from "./tell.js";
import { at, items, type Tree, text } from "./tree.js";
import { types } from "./typed.js";

/** A way by which requests or connections reach clusters. */
interface Way {
  /** For people: the listener, and its filter chain where it has several. */
  readonly label: string;
  /** Nobody reaches it but by a cluster that names it: its name. */
  readonly internal: string | undefined;
  readonly clusters: ReadonlySet<string>;
  readonly isGuarded: boolean;
  readonly tree: Tree;
}

/** Clusters that are reached with a decision on one way and without on another. */
export function checkWays(config: EnvoyConfig, tell: Tell): void {
  const ways = config.listeners.flatMap((listener) =>
    listener.chains.flatMap((chain) => waysOf(listener, chain)),
  );
  const guarded = ways.filter(({ isGuarded }) => isGuarded);
  if (guarded.length === 0) {
    // A filter that is not here may be the one.
    if (config.listeners.length > 0 && !config.missing.some(({ isFilter }) => isFilter)) {
      tell(codes.doctorNoPolicyFilter, [], "no listener asks for decisions, expected ext_authz or ext_proc");
    }
    return;
  }
  for (const way of openOf(ways, config)) {
    const shared = [...way.clusters].filter((cluster) =>
      guarded.some(({ clusters }) => clusters.has(cluster)),
    );
    if (shared.length === 0) continue;
    const other = guarded.find(({ clusters }) => clusters.has(shared[0] ?? ""))?.label ?? "";
    const message = `${way.label} reaches ${shared.slice(0, 5).map(show).join(", ")} without a decision, ${other} with one`;
    tell(codes.doctorBypass, way.tree.path, message);
  }
}

/** The ways on which nobody decides, also not in front of an internal listener. */
function openOf(ways: readonly Way[], config: EnvoyConfig): readonly Way[] {
  const unguarded = ways.filter(({ isGuarded }) => !isGuarded);
  const open = new Set(unguarded.filter(({ internal }) => internal === undefined));
  // What is added while it is walked through is walked through, too.
  for (const { clusters } of open) {
    const behind = new Set([...clusters].flatMap((cluster) => listenersOf(cluster, config)));
    for (const way of unguarded) {
      if (way.internal !== undefined && behind.has(way.internal)) open.add(way);
    }
  }
  return unguarded.filter((way) => open.has(way));
}

/** The internal listeners that a cluster leads to. */
function listenersOf(cluster: string, { clusters, endpoints }: EnvoyConfig): readonly string[] {
  return items(at(clusters.get(cluster), "load_assignment") ?? endpoints.get(cluster), "endpoints")
    .flatMap((locality) => items(locality, "lb_endpoints"))
    .flatMap(
      (one) => text(one, "endpoint", "address", "envoy_internal_address", "server_listener_name") ?? [],
    );
}

function waysOf(listener: Listener, { tree: chain, filters, managers }: Chain): readonly Way[] {
  const isGuarded = filters.some(({ type }) => type === types.networkAuthz);
  const chainName = text(chain, "name");
  const label = `listener ${show(listener.name)}${
    listener.chains.length > 1 && chainName !== undefined ? ` (filter chain ${show(chainName)})` : ""
  }`;
  const internal = isSet(listener.tree, "internal_listener") ? listener.name : undefined;
  return [
    ...managers.map((manager) => ({
      label,
      internal,
      clusters: clustersOf(manager),
      isGuarded: isGuarded || manager.filters.some(({ type }) => isPolicy(type)),
      tree: manager.config,
    })),
    ...filters
      .filter(({ type }) => type === types.tcpProxy)
      .map((filter) => ({ label, internal, clusters: proxied(filter), isGuarded, tree: filter.tree })),
  ];
}

function clustersOf({ scopes }: Manager): ReadonlySet<string> {
  const names = scopes.flatMap(({ kind, tree }) =>
    kind === "route" ? [text(tree, "route", "cluster")] : kind === "cluster" ? [text(tree, "name")] : [],
  );
  return new Set(names.filter((name) => name !== undefined));
}

function proxied({ config }: Filter): ReadonlySet<string> {
  const weighted = items(config, "weighted_clusters", "clusters").map((one) => text(one, "name"));
  return new Set([text(config, "cluster"), ...weighted].filter((name) => name !== undefined));
}

/** What a control plane has, and the admin interface. */
export function checkWhole({ missing, bootstrap }: EnvoyConfig, tell: Tell): void {
  for (const { what, path } of missing) {
    tell(codes.doctorIncomplete, path, `${what} from elsewhere, expected a config dump of a running Envoy`);
  }
  const admin = at(bootstrap, "admin");
  const address = text(admin, "address", "socket_address", "address");
  if (admin === undefined || address === undefined || isLoopback(address)) return;
  const message = `the admin interface listens on \`${address}\`, expected 127.0.0.1 or a unix socket`;
  const place = at(admin, "address", "socket_address", "address")?.path ?? admin.path;
  tell(codes.doctorAdminOpen, place, message);
}

/** Whether an address stays on this machine. */
export function isLoopback(address: string): boolean {
  return /^(?:127\.[0-9.]+|::1|localhost)$/.test(address);
}

/** Whether TLS protects a socket. */
export function hasTransportSocket(tree: Tree): boolean {
  return isSet(tree, "transport_socket") || isSet(tree, "transport_socket_matches");
}
