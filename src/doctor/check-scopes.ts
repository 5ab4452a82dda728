import { codes, show } from "../diagnostics/index.js";
import { checkFailureMode } from "./check-authz.js";
import { checkRouteModes } from "./check-modes.js";
import { checkRouteMetadata } from "./check-proc.js";
import type { Filter, Manager, Scope } from "./envoy-config.js";
import type { PolicyFacts } from "./facts.js";
import { isSet, type Tell } from "./tell.js";
import { at, isOn, items, placeOf, text } from "./tree.js";
import { type Extension, settingsOf, types } from "./typed.js";

/** Headers by which applications know who calls. */
const identity: ReadonlySet<string> = new Set([
  "authorization",
  "cookie",
  "proxy-authorization",
  "x-forwarded-client-cert",
  "client-cert",
  "x-forwarded-for",
  "x-real-ip",
  "x-forwarded-user",
  "x-remote-user",
  "x-user",
  "x-user-id",
  "x-api-key",
]);

const ours: ReadonlySet<string> = new Set([types.authzRoute, types.procRoute, types.rateLimitRoute]);

/** What virtual hosts and routes of a connection manager change. */
export function checkScopes(manager: Manager, facts: PolicyFacts | undefined, tell: Tell): void {
  const names = new Set([
    ...manager.filters.map(({ name }) => name),
    ...items(manager.config, "upgrade_configs").flatMap((upgrade) =>
      items(upgrade, "filters").map((filter) => text(filter, "name") ?? ""),
    ),
  ]);
  const isLimited = manager.filters.some(({ type }) => type === types.rateLimit);
  for (const scope of manager.scopes) {
    for (const [name, setting] of settingsOf(scope.tree)) {
      const filter = manager.filters.find((one) => one.name === name);
      if (filter !== undefined) checkSetting(setting, filter, scope, { manager, facts }, tell);
      else if (ours.has(setting.type) && !names.has(name)) {
        const message = `${scope.label} has settings for ${show(name)}, expected the name of a filter in \`http_filters\``;
        tell(codes.doctorOrphanOverride, setting.config.path, message);
      }
    }
    checkHeaders(scope, tell);
    const own = ["direct_response", "redirect"].find((action) => isSet(scope.tree, action));
    if (own === undefined || !isLimited) continue;
    const message = `${scope.label} answers by \`${own}\`, so rate limits do not act there`;
    tell(codes.doctorRateLimitSkipped, placeOf(scope.tree, own), message);
  }
}

/** Whether every route has settings for a filter that is off by default, which switch it on. */
export function isSwitchedOn(filter: string, scopes: readonly Scope[]): boolean {
  const routes = statesOf(filter, "off", scopes);
  return routes.length > 0 && routes.every((isIn) => isIn);
}

/** Whether a filter acts on any route; without routes, whether it does by default. */
export function isAskedAnywhere(
  filter: string,
  condition: Extension["condition"],
  scopes: readonly Scope[],
): boolean {
  const routes = statesOf(filter, condition, scopes);
  return routes.length === 0 ? condition !== "off" : routes.includes(true);
}

/** Of each route whether the filter acts there. */
function statesOf(
  filter: string,
  condition: Extension["condition"],
  scopes: readonly Scope[],
): readonly boolean[] {
  const isOnIn: Partial<Record<Scope["kind"], boolean>> = {};
  return scopes.flatMap(({ kind, tree }) => {
    // The most specific counts.
    const setting = settingsOf(tree).find(([name]) => name === filter)?.[1];
    const own = setting === undefined ? undefined : !isOff(setting);
    const around = kind === "route" ? isOnIn.host : kind === "host" ? isOnIn.routes : undefined;
    isOnIn[kind] = own ?? around ?? condition !== "off";
    return kind === "route" ? [isOnIn.route === true] : [];
  });
}

function isOff({ condition, config }: Extension): boolean {
  return condition === "off" || isOn(config, "disabled");
}

