import {
  type Attributes,
  breaksLine,
  type HttpRequest,
  isEditableHeader,
  isFieldName,
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

/** Who wants edits, where not everybody may have them all. */
export interface EditRights {
  /** The request's own parts may be rewritten: `:path`, `:method`, `:authority`, `host`, `:scheme`. */
  readonly rewrites?: boolean;
  /** The headers are those of a refusal, which says by `upgrade` what would be accepted (RFC 9110 section 15.5.22). */
  readonly isRefusal?: boolean;
}

/** Says what is wrong with some edit, or undefined when all may be sent. The one validator for all stages. */
export function invalidEdit(edits: Edits, { rewrites, isRefusal }: EditRights = {}): string | undefined {
  for (const { name, value } of edits.requestHeaders) {
    const rewritten = rewrites ? rewritable.get(lowerAscii(name)) : undefined;
    if (rewritten !== undefined && !rewritten.test(value))
      return `\`${name}\` cannot be rewritten to this value`;
    if (rewritten === undefined && !isEditable(name)) return `header \`${name.slice(0, 80)}\` may not be set`;
  }
  for (const { name } of edits.responseHeaders) {
    if (!isEditable(name) && !(isRefusal && lowerAscii(name) === "upgrade")) {
      return `header \`${name.slice(0, 80)}\` may not be set`;
    }
  }
  for (const { name, value } of [...edits.requestHeaders, ...edits.responseHeaders]) {
    if (breaksLine(value)) return `header \`${name}\` has a value with a line break or NUL`;
    if (toBytes(toText(value)) !== value) return `header \`${name}\` has a value that is not UTF-8`;
  }
  for (const name of edits.requestHeadersToRemove) {
    if (!isEditable(name) && !isPartOfRequest(name))
      return `header \`${name.slice(0, 80)}\` may not be removed`;
  }
  for (const [name, value] of edits.queryParametersToSet) {
    if (name === "" || breaksLine(name + value)) return "a query parameter has an empty name or a line break";
  }
  return undefined;
}

/** What a part of the request may be rewritten to. */
const rewritable: ReadonlyMap<string, RegExp> = new Map([
  [":path", /^\/[^\s#]*$/],
  [":method", /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/],
  [":authority", /^[^\s/?#@]+$/],
  ["host", /^[^\s/?#@]+$/],
  [":scheme", /^https?$/],
]);

/** Without which there is no request: Envoy passes over them when headers are removed (measured), and so do we. */
function isPartOfRequest(name: string): boolean {
  return lowerAscii(name) === "host" || (name.startsWith(":") && isFieldName(name.slice(1)));
}

function isEditable(name: string): boolean {
  return isEditableHeader(lowerAscii(name));
}

/** Joins the edits of two stages; where both set the same thing, `later` wins. */
export function mergeEdits(earlier: Edits, later: Edits): Edits {
  if (earlier === noEdits) return later;
  if (later === noEdits) return earlier;
  const put = new Set(later.requestHeaders.map(({ name }) => name.toLowerCase()));
  const gone = new Set([
    ...later.requestHeadersToRemove.map((name) => name.toLowerCase()),
    ...later.requestHeaders
      .filter(({ action }) => action === "OVERWRITE_IF_EXISTS_OR_ADD")
      .map(({ name }) => name.toLowerCase()),
  ]);
  const params = new Set(later.queryParametersToSet.map(([name]) => name));
  return {
    requestHeaders: [
      ...earlier.requestHeaders.filter(({ name }) => !gone.has(name.toLowerCase())),
      ...later.requestHeaders,
    ],
    // Envoy removes last, so what is set later must not stand among the removed.
    requestHeadersToRemove: [
      ...earlier.requestHeadersToRemove.filter((name) => !put.has(name.toLowerCase())),
      ...later.requestHeadersToRemove,
    ],
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
  for (const name of edits.requestHeadersToRemove) {
    if (!isPartOfRequest(name)) headers.delete(name.toLowerCase());
  }
  const rewritten = rewrittenBy(edits, request, headers);
  const path = withQuery(rewritten.path, edits);
  if (path !== request.path) headers.set(":path", [path]);
  const urlPath = rewritten.path === request.path ? request.urlPath : path.replace(/[?#].*$/, "");
  return { ...attributes, request: { ...rewritten, headers, path, urlPath } };
}

/**
 * The edits with every request header as its final value. Envoy 1.40 ignores `append_action` on the way to
 * the upstream (measured), so what a header becomes is worked out here: `edited` is the request with the
 * edits applied.
 */
export function resolveEdits(edits: Edits, edited: Attributes): Edits {
  const headers = edited.request?.headers;
  if (headers === undefined || edits.requestHeaders.length === 0) return edits;
  const byName = new Map<string, HeaderEdit[]>();
  for (const edit of edits.requestHeaders) {
    const name = edit.name.toLowerCase();
    const others = byName.get(name);
    if (others === undefined) byName.set(name, [edit]);
    else others.push(edit);
  }
  const requestHeaders = [...byName].flatMap(([name, wanted]): HeaderEdit[] => {
    const action = "OVERWRITE_IF_EXISTS_OR_ADD";
    // Envoy puts one after the other, and the last stays; what the same stage removes goes in the end: as it was said.
    if (wanted.every((edit) => edit.action === action)) return wanted.map((edit) => ({ ...edit, name }));
    const value = headers.get(name)?.join(",");
    return value === undefined ? [] : [{ name, value, action }];
  });
  const { isLasting: _, ...others } = edits;
  return { ...others, requestHeaders };
}

/** The request with its own parts as they are among the headers now. */
function rewrittenBy(
  { requestHeaders }: Edits,
  request: HttpRequest,
  headers: ReadonlyMap<string, readonly string[]>,
): HttpRequest {
  if (!requestHeaders.some(({ name }) => rewritable.has(lowerAscii(name)))) return request;
  const last = (name: string): string | undefined => headers.get(name)?.at(-1);
  const isHost = requestHeaders.some(({ name }) => lowerAscii(name) === "host");
  return {
    ...request,
    path: last(":path") ?? request.path,
    method: last(":method") ?? request.method,
    host: (isHost ? last("host") : last(":authority")) ?? request.host,
    scheme: last(":scheme") ?? request.scheme,
  };
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

/**
 * The path with query parameters set, of several values the last, and then removed; those that no edit names stay. Names
 * and values are compared and put as they are written, as Envoy does (measured), which sorts them besides.
 */
function withQuery(path: HttpRequest["path"], edits: Edits): string {
  const removed = new Set(edits.queryParametersToRemove);
  const set = new Map(edits.queryParametersToSet);
  if (removed.size === 0 && set.size === 0) return path;
  const at = path.indexOf("?");
  const query = at < 0 ? [] : path.slice(at + 1).split("&");
  const isTouched = (name: string): boolean => removed.has(name) || set.has(name);
  const parts = query.filter((pair) => pair !== "" && !isTouched(pair.split("=")[0] ?? ""));
  for (const [name, value] of set) if (!removed.has(name)) parts.push(`${name}=${value}`);
  return (at < 0 ? path : path.slice(0, at)) + (parts.length === 0 ? "" : `?${parts.join("&")}`);
}
