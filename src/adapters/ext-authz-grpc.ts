import { isIP } from "node:net";
import { type ChannelOptions, Client, type ClientUnaryCall, credentials, Metadata } from "@grpc/grpc-js";
import { grpcCode, type ProviderRequest, type Verdict } from "../engine/index.js";
import type { CheckResponse__Output } from "../proto/index.js";
import { readCheckResponse } from "./ext-authz-grpc-response.js";
import type { Egress } from "./http-egress.js";
import { defaultTimeoutMs, failed, type OpenProvider, type ProviderBase } from "./providers-verdict.js";

/**
 * Istio's `envoyExtAuthzGrpc`. There are no settings for the body: the question goes on byte by byte, with
 * the body that our own ext_authz filter was told to send (`with_request_body` of the listener).
 */
export interface GrpcProviderOptions extends ProviderBase {
  readonly protocol: "grpc";
}

/** What the gRPC provider is given beside its options. */
export interface GrpcProviderWiring {
  /** Throws for bytes that are no CheckResponse. */
  readonly decodeCheckResponse: (bytes: Buffer) => CheckResponse__Output;
  /** Judges the host; a name's addresses are not judged here, since the gRPC library resolves by itself. */
  readonly egress: Egress;
}

const checkPath = "/envoy.service.auth.v3.Authorization/Check";
const maxAnswerBytes = 4 * 1024 * 1024;
const maxTimeoutMs = 2_147_483_647;

/**
 * Connects with the first question and stays connected; a lost connection is tried again at least once a
 * second.
 */
export function createGrpcProvider(options: GrpcProviderOptions, wiring: GrpcProviderWiring): OpenProvider {
  const { host, port } = options;
  const client = new Client(target(host, port), credentials.createInsecure(), channelOptions(host));
  const reachable = wiring.egress.allowsHost(host);
  const timeoutMs = Math.min(options.timeoutMs || defaultTimeoutMs, maxTimeoutMs);
  const underWay = new Map<ClientUnaryCall, Promise<Verdict>>();
  let closed = false;

  const ask = ({ original }: ProviderRequest): Promise<Verdict> => {
    if (closed || !reachable) return Promise.resolve(failed(options, grpcCode.unavailable));
    let call: ClientUnaryCall | undefined;
    const verdict = new Promise<Verdict>((resolve) => {
      call = client.makeUnaryRequest(
        checkPath,
        asBuffer,
        wiring.decodeCheckResponse,
        original,
        new Metadata(),
        { deadline: Date.now() + timeoutMs },
        (error, response) => resolve(conclude(options, error?.code, response)),
      );
    }).catch(() => failed(options, grpcCode.internal));
    if (call === undefined) return verdict;
    const started = call;
    underWay.set(started, verdict);
    return verdict.finally(() => underWay.delete(started));
  };

  const close = async (graceMs = 0): Promise<void> => {
    closed = true;
    if (underWay.size > 0) {
      const timer = setTimeout(() => {
        for (const call of underWay.keys()) call.cancel();
      }, graceMs);
      await Promise.allSettled(underWay.values());
      clearTimeout(timer);
    }
    client.close();
  };
  return { ask, close };
}

function conclude(
  options: GrpcProviderOptions,
  error: number | undefined,
  response: CheckResponse__Output | undefined,
): Verdict {
  if (error !== undefined || response === undefined) return failed(options, error ?? grpcCode.internal);
  try {
    return readCheckResponse(response, options);
  } catch {
    return failed(options, grpcCode.internal);
  }
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function target(host: string, port: number): string {
  const family = isIP(host);
  if (family === 0) return `dns:${host}:${port}`;
  return family === 4 ? `ipv4:${host}:${port}` : `ipv6:[${host}]:${port}`;
}

function channelOptions(host: string): ChannelOptions {
  return {
    // As Istio configures Envoy: the service's name without its port.
    "grpc.default_authority": isIP(host) === 6 ? `[${host}]` : host,
    // No proxy from the environment, no service config from DNS.
    "grpc.enable_http_proxy": 0,
    "grpc.service_config_disable_resolution": 1,
    // Not shared with other clients of this process, so that close() ends the connection.
    "grpc.use_local_subchannel_pool": 1,
    "grpc.keepalive_time_ms": 30_000,
    "grpc.keepalive_timeout_ms": 5000,
    "grpc.initial_reconnect_backoff_ms": 100,
    "grpc.max_reconnect_backoff_ms": 1000,
    "grpc.dns_min_time_between_resolutions_ms": 1000,
    "grpc.max_receive_message_length": maxAnswerBytes,
  };
}
