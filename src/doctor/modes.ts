import { named, type Tree } from "./tree.js";

/** Names of ProcessingMode.BodySendMode by number. */
export const bodyModes = [
  "NONE",
  "STREAMED",
  "BUFFERED",
  "BUFFERED_PARTIAL",
  "FULL_DUPLEX_STREAMED",
  "GRPC",
] as const;
/** One of them. */
export type BodyMode = (typeof bodyModes)[number];

/** Names of ProcessingMode.HeaderSendMode by number. */
export const sendModes = ["DEFAULT", "SEND", "SKIP"] as const;

/** How one direction is sent. */
export interface Mode {
  readonly direction: "request" | "response";
  readonly headers: boolean;
  readonly body: BodyMode;
  readonly trailers: boolean;
}

/** Both directions of a `processing_mode`; absent it is Envoy's default. */
export function modesOf(mode: Tree | undefined): readonly Mode[] {
  return (["request", "response"] as const).map((direction) => ({
    direction,
    headers: named(sendModes, mode, `${direction}_header_mode`) !== "SKIP",
    body: named(bodyModes, mode, `${direction}_body_mode`),
    trailers: named(sendModes, mode, `${direction}_trailer_mode`) === "SEND",
  }));
}
