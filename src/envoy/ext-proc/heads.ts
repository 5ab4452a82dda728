import type { ByteString } from "../../attributes/index.js";
import type { HeaderLines } from "./message.js";

/** What the session has to know of a request's headers. */
export interface RequestHead {
  readonly method: ByteString;
  /** CONNECT or an upgrade: bytes without end go both ways, if the upstream agrees. */
  readonly isTunnel: boolean;
  /** An upgrade that brings a body of its own, which Envoy sends nobody as a body: hides it from who has to see it. */
  readonly hidesBody: boolean;
  readonly hasBody: boolean;
  readonly isGrpc: boolean;
  readonly hasContentLength: boolean;
}

/** Reads a request's headers. */
export function requestHead(headers: HeaderLines, endOfStream: boolean): RequestHead {
  const method = first(headers, ":method");
  const isTunnel = !endOfStream && (method === "CONNECT" || isUpgrade(headers));
  const isFramed = headers.has("transfer-encoding") || !/^0*$/.test(first(headers, "content-length"));
  const hidesBody = isTunnel && isFramed;
  return {
    method,
    isTunnel,
    hidesBody,
    hasBody: !endOfStream && (!isTunnel || hidesBody),
    isGrpc: isGrpc(headers),
    hasContentLength: headers.has("content-length"),
  };
}

/** What the session has to know of a response's headers. */
export interface ResponseHead {
  readonly status: number;
  /** The upstream agreed to a tunnel. */
  readonly isTunnel: boolean;
  readonly hasBody: boolean;
  readonly isGrpc: boolean;
  readonly hasContentLength: boolean;
  /** Its headers end it, and they say that a gRPC call failed. */
  readonly isGrpcFailure: boolean;
}

/** Reads a response's headers; of the request undefined where it was not seen. */
export function responseHead(
  headers: HeaderLines,
  endOfStream: boolean,
  request: RequestHead | undefined,
): ResponseHead {
  const status = Number(first(headers, ":status"));
  const isConnected = request?.method === "CONNECT" && status >= 200 && status < 300;
  const isTunnel = request?.isTunnel === true && !endOfStream && (status === 101 || isConnected);
  const isBodiless = request?.method === "HEAD" || status === 204 || status === 304;
  const grpcStatus = first(headers, "grpc-status");
  return {
    status,
    isTunnel,
    hasBody: !endOfStream && !isTunnel && !isBodiless,
    isGrpc: isGrpc(headers),
    hasContentLength: headers.has("content-length"),
    isGrpcFailure: endOfStream && grpcStatus !== "" && grpcStatus !== "0",
  };
}

function first(headers: HeaderLines, name: string): ByteString {
  return headers.get(name)?.[0] ?? "";
}

function isUpgrade(headers: HeaderLines): boolean {
  if (!headers.has("upgrade")) return false;
  const lines = headers.get("connection") ?? [];
  return lines.some((line) => line.split(",").some((token) => token.trim().toLowerCase() === "upgrade"));
}

function isGrpc(headers: HeaderLines): boolean {
  return /^application\/grpc(?:[+;]|$)/i.test(first(headers, "content-type"));
}
