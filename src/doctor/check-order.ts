import { codes } from "../diagnostics/index.js";
import type { Filter, Manager } from "./envoy-config.js";
import type { PolicyFacts } from "./facts.js";
import type { Tell } from "./tell.js";
import { entries, isOn, text, texts } from "./tree.js";
import { types } from "./typed.js";

const JWT_NAMESPACE = "envoy.filters.http.jwt_authn";
const answers = /\.filters\.http\.(?:lua|wasm|golang|dynamic_modules|cache|cache_v2|fault|file_server)\./;
const changes =
  /\.filters\.http\.(?:lua|wasm|golang|dynamic_modules|header_mutation|grpc_json_transcoder|grpc_json_reverse_transcoder|grpc_http1_reverse_bridge|decompressor|proto_message_extraction)\./;

/** Whether a filter asks for decisions. */
export function isPolicy(type: string): boolean {
  return type === types.authz || type === types.proc;
}

/** The order of a connection manager's filters. */
export function checkOrder({ filters }: Manager, facts: PolicyFacts | undefined, tell: Tell): void {
  const first = filters.findIndex(({ type }) => isPolicy(type));
  const last = filters.findLastIndex(({ type }) => isPolicy(type));
  const authz = filters.findIndex(({ type }) => type === types.authz);
  const proc = filters.findIndex(({ type }) => type === types.proc);
  if (first === -1) return;
  for (const [i, filter] of filters.entries()) {
    const { name, type, tree } = filter;
    if (i < first && (answers.test(type) || isHealthCheck(filter))) {
      const message = `\`${name}\` can answer before \`${filters[first]?.name ?? ""}\` is asked, expected it behind`;
      tell(codes.doctorAnswersBefore, tree.path, message);
    }
    if (i > last && changes.test(type)) {
      const message = `\`${name}\` can change the request after \`${filters[last]?.name ?? ""}\` has decided, expected it in front`;
      tell(codes.doctorChangesAfter, tree.path, message);
    }
    if (proc !== -1 && i > proc && type === types.compressor && facts?.hasBodyPolicies !== false) {
      const message = `\`${name}\` compresses responses before \`${filters[proc]?.name ?? ""}\` sees them, expected it in front`;
      tell(codes.doctorEncodedBeforePolicy, tree.path, message);
    }
    if (type === types.jwt) checkJwt(filter, i, filters, facts, tell);
  }
  if (proc !== -1 && authz > proc) {
    const message = `\`${filters[proc]?.name ?? ""}\` stands in front of \`${filters[authz]?.name ?? ""}\`, expected it behind`;
    tell(codes.doctorProcBeforeAuthz, filters[proc]?.tree.path ?? [], message);
  }
}

function checkJwt(
  { name, tree, config }: Filter,
  position: number,
  filters: readonly Filter[],
  facts: PolicyFacts | undefined,
  tell: Tell,
): void {
  const keepsPayload = entries(config, "providers").some(
    ([, provider]) => text(provider, "payload_in_metadata") !== undefined,
  );
  for (const [i, policy] of filters.entries()) {
    if (!isPolicy(policy.type)) continue;
    if (position > i) {
      const message = `\`${name}\` verifies tokens after \`${policy.name}\` has decided, expected it in front`;
      tell(codes.doctorJwtAfterPolicy, tree.path, message);
      return;
    }
    if (facts === undefined ? !keepsPayload : !facts.trustsEnvoyJwt) continue;
    const isAuthz = policy.type === types.authz;
    const field = isAuthz ? "metadata_context_namespaces" : "metadata_options.forwarding_namespaces.untyped";
    if (texts(policy.config, ...field.split(".")).includes(JWT_NAMESPACE)) continue;
    const message = `\`${policy.name}\` does not send what \`${name}\` verified, expected \`${JWT_NAMESPACE}\` in \`${field}\``;
    tell(codes.doctorJwtPayloadLost, policy.config.path, message);
  }
}

function isHealthCheck({ type, config }: Filter): boolean {
  return type === types.healthCheck && !isOn(config, "pass_through_mode");
}
