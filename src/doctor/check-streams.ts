import { codes } from "../diagnostics/index.js";
import { isPolicy } from "./check-order.js";
import type { EnvoyConfig, Filter, Manager } from "./envoy-config.js";
import type { PolicyFacts } from "./facts.js";
import type { Tell } from "./tell.js";
import { at, durationMs, entries, isMapping, items, placeOf, type Tree } from "./tree.js";
import { types } from "./typed.js";

/** Envoy's own. */
const IDLE_MS = 300_000;
const CHECK_MS = 200;
/** What is longer is told of as such. */
const LONGEST_MS = 30_000;
const GRACEFUL = "envoy.reloadable_features.ext_proc_graceful_grpc_close";

/** `stream_idle_timeout` of a connection manager, and `idle_timeout` of its routes, which take its place. */
export function checkIdle(manager: Manager, facts: PolicyFacts | undefined, tell: Tell): void {
  const { config, filters, scopes } = manager;
  const slowest = filters.filter(({ type }) => isPolicy(type)).sort((a, b) => waitOf(b) - waitOf(a))[0];
  if (slowest === undefined) return;
  // Nothing else ends a body that is held, but for the longest duration of a stream.
  const holds =
    filters.some(({ type }) => type === types.proc) &&
    facts?.hasBodyPolicies !== false &&
    !durationMs(config, "common_http_protocol_options", "max_stream_duration");
  const ms = durationMs(config, "stream_idle_timeout") ?? IDLE_MS;
  const place = placeOf(config, "stream_idle_timeout");
  if (ms > 0 && ms <= waitOf(slowest)) {
    tell(codes.doctorIdleTimeout, place, tooShort("`stream_idle_timeout`", ms, slowest));
  }
  if (holds && (ms === 0 || ms > IDLE_MS)) {
    const message = `\`stream_idle_timeout\` lets a body that is held wait ${ms === 0 ? "for ever" : `${ms} ms`}, expected 300s or less`;
    tell(codes.doctorIdleTimeout, place, message);
  }
  for (const { label, tree } of scopes) {
    const idle = durationMs(tree, "route", "idle_timeout");
    if (idle === undefined) continue;
    const ofRoute = placeOf(tree, "route", "idle_timeout");
    if (idle > 0 && idle <= waitOf(slowest)) {
      tell(codes.doctorIdleTimeout, ofRoute, tooShort(`\`idle_timeout\` of ${label}`, idle, slowest));
    }
    if (holds && idle === 0 && !durationMs(tree, "route", "max_stream_duration", "max_stream_duration")) {
      const message = `\`idle_timeout\` of ${label} lets a body that is held wait for ever, expected some time`;
      tell(codes.doctorIdleTimeout, ofRoute, message);
    }
  }
}

function tooShort(what: string, ms: number, slowest: Filter): string {
  return `${what} ends requests after ${ms} ms, while \`${slowest.name}\` may wait ${waitOf(slowest)} ms for an answer, expected more`;
}

function waitOf({ type, config }: Filter): number {
  const ms =
    type === types.proc
      ? durationMs(config, "message_timeout")
      : durationMs(config, "grpc_service", "timeout");
  return Math.min(ms ?? CHECK_MS, LONGEST_MS);
}

/** How Envoy ends streams of ext_proc. A dump without its bootstrap does not say. */
export function checkRuntime({ bootstrap, listeners }: EnvoyConfig, tell: Tell): void {
  const asks = listeners.some(({ chains }) =>
    chains.some(({ managers }) =>
      managers.some(({ filters }) => filters.some(({ type }) => type === types.proc)),
    ),
  );
  if (!asks || bootstrap === undefined) return;
  const layers = items(bootstrap, "layered_runtime", "layers");
  // A later layer wins.
  const value = layers.flatMap((layer) => runtimeValues(at(layer, "static_layer"), GRACEFUL)).at(-1);
  if (String(value?.value).toLowerCase() === "true") return;
  const message = `runtime does not say \`${GRACEFUL}: true\`, so that each stream of ext_proc ends by a reset`;
  tell(codes.doctorStreamsReset, value?.path ?? placeOf(bootstrap, "layered_runtime"), message);
}

/** A key may be written with dots or as mappings in each other. */
function runtimeValues(layer: Tree | undefined, name: string): readonly Tree[] {
  return entries(layer).flatMap(([key, tree]) => {
    if (key === name) return [tree];
    return name.startsWith(`${key}.`) && isMapping(tree.value)
      ? runtimeValues(tree, name.slice(key.length + 1))
      : [];
  });
}
