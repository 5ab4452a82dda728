import { codes } from "../diagnostics/index.js";
import { checkFailureMode, checkStatusOnError } from "./check-authz.js";
import { checkModes } from "./check-modes.js";
import type { Chain, Filter, Manager } from "./envoy-config.js";
import type { PolicyFacts } from "./facts.js";
import { checkHiddenHeaders, pseudoHeaders } from "./hidden-headers.js";
import { type Tell, tellOf } from "./tell.js";
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
  checkMutationRules(config, "mutation_rules", name, tell);
  const rules = at(config, "forward_rules");
  if (rules !== undefined) checkHiddenHeaders(rules, name, facts, tell, pseudoHeaders);
  checkMetadata(config, `\`${name}\``, manager, tell);
  checkAttributes(filter, manager, chain, facts, tell);
}

function checkMessageTimeout(config: Tree, name: string, tell: Tell): void {
  const ms = durationMs(config, "message_timeout");
  if (ms !== undefined && ms > 0 && ms <= MAX_TIMEOUT_MS) return;
  const now = ms === undefined ? "gives each message 200 ms" : `gives each message ${ms} ms`;
  const message = `\`${name}\` ${now}, expected \`message_timeout\` of 1s to 30s`;
  tellOf(tell, codes.doctorMessageTimeout, config, "message_timeout", message);
}

/** Rules about edits, of ext_proc and ext_authz. */
export function checkMutationRules(config: Tree, field: string, name: string, tell: Tell): void {
  const rules = at(config, field);
  if (rules === undefined) return;
  const forbidden = text(rules, "disallow_expression", "regex");
  if (isOn(rules, "disallow_all") || forbidden === ".*" || forbidden === ".+") {
    const message = `\`${name}\` throws every edit away, expected no \`disallow_all\``;
    tell(codes.doctorMutationsForbidden, placeOf(rules, "disallow_all"), message);
  } else if (!isOn(rules, "disallow_is_error")) {
    const message = `\`${name}\` drops forbidden edits silently, expected \`disallow_is_error: true\``;
    tell(codes.doctorMutationsVanish, placeOf(rules, "disallow_is_error"), message);
  }
  if (isOn(rules, "allow_envoy")) {
    const message = `\`${name}\` lets edits change x-envoy-… headers, expected no \`allow_envoy\``;
    tell(codes.doctorEnvoyMutable, placeOf(rules, "allow_envoy"), message);
  }
}

/** `metadata_options` of the filter, or of a route, which replace them whole; messages begin with `where`. */
export function checkMetadata(
  config: Tree,
  where: string,
  { filters }: Pick<Manager, "filters">,
  tell: Tell,
): void {
  const authz = filters.findIndex(({ type }) => type === types.authz);
  const proc = filters.findIndex(({ type }) => type === types.proc);
  const forwarded = texts(config, "metadata_options", "forwarding_namespaces", "untyped");
  const received = texts(config, "metadata_options", "receiving_namespaces", "untyped");
  if (authz !== -1 && authz < proc && !forwarded.includes(AUTHZ_NAMESPACE)) {
    const message = `${where} does not forward \`${AUTHZ_NAMESPACE}\` in \`metadata_options.forwarding_namespaces.untyped\``;
    tellOf(tell, codes.doctorVerdictNotForwarded, config, "metadata_options.forwarding_namespaces", message);
  }
  if (!received.includes(PROC_NAMESPACE)) {
    const message = `${where} does not accept \`${PROC_NAMESPACE}\` in \`metadata_options.receiving_namespaces.untyped\``;
    tellOf(tell, codes.doctorRecordNotReceived, config, "metadata_options.receiving_namespaces", message);
  }
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
