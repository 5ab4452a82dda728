import type { BodyFlow } from "../../body/index.js";
import type { BodyMode, ProtocolConfig } from "./message.js";

/** Bodies come in pieces, and any number of answers may go back. */
export function isStreaming(mode: BodyMode): boolean {
  return mode === "FULL_DUPLEX_STREAMED" || mode === "GRPC";
}

/** A body comes as one message. */
export function isBuffered(mode: BodyMode): boolean {
  return mode === "BUFFERED" || mode === "BUFFERED_PARTIAL";
}

/**
 * Envoy heeds a mode_override, if it is allowed, which nobody tells us. It ignores each where a body is configured as
 * FULL_DUPLEX_STREAMED, and with send_body_without_waiting_for_header_response.
 */
export function takesOverride(config: ProtocolConfig): boolean {
  const { requestBodyMode, responseBodyMode, sendsBodyEarly } = config;
  const isFixed = requestBodyMode === "FULL_DUPLEX_STREAMED" || responseBodyMode === "FULL_DUPLEX_STREAMED";
  return !sendsBodyEarly && !isFixed;
}

/**
 * The mode to ask for. Where something else than NONE is configured, an override that is not allowed must not make an
 * answer mean something else: Envoy takes a streamed answer to a buffered body for none (measured).
 */
export function modeFor(need: BodyFlow["need"], configured: BodyMode): BodyMode {
  switch (configured) {
    case "STREAMED":
      return need === "whole" ? "BUFFERED" : "STREAMED";
    case "BUFFERED":
    case "BUFFERED_PARTIAL":
      return "BUFFERED";
    case "FULL_DUPLEX_STREAMED":
    case "GRPC":
      return configured;
    case "NONE":
      break;
  }
  return need === "whole" ? "BUFFERED" : "FULL_DUPLEX_STREAMED";
}

/**
 * Whether a mode that nobody can change gives a flow what it needs. GRPC gives nothing: Envoy 1.40 lets bodies pass in it
 * without sending them (measured).
 */
export function serves(mode: BodyMode, need: BodyFlow["need"]): boolean {
  switch (mode) {
    case "NONE":
    case "GRPC":
      return false;
    case "STREAMED":
      return need === "streamed";
    case "BUFFERED":
    case "BUFFERED_PARTIAL":
    case "FULL_DUPLEX_STREAMED":
      return true;
  }
}
