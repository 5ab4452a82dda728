import type { Attributes } from "../attributes/index.js";

/** W3C Trace Context, section 3.2.2; a later version may have more behind it. */
const traceparent = /^(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-[0-9a-f]{2}(?:-|$)/;
/** Zipkin's B3, in one header or in several; 64-bit trace ids are filled up. */
const b3 = /^([0-9a-f]{32}|[0-9a-f]{16})-([0-9a-f]{16})(?:-|$)/;

/** What joins a log line to its trace. */
export interface TraceIds {
  readonly traceId: string;
  readonly spanId: string;
}

/** The trace that the request's headers name, undefined where they name none. */
export function traceOf(attributes: Attributes | undefined): TraceIds | undefined {
  const headers = attributes?.request?.headers;
  if (headers === undefined) return undefined;
  const first = (name: string): string => headers.get(name)?.[0] ?? "";
  const found =
    traceparent.exec(first("traceparent")) ??
    b3.exec(first("b3")) ??
    b3.exec(`${first("x-b3-traceid")}-${first("x-b3-spanid")}`);
  if (found === null) return undefined;
  const [, traceId = "", spanId = ""] = found;
  return { traceId: traceId.padStart(32, "0"), spanId };
}
