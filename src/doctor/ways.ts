import { show } from "../diagnostics/index.js";
import { isPolicy } from "./check-order.js";
import type { Chain, EnvoyConfig, Filter, Listener, Manager } from "./envoy-config.js";
import { isSet } from "./tell.js";
import { at, items, type Tree, text } from "./tree.js";
import { types } from "./typed.js";

/** A way by which requests or connections reach clusters. */
export interface Way {
  /** For people: the listener, and its filter chain where it has several. */
  readonly label: string;
  /** Nobody reaches it but by a cluster that names it: its name. */
  readonly internal: string | undefined;
  readonly clusters: ReadonlySet<string>;
  readonly isGuarded: boolean;
  /** Undefined of a TCP proxy. */
  readonly manager: Manager | undefined;
  readonly tree: Tree;
}

/** The ways on which nothing is closed, also not in front of an internal listener. */
export function openOf(
  ways: readonly Way[],
  isClosed: (way: Way) => boolean,
  config: EnvoyConfig,
): readonly Way[] {
  const unguarded = ways.filter((way) => !isClosed(way));
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
export function listenersOf(cluster: string, { clusters, endpoints }: EnvoyConfig): readonly string[] {
  return items(at(clusters.get(cluster), "load_assignment") ?? endpoints.get(cluster), "endpoints")
    .flatMap((locality) => items(locality, "lb_endpoints"))
    .flatMap(
      (one) => text(one, "endpoint", "address", "envoy_internal_address", "server_listener_name") ?? [],
    );
}

/** The ways through one filter chain: its connection managers and TCP proxies. */
export function waysOf(listener: Listener, { tree: chain, filters, managers }: Chain): readonly Way[] {
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
      manager,
      tree: manager.config,
    })),
    ...filters
      .filter(({ type }) => type === types.tcpProxy)
      .map((filter) => ({
        label,
        internal,
        clusters: proxied(filter),
        isGuarded,
        manager: undefined,
        tree: filter.tree,
      })),
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
