import { BuiltinError } from "./builtin.js";
import { bytesOf } from "./bytes.js";
import { unescapePath } from "./encoding-url.js";
import { ipBytes } from "./ip-address.js";

/** A URL as Go's net/url has it after `Parse`; texts are decoded where nothing else is said. */
export interface Url {
  readonly scheme: string;
  /** What follows the scheme when that is no `/`: `mailto:x`. Encoded. */
  readonly opaque: string;
  /** Name and perhaps password, as they were written. */
  readonly user: string | undefined;
  readonly host: string;
  readonly path: string;
  /** The path as it was written, when that is not how it would be encoded by default. */
  readonly rawPath: string;
  readonly rawQuery: string;
  readonly forceQuery: boolean;
  readonly fragment: string;
  readonly rawFragment: string;
  /** Whether a scheme is followed by a path without `//`. */
  readonly omitHost: boolean;
}

const pathSafe = /[A-Za-z0-9$&+,\-./:;=@_~]/;
const fragmentSafe = /[A-Za-z0-9!$&()*+,\-./:;=?@_~]/;
const userSafe = /[A-Za-z0-9$&+,\-.;=_~]/;
const hostSafe = /[A-Za-z0-9!"$&'()*+,\-.:;<=>[\]_~]/;

function escaped(text: string, safe: RegExp): string {
  let out = "";
  for (const byte of bytesOf(text)) {
    const char = String.fromCharCode(byte);
    out += safe.test(char) ? char : `%${byte.toString(16).toUpperCase().padStart(2, "0")}`;
  }
  return out;
}

function cut(text: string, separator: string): readonly [string, string] {
  const at = text.indexOf(separator);
  return at < 0 ? [text, ""] : [text.slice(0, at), text.slice(at + separator.length)];
}

/** Reads a URL as Go's `url.Parse` does; throws a BuiltinError for what that refuses. */
export function parseUrl(text: string): Url {
  const [whole, rawFragment] = cut(text, "#");
  if (hasControl(whole)) fail(text, "control character");
  const fragment = unescapePath(rawFragment);
  const none = {
    scheme: "",
    opaque: "",
    user: undefined,
    host: "",
    rawQuery: "",
    forceQuery: false,
    fragment,
    rawFragment: escaped(fragment, fragmentSafe) === rawFragment ? "" : rawFragment,
    omitHost: false,
  };
  if (whole === "*") return { ...none, path: "*", rawPath: "" };
  const [scheme, afterScheme] = splitScheme(whole);
  const forceQuery = afterScheme.indexOf("?") === afterScheme.length - 1 && afterScheme !== "";
  const [rest, rawQuery] = cut(afterScheme, "?");
  const start = { ...none, scheme, forceQuery, rawQuery };
  if (!rest.startsWith("/")) {
    if (scheme !== "") return { ...start, opaque: rest, path: "", rawPath: "" };
    if (cut(rest, "/")[0].includes(":")) fail(text, "first path segment contains a colon");
  }
  if (!rest.startsWith("//") || (scheme === "" && rest.startsWith("///"))) {
    return { ...start, ...pathOf(rest), omitHost: scheme !== "" && rest.startsWith("/") };
  }
  const slash = rest.indexOf("/", 2);
  const authority = slash < 0 ? rest.slice(2) : rest.slice(2, slash);
  return { ...start, ...authorityOf(scheme, authority), ...pathOf(slash < 0 ? "" : rest.slice(slash)) };
}

function hasControl(text: string): boolean {
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code < 0x20 || code === 0x7f) return true;
  }
  return false;
}

function splitScheme(text: string): readonly [string, string] {
  if (text.startsWith(":")) fail(text, "missing protocol scheme");
  const scheme = /^[A-Za-z][A-Za-z0-9+.-]*:/.exec(text)?.[0];
  return scheme === undefined ? ["", text] : [scheme.slice(0, -1).toLowerCase(), text.slice(scheme.length)];
}

