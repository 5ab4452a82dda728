import { codes } from "../diagnostics/index.js";
import { checkFailureMode, checkStatusOnError } from "./check-authz.js";
import { checkLocalReplies } from "./check-local-replies.js";
import { checkModes } from "./check-modes.js";
import type { Chain, Filter, Manager } from "./envoy-config.js";
import type { PolicyFacts } from "./facts.js";
import { checkHiddenHeaders, matchesWhole } from "./hidden-headers.js";
import { isSet, type Tell, tellOf } from "./tell.js";
import { at, durationMs, isOn, items, named, placeOf, type Tree, text, texts } from "./tree.js";
import { types } from "./typed.js";

const MAX_TIMEOUT_MS = 30_000;

/** Where the verdict of ext_authz stands, and where Envoy puts what ext_proc says. */
const AUTHZ_NAMESPACE = "envoy.filters.http.ext_authz";
const PROC_NAMESPACE = "envoy.filters.http.ext_proc";

/** A filter of ext_proc. */
export function checkProc(
  filter: Filter,
  manager: Manager,
  chain: Chain,
  facts: PolicyFacts | undefined,
  tell: Tell,
): void {
  const { config, name } = filter;
  checkFailureMode(config, `\`${name}\``, tell);
  checkStatusOnError(config, name, tell);
  checkMessageTimeout(config, name, tell);
  if (isOn(config, "observability_mode")) {
    const message = `\`observability_mode\` of \`${name}\` ignores every answer, expected \`false\``;
    tellOf(tell, codes.doctorOnlyWatches, config, "observability_mode", message);
  }
  if (isOn(config, "disable_immediate_response")) {
    const message = `\`${name}\` answers 500 in place of refusals, expected \`disable_immediate_response: false\``;
    tellOf(tell, codes.doctorNoImmediateResponse, config, "disable_immediate_response", message);
  }
  if (named(["DEFAULT", "CLEAR", "RETAIN"], config, "route_cache_action") === "CLEAR") {
    const message = `\`${name}\` has the route chosen again after each answer, expected \`route_cache_action: RETAIN\``;
    tellOf(tell, codes.doctorRouteAfterDecision, config, "route_cache_action", message);
  }
  checkModes(config, name, facts, tell);
  if (isSet(config, "mutation_rules")) checkMutationRules(config, "mutation_rules", name, facts, tell);
  else {
    const message = `\`${name}\` drops edits of host and method silently, expected \`mutation_rules: {disallow_is_error: true}\``;
    tell(codes.doctorMutationsVanish, config.path, message);
  }
  const rules = at(config, "forward_rules");
  if (rules !== undefined) checkHiddenHeaders(rules, name, facts, tell, neededOf(manager, facts));
  checkForwarding(config, `\`${name}\``, manager, tell);
  checkReceiving(config, `\`${name}\``, tell);
  checkAttributes(filter, manager, chain, facts, tell);
  checkLocalReplies(filter, manager, tell);
}

/** Headers without which ext_proc decides nothing, by the wrong rule, or takes a body for another. */
function neededOf({ filters }: Manager, facts: PolicyFacts | undefined): readonly string[] {
  return [
    ":method",
    ":path",
    ":authority",
    // The MAC of the verdict is over it, too.
    ...(isBehindAuthz(filters) ? ["x-request-id"] : []),
    ...(facts?.hasBodyPolicies === false ? [] : framing),
  ];
}

const framing = [
  ":status",
  "content-type",
  "content-encoding",
  "content-length",
  "transfer-encoding",
  "accept-encoding",
  "upgrade",
] as const;

function checkMessageTimeout(config: Tree, name: string, tell: Tell): void {
  const ms = durationMs(config, "message_timeout");
  if (ms !== undefined && ms > 0 && ms <= MAX_TIMEOUT_MS) return;
  const now = ms === undefined ? "gives each message 200 ms" : `gives each message ${ms} ms`;
  const message = `\`${name}\` ${now}, expected \`message_timeout\` of 1s to 30s`;
  tellOf(tell, codes.doctorMessageTimeout, config, "message_timeout", message);
}

/** What Gatehouse itself edits where a body is looked at or changed. */
const edited = [
  "content-length",
  "content-encoding",
  "content-type",
  "accept-encoding",
  "range",
  "if-range",
] as const;

/** Rules about edits, of ext_proc and ext_authz. */
export function checkMutationRules(
  config: Tree,
  field: "mutation_rules" | "decoder_header_mutation_rules",
  name: string,
  facts: PolicyFacts | undefined,
  tell: Tell,
): void {
  const rules = at(config, field);
  if (rules === undefined) return;
  const forbidden = text(rules, "disallow_expression", "regex");
  const all = isOn(rules, "disallow_all")
    ? "disallow_all"
    : forbidden === ".*" || forbidden === ".+"
      ? "disallow_expression"
      : undefined;
  const own = forbidden === undefined ? [] : edited.filter((header) => matchesWhole(forbidden, header));
  if (all !== undefined) {
    const message = `\`${name}\` throws every edit away, expected no \`${all}\``;
    tell(codes.doctorMutationsForbidden, placeOf(rules, all), message);
  } else if (field === "mutation_rules" && own.length > 0 && facts?.hasBodyPolicies !== false) {
    const message = `\`${name}\` forbids edits of ${own.map((header) => `\`${header}\``).join(", ")}, expected no such \`disallow_expression\``;
    tell(codes.doctorMutationsForbidden, placeOf(rules, "disallow_expression"), message);
  } else if (!isOn(rules, "disallow_is_error")) {
    const message = `\`${name}\` drops forbidden edits silently, expected \`disallow_is_error: true\``;
    tell(codes.doctorMutationsVanish, placeOf(rules, "disallow_is_error"), message);
  }
  if (isOn(rules, "allow_envoy")) {
    const message = `\`${name}\` lets edits change x-envoy-… headers, expected no \`allow_envoy\``;
    tell(codes.doctorEnvoyMutable, placeOf(rules, "allow_envoy"), message);
  }
}

