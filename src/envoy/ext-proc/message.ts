import type { ByteString, JsonObject } from "../../attributes/index.js";

/** `ProcessingMode.BodySendMode` by number. */
export const bodyModes = [
  "NONE",
  "STREAMED",
  "BUFFERED",
  "BUFFERED_PARTIAL",
  "FULL_DUPLEX_STREAMED",
  "GRPC",
] as const;
export type BodyMode = (typeof bodyModes)[number];

/** Which way the message goes. */
export type Direction = "request" | "response";

/** Header lines by lower-case name in order, pseudo-headers included. */
export type HeaderLines = ReadonlyMap<string, readonly ByteString[]>;

/** What Envoy sent: one part of a request or response. */
export type Part =
  | {
      readonly kind: "headers";
      readonly direction: Direction;
      readonly headers: HeaderLines;
      readonly endOfStream: boolean;
    }
  | {
      readonly kind: "body";
      readonly direction: Direction;
      readonly body: Uint8Array;
      readonly endOfStream: boolean;
      /** GRPC mode: the end came after the last message. */
      readonly withoutMessage: boolean;
      readonly compressed: boolean;
    }
  | { readonly kind: "trailers"; readonly direction: Direction; readonly trailers: HeaderLines };

/** `ProtocolConfiguration`: in a stream's first message only. */
export interface ProtocolConfig {
  readonly requestBodyMode: BodyMode;
  readonly responseBodyMode: BodyMode;
  readonly sendsBodyEarly: boolean;
}

/** A ProcessingRequest. Metadata and attributes are read when they are asked for. */
export interface ProcessingMessage {
  readonly part: Part;
  /** Nobody listens to an answer. */
  readonly observabilityMode: boolean;
  readonly protocolConfig: ProtocolConfig | undefined;
  /** Envoy's CEL attributes by their names, `source.address`: of `attributes["envoy.filters.http.ext_proc"]`. */
  readonly attributes: () => JsonObject;
  /** `metadata_context.filter_metadata` of a namespace. */
  readonly metadata: (namespace: string) => JsonObject | undefined;
}

/** One header to put. */
export interface HeaderPut {
  readonly name: string;
  readonly value: ByteString;
  readonly action:
    | "APPEND_IF_EXISTS_OR_ADD"
    | "ADD_IF_ABSENT"
    | "OVERWRITE_IF_EXISTS_OR_ADD"
    | "OVERWRITE_IF_EXISTS";
}

/** `HeaderMutation`. */
export interface HeaderMutation {
  readonly remove: readonly string[];
  readonly set: readonly HeaderPut[];
}

/** `ProcessingMode`, of a mode override: what is undefined stays. */
export interface ModeOverride {
  readonly requestBodyMode: BodyMode;
  readonly responseBodyMode: BodyMode;
  readonly responseHeaders: "SEND" | "SKIP";
  readonly requestTrailers: "SEND" | "SKIP";
  readonly responseTrailers: "SEND" | "SKIP";
}

/** What can stand beside any answer. */
export interface BesideAnswer {
  /** By namespace. */
  readonly metadata?: JsonObject | undefined;
  readonly modeOverride?: ModeOverride | undefined;
}

/** A ProcessingResponse. */
export type Answer =
  | (BesideAnswer & {
      readonly kind: "headers";
      readonly direction: Direction;
      readonly mutation: HeaderMutation | undefined;
      /** CONTINUE_AND_REPLACE with this body: no further part of this direction is sent. */
      readonly replaceBody?: Uint8Array | undefined;
      readonly clearRouteCache?: boolean;
    })
  | (BesideAnswer & {
      readonly kind: "body";
      readonly direction: Direction;
      readonly mutation?: HeaderMutation | undefined;
      /** `body`: in its place; `clear`; `streamed`: FULL_DUPLEX_STREAMED and GRPC; undefined: as it was. */
      readonly change:
        | { readonly kind: "body"; readonly bytes: Uint8Array }
        | { readonly kind: "clear" }
        | {
            readonly kind: "streamed";
            readonly bytes: Uint8Array;
            readonly endOfStream: boolean;
            readonly withoutMessage?: boolean;
            readonly compressed?: boolean;
          }
        | undefined;
    })
  | (BesideAnswer & {
      readonly kind: "trailers";
      readonly direction: Direction;
      readonly mutation: HeaderMutation | undefined;
    })
  | (BesideAnswer & {
      readonly kind: "immediate";
      readonly httpStatus: number;
      readonly headers: readonly HeaderPut[];
      readonly body: Uint8Array;
      /** google.rpc.Code; Envoy sends it to gRPC clients. */
      readonly grpcStatus: number | undefined;
      /** `%RESPONSE_CODE_DETAILS%`; no spaces. */
      readonly details: string;
    });
