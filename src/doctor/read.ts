import { connectionsOf } from "./connections.js";
import type { Elsewhere, EnvoyConfig, Missing } from "./envoy-config.js";
import { at, isMapping, items, type Tree, text } from "./tree.js";

/** Reads a bootstrap, or what `/config_dump` prints; undefined when it is neither. */
export function readEnvoyConfig(document: unknown): EnvoyConfig | undefined {
  const root: Tree = { value: document, path: [] };
  if (!isMapping(document)) return undefined;
  if (at(root, "configs") !== undefined) return fromDump(items(root, "configs"));
  const known = ["static_resources", "dynamic_resources", "admin", "node"];
  return known.some((name) => at(root, name) !== undefined) ? fromBootstrap(root) : undefined;
}

function fromBootstrap(root: Tree): EnvoyConfig {
  const resources = at(root, "static_resources");
  const missing: Missing[] = [];
  for (const [field, what] of [
    ["lds_config", "listeners come"],
    ["cds_config", "clusters come"],
  ] as const) {
    const source = at(root, "dynamic_resources", field);
    if (source !== undefined) missing.push({ what, path: source.path });
  }
  const elsewhere: Elsewhere = { routes: new Map(), filters: new Map() };
  return {
    bootstrap: root,
    listeners: items(resources, "listeners").map((tree) => connectionsOf(tree, elsewhere, missing)),
    clusters: byName(items(resources, "clusters")),
    endpoints: new Map(),
    missing,
  };
}

function fromDump(configs: readonly Tree[]): EnvoyConfig | undefined {
  const of = (type: string): readonly Tree[] =>
    configs.filter((config) => text(config, "@type") === `type.googleapis.com/envoy.admin.v3.${type}`);
  const bootstrap = of("BootstrapConfigDump").flatMap((dump) => at(dump, "bootstrap") ?? []);
  const listeners = [
    ...pick(of("ListenersConfigDump"), "static_listeners", "listener"),
    ...pick(of("ListenersConfigDump"), "dynamic_listeners", "active_state", "listener"),
  ];
  const clusters = [
    ...pick(of("ClustersConfigDump"), "static_clusters", "cluster"),
    ...pick(of("ClustersConfigDump"), "dynamic_active_clusters", "cluster"),
  ];
  if (bootstrap.length + listeners.length + clusters.length === 0) return undefined;
  const elsewhere: Elsewhere = {
    routes: byName([
      ...pick(of("RoutesConfigDump"), "dynamic_route_configs", "route_config"),
      ...pick(of("RoutesConfigDump"), "static_route_configs", "route_config"),
    ]),
    filters: byName(pick(of("EcdsConfigDump"), "ecds_filters", "ecds_filter")),
  };
  const missing: Missing[] = [];
  return {
    bootstrap: bootstrap[0],
    listeners: listeners.map((tree) => connectionsOf(tree, elsewhere, missing)),
    clusters: byName(clusters),
    endpoints: byName(
      [
        ...pick(of("EndpointsConfigDump"), "static_endpoint_configs", "endpoint_config"),
        ...pick(of("EndpointsConfigDump"), "dynamic_endpoint_configs", "endpoint_config"),
      ],
      "cluster_name",
    ),
    missing,
  };
}

function pick(dumps: readonly Tree[], list: string, ...names: readonly string[]): readonly Tree[] {
  return dumps.flatMap((dump) => items(dump, list)).flatMap((item) => at(item, ...names) ?? []);
}

/** The first of a name counts. */
function byName(trees: readonly Tree[], field = "name"): ReadonlyMap<string, Tree> {
  return new Map([...trees].reverse().map((tree) => [text(tree, field) ?? "", tree]));
}
