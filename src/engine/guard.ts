import type { HttpRequest } from "../attributes/index.js";

/**
 * Says why an upstream might read the request otherwise than its policies did, or undefined when it is plain.
 * For `Mesh.spec.strictRequests`: none of this is refused by Istio's own semantics.
 */
export function ambiguity(request: HttpRequest): string | undefined {
  return pathAmbiguity(request) ?? hostAmbiguity(request.host) ?? headerAmbiguity(request.headers);
}

const pathRules: readonly (readonly [pattern: RegExp, what: string])[] = [
  [/[^\x21-\x7e]/, "a control character, a space or a byte beyond ASCII"],
  [/\\/, "a backslash"],
  [/\/\//, "an empty segment"],
  [/\/\.{1,2}(\/|$)/, "a dot segment"],
  [/;/, "a path parameter"],
  [/%(?![0-9A-Fa-f]{2})/, "a malformed percent-encoding"],
  [/%(25|2[Ff]|5[Cc]|3[Bb])/, "an encoded slash, backslash, semicolon or percent sign"],
  [/%([01][0-9A-Fa-f]|7[Ff])/, "an encoded control character"],
  // RFC 3986 section 6.2.2.2: encoded or not, it is the same character.
  [/%(2[DdEe]|3[0-9]|[46][1-9A-Fa-f]|[57][0-9Aa]|5[Ff]|7[Ee])/, "an encoded letter, digit or -._~"],
];

function pathAmbiguity({ method, path, urlPath }: HttpRequest): string | undefined {
  if (method === "CONNECT" && path === "") return undefined;
  if (method === "OPTIONS" && path === "*") return undefined;
  if (!path.startsWith("/")) return "path does not start with a slash";
  if (path.includes("#")) return "path has a fragment";
  for (const [pattern, what] of pathRules) if (pattern.test(urlPath)) return `path has ${what}`;
  return isEncodedText(urlPath) ? undefined : "path has encoded bytes that are no UTF-8";
}

function isEncodedText(path: string): boolean {
  if (!path.includes("%")) return true;
  try {
    decodeURIComponent(path);
    return true;
  } catch {
    return false;
  }
}

/** A name or an address without user information, without a dot at its end, perhaps with a port. */
const plainHost = /^(?:[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?$/;

function hostAmbiguity(host: string): string | undefined {
  return plainHost.test(host) ? undefined : "host is no name or address with at most a port";
}

/** Headers of which a second line would be read differently by different servers (RFC 9110 section 5.3). */
const singular = [
  "host",
  ":authority",
  ":path",
  ":method",
  "authorization",
  "content-type",
  "content-length",
];

/**
 * What a second line looks like where Envoy has joined the lines, since no single value has a comma there.
 */
const joined: readonly (readonly [name: string, pattern: RegExp])[] = [
  ["authorization", /^(bearer|basic)\s[^,]*,/i],
  ["content-type", /^[^"]*,/],
];

function headerAmbiguity(headers: HttpRequest["headers"]): string | undefined {
  if (hasTwins(headers)) return "two headers differ in `_` and `-` only";
  for (const name of singular)
    if ((headers.get(name)?.length ?? 0) > 1) return `header \`${name}\` stands twice`;
  for (const [name, pattern] of joined)
    if (pattern.test(headers.get(name)?.[0] ?? "")) return `header \`${name}\` stands twice`;
  return undefined;
}

function hasTwins(headers: HttpRequest["headers"]): boolean {
  const names = [...headers.keys()];
  if (!names.some((name) => name.includes("_"))) return false;
  return new Set(names.map((name) => name.replaceAll("_", "-"))).size < names.length;
}
