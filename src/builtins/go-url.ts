import { BuiltinError } from "./builtin.js";
import { bytesOf, textOf } from "./bytes.js";

/** A URL as Go's `url.Parse` takes it apart; parts that are absent are empty. */
export interface GoUrl {
  readonly scheme: string;
  readonly opaque: string;
  /** With its port. */
  readonly host: string;
  /** Unescaped. */
  readonly path: string;
  /** As it was written, when escaping `path` would not give that. */
  readonly rawPath: string;
  readonly rawQuery: string;
  /** Unescaped. */
  readonly fragment: string;
}

/** Parses as Go 1.26's `url.Parse`; throws a BuiltinError for what that refuses. */
export function parseGoUrl(text: string): GoUrl {
  const [before, fragment] = cut(text, "#");
  // biome-ignore lint/suspicious/noControlCharactersInRegex: what a URL may not contain
  if (/[\0-\x1f\x7f]/.test(before)) throw invalid("invalid control character in URL");
  const url = { scheme: "", opaque: "", host: "", path: "", rawPath: "", rawQuery: "", fragment: "" };
  if (before === "*") return { ...url, path: "*", fragment: unescaped(fragment) };
  if (before.startsWith(":")) throw invalid("missing protocol scheme");
  const [, scheme = ""] = /^([A-Za-z][A-Za-z\d+.-]*):/.exec(before) ?? [];
  url.scheme = scheme.toLowerCase();
  let rest: string;
  [rest, url.rawQuery] = cut(scheme === "" ? before : before.slice(scheme.length + 1), "?");
  url.fragment = unescaped(fragment);
  if (!rest.startsWith("/")) {
    if (scheme !== "") return { ...url, opaque: rest };
    if (cut(rest, "/")[0].includes(":")) throw invalid("first path segment in URL cannot contain colon");
  }
  if (rest.startsWith("//") && (scheme !== "" || !rest.startsWith("///"))) {
    const end = rest.indexOf("/", 2);
    const authority = rest.slice(2, end < 0 ? undefined : end);
    rest = end < 0 ? "" : rest.slice(end);
    url.host = hostOf(url.scheme, authority);
  }
  url.path = unescaped(rest);
  url.rawPath = escapedPath(url.path) === rest ? "" : rest;
  return url;
}

/** The host and the port of a parsed URL's host; a port that is no number belongs to the host. */
export function splitHost(host: string): readonly [hostname: string, port: string] {
  const [, name = "", port = ""] = /^(.*?)(?::(\d*))?$/s.exec(host) ?? [];
  return [name.startsWith("[") && name.endsWith("]") ? name.slice(1, -1) : name, port];
}

function invalid(message: string): BuiltinError {
  return new BuiltinError(`parse: ${message}`);
}

function cut(text: string, separator: string): [string, string] {
  const at = text.indexOf(separator);
  return at < 0 ? [text, ""] : [text.slice(0, at), text.slice(at + separator.length)];
}

function unescaped(text: string): string {
  if (!text.includes("%")) return text;
  if (/%(?![\da-fA-F]{2})/.test(text)) throw invalid("invalid URL escape");
  const bytes = bytesOf(text);
  const out = Buffer.alloc(bytes.length);
  let size = 0;
  for (let i = 0; i < bytes.length; i++) {
    const escaped = bytes[i] === 0x25;
    out[size++] = escaped ? Number.parseInt(bytes.toString("latin1", i + 1, i + 3), 16) : (bytes[i] ?? 0);
    if (escaped) i += 2;
  }
  return textOf(out.subarray(0, size));
}

const inPath = /[A-Za-z\d$&+,\-./:;=@_~]/;

function escapedPath(path: string): string {
  let text = "";
  for (const byte of bytesOf(path)) {
    const char = String.fromCharCode(byte);
    text += inPath.test(char) ? char : `%${byte.toString(16).toUpperCase().padStart(2, "0")}`;
  }
  return text;
}

function hostOf(scheme: string, authority: string): string {
  const at = authority.lastIndexOf("@");
  const host = parseHost(scheme, authority.slice(at + 1));
  if (at < 0) return host;
  const user = authority.slice(0, at);
  if (!/^[A-Za-z\d\-._:~!$&'()*+,;=%@]*$/.test(user)) throw invalid("invalid userinfo");
  unescaped(user);
  return host;
}

function parseHost(scheme: string, host: string): string {
  const open = host.lastIndexOf("[");
  if (open > 0) throw invalid("invalid IP-literal");
  if (open === 0) {
    const close = host.lastIndexOf("]");
    if (close < 0) throw invalid("missing ']' in host");
    const port = host.slice(close + 1);
    if (!/^(?::\d*)?$/.test(port)) throw invalid("invalid port after host");
    const [name, zone] = cut(host.slice(1, close), "%25");
    if (!isIpv6(name)) throw invalid("invalid host");
    if (host.slice(1, close).includes("%25") && zone === "") throw invalid("invalid host");
    return `[${name}${zone === "" ? "" : `%${zoneOf(zone)}`}]${port}`;
  }
  const colon = host.indexOf(":");
  if (colon >= 0) {
    const strict = scheme === "http" || scheme === "https";
    const port = host.slice(strict ? colon : host.lastIndexOf(":"));
    if (!/^:\d*$/.test(port)) throw invalid("invalid port after host");
  }
  return unescapedHost(host);
}

/** In a host only bytes that are no ASCII may be escaped. */
function unescapedHost(host: string): string {
  if (/(?=[\0-\x7f])[^A-Za-z\d!"$&'()*+,\-.:;<=>[\]_~%]/.test(host))
    throw invalid("invalid character in host name");
  if (/%[0-7]/.test(host.replaceAll("%25", ""))) throw invalid("invalid URL escape");
  return unescaped(host);
}

function zoneOf(zone: string): string {
  const plain = unescaped(zone);
  if (/(?=[\0-\x7f])[^A-Za-z\d!"$&'()*+,\-.:;<=>[\]_~% ]/.test(plain) || /[^!-~\x80-\uffff]/.test(zone)) {
    throw invalid("invalid URL escape");
  }
  return plain;
}

/** Whether a text is an IPv6 address, without a zone (netip.ParseAddr, net.ParseIP). */
export function isIpv6(text: string): boolean {
  if (!/^[\da-fA-F:.]{2,45}$/.test(text)) return false;
  const v4 = /^(.*:)([^:]*\.[^:]*)$/.exec(text);
  if (text.includes(".") && (v4 === null || !isIpv4(v4[2] ?? ""))) return false;
  const groups = v4 === null ? text : `${v4[1]}0:0`;
  const [head = "", tail, more] = groups.split("::");
  if (more !== undefined) return false;
  const parts = [head, tail ?? ""].flatMap((side) => (side === "" ? [] : side.split(":")));
  if (!parts.every((part) => /^[\da-fA-F]{1,4}$/.test(part))) return false;
  return tail === undefined ? parts.length === 8 && head !== "" : parts.length < 8;
}

/** Whether a text is an IPv4 address. */
export function isIpv4(text: string): boolean {
  return /^(?:(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)(?:\.(?!$)|$)){4}$/.test(text);
}
