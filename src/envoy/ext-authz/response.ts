import { toText } from "../../attributes/index.js";
import type { AppendAction, Decision, DryRun, HeaderEdit } from "../../engine/index.js";
import type {
  CheckResponse,
  HeaderAppendAction,
  HeaderValueOption,
  StatusCode,
  Struct,
  Value,
} from "../../proto/index.js";

/** `HeaderValueOption.HeaderAppendAction` by name. */
const appendActions: Readonly<Record<AppendAction, HeaderAppendAction>> = {
  APPEND_IF_EXISTS_OR_ADD: 0,
  ADD_IF_ABSENT: 1,
  OVERWRITE_IF_EXISTS_OR_ADD: 2,
  OVERWRITE_IF_EXISTS: 3,
};

/** Dry-run results in one record, so that it stays below 1 KiB. */
const maxDryRuns = 4;

/** A decision as Envoy reads it. Always a CheckResponse, never an error of gRPC and never `error_response`. */
export function toCheckResponse(decision: Decision): CheckResponse {
  const response: CheckResponse = { status: { code: decision.code }, dynamic_metadata: toMetadata(decision) };
  const { edits } = decision;
  if (decision.allowed) {
    response.ok_response = {
      headers: edits.requestHeaders.map(toHeader),
      headers_to_remove: [...edits.requestHeadersToRemove],
      response_headers_to_add: edits.responseHeaders.map(toHeader),
      query_parameters_to_set: edits.queryParametersToSet.map(([key, value]) => ({ key, value })),
      query_parameters_to_remove: [...edits.queryParametersToRemove],
    };
  } else {
    response.denied_response = {
      status: { code: decision.httpStatus as StatusCode },
      headers: edits.responseHeaders.map(toHeader),
      body: decision.body,
    };
  }
  return response;
}

/** The decision record: `decision_id` on top, all else under `gatehouse`, a policy's own keys beside them. */
function toMetadata(decision: Decision): Struct {
  const record: Record<string, Value> = {
    allowed: { boolValue: decision.allowed },
    code: { numberValue: decision.code },
    stage: { stringValue: decision.stage },
    reason: { stringValue: decision.reason },
    snapshot: { numberValue: decision.generation },
  };
  if (decision.rule !== undefined) {
    record["policy"] = { stringValue: decision.rule.policy };
    record["rule"] = { numberValue: decision.rule.rule };
  }
  if (decision.dryRun.length > 0) {
    record["dry_run"] = { listValue: { values: decision.dryRun.slice(0, maxDryRuns).map(toDryRun) } };
  }
  if (decision.audit !== undefined) record["audit"] = { boolValue: decision.audit };
  if (decision.failedOpen) record["failed_open"] = { boolValue: true };
  const fields: Record<string, Value> = {};
  for (const [key, value] of Object.entries(decision.metadata ?? {})) fields[key] = toValue(value);
  fields["decision_id"] = { stringValue: decision.decisionId };
  fields["gatehouse"] = { structValue: { fields: record } };
  return { fields };
}

function toDryRun({ action, result, policy, rule }: DryRun): Value {
  const fields: Record<string, Value> = { action: { stringValue: action }, result: { stringValue: result } };
  if (policy !== undefined) fields["policy"] = { stringValue: policy };
  if (rule !== undefined) fields["rule"] = { numberValue: rule };
  return { structValue: { fields } };
}

/** JSON as google.protobuf.Value. */
function toValue(value: unknown): Value {
  if (typeof value === "string") return { stringValue: value };
  if (typeof value === "number") return { numberValue: value };
  if (typeof value === "boolean") return { boolValue: value };
  if (Array.isArray(value)) return { listValue: { values: value.map(toValue) } };
  if (typeof value !== "object" || value === null) return { nullValue: 0 };
  return {
    structValue: { fields: Object.fromEntries(Object.entries(value).map(([k, v]) => [k, toValue(v)])) },
  };
}

/** Envoy 1.40 reads no `raw_value` here; the validator of edits has refused what is not UTF-8. */
function toHeader({ name, value, action }: HeaderEdit): HeaderValueOption {
  return { header: { key: name, value: toText(value) }, append_action: appendActions[action] };
}
