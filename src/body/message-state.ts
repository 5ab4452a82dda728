import type { Attributes, JsonValue, Workload } from "../attributes/index.js";
import { createHeaderLines, type HeaderLines } from "./header-lines.js";
import type { ResponseHead } from "./run.js";
import type { MessageInput } from "./vocabulary.js";

/** A message while its policies act on it one after the other: each sees it as the one before left it. */
export interface MessageState {
  readonly headers: HeaderLines;
  /** What expressions see now. */
  input(body: JsonValue | undefined): MessageInput;
  /** The request as it stands now. */
  attributes(): Attributes;
}

/** Of a request. On TCP there are no headers to change. */
export function createRequestState(attributes: Attributes, workload: Workload | undefined): MessageState {
  const headers = createHeaderLines(attributes.request?.headers ?? new Map());
  let edited = attributes;
  const current = (): Attributes => {
    const { request } = edited;
    // INVARIANT: the map is a new one once and then changes in place.
    if (request !== undefined && request.headers !== headers.lines)
      edited = { ...edited, request: { ...request, headers: headers.lines } };
    return edited;
  };
  return {
    headers,
    input: (requestBody) => ({
      attributes: current(),
      workload,
      response: undefined,
      requestBody,
      responseBody: undefined,
    }),
    attributes: current,
  };
}

/** Of the response to a request. */
export function createResponseState(
  attributes: Attributes,
  workload: Workload | undefined,
  head: ResponseHead,
): MessageState & { readonly head: () => ResponseHead } {
  const headers = createHeaderLines(head.headers);
  let edited = head;
  const current = (): ResponseHead => {
    if (edited.headers !== headers.lines) edited = { ...edited, headers: headers.lines };
    return edited;
  };
  return {
    headers,
    head: current,
    input: (responseBody) => ({
      attributes,
      workload,
      response: current(),
      requestBody: undefined,
      responseBody,
    }),
    attributes: () => attributes,
  };
}
