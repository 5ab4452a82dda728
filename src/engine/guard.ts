import type { HttpRequest } from "../attributes/index.js";

/**
 * Says why an upstream might read the request otherwise than its policies did, or undefined when it is plain. For
 * `Mesh.spec.strictRequests`: none of this is refused by Istio's own semantics.
 */
export function ambiguity(request: HttpRequest): string | undefined {
  return pathAmbiguity(request) ?? headerAmbiguity(request.headers);
}

const pathRules: readonly (readonly [pattern: RegExp, what: string])[] = [
  [/[^\x21-\x7e]/, "a control character, a space or a byte beyond ASCII"],
  [/[#\\]/, "a fragment or a backslash"],
  [/\/\//, "an empty segment"],
  [/\/\.{1,2}(\/|$)/, "a dot segment"],
  [/;/, "a path parameter"],
  [/%(?![0-9A-Fa-f]{2})/, "a malformed percent-encoding"],
  [/%(25|2[EFef]|5[Cc]|3[Bb]|00)/, "an encoded slash, backslash, dot, semicolon, percent sign or NUL"],
];

function pathAmbiguity({ method, path, urlPath }: HttpRequest): string | undefined {
  if (method === "CONNECT" && path === "") return undefined;
  if (method === "OPTIONS" && path === "*") return undefined;
  if (!path.startsWith("/")) return "path does not start with a slash";
  if (path.includes("#")) return "path has a fragment";
  for (const [pattern, what] of pathRules) if (pattern.test(urlPath)) return `path has ${what}`;
  return undefined;
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

function headerAmbiguity(headers: HttpRequest["headers"]): string | undefined {
  for (const name of headers.keys()) {
    if (name.includes("_") && headers.has(name.replaceAll("_", "-"))) {
      return "two headers differ in `_` and `-` only";
    }
  }
  for (const name of singular)
    if ((headers.get(name)?.length ?? 0) > 1) return `header \`${name}\` stands twice`;
  return undefined;
}
