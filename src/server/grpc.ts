import type { ServerHttp2Session } from "node:http2";
import grpc from "@grpc/grpc-js";
import { type Authorization, type ExtProcService, type RateLimitService, RpcError } from "../envoy/index.js";
import type { CheckRequest__Output } from "../proto/index.js";
import { cannotListen, formatAddress, type ListenAddress, removeStaleSocket } from "./address.js";
import { createTurnover } from "./connection-turnover.js";
import { type AccessLogReceiver, createAccessLogMethod } from "./grpc-access-log.js";
import { createExtProcHandler } from "./grpc-ext-proc.js";
import { createHealth } from "./health.js";
import {
  ACCESS_LOG,
  AUTHORIZATION,
  EXTERNAL_PROCESSOR,
  loadProtos,
  RATE_LIMIT,
  type Received,
  tolerant,
} from "./protos.js";

/** What the transport knows of the caller: its certificate, if one was asked for and verified. */
export type PeerCertificate = ReturnType<grpc.ServerUnaryCall<unknown, unknown>["getAuthContext"]>;

/** What the transport is given. */
export interface TransportOptions {
  readonly authorization: Authorization;
  readonly rateLimit: RateLimitService;
  readonly accessLog: AccessLogReceiver;
  readonly extProc: ExtProcService;
  readonly credentials: grpc.ServerCredentials;
  /** Says why the caller may not ask, or undefined when it may. */
  readonly refusePeer: ((peer: PeerCertificate) => string | undefined) | undefined;
  /** Of a message; ext_proc may have 17 MiB where this is less. */
  readonly maxMessageBytes: number;
  readonly reflection: boolean;
  /** Told when the bytes of a Check were no message, and when the handler threw, which it should not. */
  readonly onError: (where: "decode" | "check", error: unknown) => void;
}

/** The gRPC server: everything that knows of the gRPC library is behind this. */
export interface Transport {
  /** Gives the address with the port that was chosen. */
  listen(address: ListenAddress): Promise<ListenAddress>;
  /** What health checks say of every service. */
  setServing(serving: boolean): void;
  /**
   * Takes no new connections, lets calls finish for at most `timeoutMs`, then ends them. True: all finished.
   */
  drain(timeoutMs: number): Promise<boolean>;
}

/** A message of ext_proc may be a body of 16 MiB, which is what is held of one, and what stands around it. */
const PROCESSING_BYTES = 17 * 1024 * 1024;

type CheckCall = grpc.ServerUnaryCall<Received<CheckRequest__Output>, Uint8Array>;

/** Envoy gives up on an idle peer by itself; these find the dead ones. */
const KEEPALIVE = { "grpc.keepalive_time_ms": 60_000, "grpc.keepalive_timeout_ms": 20_000 };

/**
 * Of one connection: where there are so many, Envoy opens another one. Far above what it has by its own circuit breakers, so
 * that nothing is refused which comes before it knows.
 */
const MAX_STREAMS = 10_000;