interface Around {
  readonly manager: Manager;
  readonly facts: PolicyFacts | undefined;
}

function checkSetting(
  setting: Extension,
  filter: Filter,
  scope: Scope,
  { manager, facts }: Around,
  tell: Tell,
): void {
  const isPolicy = filter.type === types.authz || filter.type === types.proc;
  const { config } = setting;
  if (isPolicy && isOff(setting)) {
    const other = standInOf(filter, manager);
    // ext_proc decides by itself where it finds no verdict.
    if (other?.type === types.proc || (other !== undefined && facts?.hasBodyPolicies === false)) return;
    const rest = other === undefined ? "" : `, so that no BodyPolicy acts there`;
    const message = `\`${filter.name}\` is switched off for ${scope.label}${rest}`;
    tell(codes.doctorDisabledOnRoute, placeOf(config, "disabled"), message);
    return;
  }
  if (filter.type === types.authz) checkAuthzSetting(setting, filter, scope, tell);
  const overrides = at(config, "overrides");
  if (filter.type !== types.proc || overrides === undefined) return;
  const where = `\`${filter.name}\` for ${scope.label}`;
  checkFailureMode(overrides, where, tell);
  checkRouteModes(overrides, filter.config, where, facts, tell);
  checkRouteMetadata(overrides, where, manager, tell);
  checkServer(overrides, filter, scope, tell);
}

/** The other policy filter, where nothing switches it off. */
function standInOf(filter: Filter, { filters, scopes }: Manager): Filter | undefined {
  const wanted = filter.type === types.authz ? types.proc : types.authz;
  return filters.find(
    ({ type, name, condition }) =>
      type === wanted &&
      condition === undefined &&
      !scopes.some(({ tree }) => settingsOf(tree).some(([of, setting]) => of === name && isOff(setting))),
  );
}

function checkAuthzSetting({ config }: Extension, filter: Filter, scope: Scope, tell: Tell): void {
  const settings = at(config, "check_settings");
  if (settings === undefined) return;
  if (isOn(settings, "with_request_body", "allow_partial_message")) {
    const message = `\`${filter.name}\` sends the first bytes of a long body for ${scope.label}, expected \`allow_partial_message: false\``;
    tell(codes.doctorPartialBody, placeOf(settings, "with_request_body", "allow_partial_message"), message);
  }
  if (isOn(settings, "disable_request_body_buffering") && isSet(filter.config, "with_request_body")) {
    const message = `\`${filter.name}\` sends no body for ${scope.label}, expected no \`disable_request_body_buffering\``;
    tell(codes.doctorPartialBody, placeOf(settings, "disable_request_body_buffering"), message);
  }
  checkServer(settings, filter, scope, tell);
}

function checkServer(settings: Extension["config"], filter: Filter, scope: Scope, tell: Tell): void {
  const server = text(settings, "grpc_service", "envoy_grpc", "cluster_name");
  const usual = text(filter.config, "grpc_service", "envoy_grpc", "cluster_name");
  const isOther = server !== undefined && server !== usual;
  if (!isOther && !isSet(settings, "http_service")) return;
  const message = `\`${filter.name}\` asks another server for ${scope.label}, expected \`${usual ?? ""}\``;
  tell(codes.doctorOtherServer, placeOf(settings, isOther ? "grpc_service" : "http_service"), message);
}

function checkHeaders({ label, tree }: Scope, tell: Tell): void {
  for (const added of items(tree, "request_headers_to_add")) {
    const name = text(added, "header", "key")?.toLowerCase() ?? "";
    if (!identity.has(name)) continue;
    const message = `${label} sets \`${name}\` after the decision, expected an edit by the policy itself`;
    tell(codes.doctorIdentityHeaders, added.path, message);
  }
  const host = text(tree, "route", "host_rewrite_header");
  if (host === undefined) return;
  const message = `${label} takes the host from the header ${show(host)} after the decision`;
  tell(codes.doctorIdentityHeaders, placeOf(tree, "route", "host_rewrite_header"), message);
}
