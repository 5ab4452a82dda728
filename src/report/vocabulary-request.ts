import type { ByteString } from "../attributes/index.js";
import { mapOf, mapView, requestVocabulary, textOf, types } from "../expressions/index.js";
import type { Report } from "./report.js";
import {
  type Budget,
  checkHeader,
  known,
  ofReport,
  ofResponse,
  type ReportAttribute,
  requestHeaders,
  responseHeaders,
  whole,
} from "./vocabulary-attribute.js";

const { double, int, string } = types;

/** The request and its response. Durations are numbers of milliseconds. */
export const requestAttributes: readonly ReportAttribute[] = [
  {
    ...ofReport("request.headers", mapOf(string), ({ attributes: { request } }) =>
      request === undefined ? undefined : mapView(requestHeaders, request.headers),
    ),
    checkKey: checkHeader,
  },
  ofReport("request.useragent", string, header("user-agent")),
  ofReport("request.referer", string, header("referer")),
  ofReport("request.query", string, ({ attributes: { request } }, budget) =>
    request === undefined ? undefined : textOf(queryOf(request.path), budget),
  ),
  ofReport("request.size", int, ({ attributes, requestBodyBytes }) =>
    attributes.request === undefined ? undefined : whole(requestBodyBytes),
  ),
  ofReport("request.total_size", int, ({ attributes, requestBodyBytes, requestHeadersBytes }) =>
    attributes.request === undefined ? undefined : whole(requestBodyBytes + requestHeadersBytes),
  ),
  ofReport("request.duration", double, ({ attributes, times }) =>
    attributes.request === undefined ? undefined : times.duration,
  ),
  {
    ...ofReport("request.auth.principal", string, () => undefined),
    read: (input, budget) => ownPrincipal?.(input, budget) ?? known(input.report.check.principal),
  },
  ofResponse("response.code", int, ({ code }) => whole(code)),
  ofResponse("response.code_details", string, ({ codeDetails }) => known(codeDetails)),
  ofReport("response.flags", string, ({ flags }) => flags),
  ofResponse("response.grpc_status", int, ({ grpcStatus }) => whole(grpcStatus)),
  ofResponse("response.size", int, ({ bodyBytes }) => whole(bodyBytes)),
  ofResponse("response.total_size", int, ({ bodyBytes, headersBytes }) => whole(bodyBytes + headersBytes)),
  {
    ...ofResponse("response.headers", mapOf(string), ({ headers }) => mapView(responseHeaders, headers)),
    checkKey: checkHeader,
  },
  {
    ...ofResponse("response.trailers", mapOf(string), ({ trailers }) => mapView(responseHeaders, trailers)),
    checkKey: checkHeader,
  },
  ofReport("response.duration", double, ({ response, times }) =>
    response === undefined ? undefined : times.duration,
  ),
  ofReport("response.backend_latency", double, ({ response, times }) =>
    response === undefined ? undefined : between(times.lastUpstreamByteSent, times.firstUpstreamByteReceived),
  ),
];

/** Of a token that the report itself has; else it is the decision's word. */
const ownPrincipal = requestVocabulary.attributes.get("request.auth.principal")?.read;

function header(name: string): (report: Report, budget: Budget) => string | undefined {
  return ({ attributes: { request } }, budget) => {
    const line = request?.headers.get(name)?.[0];
    return line === undefined ? undefined : textOf(line, budget);
  };
}

function queryOf(path: ByteString): ByteString {
  const question = path.indexOf("?");
  if (question < 0) return "";
  const fragment = path.indexOf("#", question);
  return path.slice(question + 1, fragment < 0 ? undefined : fragment);
}

function between(from: number | undefined, to: number | undefined): number | undefined {
  return from === undefined || to === undefined ? undefined : Math.max(0, to - from);
}
