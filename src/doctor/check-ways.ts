import { codes, show } from "../diagnostics/index.js";
import type { EnvoyConfig } from "./envoy-config.js";
import { isSet, type Tell } from "./tell.js";
import { at, type Tree, text } from "./tree.js";
import { openOf, waysOf } from "./ways.js";

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
  for (const way of openOf(ways, ({ isGuarded }) => isGuarded, config)) {
    const shared = [...way.clusters].filter((cluster) =>
      guarded.some(({ clusters }) => clusters.has(cluster)),
    );
    if (shared.length === 0) continue;
    const other = guarded.find(({ clusters }) => clusters.has(shared[0] ?? ""))?.label ?? "";
    const message = `${way.label} reaches ${shared.slice(0, 5).map(show).join(", ")} without a decision, ${other} with one`;
    tell(codes.doctorBypass, way.tree.path, message);
  }
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
