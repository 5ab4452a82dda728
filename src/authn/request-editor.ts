import type { ByteString, HttpRequest } from "../attributes/index.js";
import type { RequestChanges } from "./outcome.js";
import { mayHaveParam, type QueryParam, queryParams, withoutParam } from "./query.js";

/**
 * A request while it is authenticated. Envoy's filter takes tokens out and puts claims in as it goes, and what it
 * looks at next is what it left; so does this. The request itself is never changed. Only the functions below touch
 * the fields: data and functions cost a request less than a closure for each of them.
 */
export interface RequestEditor {
  readonly request: HttpRequest;
  /** Undefined: those of the request. */
  headers: Map<string, readonly ByteString[]> | undefined;
  path: ByteString;
  /** What `path` and the cookie lines hold, once somebody has asked. */
  params: readonly QueryParam[] | undefined;
  cookies: ReadonlyMap<string, ByteString> | undefined;
  /** Names of headers that were set or removed. */
  readonly touched: Set<string>;
  /** Names of removed parameters, before decoding. */
  readonly removedParams: Set<ByteString>;
}

const none: readonly ByteString[] = [];

/** Begins with the request as it came. */
export function editRequest(request: HttpRequest): RequestEditor {
  return {
    request,
    headers: undefined,
    path: request.path,
    params: undefined,
    cookies: undefined,
    touched: new Set(),
    removedParams: new Set(),
  };
}

/** Every line of a header, by lower-case name. */
export function headerLines({ headers, request }: RequestEditor, name: string): readonly ByteString[] {
  return (headers ?? request.headers).get(name) ?? none;
}

/** The first value of a query parameter, decoded. */
export function paramValue(editor: RequestEditor, name: string): ByteString | undefined {
  if (editor.params === undefined && !mayHaveParam(editor.path, name)) return undefined;
  editor.params ??= queryParams(editor.path);
  return editor.params.find((param) => param.name === name)?.value;
}

/** The first cookie of that name. */
export function cookieValue(editor: RequestEditor, name: string): ByteString | undefined {
  editor.cookies ??= readCookies(headerLines(editor, "cookie"));
  return editor.cookies.get(name);
}

/** As Envoy reads them: the first of a name, surrounding quotes dropped, what has no `=` skipped. */
function readCookies(lines: readonly ByteString[]): ReadonlyMap<string, ByteString> {
  const cookies = new Map<string, ByteString>();
  for (const line of lines) {
    for (const pair of line.split(";")) {
      const equal = pair.indexOf("=");
      if (equal < 0) continue;
      const name = pair.slice(0, equal).replace(/^ +/, "");
      if (cookies.has(name)) continue;
      const value = pair.slice(equal + 1);
      const isQuoted = value.length >= 2 && value.startsWith('"') && value.endsWith('"');
      cookies.set(name, isQuoted ? value.slice(1, -1) : value);
    }
  }
  return cookies;
}

/** Adds a line. */
export function addHeader(editor: RequestEditor, name: string, value: ByteString): void {
  editableHeaders(editor, name).set(name, [...headerLines(editor, name), value]);
}

/** Takes a header out with all its lines. */
export function removeHeader(editor: RequestEditor, name: string): void {
  if (headerLines(editor, name) !== none) editableHeaders(editor, name).delete(name);
}

/** Takes a parameter out with all its values, however its name is spelled. */
export function removeParam(editor: RequestEditor, name: string): void {
  for (const param of queryParams(editor.path)) {
    if (param.name === name) editor.removedParams.add(param.spelling);
  }
  editor.path = withoutParam(editor.path, name);
  editor.params = undefined;
  editor.headers ??= new Map(editor.request.headers);
  editor.headers.set(":path", [editor.path]);
}

function editableHeaders(editor: RequestEditor, name: string): Map<string, readonly ByteString[]> {
  editor.headers ??= new Map(editor.request.headers);
  editor.touched.add(name);
  if (name === "cookie") editor.cookies = undefined;
  return editor.headers;
}

/** The request as it stands now. */
export function editedRequest({ request, headers, path }: RequestEditor): HttpRequest {
  return headers === undefined ? request : { ...request, headers, path };
}

/**
 * From the request as it came to the request as it stands; undefined without a difference. `ownHeaders` never come from
 * a client: they are removed also where the request shows none, since Envoy may have sent only some of its headers.
 */
export function requestChanges(
  editor: RequestEditor,
  ownHeaders: readonly string[] = [],
): RequestChanges | undefined {
  if (editor.headers === undefined && ownHeaders.length === 0) return undefined;
  const headersToSet: (readonly [string, ByteString])[] = [];
  const headersToRemove: string[] = [];
  const tell = (name: string, isOwn: boolean): void => {
    const lines = headerLines(editor, name);
    for (const line of lines) headersToSet.push([name, line]);
    if (lines === none && (isOwn || editor.request.headers.has(name))) headersToRemove.push(name);
  };
  for (const name of ownHeaders) tell(name, true);
  for (const name of editor.touched) if (!ownHeaders.includes(name)) tell(name, false);
  return {
    headersToSet,
    headersToRemove,
    paramsToRemove: [...editor.removedParams],
    isLasting: false,
  };
}
