import type { Attributes, ByteString, Ip, JsonObject, ServiceRef, Workload } from "../attributes/index.js";

/**
 * Which part of its life a request or connection is in: `open` (Envoy's DownstreamStart, TcpConnectionStart,
 * TcpUpstreamConnected …), `continue` (Periodic), `close` (End). A request is counted when it closes.
 */
export type ReportEvent = "open" | "continue" | "close";

/** On which side of the call the proxy stands: Istio's WorkloadMode, and its label `reporter`. */
export type ReportSide = "client" | "server";

/** A workload as the mesh's telemetry names it. Compared by identity where label sets are remembered. */
export interface Party {
  readonly workload: Workload;
  /** Istio's `CLUSTER_ID`, empty when unknown. */
  readonly cluster: string;
  readonly canonicalService: string;
  readonly canonicalRevision: string;
}

/** The proxy that reports. The same object for one stream as long as its node says the same. */
export interface Reporter {
  /** `node.id`. */
  readonly id: string;
  /** `node.cluster`. */
  readonly cluster: string;
  /** The log's name in Envoy's configuration. */
  readonly logName: string;
  /** Of the node's metadata; undefined where it names no namespace. */
  readonly party: Party | undefined;
}

/** What came back on an HTTP request. */
export interface ReportResponse {
  /** 0 when none was sent. */
  readonly code: number;
  /** Envoy's `response_code_details`: `via_upstream`, `ext_authz_denied` … */
  readonly codeDetails: string;
  /** Lower-cased names; only those that Envoy was told to log. */
  readonly headers: ReadonlyMap<string, ByteString>;
  readonly trailers: ReadonlyMap<string, ByteString>;
  /** Of the trailers, else of the headers; undefined where neither has it. */
  readonly grpcStatus: number | undefined;
  readonly headersBytes: number;
  readonly bodyBytes: number;
}

/** Milliseconds, with fractions; undefined where it did not come to that. All but `start` count from `start`. */
export interface ReportTimes {
  /** Milliseconds since the epoch. */
  readonly start: number;
  /** To the end of the request or, of an open one, until now. */
  readonly duration: number | undefined;
  readonly lastRequestByte: number | undefined;
  readonly firstUpstreamByteSent: number | undefined;
  readonly lastUpstreamByteSent: number | undefined;
  readonly firstUpstreamByteReceived: number | undefined;
  readonly lastUpstreamByteReceived: number | undefined;
  readonly firstResponseByte: number | undefined;
  readonly lastResponseByte: number | undefined;
}

/** Bytes on the wire, headers and framing included. Of connections: since the report before. */
export interface ReportBytes {
  /** From the client. */
  readonly received: number;
  /** To the client. */
  readonly sent: number;
  readonly upstreamReceived: number;
  readonly upstreamSent: number;
}

/** Where the request or connection went. */
export interface ReportUpstream {
  readonly cluster: string;
  readonly address: Ip | undefined;
  readonly port: number;
  /** The proxy's own end of the connection to it. */
  readonly localAddress?: Ip | undefined;
  readonly localPort?: number;
  /** 0 when none was tried. */
  readonly attempts: number;
  readonly transportFailure: string;
}

/** TLS of the downstream connection. */
export interface ReportTls {
  /** `TLSv1.3`, empty when unknown. */
  readonly version: string;
  readonly peerPrincipal: string;
  readonly localPrincipal: string;
}

/** What became of the check at the proxy. */
export type CheckOutcomeAtProxy =
  /** Envoy got our answer, which its metadata hold. */
  | "allowed"
  | "denied"
  /** Our answer was a refusal, and Envoy let the request pass, since its filter is in shadow mode. */
  | "shadow_denied"
  /** Envoy got no answer that it could use, in shadow mode. */
  | "shadow_error"
  /** Envoy got no answer that it could use, and refused. */
  | "error"
  /** The same, and what it says of its latency tells that it waited for as long as it may. */
  | "timeout"
  /** Our answer was a refusal, and an upstream answered nevertheless. Somebody has to look. */
  | "denied_but_served"
  /** No sign of a check: none was asked, or the failure mode let pass what got no answer. */
  | "none";

