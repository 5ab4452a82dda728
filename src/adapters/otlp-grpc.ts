import { isIP } from "node:net";
import {
  Client,
  type ClientUnaryCall,
  credentials,
  Metadata,
  type ServiceError,
  status,
} from "@grpc/grpc-js";
import type { OtlpSinkSpec } from "../logs/index.js";
import type { Egress } from "./http-egress.js";
import { readRejected, readRetryDelay, type Sent } from "./otlp-answer.js";
import type { OtlpTransport } from "./otlp-http.js";
import type { SinkLogger } from "./sinks-ports.js";

const methods = {
  logs: "/opentelemetry.proto.collector.logs.v1.LogsService/Export",
  traces: "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
} as const;

/** Of the OTLP specification; RESOURCE_EXHAUSTED only with a RetryInfo. */
const retryable = new Set([
  status.CANCELLED,
  status.DEADLINE_EXCEEDED,
  status.ABORTED,
  status.OUT_OF_RANGE,
  status.UNAVAILABLE,
  status.DATA_LOSS,
]);

/** OTLP/gRPC. Connects with the first batch. */
export function grpcTransport(
  spec: OtlpSinkSpec,
  signal: "logs" | "traces",
  { egress, logger }: { readonly egress: () => Egress; readonly logger: SinkLogger },
): OtlpTransport {
  const security = spec.tls ? credentials.createSsl() : credentials.createInsecure();
  const client = new Client(target(spec), security, {
    // No proxy from the environment, no service config from DNS, no retries beside ours.
    "grpc.enable_http_proxy": 0,
    "grpc.enable_retries": 0,
    "grpc.service_config_disable_resolution": 1,
    // Not shared with other clients of this process, so that close() ends the connection.
    "grpc.use_local_subchannel_pool": 1,
    "grpc.initial_reconnect_backoff_ms": 100,
    "grpc.max_reconnect_backoff_ms": 1000,
    "grpc.max_receive_message_length": 64 * 1024,
  });
  const metadata = metadataOf(spec, logger);
  let underWay: ClientUnaryCall | undefined;

  const send = (bytes: Uint8Array): Promise<Sent> => {
    if (!egress().allowsHost(spec.host)) {
      return Promise.resolve({ kind: "later", afterMs: undefined, reason: "may not be connected to" });
    }
    return new Promise<Sent>((resolve) => {
      underWay = client.makeUnaryRequest(
        methods[signal],
        (message: Uint8Array) => Buffer.from(message.buffer, message.byteOffset, message.byteLength),
        (answer: Buffer) => answer,
        bytes,
        metadata,
        { deadline: Date.now() + spec.timeoutMs },
        (error, answer) => {
          underWay = undefined;
          resolve(
            error === null
              ? { kind: "taken", rejected: readRejected(answer ?? new Uint8Array()) }
              : judge(error),
          );
        },
      );
    }).catch(() => ({ kind: "refused", reason: "cannot be sent" }));
  };
  return {
    send,
    close: () => {
      underWay?.cancel();
      client.close();
    },
  };
}

function judge({ code, metadata }: ServiceError): Sent {
  const detail = metadata?.get("grpc-status-details-bin")[0];
  const afterMs = detail instanceof Buffer ? readRetryDelay(detail) : undefined;
  const reason = `gRPC status ${status[code] ?? code}`;
  const isLater = retryable.has(code) || (code === status.RESOURCE_EXHAUSTED && afterMs !== undefined);
  return isLater ? { kind: "later", afterMs, reason } : { kind: "refused", reason };
}

function metadataOf({ name, headers }: OtlpSinkSpec, logger: SinkLogger): Metadata {
  const metadata = new Metadata();
  for (const [header, value] of headers) {
    try {
      metadata.add(header, value);
    } catch {
      logger.warn({ sink: name, header }, "header cannot be sent over grpc");
    }
  }
  return metadata;
}

function target({ host, port }: OtlpSinkSpec): string {
  const family = isIP(host);
  if (family === 0) return `dns:${host}:${port}`;
  return family === 4 ? `ipv4:${host}:${port}` : `ipv6:[${host}]:${port}`;
}
