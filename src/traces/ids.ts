import { createHash } from "node:crypto";
import type { Report } from "../report/index.js";

/** The spans of one report. */
export interface SpanIds {
  readonly request: string;
  readonly decision: string;
}

/**
 * Ids that a report which comes twice gives twice, so that a receiver sees one span. Of what tells requests at one proxy
 * apart, also where clients choose the stream id.
 */
export function spanIdsOf({ reporter, side, streamId, times, attributes, check }: Report): SpanIds {
  const { source, request } = attributes;
  const facts = [
    ...[reporter.id, reporter.logName, side, idText(streamId), request?.id ?? "", String(times.start)],
    ...[source.ip?.text ?? "", String(source.port), check.decisionId],
  ];
  const hash = digest(facts);
  return { request: hash.slice(0, 16), decision: hash.slice(16, 32) };
}

/**
 * The trace of a request that names none. Both proxies of a call know its `x-request-id`, so that their spans come
 * together; without one the request stands alone.
 */
export function rootTraceIdOf({ reporter, streamId, times, attributes }: Report): string {
  const { source, request } = attributes;
  const facts =
    streamId !== ""
      ? ["stream", idText(streamId)]
      : [
          "request",
          reporter.id,
          request?.id ?? "",
          String(times.start),
          source.ip?.text ?? "",
          String(source.port),
        ];
  return digest(facts).slice(0, 32);
}

/** Longer ones are nobody's but an attacker's, and would cost. */
const MAX_ID = 256;

function idText(id: string): string {
  return id.length > MAX_ID ? id.slice(0, MAX_ID) : id;
}

function digest(facts: readonly string[]): string {
  return createHash("sha256").update(facts.join("\n")).digest("hex");
}