function pathOf(raw: string): Pick<Url, "path" | "rawPath"> {
  const path = unescapePath(raw);
  return { path, rawPath: escaped(path, pathSafe) === raw ? "" : raw };
}

function authorityOf(scheme: string, authority: string): Pick<Url, "user" | "host"> {
  const at = authority.lastIndexOf("@");
  const host = hostOf(scheme, authority.slice(at + 1));
  if (at < 0) return { user: undefined, host };
  const user = authority.slice(0, at);
  if (!/^[A-Za-z0-9\-._:~!$&'()*+,;=%@]*$/.test(user)) fail(authority, "invalid userinfo");
  unescapePath(user);
  return { user, host };
}

function hostOf(scheme: string, text: string): string {
  const open = text.lastIndexOf("[");
  if (open > 0) fail(text, "invalid IP literal");
  const close = open === 0 ? text.lastIndexOf("]") : -1;
  if (open === 0 && close < 0) fail(text, "missing `]`");
  // Several colons are left alone in schemes other than http: lists of hosts.
  const strict = scheme === "http" || scheme === "https";
  const colon = strict ? text.indexOf(":") : text.lastIndexOf(":");
  const port = open === 0 ? text.slice(close + 1) : colon < 0 ? "" : text.slice(colon);
  if (!/^(:[0-9]*)?$/.test(port)) fail(text, "invalid port");
  const host = unescapeHost(open === 0 ? text.slice(1, close) : text);
  if (open !== 0) return host;
  const [address = ""] = host.split("%");
  if (!address.includes(":") || ipBytes(address) === undefined) fail(text, "invalid IP literal");
  return `[${host}]${port}`;
}

/** Only bytes beyond ASCII may be escaped in a host; in the zone of an IPv6 address others, too. */
function unescapeHost(text: string): string {
  const [host] = text.split("%25");
  if (/%[0-7]/.test(host ?? "")) fail(text, "invalid escape in host");
  for (const char of text.replace(/%../g, "")) {
    if (char < "\x80" && !hostSafe.test(char)) fail(text, "invalid character in host");
  }
  return unescapePath(text);
}

/** The path as it goes over the wire (Go's `EscapedPath`). */
export function escapedPath(url: Url): string {
  if (
    url.rawPath !== "" &&
    [...url.rawPath].every((char) => /[!'()*[\]%]/.test(char) || pathSafe.test(char))
  ) {
    return url.rawPath;
  }
  return url.path === "*" ? "*" : escaped(url.path, pathSafe);
}

/** The URL as a text (Go's `String`). */
export function urlText(url: Url): string {
  let out = url.scheme === "" ? "" : `${url.scheme}:`;
  if (url.opaque !== "") out += url.opaque;
  else {
    const some = url.scheme !== "" || url.host !== "" || url.user !== undefined;
    const omitted = url.omitHost && url.host === "" && url.user === undefined;
    if (some && !omitted && (url.host !== "" || url.path !== "" || url.user !== undefined)) out += "//";
    if (url.user !== undefined) out += `${userText(url.user)}@`;
    out += escaped(url.host, hostSafe);
    const path = escapedPath(url);
    if (path !== "" && !path.startsWith("/") && url.host !== "") out += "/";
    if (out === "" && cut(path, "/")[0].includes(":")) out += "./";
    out += path;
  }
  if (url.forceQuery || url.rawQuery !== "") out += `?${url.rawQuery}`;
  if (url.fragment === "") return out;
  const kept = [...url.rawFragment].every((char) => /[!'()*[\]%]/.test(char) || fragmentSafe.test(char));
  return `${out}#${url.rawFragment !== "" && kept ? url.rawFragment : escaped(url.fragment, fragmentSafe)}`;
}

function userText(user: string): string {
  const colon = user.indexOf(":");
  const parts = colon < 0 ? [user] : [user.slice(0, colon), user.slice(colon + 1)];
  return parts.map((part) => escaped(unescapePath(part), userSafe)).join(":");
}

function fail(text: string, why: string): never {
  throw new BuiltinError(`invalid URL \`${text}\`: ${why}`);
}
