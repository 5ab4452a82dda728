import { GatehouseError } from "../diagnostics/index.js";
import { grpcCode, type ProviderRequest, type Verdict } from "../engine/index.js";
import {
  chooseBody,
  compileQuestionHeaders,
  type IncludeBody,
  partialBodyHeader,
  type QuestionHeaders,
} from "./ext-authz-http-request.js";
import { type AnswerHeaders, compileAnswer } from "./ext-authz-http-response.js";
import type { HttpClient } from "./http.js";
import {
  defaultTimeoutMs,
  failed,
  type OpenProvider,
  type ProviderBase,
  refused,
  unsendable,
} from "./providers-verdict.js";

/** Istio's `envoyExtAuthzHttp`; always plain HTTP/1.1. */
export interface HttpProviderOptions extends ProviderBase, QuestionHeaders, AnswerHeaders {
  readonly protocol: "http";
  /** Stands before the request's `:path`; empty: nothing. */
  readonly pathPrefix: string;
  /** Absent: no body is sent. */
  readonly includeRequestBody?: IncludeBody | undefined;
}

const maxAnswerBytes = 1024 * 1024;

/**
 * Asks with the request's own method and path. TCP cannot be asked about: that is a failure like any other.
 */
export function createHttpProvider(options: HttpProviderOptions, client: HttpClient): OpenProvider {
  const origin = { scheme: "http", host: options.host, port: options.port } as const;
  const timeoutMs = options.timeoutMs || defaultTimeoutMs;
  const questionHeaders = compileQuestionHeaders(options);
  const conclude = compileAnswer(options);

  const ask = async ({ attributes }: ProviderRequest): Promise<Verdict> => {
    try {
      const { request } = attributes;
      if (request === undefined) return failed(options, grpcCode.unavailable);
      if (request.path === "") return unsendable(options);
      const chosen = chooseBody(request, options.includeRequestBody);
      if (chosen === undefined) return refused({ httpStatus: 413 });
      const headers = questionHeaders(request);
      if (options.includeRequestBody !== undefined) headers.set(...partialBodyHeader(chosen.partial));
      const answer = await client.send({
        origin,
        method: request.method,
        path: options.pathPrefix + request.path,
        headers,
        body: chosen.body,
        timeoutMs,
        maxBytes: maxAnswerBytes,
      });
      return conclude(answer);
    } catch (error) {
      const kind = error instanceof GatehouseError ? error.code : undefined;
      if (kind === "bad_request") return unsendable(options);
      return failed(options, kind === "timeout" ? grpcCode.deadlineExceeded : grpcCode.unavailable);
    }
  };
  return { ask, close: client.close };
}
