import { isHopByHop } from "../attributes/index.js";
import { grpcCode, type HeaderEdit, noEdits, type Verdict } from "../engine/index.js";
import { compileHeaderPatterns } from "./header-patterns.js";
import type { HttpAnswer } from "./http.js";
import {
  allowed,
  badEdit,
  failed,
  isHeader,
  type ProviderBase,
  refusalHeaders,
  refusalStatus,
  refused,
  removable,
} from "./providers-verdict.js";

/** Which headers of an answer count; patterns are `name`, `prefix*` or `*suffix`, any case. */
export interface AnswerHeaders {
  /** Set on the request when allowed; of several lines the last counts. */
  readonly headersToUpstreamOnAllow: readonly string[];
  /** Added to the response when allowed. */
  readonly headersToDownstreamOnAllow: readonly string[];
  /** Of a refusal, beside `www-authenticate` and `location`; empty: all but `host`. */
  readonly headersToDownstreamOnDeny: readonly string[];
}

const removeHeader = "x-envoy-auth-headers-to-remove";

/**
 * Reads an answer as Envoy 1.40 does (measured): 200 allows, 5xx is a failure, any other status (204 and
 * redirects too) refuses with the answer's status and body. `x-envoy-auth-headers-to-remove` of a 200 lists
 * request headers.
 */
export function compileAnswer(options: ProviderBase & AnswerHeaders): (answer: HttpAnswer) => Verdict {
  const upstream = compileHeaderPatterns(options.headersToUpstreamOnAllow);
  const downstream = compileHeaderPatterns(options.headersToDownstreamOnAllow);
  const denied =
    options.headersToDownstreamOnDeny.length === 0
      ? (name: string) => name !== "host"
      : compileHeaderPatterns([...options.headersToDownstreamOnDeny, "www-authenticate", "location"]);

  return (answer) => {
    if (answer.status >= 500) return failed(options, grpcCode.unavailable);
    const lines = answer.headers.filter(([name]) => !isHopByHop(name) && name !== removeHeader);
    if (answer.status !== 200)
      return refuse(
        answer,
        lines.filter(([name]) => denied(name)),
      );

    const requestHeadersToRemove = removable(namesToRemove(answer));
    const requestHeaders: HeaderEdit[] = [];
    const responseHeaders: HeaderEdit[] = [];
    for (const [name, value] of lines) {
      const up = upstream(name) && !requestHeadersToRemove.includes(name);
      const down = downstream(name);
      if ((up || down) && !isHeader(name, value)) return badEdit();
      if (up) requestHeaders.push({ name, value, action: "OVERWRITE_IF_EXISTS_OR_ADD" });
      if (down) responseHeaders.push({ name, value, action: "APPEND_IF_EXISTS_OR_ADD" });
    }
    return allowed({ edits: { ...noEdits, requestHeaders, requestHeadersToRemove, responseHeaders } });
  };
}

function namesToRemove(answer: HttpAnswer): string[] {
  return answer.headers
    .filter(([name]) => name === removeHeader)
    .flatMap(([, value]) => value.split(","))
    .map((name) => name.trim());
}

/** A body that is no UTF-8 cannot stand in a CheckResponse: it is left out, with what describes it. */
function refuse(answer: HttpAnswer, lines: readonly (readonly [string, string])[]): Verdict {
  const body = readText(answer.body);
  const told = body === undefined ? lines.filter(([name]) => !name.startsWith("content-")) : lines;
  return refused({
    httpStatus: refusalStatus(answer.status),
    code: answer.status === 401 ? grpcCode.unauthenticated : grpcCode.permissionDenied,
    body: body ?? "",
    edits: { ...noEdits, responseHeaders: refusalHeaders(told) },
  });
}

function readText(bytes: Buffer): string | undefined {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return undefined;
  }
}
