import { codes } from "../diagnostics/index.js";
import type { Chain, Filter } from "./envoy-config.js";
import type { PolicyFacts } from "./facts.js";
import { checkHiddenHeaders } from "./hidden-headers.js";
import { isSet, type Tell, tellOf } from "./tell.js";
import { durationMs, isOn, named, number, type Tree, text } from "./tree.js";
import { types } from "./typed.js";

const MAX_TIMEOUT_MS = 30_000;

/** A filter of ext_authz, for HTTP or for connections. */
export function checkAuthz(
  { config, name, type }: Filter,
  chain: Chain,
  facts: PolicyFacts | undefined,
  tell: Tell,
): void {
  checkFailureMode(config, `\`${name}\``, tell);
  checkTimeout(config, name, tell);
  if (isOn(config, "shadow_mode")) {
    tellOf(
      tell,
      codes.doctorOnlyWatches,
      config,
      "shadow_mode",
      `\`shadow_mode\` of \`${name}\` lets refused requests pass`,
    );
  }
  if (chain.tls === "mutual" && !isOn(config, "include_peer_certificate")) {
    const message = `the listener takes client certificates and \`${name}\` does not send them, expected \`include_peer_certificate: true\``;
    tellOf(tell, codes.doctorPeerCertificate, config, "include_peer_certificate", message);
  }
  if (chain.tls !== "none" && !isOn(config, "include_tls_session")) {
    const message = `the listener ends TLS and \`${name}\` does not send the SNI, expected \`include_tls_session: true\``;
    tellOf(tell, codes.doctorPeerCertificate, config, "include_tls_session", message);
  }
  if (type === types.authz) checkHttpAuthz(config, name, facts, tell);
}

/** `failure_mode_allow` of any filter; `name` is as messages show it. */
export function checkFailureMode(config: Tree, name: string, tell: Tell): void {
  if (!isOn(config, "failure_mode_allow")) return;
  const message = `${name} lets requests pass when it has no answer, expected \`failure_mode_allow: false\``;
  tellOf(tell, codes.doctorFailOpen, config, "failure_mode_allow", message);
}

/** Names of envoy.type.v3.StatusCode below 400, in lower case. */
const fine: ReadonlySet<string> = new Set([
  "continue",
  "ok",
  "created",
  "accepted",
  "nonauthoritativeinformation",
  "nocontent",
  "resetcontent",
  "partialcontent",
  "multistatus",
  "alreadyreported",
  "imused",
  "multiplechoices",
  "movedpermanently",
  "found",
  "seeother",
  "notmodified",
  "useproxy",
  "temporaryredirect",
  "permanentredirect",
]);

/** `status_on_error` of any filter. */
export function checkStatusOnError(config: Tree, name: string, tell: Tell): void {
  const code = text(config, "status_on_error", "code");
  if (code === undefined || (!/^\s*\+?0*[123][0-9][0-9]\s*$/.test(code) && !fine.has(code.toLowerCase())))
    return;
  const message = `\`${name}\` answers \`${code}\` when its check fails, expected 403 or 500 and above`;
  tellOf(tell, codes.doctorErrorLooksFine, config, "status_on_error.code", message);
}

function checkTimeout(config: Tree, name: string, tell: Tell): void {
  if (!isSet(config, "grpc_service")) return;
  const ms = durationMs(config, "grpc_service", "timeout");
  if (ms !== undefined && ms > 0 && ms <= MAX_TIMEOUT_MS) return;
  const now =
    ms === undefined ? "has the default timeout of 200 ms" : ms === 0 ? "waits for ever" : `waits ${ms} ms`;
  const message = `\`${name}\` ${now}, expected \`grpc_service.timeout\` of 1s to 30s`;
  tellOf(tell, codes.doctorCheckTimeout, config, "grpc_service.timeout", message);
}

function checkHttpAuthz(config: Tree, name: string, facts: PolicyFacts | undefined, tell: Tell): void {
  checkStatusOnError(config, name, tell);
  if (isSet(config, "filter_enabled") && !isWhole(config)) {
    const message = `\`${name}\` is asked for a share of requests, expected no \`filter_enabled\``;
    tellOf(tell, codes.doctorAskedSometimes, config, "filter_enabled", message);
  }
  if (isSet(config, "filter_enabled_metadata")) {
    const message = `\`${name}\` is asked where metadata says so, expected no \`filter_enabled_metadata\``;
    tellOf(tell, codes.doctorAskedSometimes, config, "filter_enabled_metadata", message);
  }
  if (!isOn(config, "encode_raw_headers")) {
    const message = `\`${name}\` joins header lines, expected \`encode_raw_headers: true\``;
    tellOf(tell, codes.doctorRawHeaders, config, "encode_raw_headers", message);
  }
  if (!isOn(config, "validate_mutations")) {
    const message = `\`${name}\` takes edits unseen, expected \`validate_mutations: true\``;
    tellOf(tell, codes.doctorUnvalidatedMutations, config, "validate_mutations", message);
  }
  if (isOn(config, "clear_route_cache")) {
    const message = `\`${name}\` lets an edit choose another route, expected \`clear_route_cache: false\``;
    tellOf(tell, codes.doctorRouteAfterDecision, config, "clear_route_cache", message);
  }
  if (isOn(config, "with_request_body", "allow_partial_message")) {
    const message = `\`${name}\` sends the first bytes of a long body, expected \`allow_partial_message: false\``;
    tellOf(tell, codes.doctorPartialBody, config, "with_request_body.allow_partial_message", message);
  }
  checkHiddenHeaders(config, name, facts, tell);
}

/** 100 % unless runtime says otherwise, and refused where it is off. */
function isWhole(config: Tree): boolean {
  if (isOn(config, "deny_at_disable", "default_value")) return true;
  const share = number(config, "filter_enabled", "default_value", "numerator") ?? 0;
  const whole = { HUNDRED: 100, TEN_THOUSAND: 10_000, MILLION: 1_000_000 } as const;
  const of = named(
    ["HUNDRED", "TEN_THOUSAND", "MILLION"],
    config,
    "filter_enabled",
    "default_value",
    "denominator",
  );
  return share >= whole[of];
}
