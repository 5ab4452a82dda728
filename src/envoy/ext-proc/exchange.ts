import type { JsonObject } from "../../attributes/index.js";
import type { BodyFlow } from "../../body/index.js";
import type { Answer, Direction, HeaderLines, HeaderMutation, ProcessingMessage } from "./message.js";

/** An answer that ends the request or response here. */
export type Immediate = Extract<Answer, { kind: "immediate" }>;

/** What a decision reads beside the request's headers. */
export type BesideRequest = Pick<ProcessingMessage, "attributes" | "metadata">;

/** What happens after the headers of a direction. */
export interface HeadersOutcome {
  /** Ends it here; everything else is ignored then. */
  readonly immediate?: Immediate | undefined;
  readonly mutation: HeaderMutation | undefined;
  /** Undefined: the body is not looked at. */
  readonly flow: BodyFlow | undefined;
  /** In place of the body that would follow. */
  readonly replaceBody?: Uint8Array | undefined;
  readonly clearRouteCache?: boolean;
  readonly metadata?: JsonObject | undefined;
  /** Of request headers: what of the response has to be seen. Of response headers ignored. */
  readonly response: { readonly head: boolean; readonly body: "none" | "streamed" | "whole" };
}

/** What one exchange of HTTP, a request and its response, needs of whoever decides. Made anew for each stream. */
export interface Exchange {
  /** `beside`: what came with them. */
  requestHeaders(
    headers: HeaderLines,
    hasBody: boolean,
    beside: BesideRequest,
  ): HeadersOutcome | Promise<HeadersOutcome>;
  /**
   * Also where no request headers came: a filter before us may have answered by itself. `beside` tells it then, if
   * `response.code_details` is among the filter's `response_attributes`.
   */
  responseHeaders(
    headers: HeaderLines,
    hasBody: boolean,
    beside?: BesideRequest,
  ): HeadersOutcome | Promise<HeadersOutcome>;
  /** The answer when a flow refuses. */
  refused(
    direction: Direction,
    refusal: Extract<Awaited<ReturnType<BodyFlow["push"]>>, { kind: "refuse" }>["refusal"],
  ): Immediate;
  /** What stands beside the last answer of a direction: the record as far as it is known. */
  metadata(direction: Direction): JsonObject | undefined;
  /**
   * Envoy did not send what the policies need (its configuration allows no override), or sent what nobody could expect:
   * the answer.
   */
  violated(direction: Direction, what: "body_not_sent" | "out_of_order"): Immediate;
  /** The stream is over: finished, or reset by the client. Once. */
  close(): void;
}
