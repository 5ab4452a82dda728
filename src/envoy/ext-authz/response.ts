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
import { toStruct } from "../struct.js";

/** `HeaderValueOption.HeaderAppendAction` by name. */
const appendActions: Readonly<Record<AppendAction, HeaderAppendAction>> = {
  APPEND_IF_EXISTS_OR_ADD: 0,
  ADD_IF_ABSENT: 1,
  OVERWRITE_IF_EXISTS_OR_ADD: 2,
  OVERWRITE_IF_EXISTS: 3,
};

/**
 * What keeps the record below 1 KiB as protobuf: results in it, and bytes for the names of their policies, of
 * which one may have 317.
 */
const maxDryRuns = 3;
const maxDryRunNames = 350;

/**
 * A decision as Envoy reads it. Always a CheckResponse, never an error of gRPC and never `error_response`.
 */
export function toCheckResponse(decision: Decision): CheckResponse {
  const response: CheckResponse = { status: { code: decision.code }, dynamic_metadata: toMetadata(decision) };
  const { edits } = decision;
  if (decision.allowed) {
    response.ok_response = {
      headers: edits.requestHeaders.map(toHeader),
      headers_to_remove: [...edits.requestHeadersToRemove],
      response_headers_to_add: edits.responseHeaders.map(toHeader),
      query_parameters_to_set: edits.queryParametersToSet.map(([key, value]) => ({
        key: toText(key),
        value: toText(value),
      })),
      query_parameters_to_remove: edits.queryParametersToRemove.map(toText),
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
    record["dry_run"] = { listValue: { values: toDryRuns(decision.dryRun) } };
  }
  if (decision.audit !== undefined) record["audit"] = { boolValue: decision.audit };
  if (decision.failedOpen) record["failed_open"] = { boolValue: true };
  const { fields } = toStruct(decision.metadata ?? {});
  fields["decision_id"] = { stringValue: decision.decisionId };
  fields["gatehouse"] = { structValue: { fields: record } };
  return { fields };
}

/** Where the names are too long together, the first ones stay. */
function toDryRuns(dryRuns: readonly DryRun[]): Value[] {
  let left = maxDryRunNames;
  return dryRuns.slice(0, maxDryRuns).map(({ action, result, policy, rule }) => {
    left -= policy?.length ?? 0;
    return toDryRun(
      left < 0 || policy === undefined || rule === undefined
        ? { action, result }
        : { action, result, policy, rule },
    );
  });
}

function toDryRun({ action, result, policy, rule }: DryRun): Value {
  const fields: Record<string, Value> = { action: { stringValue: action }, result: { stringValue: result } };
  if (policy !== undefined) fields["policy"] = { stringValue: policy };
  if (rule !== undefined) fields["rule"] = { numberValue: rule };
  return { structValue: { fields } };
}

/** Envoy 1.40 reads no `raw_value` here; the validator of edits has refused what is not UTF-8. */
function toHeader({ name, value, action }: HeaderEdit): HeaderValueOption {
  return { header: { key: name, value: toText(value) }, append_action: appendActions[action] };
}
