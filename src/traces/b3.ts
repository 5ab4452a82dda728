import type { TraceContext } from "./trace-context.js";
import { isZero } from "./w3c.js";

type Lines = readonly string[] | undefined;

const singleForm = /^([0-9a-f]{16}|[0-9a-f]{32})-([0-9a-f]{16})(?:-([01d])(?:-[0-9a-f]{16})?)?$/i;
const traceForm = /^(?:[0-9a-f]{16}|[0-9a-f]{32})$/i;
const spanForm = /^[0-9a-f]{16}$/i;
/** The longest: two ids, the decision, and the parent's id. */
const MAX_SINGLE = 68;

/**
 * The context in B3 headers (github.com/openzipkin/b3-propagation): of the header `b3` where that is valid, else of
 * `x-b3-…`. Undefined when they say nothing; with empty ids when they only say whether to sample. A trace id of 64 bits
 * is filled up with zeros. The parent's id is not read: the caller's span is what ours hangs below.
 */
export function readB3(headers: ReadonlyMap<string, readonly string[]>): TraceContext | undefined {
  return readSingle(headers.get("b3")) ?? readMulti(headers);
}

function readSingle(lines: Lines): TraceContext | undefined {
  const line = only(lines);
  if (line === undefined || line.length > MAX_SINGLE) return undefined;
  if (line.length === 1) return decisionOnly(decisionOf(line));
  const [, traceId = "", spanId = "", decision = ""] = singleForm.exec(line) ?? [];
  return withIds(traceId, spanId, decisionOf(decision));
}

function readMulti(headers: ReadonlyMap<string, readonly string[]>): TraceContext | undefined {
  const traceId = only(headers.get("x-b3-traceid")) ?? "";
  const spanId = only(headers.get("x-b3-spanid")) ?? "";
  const isDebug = only(headers.get("x-b3-flags")) === "1";
  const sampled = isDebug ? "yes" : decisionOf(only(headers.get("x-b3-sampled")) ?? "");
  if (traceForm.test(traceId) && spanForm.test(spanId)) {
    const context = withIds(traceId, spanId, sampled);
    if (context !== undefined) return context;
  }
  return decisionOnly(sampled);
}

function withIds(
  traceId: string,
  spanId: string,
  sampled: TraceContext["sampled"],
): TraceContext | undefined {
  if (isZero(traceId) || isZero(spanId)) return undefined;
  return {
    traceId: traceId.toLowerCase().padStart(32, "0"),
    spanId: spanId.toLowerCase(),
    sampled,
    traceState: "",
  };
}

function decisionOnly(sampled: TraceContext["sampled"]): TraceContext | undefined {
  return sampled === "undecided" ? undefined : { traceId: "", spanId: "", sampled, traceState: "" };
}

/** `true` and `false` are of older senders. */
function decisionOf(text: string): TraceContext["sampled"] {
  if (text === "1" || text === "d" || text === "true") return "yes";
  return text === "0" || text === "false" ? "no" : "undecided";
}

function only(lines: Lines): string | undefined {
  return lines?.length === 1 ? lines[0] : undefined;
}