/** Makes a server that serves Authorization, ExternalProcessor, RateLimitService, AccessLogService, health and, if asked, reflection. */
export function createTransport(options: TransportOptions): Transport {
  const protos = loadProtos();
  // What it would log is thrown too, and its lines are not JSON.
  grpc.setLogVerbosity(grpc.logVerbosity.NONE);
  const server = new grpc.Server({
    // Of the whole server, as grpc-js knows no limit of one method: the others look at it themselves.
    "grpc.max_receive_message_length": Math.max(options.maxMessageBytes, PROCESSING_BYTES),
    "grpc.max_concurrent_streams": MAX_STREAMS,
    "grpc.enable_channelz": 0,
    ...KEEPALIVE,
  });
  const health = createHealth(["", ...protos.services]);
  health.addTo(server);
  server.addService(
    {
      Check: {
        ...protos.check,
        path: `/${AUTHORIZATION}/Check`,
        requestDeserialize: tolerant(protos.check.requestDeserialize, options.maxMessageBytes),
        responseSerialize: toBuffer,
      },
    },
    { Check: checkHandler(options) },
  );
  server.addService(
    {
      ShouldRateLimit: {
        path: `/${RATE_LIMIT}/ShouldRateLimit`,
        requestStream: false,
        responseStream: false,
        // Bytes in, bytes out: the service reads and writes them itself.
        requestSerialize: toBuffer,
        requestDeserialize: asIs,
        responseSerialize: toBuffer,
        responseDeserialize: asIs,
      },
    },
    { ShouldRateLimit: rateLimitHandler(options) },
  );
  const { refusePeer } = options;
  const accessLog = createAccessLogMethod(
    options.accessLog,
    refusePeer === undefined ? undefined : oncePerConnection(refusePeer),
    (bytes) => tooLong(bytes, options),
  );
  server.addService(
    {
      StreamAccessLogs: {
        path: `/${ACCESS_LOG}/StreamAccessLogs`,
        requestStream: true,
        responseStream: false,
        requestSerialize: toBuffer,
        requestDeserialize: asIs,
        responseSerialize: toBuffer,
        responseDeserialize: asIs,
      },
    },
    { StreamAccessLogs: accessLog.handle },
  );
  const countReset = createTurnover();
  const judgeProcessing = refusePeer === undefined ? undefined : oncePerConnection(refusePeer);
  server.addService(
    {
      Process: {
        path: `/${EXTERNAL_PROCESSOR}/Process`,
        requestStream: true,
        responseStream: true,
        requestSerialize: toBuffer,
        requestDeserialize: asIs,
        responseSerialize: toBuffer,
        responseDeserialize: asIs,
      },
    },
    {
      Process: createExtProcHandler(options.extProc, (call) => {
        const connection = connectionOf(call);
        call.on("cancelled", () => countReset(connection));
        if (judgeProcessing?.(call) === undefined) return false;
        // For its record; ext_proc has an answer of its own.
        void options.authorization.refuse("untrusted_caller");
        return true;
      }),
    },
  );
  let ready: Promise<void> = Promise.resolve();
  if (options.reflection) {
    ready = import("@grpc/reflection").then(({ ReflectionService }) => {
      new ReflectionService(protos.packages).addToServer(server);
    });
  }
  return {
    async listen(address) {
      await ready;
      if (address.kind === "unix") await removeStaleSocket(address.path);
      const port = await bind(server, formatAddress(address), options.credentials);
      return address.kind === "tcp" ? { ...address, port } : address;
    },
    setServing: health.setServing,
    drain: (timeoutMs) => {
      health.setServing(false);
      health.endWatches();
      // At the end with an error: Envoy goes on without an answer where a stream ends with OK.
      const drained = drain(server, timeoutMs, options.extProc.failAll);
      // After connections were told to go away: a stream that is opened in place of one that ends is opened elsewhere.
      accessLog.endAll(timeoutMs / 2);
      return drained;
    },
  };
}

function checkHandler(
  options: TransportOptions,
): grpc.handleUnaryCall<Received<CheckRequest__Output>, Uint8Array> {
  const { authorization, refusePeer, onError } = options;
  const judgePeer = refusePeer === undefined ? undefined : oncePerConnection(refusePeer);
  const lastNet = encodeLastNet();
  const failed = (error: unknown): Uint8Array => {
    onError("check", error);
    return lastNet;
  };
  const answer = (call: CheckCall): Uint8Array | Promise<Uint8Array> => {
    try {
      // Inside an OK call: an Envoy whose failure mode allows would let a gRPC error through.
      if (judgePeer?.(call) !== undefined) return authorization.refuse("untrusted_caller");
      const { message, bytes } = call.request;
      if (message !== undefined) return authorization.check(message, bytes);
      onError("decode", undefined);
      return authorization.refuse("bad_request");
    } catch (error) {
      return failed(error);
    }
  };
  return (call: CheckCall, callback) => {
    const error = tooLong(call.request.bytes, options);
    if (error !== undefined) {
      callback(error);
      return;
    }
    const answered = answer(call);
    if (answered instanceof Uint8Array) {
      callback(null, answered);
      return;
    }
    answered.then(
      (encoded) => callback(null, encoded),
      (error: unknown) => callback(null, failed(error)),
    );
  };
}

