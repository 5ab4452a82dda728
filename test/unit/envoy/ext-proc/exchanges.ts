import type { BodyFlow, BodyRefusal, FlowStep, LastStep } from "../../../../src/body/index.js";
import type { Exchange, HeadersOutcome, Immediate } from "../../../../src/envoy/ext-proc/exchange.js";
import type { Direction, HeaderLines, Part } from "../../../../src/envoy/ext-proc/message.js";
import type { Incoming } from "../../../../src/envoy/ext-proc/side.js";

export const noEdits = { remove: [], set: [] } as const;

/** An immediate answer whose details say who made it. */
export function immediate(details: string, httpStatus = 403): Immediate {
  return {
    kind: "immediate",
    httpStatus,
    headers: [],
    body: new Uint8Array(0),
    grpcStatus: undefined,
    details,
  };
}

/** Lets it go on as it is; of the response nothing is to be seen. */
export const goOn: HeadersOutcome = {
  mutation: undefined,
  flow: undefined,
  response: { head: false, body: "none" },
};

/** The same, but the response's head has to be seen. */
export const goOnWithResponse: HeadersOutcome = { ...goOn, response: { head: true, body: "streamed" } };

export function refusal(policy: string): { readonly kind: "refuse"; readonly refusal: BodyRefusal } {
  const reason = "sensitive_data" as const;
  return {
    kind: "refuse",
    refusal: { httpStatus: 403, code: 7, reason, policy, body: "", contentType: "text/plain" },
  };
}

/** How a flow behaves; `refuses` is given all that it has seen. */
export interface FlowOptions {
  readonly held?: number;
  readonly refuses?: (seen: string) => boolean;
}

/** A flow that upper-cases what it lets go on, in `whole` at the end, in `streamed` as it comes but for `held` bytes. */
export function upperCase(
  need: BodyFlow["need"],
  { held = 0, refuses = () => false }: FlowOptions = {},
): BodyFlow & { readonly seen: () => string } {
  let seen = "";
  let given = 0;
  const take = (until: number): Uint8Array => {
    const bytes = Buffer.from(seen.slice(given, Math.max(given, until)).toUpperCase(), "latin1");
    given += bytes.length;
    return bytes;
  };
  const step = (until: number): FlowStep =>
    refuses(seen) ? refusal("ns/flow") : { kind: "go", bytes: take(until) };
  return {
    need,
    headEdits: { remove: ["etag"], set: [] },
    push(chunk) {
      seen += Buffer.from(chunk).toString("latin1");
      return step(need === "whole" ? 0 : seen.length - held);
    },
    end(): LastStep {
      const last = step(seen.length);
      return last.kind === "refuse" ? last : { ...last, edits: noEdits };
    },
    seen: () => seen,
  };
}

export function headers(
  direction: Direction,
  lines: Readonly<Record<string, string>>,
  endOfStream = false,
): Part {
  const own = direction === "request" ? { ":method": "POST", ":path": "/" } : { ":status": "200" };
  const all: HeaderLines = new Map(
    Object.entries({ ...own, ...lines }).map(([name, value]) => [name, [value]]),
  );
  return { kind: "headers", direction, headers: all, endOfStream };
}

export function body(direction: Direction, text: string, endOfStream = false): Part {
  const bytes = Buffer.from(text, "latin1");
  return { kind: "body", direction, body: bytes, endOfStream, withoutMessage: false, compressed: false };
}

export function trailers(direction: Direction): Part {
  return { kind: "trailers", direction, trailers: new Map([["x-t", ["1"]]]) };
}

/** As a message with nothing beside it. */
export function incoming(part: Part): Incoming {
  return { part, attributes: () => ({}), metadata: () => undefined };
}

/** Refuses and violates by immediate answers that say so. */
export const verdicts: Pick<Exchange, "refused" | "violated" | "metadata"> = {
  refused: (direction, { reason, policy }) => immediate(`refused:${direction}:${reason}:${policy}`),
  violated: (direction, what) => immediate(`violated:${direction}:${what}`, 500),
  metadata: (direction) => ({ record: direction }),
};
