import { codes } from "../diagnostics/index.js";
import { escapedActions } from "./check-manager.js";
import type { Filter, Manager } from "./envoy-config.js";
import { type Mode, modesOf } from "./modes.js";
import type { Tell } from "./tell.js";
import { at, isOn, named, placeOf, texts } from "./tree.js";
import { types } from "./typed.js";

const DETAILS = "response.code_details";
const SLASHES = "path_with_escaped_slashes_action";

/** HTTP filters that can answer in place of the upstream; of gRPC each refusal is an answer with 200. */
const answering = new RegExp(
  `\\.filters\\.http\\.(?:${[
    "adaptive_concurrency",
    "admission_control",
    "api_key_auth",
    "basic_auth",
    "buffer",
    "cache",
    "cache_v2",
    "cors",
    "credential_injector",
    "csrf",
    "dynamic_forward_proxy",
    "dynamic_modules",
    "ext_authz",
    "ext_proc",
    "fault",
    "file_server",
    "golang",
    "grpc_json_transcoder",
    "health_check",
    "jwt_authn",
    "local_ratelimit",
    "lua",
    "oauth2",
    "proto_api_scrubber",
    "proto_message_extraction",
    "rate_limit_quota",
    "ratelimit",
    "rbac",
    "stateful_session",
    "wasm",
  ].join("|")})\\.`,
);

/** Whether ext_proc can tell an answer that was given in front of it from the upstream's. */
export function checkLocalReplies(
  { config, name, tree }: Filter,
  { config: manager, filters }: Manager,
  tell: Tell,
): void {
  const isSent = ({ direction, headers }: Mode): boolean => direction === "response" && headers;
  if (!modesOf(at(config, "processing_mode")).some(isSent)) return;
  if (texts(config, "response_attributes").some((one) => one.replace(/\s/g, "") === DETAILS)) return;
  const position = filters.findIndex((one) => one.tree === tree);
  const before = filters.slice(0, position).filter(canAnswer);
  const answerers = [
    ...(named(escapedActions, manager, SLASHES) === "UNESCAPE_AND_REDIRECT" ? [SLASHES] : []),
    ...before.map((one) => one.name),
  ];
  if (answerers.length === 0) return;
  const whose = answerers.map((one) => `\`${one}\``).join(", ");
  const message = `\`${name}\` takes answers of ${whose} for the upstream's, expected \`${DETAILS}\` in \`response_attributes\``;
  tell(codes.doctorLocalReplies, placeOf(config, "response_attributes"), message);
}

function canAnswer({ type, config }: Filter): boolean {
  return answering.test(type) && !(type === types.healthCheck && isOn(config, "pass_through_mode"));
}