/**
 * Failures are gRPC errors: what Envoy does with them its `failure_mode_deny` says, while it lets every other answer
 * pass that is not OVER_LIMIT.
 */
function rateLimitHandler(options: TransportOptions): grpc.handleUnaryCall<Uint8Array, Uint8Array> {
  const { rateLimit, refusePeer } = options;
  const judgePeer = refusePeer === undefined ? undefined : oncePerConnection(refusePeer);
  return (call, callback) => {
    const fail = (error: unknown): void => callback(statusOf(error));
    try {
      if (judgePeer?.(call) !== undefined) {
        callback({ code: grpc.status.PERMISSION_DENIED, details: "the caller may not ask here" });
        return;
      }
      const error = tooLong(call.request, options);
      if (error !== undefined) {
        callback(error);
        return;
      }
      const answer = rateLimit.shouldRateLimit(call.request);
      if (answer instanceof Uint8Array) callback(null, answer);
      else answer.then((bytes) => callback(null, bytes), fail);
    } catch (error) {
      fail(error);
    }
  };
}

/** The service throws nothing else; whatever else comes says nothing of itself. */
function statusOf(error: unknown): Partial<grpc.StatusObject> {
  return error instanceof RpcError
    ? { code: error.code, details: error.message }
    : { code: grpc.status.INTERNAL, details: "internal error" };
}

/** As grpc-js says it. */
function tooLong(
  { length }: Uint8Array,
  { maxMessageBytes }: TransportOptions,
): Partial<grpc.StatusObject> | undefined {
  if (length <= maxMessageBytes) return undefined;
  const details = `Received message larger than max (${length} vs ${maxMessageBytes})`;
  return { code: grpc.status.RESOURCE_EXHAUSTED, details };
}

function asIs(bytes: Buffer): Buffer {
  return bytes;
}

/** A certificate belongs to a connection, and grpc-js takes 110 µs to show it. */
function oncePerConnection(
  refuse: (peer: PeerCertificate) => string | undefined,
): (call: Pick<CheckCall, "getAuthContext">) => string | undefined {
  const judged = new WeakMap<object, { readonly reason: string | undefined }>();
  return (call) => {
    const connection = connectionOf(call);
    const known = connection === undefined ? undefined : judged.get(connection);
    if (known !== undefined) return known.reason;
    const reason = refuse(call.getAuthContext());
    if (connection !== undefined) judged.set(connection, { reason });
    return reason;
  };
}

/**
 * The call's HTTP/2 session, which grpc-js does not show in its types. Undefined, if it moves: then nothing
 * is kept.
 */
function connectionOf(call: unknown): ServerHttp2Session | undefined {
  return (call as { call?: { stream?: { session?: ServerHttp2Session } } }).call?.stream?.session;
}

/**
 * What a Check gets when nothing else could make an answer. A refusal inside an OK call, since Envoy's
 * failure mode may let a gRPC error through.
 */
function encodeLastNet(): Uint8Array {
  return loadProtos().check.responseSerialize({
    status: { code: grpc.status.INTERNAL },
    denied_response: { status: { code: 500 } },
  });
}

/** grpc-js copies with a method that only Buffer has. */
function toBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function bind(server: grpc.Server, address: string, credentials: grpc.ServerCredentials): Promise<number> {
  return new Promise((resolve, reject) => {
    server.bindAsync(address, credentials, (error, port) => {
      if (error === null) resolve(port);
      else reject(cannotListen(address, error));
    });
  });
}

function drain(server: grpc.Server, timeoutMs: number, failStreams: () => void): Promise<boolean> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => {
      failStreams();
      // In a later turn: until then the errors are on their way.
      setTimeout(() => {
        server.forceShutdown();
        resolve(false);
      }, 20);
    }, timeoutMs);
    server.tryShutdown(() => {
      clearTimeout(timer);
      resolve(true);
    });
  });
}
