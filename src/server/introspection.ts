import { createIntrospectionClient, type IntrospectionClient } from "../adapters/index.js";
import type { Egress, Mesh } from "../config/index.js";
import type { IntrospectionPorts, TokenIntrospection } from "../credentials/index.js";
import type { Metrics } from "../telemetry/index.js";

/** The ways to introspection endpoints. */
export interface IntrospectionPool {
  /** What the check of one resource asks through. */
  provide(spec: TokenIntrospection, egress: Egress): IntrospectionPorts;
  /** Closes what none of the meshes needs any more; questions under way are answered first. */
  retain(meshes: readonly Pick<Mesh, "egress">[]): void;
  close(): Promise<void>;
}

/** As long as the longest timeout of a TokenIntrospection. */
const GRACE_MS = 10_000;

/** Keeps one client, and so one set of connections, for each distinct set of egress rules. */
export function createIntrospectionPool(metrics: Pick<Metrics, "introspected">): IntrospectionPool {
  const open = new Map<string, IntrospectionClient>();
  const clientFor = (egress: Egress): IntrospectionClient => {
    const key = JSON.stringify(egress);
    const known = open.get(key);
    if (known !== undefined) return known;
    const client = createIntrospectionClient(egress);
    open.set(key, client);
    return client;
  };
  return {
    provide(spec, egress) {
      const resource = `${spec.namespace}/${spec.name}`;
      return {
        introspect: clientFor(egress).introspect(spec),
        observe: (event) => metrics.introspected(resource, event),
      };
    },
    retain(meshes) {
      const keys = new Set(meshes.map(({ egress }) => JSON.stringify(egress)));
      for (const [key, client] of open) {
        if (keys.has(key)) continue;
        open.delete(key);
        void client.close(GRACE_MS);
      }
    },
    async close() {
      const all = [...open.values()];
      open.clear();
      await Promise.all(all.map((client) => client.close()));
    },
  };
}
