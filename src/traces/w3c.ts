import type { TraceContext } from "./trace-context.js";

const traceparentForm = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/;
/** A later version may be longer; nobody's is this long. */
const MAX_TRACEPARENT = 256;

/**
 * The context in `traceparent` and `tracestate` (W3C Trace Context, level 1, section 3.2). Undefined unless there is
 * exactly one valid line: capital letters, ids of zeros and version ff are not valid. A version that is not known is
 * read as far as 00 goes (section 4).
 */
export function readW3c(
  traceparent: readonly string[] | undefined,
  tracestate: readonly string[] | undefined,
): TraceContext | undefined {
  if (traceparent?.length !== 1) return undefined;
  const [line = ""] = traceparent;
  if (line.length > MAX_TRACEPARENT) return undefined;
  const [, version = "", traceId = "", spanId = "", flags = "", rest] = traceparentForm.exec(line) ?? [];
  if (version === "" || version === "ff" || (version === "00" && rest !== undefined)) return undefined;
  if (isZero(traceId) || isZero(spanId)) return undefined;
  return {
    traceId,
    spanId,
    sampled: (Number.parseInt(flags, 16) & 1) === 1 ? "yes" : "no",
    traceState: readTraceState(tracestate),
  };
}

const MAX_MEMBERS = 32;
/** Section 3.3.1.5: at least so many characters are to be handed on. */
const MAX_TRACESTATE = 512;
const memberForm =
  /^(?:[a-z][a-z0-9_\-*/]{0,255}|[a-z0-9][a-z0-9_\-*/]{0,240}@[a-z][a-z0-9_\-*/]{0,13})=[ -+\--<>-~]{1,256}$/;

/** All lines as one; empty when anything in it is not valid, as section 3.3 has it: the trace goes on without it. */
function readTraceState(lines: readonly string[] | undefined): string {
  if (lines === undefined) return "";
  const length = lines.reduce((sum, line) => sum + line.length + 1, -1);
  if (length > MAX_TRACESTATE) return "";
  const members = lines
    .flatMap((line) => line.split(","))
    .map((member) => member.trim())
    .filter((member) => member !== "");
  const keys = new Set(members.map((member) => member.slice(0, member.indexOf("="))));
  const isValid = members.every((member) => memberForm.test(member));
  return isValid && keys.size === members.length && members.length <= MAX_MEMBERS ? members.join(",") : "";
}

/** Whether an id is one that means nothing. */
export function isZero(id: string): boolean {
  return /^0*$/.test(id);
}
