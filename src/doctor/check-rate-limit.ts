import { codes, show } from "../diagnostics/index.js";
import type { Filter, Manager } from "./envoy-config.js";
import { type Tell, tellOf } from "./tell.js";
import { durationMs, isOn, items, named, type Tree, text } from "./tree.js";
import { settingsOf, types } from "./typed.js";

/** A filter of the rate limit service. */
export function checkRateLimit(filter: Filter, { filters, scopes }: Manager, tell: Tell): void {
  const { config, name, tree } = filter;
  if (!isOn(config, "failure_mode_deny")) {
    const message = `\`${name}\` limits nobody when it has no answer, expected \`failure_mode_deny: true\``;
    tellOf(tell, codes.doctorRateLimitOpen, config, "failure_mode_deny", message);
  }
  if (durationMs(config, "timeout") === undefined) {
    const message = `\`${name}\` waits 20 ms for an answer, expected \`timeout\` of 100ms or more, as \`0.1s\``;
    tellOf(tell, codes.doctorRateLimitTimeout, config, "timeout", message);
  }
  const mine = filters.findIndex((one) => one.tree === tree);
  const later = new Set(filters.slice(mine + 1).map((one) => one.name));
  for (const { label, tree: scope } of scopes) {
    const limits = [
      ...items(scope, "rate_limits"),
      ...items(scope, "route", "rate_limits"),
      ...settingsOf(scope).flatMap(([of, { type, config: own }]) =>
        of === name && type === types.rateLimitRoute ? items(own, "rate_limits") : [],
      ),
    ];
    for (const key of limits.flatMap((limit) => items(limit, "actions")).flatMap(namespaceOf)) {
      if (!later.has(String(key.value))) continue;
      const message = `${label} makes a descriptor of metadata of ${show(String(key.value))}, which stands behind \`${name}\`, expected it in front`;
      tell(codes.doctorRateLimitBlind, key.path, message);
    }
  }
}

/** The namespace of dynamic metadata that an action reads. */
function namespaceOf(action: Tree): readonly Tree[] {
  return ["metadata", "dynamic_metadata"].flatMap((kind) => {
    if (named(["DYNAMIC", "ROUTE_ENTRY"], action, kind, "source") !== "DYNAMIC") return [];
    const key = text(action, kind, "metadata_key", "key");
    return key === undefined ? [] : [{ value: key, path: action.path }];
  });
}
