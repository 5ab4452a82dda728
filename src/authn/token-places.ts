import { type ByteString, isEditableHeader, lowerAscii } from "../attributes/index.js";
import {
  cookieValue,
  headerLines,
  paramValue,
  type RequestEditor,
  removeHeader,
  removeParam,
} from "./request-editor.js";

/** Where credentials are looked for. An empty `TokenPlaces` finds nothing. */
export interface TokenPlaces {
  readonly headers: readonly HeaderPlace[];
  /** Names of query parameters, decoded. */
  readonly params: readonly string[];
  readonly cookies: readonly string[];
}

/** A header that may hold a credential behind a prefix. */
export interface HeaderPlace {
  /** Lower-case. */
  readonly name: string;
  /** Empty: the whole value. Otherwise searched anywhere in the value, case-sensitive, as Envoy does. */
  readonly prefix: string;
  /**
   * The credential need not look like a JWT: it is all that follows the prefix, which stands at the beginning, in any
   * case as an HTTP scheme may (RFC 9110 section 11.1).
   */
  readonly opaque?: true;
}

/** One credential as the client sent it. */
export interface FoundToken {
  readonly text: ByteString;
  readonly kind: "header" | "param" | "cookie";
  readonly name: string;
  /** Of a header; empty otherwise. */
  readonly prefix: string;
  /** The header line, or what the parameter or cookie holds: what another resource may read otherwise. */
  readonly line: ByteString;
}

/** Where Istio and Envoy look when a rule says nothing. */
export const defaultPlaces: TokenPlaces = {
  headers: [{ name: "authorization", prefix: "Bearer " }],
  params: ["access_token"],
  cookies: [],
};

/** RFC 4648 section 5 and the dots of a JWT: where a token begins behind its prefix. */
const tokenStart = /[A-Za-z0-9\-_.]/g;

/**
 * Finds every credential, in Envoy's order (jwt_authn `extractor.cc`): headers by name and prefix, every line of
 * theirs; parameters by name, the first of each; cookies by name, the first of each. INVARIANT: each list of
 * `places` is sorted so (see {@link sortPlaces}).
 */
export function findTokens(places: TokenPlaces, request: RequestEditor): FoundToken[] {
  const found: FoundToken[] = [];
  for (const place of places.headers) {
    const { name, prefix } = place;
    for (const line of headerLines(request, name)) {
      const text = tokenIn(line, place);
      if (text !== undefined) found.push({ text, kind: "header", name, prefix, line });
    }
  }
  for (const name of places.params) {
    const text = paramValue(request, name);
    if (text !== undefined) found.push({ text, kind: "param", name, prefix: "", line: text });
  }
  for (const name of places.cookies) {
    const text = cookieValue(request, name);
    if (text !== undefined) found.push({ text, kind: "cookie", name, prefix: "", line: text });
  }
  return found;
}

/** What a place reads in a line of its header; undefined when there is nothing for it. */
export function tokenIn(line: ByteString, { prefix, opaque }: HeaderPlace): ByteString | undefined {
  return opaque === true ? afterScheme(line, prefix) : behindPrefix(line, prefix);
}

function behindPrefix(line: ByteString, prefix: string): ByteString | undefined {
  if (prefix === "") return line;
  const at = line.indexOf(prefix);
  if (at < 0) return undefined;
  tokenStart.lastIndex = at + prefix.length;
  const start = tokenStart.exec(line)?.index;
  // Envoy gives the whole value where no character of a token follows.
  return start === undefined ? line : line.slice(start);
}

function afterScheme(line: ByteString, prefix: string): ByteString | undefined {
  if (lowerAscii(line.slice(0, prefix.length)) !== lowerAscii(prefix)) return undefined;
  return line.slice(prefix.length).replace(/^ +/, "");
}

/**
 * Takes a credential out of the request; cookies stay, as in Envoy, and so do headers from which nothing may be
 * removed.
 */
export function removeToken(editor: RequestEditor, { kind, name }: FoundToken): void {
  if (kind === "header" && isEditableHeader(name)) removeHeader(editor, name);
  else if (kind === "param") removeParam(editor, name);
}

/** Tells places apart: a header is another place for each prefix. */
export function placeKey({ kind, name, prefix }: Pick<FoundToken, "kind" | "name" | "prefix">): string {
  return `${kind} ${name} ${prefix}`;
}

/** The keys of all places. */
export function placeKeys({ headers, params, cookies }: TokenPlaces): string[] {
  return [
    ...headers.map(({ name, prefix }) => placeKey({ kind: "header", name, prefix })),
    ...params.map((name) => placeKey({ kind: "param", name, prefix: "" })),
    ...cookies.map((name) => placeKey({ kind: "cookie", name, prefix: "" })),
  ];
}

/** The order in which Envoy's maps hold them, each place once. */
export function sortPlaces({ headers, params, cookies }: TokenPlaces): TokenPlaces {
  const byKey = new Map(headers.map((place) => [place.name + place.prefix, place]));
  return {
    headers: [...byKey].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, place]) => place),
    params: [...new Set(params)].sort(),
    cookies: [...new Set(cookies)].sort(),
  };
}
