import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import protoLoader from "@grpc/proto-loader";
import { GatehouseError } from "../diagnostics/index.js";
import {
  type CheckRequest,
  type CheckRequest__Output,
  type CheckResponse,
  type CheckResponse__Output,
  PROTO_SERVICES,
} from "../proto/index.js";
import { createCheckDecoder } from "./check-decoder.js";

/** What Envoy calls. */
export const AUTHORIZATION = "envoy.service.auth.v3.Authorization";

/** The service of quotas that Envoy calls. */
export const RATE_LIMIT = "envoy.service.ratelimit.v3.RateLimitService";

/** The service that Envoy streams its access logs to. */
export const ACCESS_LOG = "envoy.service.accesslog.v3.AccessLogService";

/** The service that Envoy lets look into requests and responses. */
export const EXTERNAL_PROCESSOR = "envoy.service.ext_proc.v3.ExternalProcessor";

const HEALTH = "grpc.health.v1.Health";

/** The decoded message and the bytes that it came in. */
export interface Received<Message> {
  /** Undefined when the bytes are no such message. */
  readonly message: Message | undefined;
  readonly bytes: Uint8Array;
}

/** The method as the gRPC library wants it, with its encoders and decoders. */
export interface CheckMethod {
  readonly path: string;
  readonly requestStream: false;
  readonly responseStream: false;
  readonly requestSerialize: (message: CheckRequest) => Buffer;
  readonly requestDeserialize: (bytes: Buffer) => CheckRequest__Output;
  readonly responseSerialize: (message: CheckResponse) => Buffer;
  readonly responseDeserialize: (bytes: Buffer) => CheckResponse__Output;
}

/** Everything in `proto/`, loaded once. */
export interface Protos {
  readonly packages: protoLoader.PackageDefinition;
  readonly check: CheckMethod;
  /** Full names of the Envoy services that are served. */
  readonly services: readonly string[];
}

let loaded: Protos | undefined;

/** Loads `proto/` of this package; takes some 20 ms the first time. */
export function loadProtos(): Protos {
  if (loaded !== undefined) return loaded;
  const services = PROTO_SERVICES.filter((service) => service.name !== HEALTH);
  const files = services.map((service) => service.file);
  // INVARIANT: the same options as in the script `protos`, which generates the types.
  const packages = protoLoader.loadSync(files, {
    includeDirs: [protoRoot()],
    keepCase: true,
    longs: String,
    oneofs: true,
  });
  const service = packages[AUTHORIZATION] as protoLoader.ServiceDefinition;
  const method = service["Check"] as unknown as Protos["check"];
  const check = { ...method, requestDeserialize: createCheckDecoder(protoRoot(), files) };
  loaded = { packages, check, services: services.map((service) => service.name) };
  return loaded;
}

/** From `dist/server` and `src/server` alike, the package root is two folders up. */
function protoRoot(): string {
  const root = join(dirname(fileURLToPath(import.meta.url)), "..", "..", "proto");
  if (!existsSync(root))
    throw new GatehouseError("source", `folder \`${root}\` is missing, expected proto files`);
  return root;
}

/** A protobuf decoder that never throws: garbage, and what has more than `maxBytes`, gives an undefined message. */
export function tolerant<Message>(
  decode: (bytes: Buffer) => Message,
  maxBytes: number,
): (bytes: Buffer) => Received<Message> {
  return (bytes) => {
    if (bytes.length > maxBytes) return { message: undefined, bytes };
    try {
      return { message: decode(bytes), bytes };
    } catch {
      return { message: undefined, bytes };
    }
  };
}
