import { type HttpRequest, isHopByHop } from "../attributes/index.js";
import { compileHeaderPatterns } from "./header-patterns.js";

/** Istio's `includeRequestBodyInCheck`; `packAsBytes` means nothing over HTTP. */
export interface IncludeBody {
  readonly maxRequestBytes: number;
  /**
   * Whether a longer body is sent up to that length, with `x-envoy-auth-partial-body: true`; else it is 413.
   */
  readonly allowPartialMessage: boolean;
}

/** Which headers a provider is shown. */
export interface QuestionHeaders {
  /** `includeRequestHeadersInCheck`: `name`, `prefix*` or `*suffix`, any case. */
  readonly includeRequestHeaders: readonly string[];
  /**
   * `includeAdditionalHeadersInCheck`: stand in place of the client's. Texts, without Envoy's `%…%` formats.
   */
  readonly additionalHeaders: readonly (readonly [name: string, value: string])[];
}

const partialBody = "x-envoy-auth-partial-body";

/**
 * Chooses the question's headers as Envoy does: the client's `:authority` as Host, `authorization`, and what
 * the patterns name; several lines become one, joined by commas. Never shown: pseudo-headers, what belongs to
 * the connection, and `accept-encoding`, so that a body of a refusal is text.
 */
export function compileQuestionHeaders(
  options: QuestionHeaders,
): (request: HttpRequest) => Map<string, string> {
  const included = compileHeaderPatterns(options.includeRequestHeaders);
  const additional = options.additionalHeaders.map(([name, value]) => [name.toLowerCase(), value] as const);
  return (request) => {
    const headers = new Map<string, string>();
    if (request.host !== "") headers.set("host", request.host);
    for (const [name, values] of request.headers) {
      if (name.startsWith(":") || isHopByHop(name) || withheld.has(name)) continue;
      if (name === "authorization" || included(name)) headers.set(name, values.join(","));
    }
    for (const [name, value] of additional) headers.set(name, value);
    return headers;
  };
}

const withheld: ReadonlySet<string> = new Set(["host", "expect", "accept-encoding", partialBody]);

/**
 * The body to send, with whether it is only its beginning; undefined when it is too long to be judged (413).
 */
export function chooseBody(
  request: HttpRequest,
  include: IncludeBody | undefined,
): { readonly body: Uint8Array; readonly partial: boolean } | undefined {
  if (include === undefined) return { body: new Uint8Array(0), partial: false };
  // Our own filter in Envoy says so when it cut the body; a client that says so only harms itself.
  const cut = request.headers.get(partialBody)?.includes("true") ?? false;
  const partial = cut || request.body.byteLength > include.maxRequestBytes;
  if (partial && !include.allowPartialMessage) return undefined;
  return { body: request.body.subarray(0, include.maxRequestBytes), partial };
}

/** As Envoy tells a provider that asked for bodies. */
export function partialBodyHeader(partial: boolean): readonly [name: string, value: string] {
  return [partialBody, String(partial)];
}
