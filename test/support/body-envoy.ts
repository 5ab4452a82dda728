import { fileURLToPath } from "node:url";
import { type Bootstrap, type Envoy, startEnvoy } from "./envoy.js";

/** A filter of the chain, as the bootstrap writes it. */
export interface HttpFilter {
  name: string;
  typed_config: Record<string, unknown>;
}

/** What of a bootstrap is changed. */
export interface HttpManager {
  http_filters: HttpFilter[];
  access_log: object[];
  route_config: { virtual_hosts: { routes: Record<string, unknown>[] }[] };
  [field: string]: unknown;
}

/** How an Envoy differs from `envoy/ext-proc.yaml` or `envoy/bodies.yaml`. */
export interface BodyEnvoyOptions {
  /** ext_proc alone, or behind ext_authz. */
  readonly bootstrap: "ext-proc" | "bodies";
  readonly gatehouse: number;
  readonly upstream: number;
  readonly edit?: (manager: HttpManager) => void;
  /** After it. */
  readonly editAll?: (bootstrap: Bootstrap) => void;
}

/** The filter that is ext_proc. */
export function extProcOf({ http_filters: filters }: HttpManager): Record<string, unknown> {
  const found = filters.find(({ name }) => name === "envoy.filters.http.ext_proc");
  if (found === undefined) throw new Error("the bootstrap has no ext_proc");
  return found.typed_config;
}

/** Starts it. */
export function startBodyEnvoy(options: BodyEnvoyOptions): Promise<Envoy> {
  const { bootstrap, gatehouse, upstream, edit, editAll } = options;
  return startEnvoy({
    bootstrap: fileURLToPath(new URL(`../../envoy/${bootstrap}.yaml`, import.meta.url)),
    clusters: { gatehouse, upstream },
    edit(given) {
      edit?.(managerOf(given));
      editAll?.(given);
    },
  });
}

function managerOf(given: Bootstrap): HttpManager {
  const { listeners } = given["static_resources"] as {
    listeners: { filter_chains: { filters: { typed_config: HttpManager }[] }[] }[];
  };
  const manager = listeners[0]?.filter_chains[0]?.filters[0]?.typed_config;
  if (manager === undefined) throw new Error("the bootstrap has another shape");
  return manager;
}

/** Envoy's own counters of its ext_proc filter. */
export async function extProcCountersOf(envoy: Envoy): Promise<Readonly<Record<string, number>>> {
  const text = await envoy.adminText("/stats?filter=ext_proc");
  const counters: Record<string, number> = {};
  for (const [, name = "", value] of text.matchAll(/ext_proc\.(\w+): (\d+)$/gm))
    counters[name] = Number(value);
  return counters;
}