/** `metadata_options` of a route: each of its lists that is there replaces the filter's (measured). */
export function checkRouteMetadata(overrides: Tree, where: string, manager: Manager, tell: Tell): void {
  const options = at(overrides, "metadata_options");
  if (isSet(options, "forwarding_namespaces")) checkForwarding(overrides, where, manager, tell);
  if (isSet(options, "receiving_namespaces")) checkReceiving(overrides, where, tell);
}

/** Messages begin with `where`. */
function checkForwarding(config: Tree, where: string, { filters }: Manager, tell: Tell): void {
  const forwarded = texts(config, "metadata_options", "forwarding_namespaces", "untyped");
  if (!isBehindAuthz(filters) || forwarded.includes(AUTHZ_NAMESPACE)) return;
  const message = `${where} does not forward \`${AUTHZ_NAMESPACE}\` in \`metadata_options.forwarding_namespaces.untyped\``;
  tellOf(tell, codes.doctorVerdictNotForwarded, config, "metadata_options.forwarding_namespaces", message);
}

function checkReceiving(config: Tree, where: string, tell: Tell): void {
  const received = texts(config, "metadata_options", "receiving_namespaces", "untyped");
  if (received.includes(PROC_NAMESPACE)) return;
  const message = `${where} does not accept \`${PROC_NAMESPACE}\` in \`metadata_options.receiving_namespaces.untyped\``;
  tellOf(tell, codes.doctorRecordNotReceived, config, "metadata_options.receiving_namespaces", message);
}

function isBehindAuthz(filters: readonly Filter[]): boolean {
  const authz = filters.findIndex(({ type }) => type === types.authz);
  return authz !== -1 && authz < filters.findIndex(({ type }) => type === types.proc);
}

const PEER = "filter_state['gatehouse.peer']";
const PEER_FORMAT = "%DOWNSTREAM_DIRECT_REMOTE_ADDRESS%";
const certificateNames = [
  "connection.uri_san_peer_certificate",
  "connection.dns_san_peer_certificate",
  "connection.subject_peer_certificate",
];

function checkAttributes(
  { config, name, tree }: Filter,
  { filters }: Manager,
  chain: Chain,
  facts: PolicyFacts | undefined,
  tell: Tell,
): void {
  const asked = texts(config, "request_attributes").map((one) => one.replace(/\s/g, "").replaceAll('"', "'"));
  const place = placeOf(config, "request_attributes");
  if (facts?.readsSourceIp !== false) {
    if (!asked.includes(PEER)) {
      tell(codes.doctorPeerUnknown, place, `\`${name}\` does not send \`${PEER}\` in \`request_attributes\``);
    }
    const before = filters.slice(
      0,
      filters.findIndex((one) => one.tree === tree),
    );
    const problem = peerProblem(before);
    if (problem !== undefined)
      tell(codes.doctorPeerUnknown, problem.place ?? tree.path, problem.message(name));
  }
  if (chain.tls === "mutual" && facts?.readsPeer !== false) {
    const lacking = certificateNames.filter((one) => !asked.includes(one));
    if (lacking.length > 0) {
      const message = `\`${name}\` does not send ${lacking.map((one) => `\`${one}\``).join(", ")} in \`request_attributes\``;
      tell(codes.doctorIdentityUnknown, place, message);
    }
  }
  if (asked.includes("source.address")) {
    const message = `\`${name}\` sends \`source.address\`, which x-forwarded-for decides, expected \`${PEER}\``;
    tell(codes.doctorForgeableAddress, place, message);
  }
}

/** The last value that filters in front set counts. */
function peerProblem(
  before: readonly Filter[],
): { message: (name: string) => string; place?: Tree["path"] } | undefined {
  const values = before
    .filter(({ type }) => type === types.setFilterState)
    .flatMap(({ config }) => items(config, "on_request_headers"));
  const mine = values.findLast((value) => text(value, "object_key") === "gatehouse.peer");
  if (mine === undefined) {
    return {
      message: (name) =>
        `no set_filter_state filter in front of \`${name}\` sets \`gatehouse.peer\` from \`${PEER_FORMAT}\``,
    };
  }
  const format =
    text(mine, "format_string", "text_format_source", "inline_string") ??
    text(mine, "format_string", "text_format");
  if (format === PEER_FORMAT) return undefined;
  return {
    message: () => `\`gatehouse.peer\` is made of something else, expected \`${PEER_FORMAT}\``,
    place: mine.path,
  };
}
