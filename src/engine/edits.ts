import {
  type Attributes,
  breaksLine,
  type HttpRequest,
  isEditableHeader,
  lowerAscii,
  toBytes,
  toText,
} from "../attributes/index.js";

/** How a header is put, as Envoy's `HeaderValueOption.append_action`. */
export type AppendAction =
  | "APPEND_IF_EXISTS_OR_ADD"
  | "ADD_IF_ABSENT"
  | "OVERWRITE_IF_EXISTS_OR_ADD"
  | "OVERWRITE_IF_EXISTS";

/** One header line to put. Values are byte strings. */
export interface HeaderEdit {
  readonly name: string;
  readonly value: string;
  readonly action: AppendAction;
}

/** What a stage wants changed. */
export interface Edits {
  /** On the way to the upstream. */
  readonly requestHeaders: readonly HeaderEdit[];
  readonly requestHeadersToRemove: readonly string[];
  /** On the way back; of a refusal: the headers of the refusal. */
  readonly responseHeaders: readonly HeaderEdit[];
  readonly queryParametersToSet: readonly (readonly [name: string, value: string])[];
  readonly queryParametersToRemove: readonly string[];
  /** The same object for many requests: what is made of it may be kept. */
  readonly isLasting?: true;
}

/** Nothing to change. */
export const noEdits: Edits = {
  requestHeaders: [],
  requestHeadersToRemove: [],
  responseHeaders: [],
  queryParametersToSet: [],
  queryParametersToRemove: [],
};

/** Says what is wrong with some edit, or undefined when all may be sent. The one validator for all stages. */
export function invalidEdit(edits: Edits): string | undefined {
  for (const { name, value } of [...edits.requestHeaders, ...edits.responseHeaders]) {
    if (!isEditable(name)) return `header \`${name.slice(0, 80)}\` may not be set`;
    if (breaksLine(value)) return `header \`${name}\` has a value with a line break or NUL`;
    if (toBytes(toText(value)) !== value) return `header \`${name}\` has a value that is not UTF-8`;
  }
  for (const name of edits.requestHeadersToRemove) {
    if (!isEditable(name)) return `header \`${name.slice(0, 80)}\` may not be removed`;
  }
  for (const [name, value] of edits.queryParametersToSet) {
    if (name === "" || breaksLine(name + value)) return "a query parameter has an empty name or a line break";
  }
  return undefined;
}

function isEditable(name: string): boolean {
  return isEditableHeader(lowerAscii(name));
}

/** Joins the edits of two stages; where both set the same thing, `later` wins. */
export function mergeEdits(earlier: Edits, later: Edits): Edits {
  if (earlier === noEdits) return later;
  if (later === noEdits) return earlier;
  const put = new Set(later.requestHeaders.map(({ name }) => name.toLowerCase()));
  const params = new Set(later.queryParametersToSet.map(([name]) => name));
  return {
    requestHeaders: [...earlier.requestHeaders, ...later.requestHeaders],
    // Envoy removes last, so what is set must not stand among the removed.
    requestHeadersToRemove: [...earlier.requestHeadersToRemove, ...later.requestHeadersToRemove].filter(
      (name) => !put.has(name.toLowerCase()),
    ),
    responseHeaders: [...earlier.responseHeaders, ...later.responseHeaders],
    queryParametersToSet: [...earlier.queryParametersToSet, ...later.queryParametersToSet],
    queryParametersToRemove: [
      ...earlier.queryParametersToRemove.filter((name) => !params.has(name)),
      ...later.queryParametersToRemove,
    ],
  };
}

/** The request as it stands after the edits, for the stages behind. */
export function withEdits(attributes: Attributes, edits: Edits): Attributes {
  const { request } = attributes;
  if (request === undefined || edits === noEdits) return attributes;
  const headers = new Map(request.headers);
  for (const edit of edits.requestHeaders) putHeader(headers, edit);
  for (const name of edits.requestHeadersToRemove) headers.delete(name.toLowerCase());
  const path = withQuery(request.path, edits);
  if (path !== request.path) headers.set(":path", [path]);
  return { ...attributes, request: { ...request, headers, path } };
}

/**
 * The edits with every request header as its final value. Envoy 1.40 ignores `append_action` on the way to
 * the upstream (measured), so what a header becomes is worked out here: `edited` is the request with the
 * edits applied.
 */
export function resolveEdits(edits: Edits, edited: Attributes): Edits {
  const headers = edited.request?.headers;
  if (headers === undefined || edits.requestHeaders.length === 0) return edits;
  const names = new Set(edits.requestHeaders.map(({ name }) => name.toLowerCase()));
  const requestHeaders = [...names].flatMap((name): HeaderEdit[] => {
    const value = headers.get(name)?.join(",");
    return value === undefined ? [] : [{ name, value, action: "OVERWRITE_IF_EXISTS_OR_ADD" }];
  });
  const { isLasting: _, ...others } = edits;
  return { ...others, requestHeaders };
}

function putHeader(headers: Map<string, readonly string[]>, { name, value, action }: HeaderEdit): void {
  const key = name.toLowerCase();
  const lines = headers.get(key);
  if (lines === undefined) {
    if (action !== "OVERWRITE_IF_EXISTS") headers.set(key, [value]);
  } else if (action === "APPEND_IF_EXISTS_OR_ADD") {
    headers.set(key, [...lines, value]);
  } else if (action !== "ADD_IF_ABSENT") {
    headers.set(key, [value]);
  }
}

/** The path with query parameters removed and set; parameters that no edit names stay byte by byte. */
function withQuery(path: HttpRequest["path"], edits: Edits): string {
  const touched = new Set([
    ...edits.queryParametersToRemove,
    ...edits.queryParametersToSet.map(([name]) => name),
  ]);
  if (touched.size === 0) return path;
  const at = path.indexOf("?");
  const query = at < 0 ? [] : path.slice(at + 1).split("&");
  const kept = query.filter((pair) => pair !== "" && !touched.has(decodeName(pair.split("=")[0] ?? "")));
  const set = edits.queryParametersToSet.map(
    ([name, value]) => `${encodeURIComponent(name)}=${encodeURIComponent(value)}`,
  );
  const parts = [...kept, ...set];
  return (at < 0 ? path : path.slice(0, at)) + (parts.length === 0 ? "" : `?${parts.join("&")}`);
}

function decodeName(name: string): string {
  try {
    return decodeURIComponent(name.replaceAll("+", " "));
  } catch {
    return name;
  }
}
