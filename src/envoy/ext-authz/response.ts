import { toText } from "../../attributes/index.js";
import type { AppendAction, Decision, DryRun, HeaderEdit } from "../../engine/index.js";
import type {
  CheckResponse,
  HeaderAppendAction,
  HeaderValueOption,
  StatusCode,
  Struct,
} from "../../proto/index.js";
import { toStruct, toValue } from "../struct.js";

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
  const { rule, dryRun, audit } = decision;
  const { fields } = toStruct(decision.metadata ?? {});
  fields["decision_id"] = { stringValue: decision.decisionId };
  fields["gatehouse"] = toValue({
    allowed: decision.allowed,
    code: decision.code,
    stage: decision.stage,
    reason: decision.reason,
    snapshot: decision.generation,
    ...(rule !== undefined && { policy: rule.policy, rule: rule.rule }),
    ...(dryRun.length > 0 && { dry_run: shorten(dryRun) }),
    ...(audit !== undefined && { audit }),
    ...(decision.failedOpen && { failed_open: true }),
  });
  return { fields };
}

/** Where the names are too long together, the first ones stay. */
function shorten(dryRuns: readonly DryRun[]): readonly DryRun[] {
  let left = maxDryRunNames;
  return dryRuns.slice(0, maxDryRuns).map((dryRun) => {
    left -= dryRun.policy?.length ?? 0;
    return left < 0 ? { action: dryRun.action, result: dryRun.result } : dryRun;
  });
}

/** Envoy 1.40 reads no `raw_value` here; the validator of edits has refused what is not UTF-8. */
function toHeader({ name, value, action }: HeaderEdit): HeaderValueOption {
  return { header: { key: name, value: toText(value) }, append_action: appendActions[action] };
}
