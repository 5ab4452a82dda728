import { codes, show } from "../diagnostics/index.js";
import type { Chain, Filter, Manager } from "./envoy-config.js";
import { isSet, type Tell, tellOf } from "./tell.js";
import { at, durationMs, isOn, items, placeOf, type Tree, text, texts } from "./tree.js";
import { extensionOf, types } from "./typed.js";

const secrets: ReadonlySet<string> = new Set([
  "authorization",
  "cookie",
  "set-cookie",
  "proxy-authorization",
  "x-api-key",
  "x-forwarded-client-cert",
]);

/** The access logs of a connection manager that asks for decisions. */
export function checkHttpLogs({ config, filters }: Manager, tell: Tell): void {
  const authz = filters.find(({ type }) => type === types.authz);
  checkLogs(config, types.httpLog, authz, tell);
}

/** The access logs of TCP proxies in a chain that asks for decisions. */
export function checkTcpLogs({ filters }: Chain, tell: Tell): void {
  const authz = filters.find(({ type }) => type === types.networkAuthz);
  if (authz === undefined) return;
  for (const { type, config } of filters) {
    if (type === types.tcpProxy) checkLogs(config, types.tcpLog, authz, tell);
  }
}

function checkLogs(config: Tree, type: string, authz: Filter | undefined, tell: Tell): void {
  const logs = items(config, "access_log")
    .map((tree) => ({ ...extensionOf(tree), filter: at(tree, "filter") }))
    .filter((log) => log.type === type);
  if (logs.length === 0) {
    const message = "no access log is sent over gRPC, expected one to Gatehouse";
    tell(codes.doctorNoAccessLog, placeOf(config, "access_log"), message);
  }
  for (const log of logs) {
    // The log of connections has all in `common_config` as well.
    checkLog(log.config, tell);
    if (authz !== undefined) checkTags(log.config, authz, tell);
    if (log.filter !== undefined && logs.every(({ filter }) => filter !== undefined && selects(filter))) {
      const message = "the access log is sent for what its `filter` selects, expected no `filter`";
      tell(codes.doctorAccessLogPartial, log.filter.path, message);
    }
  }
}

/** Health checks are what nobody decided. */
function selects(filter: Tree): boolean {
  return !isSet(filter, "not_health_check_filter");
}

function checkLog(config: Tree, tell: Tell): void {
  if (!isSet(config, "common_config", "grpc_stream_retry_policy")) {
    const message =
      "the access log is not tried again, expected `grpc_stream_retry_policy: {num_retries: 20}`";
    tellOf(tell, codes.doctorAccessLogLost, config, "common_config.grpc_stream_retry_policy", message);
  }
  if (durationMs(config, "common_config", "grpc_service", "timeout") ?? 0) {
    const message = "the access log's stream ends after its timeout, expected no `timeout`";
    tellOf(tell, codes.doctorAccessLogEnds, config, "common_config.grpc_service.timeout", message);
  }
  for (const list of [
    "additional_request_headers_to_log",
    "additional_response_headers_to_log",
    "additional_response_trailers_to_log",
  ]) {
    for (const name of texts(config, list)) {
      if (!secrets.has(name.toLowerCase())) continue;
      const message = `the access log sends ${show(name)}, expected no header with credentials`;
      tell(codes.doctorSecretLogged, placeOf(config, list), message);
    }
  }
}

function checkTags(config: Tree, authz: Filter, tell: Tell): void {
  const tags = new Map(
    items(config, "common_config", "custom_tags").map((tag) => [
      text(tag, "tag"),
      text(tag, "value") ?? text(tag, "literal", "value"),
    ]),
  );
  const place = placeOf(config, "common_config", "custom_tags");
  const timeout = String(durationMs(authz.config, "grpc_service", "timeout") ?? 200);
  const told = tags.get("check_timeout_ms");
  if (told !== timeout) {
    const has = told === undefined ? "is absent" : `is ${show(told)}`;
    const message = `custom tag \`check_timeout_ms\` ${has}, expected \`${timeout}\`, the timeout of \`${authz.name}\``;
    tell(codes.doctorAccessLogIncomplete, place, message);
  }
  if (authz.type !== types.authz) return;
  if (!isOn(authz.config, "emit_filter_state_stats") || !tags.has("check_latency_us")) {
    const message =
      "custom tag `check_latency_us` or `emit_filter_state_stats` is absent, expected both, so that the check's duration is told";
    tell(codes.doctorAccessLogIncomplete, place, message);
  }
}
