import type { Report } from "../report/index.js";
import { readB3 } from "./b3.js";
import { isZero, readW3c } from "./w3c.js";

/** Of which trace a request is part, and below which span. */
export interface TraceContext {
  /** 32 lower-case hex digits; empty: the headers only say whether to sample. */
  readonly traceId: string;
  /** 16 lower-case hex digits; empty: unknown. */
  readonly spanId: string;
  /** What whoever began the trace decided. */
  readonly sampled: "yes" | "no" | "undecided";
  /** W3C's `tracestate`, empty when there is none or it is not valid. */
  readonly traceState: string;
}

/** Envoy's span of the request, of custom tags of the log named so, with the values `%TRACE_ID%` and `%SPAN_ID%`. */
export const traceIdTag = "trace_id";
export const spanIdTag = "span_id";

const traceIdForm = /^(?:[0-9a-f]{16}|[0-9a-f]{32})$/;
const spanIdForm = /^[0-9a-f]{16}$/;

/**
 * The context in a request's headers: W3C's where it is valid, else B3's. Undefined when there is none. Both are
 * what anybody sent; names are lower-case.
 */
export function readTraceContext(headers: ReadonlyMap<string, readonly string[]>): TraceContext | undefined {
  return readW3c(headers.get("traceparent"), headers.get("tracestate")) ?? readB3(headers);
}

/**
 * The context that a span of this proxy belongs to. Envoy logs headers as it leaves them: where it does not trace, they
 * are the client's; where it does, they name Envoy's own span, or the one of its question upstream
 * (`spawn_upstream_span`), and where it answered itself still the client's. The custom tags say which it was.
 */
export function contextOf({ attributes, customTags }: Report): TraceContext | undefined {
  const headers = attributes.request?.headers;
  if (headers === undefined) return undefined;
  const traced = customTags.get(traceIdTag);
  if (traced === undefined || !traceIdForm.test(traced) || isZero(traced)) return readTraceContext(headers);
  const traceId = traced.padStart(32, "0");
  const span = customTags.get(spanIdTag) ?? "";
  // The headers of another tracer than Envoy's may be there beside its own.
  const own = [readW3c(headers.get("traceparent"), headers.get("tracestate")), readB3(headers)].find(
    (context) => context?.traceId === traceId,
  );
  return {
    traceId,
    spanId: spanIdForm.test(span) && !isZero(span) ? span : (own?.spanId ?? ""),
    sampled: own?.sampled ?? "undecided",
    traceState: own?.traceState ?? "",
  };
}
