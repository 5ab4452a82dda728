import grpc from "@grpc/grpc-js";
import type { MethodDefinition, ServiceDefinition } from "@grpc/proto-loader";
import type { CheckRequest, CheckResponse__Output } from "../../src/proto/index.js";
import { loadProtos } from "../../src/server/protos.js";

const CHECK = "/envoy.service.auth.v3.Authorization/Check";
const insecure = grpc.credentials.createInsecure();

/** Sends raw bytes to a unary method over a connection of its own. Rejects with grpc-js's ServiceError. */
export function callUnary(
  address: string,
  method: string,
  bytes: Buffer,
  credentials: grpc.ChannelCredentials = insecure,
): Promise<Buffer> {
  const client = new grpc.Client(address, credentials, {
    "grpc.use_local_subchannel_pool": 1,
    "grpc.ssl_target_name_override": "localhost",
  });
  const same = (value: Buffer): Buffer => value;
  return new Promise<Buffer>((resolve, reject) => {
    client.makeUnaryRequest(method, same, same, bytes, { deadline: Date.now() + 10_000 }, (error, value) => {
      client.close();
      if (error !== null || value === undefined) reject(error ?? new Error("no answer"));
      else resolve(value);
    });
  });
}

/** Sends the bytes as a CheckRequest, whatever they are. */
export async function checkBytes(
  address: string,
  bytes: Buffer,
  credentials?: grpc.ChannelCredentials,
): Promise<CheckResponse__Output> {
  return loadProtos().check.responseDeserialize(await callUnary(address, CHECK, bytes, credentials));
}

/** Asks as Envoy does. */
export function checkOver(
  address: string,
  request: CheckRequest,
  credentials?: grpc.ChannelCredentials,
): Promise<CheckResponse__Output> {
  return checkBytes(address, loadProtos().check.requestSerialize(request), credentials);
}

const RATE_LIMIT = "envoy.service.ratelimit.v3.RateLimitService";
const codes = ["UNKNOWN", "OK", "OVER_LIMIT"];
/** What the answer has for an unlimited descriptor, which has no limit either. */
const UNLIMITED = 4_294_967_295;

/** A call of Envoy's rate limit service. */
export interface LimitQuestion {
  readonly domain: string;
  readonly descriptors: readonly {
    readonly entries: readonly { readonly key: string; readonly value: string }[];
  }[];
}

/** The verdict, and what each descriptor has left; null where no limit applies. */
export interface LimitAnswer {
  readonly code: string;
  readonly left: readonly (number | null)[];
}

/** Asks as Envoy's rate limit filter does, over a connection of its own. */
export async function limitOver(address: string, question: LimitQuestion): Promise<LimitAnswer> {
  const { ShouldRateLimit } = loadProtos().packages[RATE_LIMIT] as ServiceDefinition;
  const { path, requestSerialize, responseDeserialize } = ShouldRateLimit as MethodDefinition<object, object>;
  const bytes = await callUnary(address, path, requestSerialize(question));
  const { overall_code, statuses = [] } = responseDeserialize(bytes) as {
    readonly overall_code?: number;
    readonly statuses?: readonly { readonly current_limit?: object; readonly limit_remaining?: number }[];
  };
  return {
    code: codes[overall_code ?? 0] ?? "?",
    left: statuses.map(({ current_limit: limit, limit_remaining: left = 0 }) =>
      limit || left === UNLIMITED ? left : null,
    ),
  };
}

/** A connection that is kept, as Envoy keeps its own. */
export interface CheckClient {
  readonly check: (request: CheckRequest) => Promise<CheckResponse__Output>;
  readonly close: () => void;
}

/** Connects with the first check. */
export function createCheckClient(address: string): CheckClient {
  const client = new grpc.Client(address, insecure, { "grpc.use_local_subchannel_pool": 1 });
  const { requestSerialize, responseDeserialize } = loadProtos().check;
  return {
    check: (request) =>
      new Promise((resolve, reject) => {
        const options = { deadline: Date.now() + 10_000 };
        client.makeUnaryRequest(
          CHECK,
          requestSerialize,
          responseDeserialize,
          request,
          options,
          (error, value) => {
            if (error !== null || value === undefined) reject(error ?? new Error("no answer"));
            else resolve(value);
          },
        );
      }),
    close: () => client.close(),
  };
}

/** What gRPC health says of a service. */
export async function healthOf(address: string, service: string): Promise<string> {
  const name = Buffer.from(service);
  const request =
    name.length === 0 ? Buffer.alloc(0) : Buffer.concat([Buffer.from([0x0a, name.length]), name]);
  const answer = await callUnary(address, "/grpc.health.v1.Health/Check", request);
  return ["UNKNOWN", "SERVING", "NOT_SERVING"][answer[1] ?? 0] ?? "UNKNOWN";
}
