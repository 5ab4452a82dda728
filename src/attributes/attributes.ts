import type { Ip } from "./address.js";
import type { Identity } from "./identity.js";
import type { JsonObject } from "./json.js";
import type { Workload } from "./workload.js";

/**
 * A text as the bytes that came over the wire, one character a byte (ISO 8859-1), since Envoy matches bytes.
 * For ASCII, that is nearly always, it is the text itself.
 */
export type ByteString = string;

/** One end of the connection. */
export interface Peer {
  /**
   * The address of the TCP connection's end, never one from a header. Undefined for pipes and unknown forms.
   */
  readonly ip: Ip | undefined;
  /** 0 when unknown. */
  readonly port: number;
  /** `source.principal` as Envoy names it: the first URI SAN, else the first DNS SAN, else the subject. */
  readonly principal: string;
}

/** The HTTP request, as Envoy sent it: nothing in it has been decoded or normalised again. */
export interface HttpRequest {
  /** Envoy's stream id. Not `x-request-id`, which clients control. */
  readonly id: string;
  readonly method: ByteString;
  /** `:authority` as sent: case, port and trailing dot are kept. */
  readonly host: ByteString;
  /** `:path` as sent, with its query. */
  readonly path: ByteString;
  /** `path` up to the first `?` or `#`. */
  readonly urlPath: ByteString;
  readonly scheme: string;
  readonly protocol: string;
  /**
   * Lower-cased names, pseudo-headers included; every line's value in order. Names are not unified: `a_b` is
   * not `a-b`.
   */
  readonly headers: ReadonlyMap<string, readonly ByteString[]>;
  /** Content length in bytes, -1 when unknown. */
  readonly size: number;
  /** What of the body Envoy was told to send along; empty when none. */
  readonly body: Uint8Array;
}

/** The verified token of the request; only stage 3 (authn) makes one. */
export interface RequestAuth {
  /** The whole payload. */
  readonly payload: JsonObject;
}

/** Parts of a connection that nobody told us of. */
export interface Unsent {
  /** `source.ip`, `source.port`, and `remoteIp` where it would be the peer's. */
  readonly peer: Error | undefined;
  /** `identity`, `source.principal`. */
  readonly identity: Error | undefined;
  /** `destination.ip`, `destination.port`. */
  readonly destination: Error | undefined;
  readonly sni: Error | undefined;
}

/** What a request is: the one vocabulary of every policy language. Immutable; edits make a new one. */
export interface Attributes {
  /** `tcp`: from the network filter, there is no `request`. */
  readonly protocol: "http" | "tcp";
  /** Milliseconds since the epoch when Envoy saw the request, 0 when it did not say. */
  readonly time: number;
  readonly source: Peer;
  readonly destination: Peer;
  /** The client as the listener's X-Forwarded-For settings see it; the peer's address on TCP. */
  readonly remoteIp: Ip | undefined;
  /** The names in the client's certificate, undefined without one. */
  readonly identity: Identity | undefined;
  /** Why the client's certificate cannot be read: to be thrown by whatever decides by the identity. */
  readonly identityFault?: Error | undefined;
  /**
   * What the proxy's configuration keeps from us, each as the error to be thrown by whatever decides by it: else a rule
   * that refuses would be passed over. Undefined: nothing.
   */
  readonly unsent?: Unsent | undefined;
  /**
   * The connection is known to be TLS. A CheckRequest does not say so itself: true with a client certificate,
   * an SNI or a server principal.
   */
  readonly tls: boolean;
  /** Lower-cased, empty when there was none. */
  readonly sni: ByteString;
  /** What the request itself says of its destination's workload, undefined when it says nothing. */
  readonly workload: Workload | undefined;
  readonly request: HttpRequest | undefined;
  /** Dynamic metadata of another Envoy filter that stood before. */
  readonly metadata: (filter: string) => JsonObject | undefined;
  /** Metadata of the route that Envoy chose. */
  readonly routeMetadata: (filter: string) => JsonObject | undefined;
  readonly auth: RequestAuth | undefined;
}
