import { show } from "../diagnostics/index.js";
import type { Chain, Elsewhere, Filter, Listener, Manager, Missing, Scope } from "./envoy-config.js";
import { at, isOn, items, type Tree, text } from "./tree.js";
import { actionsOf, type Extension, extensionOf, messagesIn, types, unpack } from "./typed.js";

/** A listener with its filter chains; what it refers to and nobody has is told to `missing`. */
export function connectionsOf(tree: Tree, elsewhere: Elsewhere, missing: Missing[]): Listener {
  const fallback = at(tree, "default_filter_chain");
  const chains = [...items(tree, "filter_chains"), ...(fallback === undefined ? [] : [fallback])];
  const api = at(tree, "api_listener", "api_listener");
  return {
    name: text(tree, "name") ?? "",
    tree,
    chains: [
      ...chains.map((chain) => chainOf(chain, elsewhere, missing)),
      ...(api === undefined ? [] : [apiChain(api, elsewhere, missing)]),
    ],
  };
}

function chainOf(tree: Tree, elsewhere: Elsewhere, missing: Missing[]): Chain {
  const filters = items(tree, "filters").flatMap((filter) => filtersOf(filter, elsewhere, missing));
  return {
    tree,
    tls: tlsOf(tree),
    filters,
    managers: filters
      .filter(({ type }) => type === types.manager)
      .map(({ config }) => managerOf(config, elsewhere, missing)),
  };
}

/** The connection manager of an API listener stands where others have a filter chain. */
function apiChain(api: Tree, elsewhere: Elsewhere, missing: Missing[]): Chain {
  const managers = [managerOf(api, elsewhere, missing)];
  const filter: Filter = { name: "", tree: api, type: types.manager, config: api, condition: undefined };
  return { tree: api, tls: "none", filters: [filter], managers };
}

function tlsOf(chain: Tree): Chain["tls"] {
  const socket = at(chain, "transport_socket");
  if (socket === undefined) return "none";
  const { config } = extensionOf(socket);
  // QUIC has its TLS one message deeper.
  const context = at(config, "downstream_tls_context") ?? config;
  const common = at(context, "common_tls_context");
  const takesCertificates =
    isOn(context, "require_client_certificate") ||
    ["validation_context", "validation_context_sds_secret_config", "combined_validation_context"].some(
      (name) => at(common, name) !== undefined,
    );
  return takesCertificates ? "mutual" : common === undefined ? "none" : "server";
}

/** A filter, or those that a composite filter may run in its place. */
function filtersOf(tree: Tree, elsewhere: Elsewhere, missing: Missing[]): readonly Filter[] {
  const name = text(tree, "name") ?? "";
  const found = configOf(tree, name, elsewhere, missing);
  const delegates = found.type === types.composite ? actionsOf(found) : [];
  return (delegates.length === 0 ? [found] : delegates).map((one) => ({ ...one, name, tree }));
}

function configOf(tree: Tree, name: string, elsewhere: Elsewhere, missing: Missing[]): Extension {
  const discovery = at(tree, "config_discovery");
  const own = extensionOf(tree);
  if (discovery === undefined) return own;
  const found = elsewhere.filters.get(name);
  if (found !== undefined) {
    const extension = extensionOf(found);
    return { ...extension, condition: own.condition ?? extension.condition };
  }
  missing.push({ what: `filter ${show(name)} comes`, path: discovery.path, isFilter: true });
  const fallback = at(discovery, "default_config");
  return fallback === undefined ? own : { ...unpack(fallback), condition: own.condition };
}

function managerOf(config: Tree, elsewhere: Elsewhere, missing: Missing[]): Manager {
  const inline = at(config, "route_config");
  const name = text(config, "rds", "route_config_name");
  const found = inline ?? (name === undefined ? undefined : elsewhere.routes.get(name));
  if (found === undefined) {
    const place = at(config, "rds") ?? at(config, "scoped_routes");
    if (place !== undefined) missing.push({ what: "routes come", path: place.path });
  }
  return {
    config,
    filters: items(config, "http_filters").flatMap((filter) => filtersOf(filter, elsewhere, missing)),
    scopes: found === undefined ? [] : scopesOf(found),
  };
}

function scopesOf(routes: Tree): readonly Scope[] {
  const scopes: Scope[] = [{ label: "all routes", kind: "routes", tree: routes }];
  for (const host of items(routes, "virtual_hosts")) {
    const ofHost = `virtual host ${show(text(host, "name") ?? "")}`;
    scopes.push({ label: ofHost, kind: "host", tree: host });
    for (const route of [...items(host, "routes"), ...routesIn(at(host, "matcher"))]) {
      const label = `route ${show(routeName(route))} of ${ofHost}`;
      scopes.push({ label, kind: "route", tree: route });
      for (const cluster of items(route, "route", "weighted_clusters", "clusters")) {
        scopes.push({ label, kind: "cluster", tree: cluster });
      }
    }
  }
  return scopes;
}

/** Routes that a matcher chooses from. */
function routesIn(matcher: Tree | undefined): readonly Tree[] {
  return messagesIn(matcher).flatMap(({ type, config }) => {
    if (type === "envoy.config.route.v3.RouteList") return items(config, "routes");
    return type === "envoy.config.route.v3.Route" ? [config] : [];
  });
}

function routeName(route: Tree): string {
  const name = text(route, "name");
  if (name !== undefined && name !== "") return name;
  const match = at(route, "match");
  const ways = ["prefix", "path", "path_separated_prefix"].map((way) => text(match, way));
  return ways.find((way) => way !== undefined) ?? text(match, "safe_regex", "regex") ?? "";
}