/** The decision as the dynamic metadata of the check's answer hold it; nothing in it is remembered by us. */
export interface ReportCheck {
  readonly outcome: CheckOutcomeAtProxy;
  /** Empty when there are no metadata of a decision. */
  readonly decisionId: string;
  readonly allowed: boolean | undefined;
  /** google.rpc.Code. */
  readonly code: number | undefined;
  readonly stage: string;
  readonly reason: string;
  /** `NAMESPACE/NAME`, empty when no policy decided. */
  readonly policy: string;
  readonly rule: number | undefined;
  readonly snapshot: number | undefined;
  readonly failedOpen: boolean;
  /** Of the caller, as the decision has it: ISSUER/SUBJECT. */
  readonly principal: string;
  readonly quota: readonly ReportQuota[];
  /** As in the metadata. */
  readonly dryRun: readonly JsonObject[];
  /** BodyPolicies that the decision asks for, `NAMESPACE/NAME`. */
  readonly obligations: readonly string[];
  /** Those of them that nobody carried out to the end although the request was served; known when it is over. */
  readonly unmet: readonly string[];
  /** What body policies did; undefined where none applied. */
  readonly body: ReportBody | undefined;
  /** What the check took as Envoy sees it, in milliseconds; undefined when it does not say. */
  readonly latencyMs: number | undefined;
}

/** What policies over bodies and responses did with one exchange: names and numbers, never a part of a body. */
export interface ReportBody {
  /** `NAMESPACE/NAME` of those that applied, dry runs included. */
  readonly policies: readonly string[];
  /** Of the obligations those that were carried out to the end. */
  readonly fulfilled: readonly string[];
  /** Findings and changed fields, by `NAMESPACE/NAME/RULE`. */
  readonly changes: ReadonlyMap<string, number>;
  /** The sum of them, those that are not named included. */
  readonly changed: number;
  readonly refused:
    | {
        /** Empty where no policy did, but what it needs is missing. */
        readonly policy: string;
        readonly reason: string;
        readonly phase: "request" | "response" | undefined;
      }
    | undefined;
  /** What policies on trial would have refused. */
  readonly dryRun: readonly { readonly policy: string; readonly reason: string }[];
  /** Bytes that were looked at. */
  readonly requestBytes: number;
  readonly responseBytes: number;
  /** What was charged to quotas after the fact. */
  readonly usage: readonly { readonly quota: string; readonly units: number }[];
  /** Not everything was looked at: `onLimit: pass`, or a fault with `failOpen`. */
  readonly unscanned: boolean;
}

/** What one quota took. */
export interface ReportQuota {
  readonly quota: string;
  readonly cost: number;
  readonly limit: number;
  readonly remaining: number;
}

/** What happened: an entry of Envoy's access log in the vocabulary of decisions. Immutable. */
export interface Report {
  /** The request, or the connection, as decisions see it. Of headers those that Envoy was told to log. */
  readonly attributes: Attributes;
  readonly event: ReportEvent;
  /**
   * No report of the same connection came before: of TCP, it was opened. Undefined where that is not known: then
   * exactly an `open` is the first.
   */
  readonly isFirst?: boolean | undefined;
  readonly reporter: Reporter;
  readonly side: ReportSide;
  readonly source: Party | undefined;
  readonly destination: Party | undefined;
  /** `destination.service`: undefined when unknown. */
  readonly service: ServiceRef | undefined;
  /** Undefined on TCP. */
  readonly response: ReportResponse | undefined;
  /** Bytes of the request's headers and body; 0 on TCP. */
  readonly requestHeadersBytes: number;
  readonly requestBodyBytes: number;
  /** Envoy's short names joined by commas, `-` when there is none: `UF,URX`. */
  readonly flags: string;
  readonly times: ReportTimes;
  readonly bytes: ReportBytes;
  /** Of a connection: since it began. */
  readonly totals?: ReportBytes | undefined;
  readonly upstream: ReportUpstream;
  /** Undefined on plain text. */
  readonly tls: ReportTls | undefined;
  readonly routeName: string;
  /** Why the connection ended, if Envoy says so. */
  readonly terminationDetails: string;
  /** Envoy's own id of the stream or connection; for HTTP x-request-id, which clients control. */
  readonly streamId: string;
  /** gRPC messages, where Envoy's grpc_stats filter counts them. */
  readonly messages: { readonly request: number; readonly response: number } | undefined;
  readonly check: ReportCheck;
  readonly customTags: ReadonlyMap<string, string>;
}
