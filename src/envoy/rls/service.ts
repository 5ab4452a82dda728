import { type Answer, StoreError, type StoreFault } from "../../quota/index.js";
import {
  checkRequest,
  type RateLimitAnswer,
  RateLimitError,
  type RateLimitErrorKind,
  type RateLimits,
} from "../../ratelimit/index.js";
import { readRateLimitRequest } from "./request.js";
import { encodeRateLimitResponse } from "./response.js";
import { type RpcCode, RpcError, rpcCode } from "./rpc-error.js";

/** How a call ended, without anything of what was in it. */
export interface RateLimitCall {
  /** Status of gRPC; 0: answered. */
  readonly status: 0 | RpcCode;
  /** The verdict; undefined where there is none. */
  readonly code: RateLimitAnswer["code"] | undefined;
  readonly elapsedMs: number;
}

/** What the service needs from its surroundings. */
export interface RateLimitServiceOptions {
  /** The limits in force; undefined while there is no valid configuration. */
  readonly current: () => RateLimits | undefined;
  /** Monotonic milliseconds. */
  readonly now: () => number;
  /** Told of every call. Must not throw. */
  readonly observe: (call: RateLimitCall) => void;
  /** Told of what should not have happened; of a store that fails its own observers know. Must not throw. */
  readonly onError: (error: unknown) => void;
}

/** `envoy.service.ratelimit.v3.RateLimitService`. */
export interface RateLimitService {
  /**
   * Decides on an encoded RateLimitRequest; gives an encoded RateLimitResponse. Throws or rejects with
   * RpcError and nothing else: whether Envoy then lets the request through is for its `failure_mode_deny` to
   * say.
   */
  readonly shouldRateLimit: (bytes: Uint8Array) => Answer<Uint8Array>;
}

/** Texts say nothing of where the store is: a driver's own error may hold its address and password. */
const storeTexts: Readonly<Record<StoreFault, string>> = {
  unavailable: "rate limit store is unavailable",
  timeout: "rate limit store did not answer in time",
  full: "rate limit store is full",
  // In the peer's words.
  overflow: "rate limit store: increment or decrement would overflow",
};

/** What envoyproxy/ratelimit has a check for is UNKNOWN there; it has none for the others. */
const requestCodes: Readonly<Record<RateLimitErrorKind, RpcCode>> = {
  empty_domain: rpcCode.unknown,
  empty_descriptors: rpcCode.unknown,
  bad_override: rpcCode.invalidArgument,
  bad_hits: rpcCode.invalidArgument,
};

/** Makes the service, which knows nothing of the transport. */
export function createRateLimitService(options: RateLimitServiceOptions): RateLimitService {
  const { current, now, observe, onError } = options;

  /** The checks are in the order of envoyproxy/ratelimit's, which shows where a call fails several. */
  function decide(bytes: Uint8Array): Answer<RateLimitAnswer> {
    const request = readRateLimitRequest(bytes);
    checkRequest(request);
    const limits = current();
    if (limits === undefined) throw new RpcError(rpcCode.unknown, "no rate limit configuration loaded");
    return limits.decide(request);
  }

  function finish(answer: RateLimitAnswer, started: number): Uint8Array {
    const encoded = encodeRateLimitResponse(answer);
    observe({ status: 0, code: answer.code, elapsedMs: now() - started });
    return encoded;
  }

  function fail(error: unknown, started: number): RpcError {
    const shown = toRpcError(error);
    if (shown.code === rpcCode.internal && shown !== error) onError(error);
    observe({ status: shown.code, code: undefined, elapsedMs: now() - started });
    return shown;
  }

  return {
    shouldRateLimit(bytes) {
      const started = now();
      try {
        const answer = decide(bytes);
        if (!(answer instanceof Promise)) return finish(answer, started);
        return answer
          .then((value) => finish(value, started))
          .catch((error: unknown) => {
            throw fail(error, started);
          });
      } catch (error) {
        throw fail(error, started);
      }
    },
  };
}

function toRpcError(error: unknown): RpcError {
  if (error instanceof RpcError) return error;
  if (error instanceof RateLimitError) return new RpcError(requestCodes[error.kind], error.message);
  if (error instanceof StoreError) {
    return new RpcError(rpcCode.unknown, storeTexts[error.fault], { cause: error });
  }
  return new RpcError(rpcCode.internal, "internal error", { cause: error });
}
