import type { Exchange } from "./exchange.js";
import type { Answer, Direction, Part } from "./message.js";
import type { Violation } from "./session-state.js";

/** What a message or an answer is, in Envoy's names. */
export type ExtProcKind = `${Direction}_${Part["kind"]}`;

/**
 * Why a stream was ended by us: a message could not be read; something of ours threw; the server closes; the transport
 * could not send.
 */
export type ExtProcFailure = "malformed" | "internal_error" | "closing" | "send_failed";

/** Told of what happens, for metrics. Its functions must not throw. */
export interface ExtProcObserver {
  opened(): void;
  /** `bytes`: of the body. */
  received(kind: ExtProcKind, bytes: number): void;
  /** `bytes`: of the body. */
  answered(kind: ExtProcKind | "immediate_response", bytes: number): void;
  violated(direction: Direction, what: Violation): void;
  failed(why: ExtProcFailure): void;
  /** Once for each that was opened. */
  closed(): void;
}

/** One call as the transport sees it. Nothing is called after `end` or `fail`. */
export interface ExtProcCall {
  /** False: enough is on its way; `drained` is called when it is gone. */
  send(bytes: Uint8Array): boolean;
  /** Let no more messages come until `resume`; those that come nevertheless are taken. */
  pause(): void;
  resume(): void;
  /** Ends it with OK; only after Envoy ended it too, and everything was answered. */
  end(): void;
  /** Ends it with an error. */
  fail(code: number, details: string): void;
}

/** What the transport tells. */
export interface ExtProcStream {
  /** A ProcessingRequest. */
  receive(bytes: Uint8Array): void;
  drained(): void;
  /** Envoy sends nothing more. */
  ended(): void;
  /** The call is over, by whomever: cancelled, finished, failed. */
  closed(): void;
}

/** What the service needs from its surroundings. */
export interface ExtProcOptions {
  /** Who decides about a stream; initial metadata by lower-case name. `isObserved`: nothing is answered. */
  readonly exchange: (initialMetadata: ReadonlyMap<string, string>, isObserved: boolean) => Exchange;
  readonly observer: ExtProcObserver;
  /** Told of what should not have happened, and why bytes were no message. Must not throw. */
  readonly onError: (error: unknown) => void;
  /** Bytes of bodies of one stream that wait for their turn, above which it is paused. */
  readonly maxWaitingBytes?: number;
  /** Bytes of one body that are kept back until it is over, above which it is refused. */
  readonly maxHeldBytes?: number;
}

/** What it is called. */
export function kindOf(part: Part): ExtProcKind;
export function kindOf(answer: Answer): ExtProcKind | "immediate_response";
export function kindOf(one: Part | Answer): ExtProcKind | "immediate_response" {
  return one.kind === "immediate" ? "immediate_response" : kinds[one.direction][one.kind];
}

const kinds = {
  request: { headers: "request_headers", body: "request_body", trailers: "request_trailers" },
  response: { headers: "response_headers", body: "response_body", trailers: "response_trailers" },
} as const;

/** How much of a body is in it. */
export function bytesOf(one: Part | Answer): number {
  if (one.kind === "immediate") return one.body.length;
  if (one.kind !== "body") return 0;
  if ("body" in one) return one.body.length;
  return one.change === undefined || one.change.kind === "clear" ? 0 : one.change.bytes.length;
}
