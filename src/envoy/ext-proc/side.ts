import { Buffer } from "node:buffer";
import type { BodyFlow, HeaderEdits } from "../../body/index.js";
import type { BesideRequest } from "./exchange.js";
import type { Answer, BodyMode, Direction, HeaderLines, Part, ProcessingMessage } from "./message.js";

/** What a session wants done; it goes on with this direction when it is told what came of it. */
export type Work =
  | {
      readonly kind: "headers";
      readonly direction: Direction;
      readonly headers: HeaderLines;
      readonly hasBody: boolean;
      readonly beside: BesideRequest;
    }
  | { readonly kind: "push"; readonly flow: BodyFlow; readonly chunk: Uint8Array }
  | { readonly kind: "end"; readonly flow: BodyFlow };

/** A message, as far as it matters here. */
export type Incoming = Pick<ProcessingMessage, "part" | "attributes" | "metadata">;

/** An answer to headers. */
export type HeadersAnswer = Extract<Answer, { kind: "headers" }>;

/** How far one direction is. */
export type Stage =
  /** Nothing was seen. */
  | "waiting"
  /** Its headers are with who decides. */
  | "deciding"
  /** Its body comes. */
  | "open"
  /** Its body is over, trailers may come. */
  | "ended"
  /** Nothing may come. */
  | "closed";

/** A request, or a response, on its way. */
export interface Side {
  readonly direction: Direction;
  readonly configured: BodyMode;
  /** What was asked for, or what is configured. */
  mode: BodyMode;
  stage: Stage;
  /** What came and was not looked at yet. */
  readonly queue: (Incoming | "end")[];
  /** A piece of body came, looked at or not. */
  isSeen: boolean;
  /** What is being done. */
  work: Work | undefined;
  /** The part that is being worked at. */
  item: Part | undefined;
  flow: BodyFlow | undefined;
  hasBody: boolean;
  /** Bytes may come where no body is: a tunnel's, or those of a response that nobody wants to see. */
  passesBytes: boolean;
  /** A message said so: no trailers follow. */
  isFinal: boolean;
  /** An override asked for them. */
  asksTrailers: boolean;
  /** Nobody took the content-length away. */
  hasContentLength: boolean;
  /** Of the flow, where they go with the body. */
  edits: HeaderEdits | undefined;
  /** The answer to the headers, until the body is over or, where `holdsAll` is false, has begun. */
  held: HeadersAnswer | undefined;
  holdsAll: boolean;
  /** Its mode was asked for before it began, and stays: Envoy loses bytes when it changes once more (measured). */
  isEarly: boolean;
  /** What was released since the last answer. */
  released: Uint8Array[];
  releasedBytes: number;
}

/** No bytes. */
export const nothing: Uint8Array = new Uint8Array(0);

/** A direction of which nothing was seen. */
export function createSide(direction: Direction, configured: BodyMode): Side {
  return {
    direction,
    configured,
    mode: configured,
    stage: "waiting",
    queue: [],
    isSeen: false,
    work: undefined,
    item: undefined,
    flow: undefined,
    hasBody: false,
    passesBytes: false,
    asksTrailers: false,
    isFinal: false,
    hasContentLength: false,
    edits: undefined,
    held: undefined,
    holdsAll: false,
    isEarly: false,
    released: [],
    releasedBytes: 0,
  };
}

/** Takes what a flow released. */
export function release(side: Side, bytes: Uint8Array): void {
  if (bytes.length === 0) return;
  side.released.push(bytes);
  side.releasedBytes += bytes.length;
}

/** All that was released since the last answer. */
export function takeReleased(side: Side): Uint8Array {
  const { released } = side;
  side.released = [];
  side.releasedBytes = 0;
  if (released.length === 1) return released[0] ?? nothing;
  return released.length === 0 ? nothing : Buffer.concat(released);
}

/** The mode that answers are made for: where an override to NONE is not heeded, what is configured comes. */
export function effectiveMode({ mode, configured }: Side): BodyMode {
  return mode === "NONE" ? configured : mode;
}
