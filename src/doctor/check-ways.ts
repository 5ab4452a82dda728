import { codes, show } from "../diagnostics/index.js";
import { isPolicy } from "./check-order.js";
import type { Chain, EnvoyConfig, Filter, Manager } from "./envoy-config.js";
import { isSet, type Tell } from "./tell.js";
import { at, items, type Tree, text } from "./tree.js";
import { types } from "./typed.js";

/** A way by which requests or connections reach clusters. */
interface Way {
  readonly listener: string;
  readonly clusters: ReadonlySet<string>;
  readonly isGuarded: boolean;
  readonly tree: Tree;
}

/** Clusters that are reached with a decision on one way and without on another. */
export function checkWays(config: EnvoyConfig, tell: Tell): void {
  const ways = config.listeners.flatMap(({ name, chains }) => chains.flatMap((chain) => waysOf(name, chain)));
  const guarded = ways.filter(({ isGuarded }) => isGuarded);
  if (guarded.length === 0) {
    if (config.listeners.length > 0) {
      tell(codes.doctorNoPolicyFilter, [], "no listener asks for decisions, expected ext_authz or ext_proc");
    }
    return;
  }
  for (const way of ways) {
    if (way.isGuarded) continue;
    const shared = [...way.clusters].filter((cluster) =>
      guarded.some(({ clusters }) => clusters.has(cluster)),
    );
    if (shared.length === 0) continue;
    const other = guarded.find(({ clusters }) => clusters.has(shared[0] ?? ""))?.listener ?? "";
    const message = `listener ${show(way.listener)} reaches ${shared.slice(0, 5).map(show).join(", ")} without a decision, listener ${show(other)} with one`;
    tell(codes.doctorBypass, way.tree.path, message);
  }
}

function waysOf(listener: string, { filters, managers }: Chain): readonly Way[] {
  const isGuarded = filters.some(({ type }) => type === types.networkAuthz);
  return [
    ...managers.map((manager) => ({
      listener,
      clusters: clustersOf(manager),
      isGuarded: isGuarded || manager.filters.some(({ type }) => isPolicy(type)),
      tree: manager.config,
    })),
    ...filters
      .filter(({ type }) => type === types.tcpProxy)
      .map((filter) => ({ listener, clusters: proxied(filter), isGuarded, tree: filter.tree })),
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
export function checkWhole({ missing, admin }: EnvoyConfig, tell: Tell): void {
  for (const { what, path } of missing) {
    tell(
      codes.doctorIncomplete,
      path,
      `${what} come from elsewhere, expected a config dump of a running Envoy`,
    );
  }
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
