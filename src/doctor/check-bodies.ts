import { codes, show } from "../diagnostics/index.js";
import { isAskedAnywhere } from "./check-scopes.js";
import type { EnvoyConfig, Filter, Manager } from "./envoy-config.js";
import type { PolicyFacts } from "./facts.js";
import type { Tell } from "./tell.js";
import { isSet } from "./tell.js";
import { placeOf, texts } from "./tree.js";
import { types } from "./typed.js";
import { listenersOf, openOf, type Way, waysOf } from "./ways.js";

/** Policies that a message names; the rest is counted. */
const MAX_NAMES = 3;

/**
 * BodyPolicies in force, and listeners that ask for decisions without ext_proc: bodies pass there as they are. What
 * nobody decides about at all is told by the ways around policy.
 */
export function checkBodies(config: EnvoyConfig, facts: PolicyFacts | undefined, tell: Tell): void {
  const policies = facts?.bodyPolicies ?? [];
  if (policies.length === 0) return;
  const always = policies.filter(({ onObligation }) => !onObligation);
  const ways = config.listeners.flatMap((listener) =>
    listener.chains.flatMap((chain) => waysOf(listener, chain)),
  );
  const seen = ways.filter(isSeen);
  for (const way of openOf(ways, isSeen, config)) {
    if (!way.isGuarded || way.manager === undefined || !needsProc(way.manager)) continue;
    if (isSeenBehind(way, ways, config)) continue;
    const place = placeOf(way.tree, "http_filters");
    const shared = [...way.clusters].filter((cluster) => seen.some(({ clusters }) => clusters.has(cluster)));
    const other = seen.find(({ clusters }) => shared.length === 0 || clusters.has(shared[0] ?? ""))?.label;
    if (always.length === 0) {
      const message = `${way.label} has no ext_proc, without which obligations to BodyPolicies are not carried out: ${named(policies)}`;
      tell(codes.doctorBodiesPerhapsUnseen, place, message);
    } else if (other === undefined) {
      const message = `${way.label} has no ext_proc, without which BodyPolicies do nothing: ${named(always)}`;
      tell(codes.doctorBodiesUnseen, place, message);
    } else if (shared.length > 0) {
      const message = `${way.label} reaches ${shared.slice(0, MAX_NAMES).map(show).join(", ")} without ext_proc, ${other} with it, without which BodyPolicies do nothing: ${named(always)}`;
      tell(codes.doctorBodiesUnseen, place, message);
    } else {
      const message = `${way.label} has no ext_proc, ${other} has, without which BodyPolicies do nothing: ${named(always)}`;
      tell(codes.doctorBodiesPerhapsUnseen, place, message);
    }
  }
}

function named(policies: PolicyFacts["bodyPolicies"]): string {
  const names = policies.slice(0, MAX_NAMES).map(({ name }) => show(name));
  const rest = policies.length - names.length;
  return `${names.join(", ")}${rest > 0 ? ` and ${rest} more` : ""}`;
}

function isSeen({ manager }: Way): boolean {
  return (
    manager?.filters.some(({ type, name, condition }) => {
      return type === types.proc && isAskedAnywhere(name, condition, manager.scopes);
    }) === true
  );
}

/** There is something to see, and no filter that is not here may see it. */
function needsProc({ filters, scopes }: Manager): boolean {
  const routes = scopes.filter(({ kind }) => kind === "route");
  const answersItself =
    routes.length > 0 &&
    routes.every(({ tree }) => isSet(tree, "direct_response") || isSet(tree, "redirect"));
  return !answersItself && !filters.some(mayBeProc);
}

/** It comes from ECDS, and nothing says what it is. */
function mayBeProc({ type, tree }: Filter): boolean {
  if (type !== "" || !isSet(tree, "config_discovery")) return false;
  const urls = texts(tree, "config_discovery", "type_urls");
  const possible: readonly string[] = [types.proc, types.composite, types.matched];
  return urls.length === 0 || urls.some((url) => possible.includes(url.replace(/^.*\//, "")));
}

/** All that it reaches are internal listeners which have ext_proc, or lead to such. */
function isSeenBehind(
  { clusters }: Way,
  ways: readonly Way[],
  config: EnvoyConfig,
  on: readonly Way[] = [],
): boolean {
  if (clusters.size === 0) return false;
  return [...clusters].every((cluster) => {
    const behind = listenersOf(cluster, config);
    const inner = ways.filter(({ internal }) => internal !== undefined && behind.includes(internal));
    return (
      inner.length > 0 &&
      inner.every(
        (way) => isSeen(way) || (!on.includes(way) && isSeenBehind(way, ways, config, [...on, way])),
      )
    );
  });
}
