/** A gRPC service that is described under `proto/`. */
export interface ProtoService {
  /** Full name, as in a gRPC path and in health checks. */
  readonly name: string;
  /** The file that declares it, relative to `proto/`. */
  readonly file: string;
}

/**
 * The roots of `proto/`: each is loaded at start, and the script `protos` generates types for these files.
 */
export const PROTO_SERVICES: readonly ProtoService[] = [
  { name: "envoy.service.accesslog.v3.AccessLogService", file: "envoy/service/accesslog/v3/als.proto" },
  { name: "envoy.service.auth.v3.Authorization", file: "envoy/service/auth/v3/external_auth.proto" },
  {
    name: "envoy.service.ext_proc.v3.ExternalProcessor",
    file: "envoy/service/ext_proc/v3/external_processor.proto",
  },
  { name: "envoy.service.ratelimit.v3.RateLimitService", file: "envoy/service/ratelimit/v3/rls.proto" },
  { name: "grpc.health.v1.Health", file: "grpc/health/v1/health.proto" },
];
