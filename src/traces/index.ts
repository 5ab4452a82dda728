export type { Span, SpanValue } from "./span.js";
export { createSpans, type SpanOptions, type SpansOf } from "./spans.js";
export type { Format } from "./tag-rules.js";
export { readTraceContext, spanIdTag, type TraceContext, traceIdTag } from "./trace-context.js";
