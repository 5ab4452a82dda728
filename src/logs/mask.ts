import { Buffer } from "node:buffer";
import type { ByteString } from "../attributes/index.js";
import type { TokenPlaces } from "../authn/index.js";
import { isSecretHeader, isUrlHeader } from "../report/index.js";

/** What stands in place of what is masked. */
export const maskText = "***";

/** What is masked beside what always is, and what is shown of it nevertheless. Plain data of the Mesh. */
export interface MaskSettings {
  /** Lower-case names of headers that are masked too. */
  readonly headers: readonly string[];
  readonly show: {
    /** Headers that are not masked although they are by default. */
    readonly headers: readonly string[];
    /** Query parameters whose values are shown; `*`: all of them. */
    readonly queryParams: readonly string[];
  };
}

/** Nothing is masked or shown beside what always is. */
export const defaultMasks: MaskSettings = { headers: [], show: { headers: [], queryParams: [] } };

/** What may be read in a log. */
export interface Masks {
  /** A header's value as a log may have it. `name` is lower-case. */
  readonly header: (name: string, value: ByteString) => ByteString;
  /** How the header of this name is masked, for what is compiled once. */
  readonly headerMask: (name: string) => (value: ByteString) => ByteString;
  /** A path or URL with its query's values masked. */
  readonly url: (url: ByteString) => ByteString;
  /** The query alone, without `?`; empty when there is none. */
  readonly query: (url: ByteString) => ByteString;
}

/** Longest URL that is written; the rest is cut off. */
const maxUrl = 8192;
/** `USER:PASSWORD@` in front of the host, RFC 3986 section 3.2.1. */
const userInfo = /^((?:[a-z][a-z0-9+.-]*:)?\/\/)[^/?#]*@/i;

/**
 * Masks by the settings. Places from which a token or key is configured to be read are masked whatever `show` says.
 */
export function compileMasks(settings: MaskSettings, places: readonly TokenPlaces[]): Masks {
  const configured = places.flatMap(({ headers }) => headers.map(({ name }) => name.toLowerCase()));
  if (places.some(({ cookies }) => cookies.length > 0)) configured.push("cookie", "set-cookie");
  const shownHeaders = new Set(settings.show.headers);
  const hidden: ReadonlySet<string> = new Set([
    ...settings.headers.filter((name) => !shownHeaders.has(name)),
    ...configured,
  ]);
  const isHidden = (name: string): boolean =>
    hidden.has(name) || (isSecretHeader(name) && !shownHeaders.has(name));
  const showsAll = settings.show.queryParams.includes("*");
  const shownParams = new Set(settings.show.queryParams);
  const secretParams = new Set(places.flatMap(({ params }) => params));
  const isShown = (name: string): boolean => !secretParams.has(name) && (showsAll || shownParams.has(name));
  const showsSome = showsAll || shownParams.size > 0;

  const query = (url: ByteString): ByteString => {
    const cut = url.length > maxUrl ? url.slice(0, maxUrl) : url;
    const start = cut.indexOf("?");
    return start < 0 ? "" : maskQuery(cut.slice(start + 1), showsSome ? isShown : undefined);
  };
  const url = (text: ByteString): ByteString => {
    const cut = (text.length > maxUrl ? text.slice(0, maxUrl) : text).replace(userInfo, `$1${maskText}@`);
    const start = cut.indexOf("?");
    const fragment = cut.indexOf("#");
    // OpenID Connect hands tokens over in fragments.
    if (fragment >= 0 && (start < 0 || fragment < start)) return `${cut.slice(0, fragment)}#${maskText}`;
    return start < 0 ? cut : `${cut.slice(0, start + 1)}${query(cut)}`;
  };
  const headerMask = (name: string): ((value: ByteString) => ByteString) => {
    if (isHidden(name)) return () => maskText;
    return isUrlHeader(name) ? url : (value) => value;
  };
  return {
    header: (name, value) => (isHidden(name) ? maskText : isUrlHeader(name) ? url(value) : value),
    headerMask,
    url,
    query,
  };
}

/** A part without `=` is masked whole: a token may be all there is. */
function maskQuery(query: ByteString, isShown: ((name: string) => boolean) | undefined): ByteString {
  if (query === "") return "";
  const fragment = query.indexOf("#");
  if (fragment >= 0) return `${maskQuery(query.slice(0, fragment), isShown)}#${maskText}`;
  return query
    .split("&")
    .map((part) => {
      const equals = part.indexOf("=");
      if (equals < 0) return part === "" ? "" : maskText;
      const name = part.slice(0, equals);
      return isShown?.(decode(name)) ? part : `${name}=${maskText}`;
    })
    .join("&");
}

/** A name of UTF-8, percent-decoded; what is no `%XX` stays. */
function decode(name: ByteString): string {
  const bytes = name.replace(/%([0-9A-Fa-f]{2})/g, (_, digits: string) =>
    String.fromCharCode(Number.parseInt(digits, 16)),
  );
  return Buffer.from(bytes, "latin1").toString("utf8");
}
