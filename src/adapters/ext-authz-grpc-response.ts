import { toBytes } from "../attributes/index.js";
import { type AppendAction, type Edits, type HeaderEdit, noEdits, type Verdict } from "../engine/index.js";
import { fromStruct } from "../envoy/index.js";
import type {
  CheckResponse__Output,
  HeaderValueOption__Output,
  OkHttpResponse__Output,
  Struct__Output,
} from "../proto/index.js";
import {
  allowed,
  badEdit,
  failed,
  isHeader,
  type ProviderBase,
  refusalHeaders,
  refusalStatus,
  refused,
  removable,
} from "./providers-verdict.js";

/** `HeaderValueOption.append_action` by number. */
const actions: readonly AppendAction[] = [
  "APPEND_IF_EXISTS_OR_ADD",
  "ADD_IF_ABSENT",
  "OVERWRITE_IF_EXISTS_OR_ADD",
  "OVERWRITE_IF_EXISTS",
];

/**
 * Reads a provider's CheckResponse as Envoy 1.40 does (measured). The status alone decides: 0, also an absent
 * one, allows whatever `denied_response` or `error_response` stand beside it; any other with `error_response`
 * is a failure; any other refuses. `ok_response.dynamic_metadata` wins over `dynamic_metadata`.
 */
export function readCheckResponse(response: CheckResponse__Output, options: ProviderBase): Verdict {
  const code = response.status?.code ?? 0;
  const metadata = readMetadata(response.ok_response?.dynamic_metadata ?? response.dynamic_metadata);
  if (code === 0) {
    const edits = readEdits(response.ok_response ?? {});
    return edits === undefined ? badEdit() : allowed({ edits, metadata });
  }
  const answer = response.error_response ?? response.denied_response ?? {};
  const edits: Edits = { ...noEdits, responseHeaders: refusalHeaders((answer.headers ?? []).map(readLine)) };
  const body = answer.body ?? "";
  if (response.error_response !== undefined) {
    const httpStatus = refusalStatus(answer.status?.code ?? options.statusOnError);
    return failed(options, code, { httpStatus, body, edits });
  }
  return refused({ code, httpStatus: refusalStatus(answer.status?.code ?? 403), body, edits, metadata });
}

/** Undefined when a header could not stand in a message or asks for an action that there is not. */
function readEdits(ok: OkHttpResponse__Output): Edits | undefined {
  const requestHeadersToRemove = removable(ok.headers_to_remove ?? []);
  const requestHeaders: HeaderEdit[] = [];
  for (const option of ok.headers ?? []) {
    const edit = readEdit(option, requestAction(option));
    if (edit === undefined) return undefined;
    // Envoy removes after it has set.
    if (!requestHeadersToRemove.includes(edit.name)) requestHeaders.push(edit);
  }
  const responseHeaders: HeaderEdit[] = [];
  for (const option of ok.response_headers_to_add ?? []) {
    const edit = readEdit(option, deprecatedAction(option) ?? actions[option.append_action ?? 0]);
    if (edit === undefined) return undefined;
    responseHeaders.push(edit);
  }
  return {
    requestHeaders,
    requestHeadersToRemove,
    responseHeaders,
    queryParametersToSet: (ok.query_parameters_to_set ?? []).map(
      ({ key, value }) => [toBytes(key ?? ""), toBytes(value ?? "")] as const,
    ),
    queryParametersToRemove: (ok.query_parameters_to_remove ?? []).map(toBytes),
  };
}

/**
 * Of a request header: without `append` and `append_action` it is set, so that no value of the client's stays
 * before it (Envoy 1.40, and the promise of `OkHttpResponse.headers`). Envoy 1.40 sets for every
 * `append_action` alike; we do what the action says, as later ones do, but for 0, which cannot be told from
 * an absent one.
 */
function requestAction(option: HeaderValueOption__Output): AppendAction | undefined {
  return deprecatedAction(option) ?? actions[option.append_action || 2];
}

function deprecatedAction(option: HeaderValueOption__Output): AppendAction | undefined {
  if (option.append === undefined) return undefined;
  return option.append.value === true ? "APPEND_IF_EXISTS_OR_ADD" : "OVERWRITE_IF_EXISTS_OR_ADD";
}

function readEdit(
  option: HeaderValueOption__Output,
  action: AppendAction | undefined,
): HeaderEdit | undefined {
  const [name, value] = readLine(option);
  return action === undefined || !isHeader(name, value) ? undefined : { name, value, action };
}

/** Name in lower case and value as byte string; `raw_value` counts where it is set. */
function readLine(option: HeaderValueOption__Output): readonly [name: string, value: string] {
  const { key = "", value = "", raw_value } = option.header ?? {};
  const raw = raw_value !== undefined && raw_value.length > 0;
  return [key.toLowerCase(), raw ? raw_value.toString("latin1") : toBytes(value)];
}

function readMetadata(struct: Struct__Output | undefined): Record<string, unknown> | undefined {
  const metadata = struct === undefined ? {} : fromStruct(struct);
  return Object.keys(metadata).length === 0 ? undefined : metadata;
}
