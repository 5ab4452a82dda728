import { StoreError, type StoreFault } from "../quota/index.js";
import { type Breaker, type BreakerState, createBreaker } from "./redis-breaker.js";
import { connectRedis } from "./redis-connection.js";
import type { RedisTarget } from "./redis-options.js";
import type { Script } from "./redis-scripts.js";

/** What is done with counters; for metrics. */
export type RedisOperation = "charge" | "refund" | "debit" | "add" | "look" | "read" | "reset";

/** Told of what happens between us and Redis, for metrics. Must not throw. */
export interface RedisObserver {
  /** `result` is `ok` or why not; `ms` from question to answer. */
  operation(operation: RedisOperation, result: "ok" | StoreFault, ms: number): void;
  breaker(state: BreakerState): void;
  connection(isUp: boolean): void;
  /** A charge was refused without asking Redis. */
  refusedLocally(): void;
}

/** What a store on Redis takes from its surroundings. */
export interface RedisPorts {
  /** Milliseconds that never go back; default: performance.now. */
  readonly monotonic?: () => number;
  /** From 0 to below 1; default: Math.random. */
  readonly random?: () => number;
  readonly observer?: RedisObserver;
  /** Told once when the connection or the breaker goes, and once when it comes back. No secrets in it. */
  readonly logger?: {
    info(fields: object, message: string): void;
    warn(fields: object, message: string): void;
  };
}

/** The clock of deadlines and pauses. */
export function clockOf({ monotonic = () => performance.now() }: RedisPorts): () => number {
  return monotonic;
}

/** One question to Redis. */
export interface Question {
  readonly operation: RedisOperation;
  readonly keys: readonly string[];
  readonly args: readonly (string | number)[];
}

/** Asks Redis, within a deadline. */
export interface RedisClient {
  /**
   * Runs a script; rejects with StoreError only. Where the server does not know the script it is sent along.
   */
  readonly run: (script: Script, question: Question) => Promise<unknown>;
  readonly close: () => Promise<void>;
}

/** How often at most a server that only reads is left for the one that its name leads to now. */
const reconnectMs = 1_000;

/** Connects in the background; what is asked while the first attempt is under way waits for it. */
export function createRedisClient(target: RedisTarget, ports: RedisPorts): RedisClient {
  const { random = Math.random, observer, logger } = ports;
  const now = clockOf(ports);
  const { timeoutMs, where } = target;
  const breaker: Breaker = createBreaker({
    now,
    onChange: (state) => {
      observer?.breaker(state);
      if (state === "open") logger?.warn({ redis: where }, "redis is not asked for a while");
      if (state === "closed") logger?.info({ redis: where }, "redis is asked again");
    },
  });
  let isUp: boolean | undefined;
  let isClosed = false;
  let isOpening = true;
  let leftAt = Number.NEGATIVE_INFINITY;
  const setUp = (next: boolean, reason: string | undefined): void => {
    if (isUp === next) return;
    isUp = next;
    observer?.connection(next);
    if (next) logger?.info({ redis: where }, "connected to redis");
    else logger?.warn({ redis: where, reason }, "no connection to redis");
  };
  const connection = connectRedis(target, {
    random,
    onError: (reason) => {
      if (!connection.isReady()) setUp(false, reason);
    },
    onReady: () => setUp(true, undefined),
    onLost: () => setUp(false, "lost"),
  });
  void connection.opened.then(() => {
    isOpening = false;
  });

  const exchange = async (script: Script, { keys, args }: Question): Promise<unknown> => {
    if (isOpening) await connection.opened;
    if (!connection.isReady()) throw new StoreError("unavailable", `no connection to redis \`${where}\``);
    try {
      return await connection.send("evalsha", [script.sha, keys.length, ...keys, ...args]);
    } catch (error) {
      if (!(error instanceof Error && error.message.startsWith("NOSCRIPT"))) throw error;
      return await connection.send("eval", [script.source, keys.length, ...keys, ...args]);
    }
  };

  const failure = (error: unknown): StoreError => {
    if (error instanceof StoreError) return error;
    const code = replyCode(error);
    if (code === "OOM") return new StoreError("full", `redis \`${where}\` has no memory left`);
    if (code === "READONLY" && now() - leftAt >= reconnectMs) {
      leftAt = now();
      connection.reconnect();
    }
    return new StoreError("unavailable", `redis \`${where}\` failed: ${code}`);
  };

  const run = (script: Script, question: Question): Promise<unknown> => {
    const startedAt = now();
    const told = (result: "ok" | StoreFault): void =>
      observer?.operation(question.operation, result, now() - startedAt);
    if (isClosed || !breaker.tryPass()) {
      told("unavailable");
      const why = isClosed ? "the store is closed" : `redis \`${where}\` failed lately and is not asked`;
      return Promise.reject(new StoreError("unavailable", why));
    }
    return new Promise((resolve, reject) => {
      let isSettled = false;
      const fail = (error: StoreError): void => {
        if (isSettled) return;
        isSettled = true;
        clearTimeout(timer);
        // A server without memory does answer.
        if (error.fault === "full") breaker.passed();
        else breaker.failed();
        told(error.fault);
        reject(error);
      };
      const expire = (): void =>
        fail(new StoreError("timeout", `no answer of redis \`${where}\` in ${timeoutMs} ms`));
      // One turn later: where this process was busy for too long, the answer may be there, not yet read.
      const timer = setTimeout(() => setImmediate(expire), timeoutMs);
      exchange(script, question).then(
        (reply) => {
          if (isSettled) return;
          isSettled = true;
          clearTimeout(timer);
          breaker.passed();
          told("ok");
          resolve(reply);
        },
        (error: unknown) => fail(failure(error)),
      );
    });
  };

  return {
    run,
    close: async () => {
      isClosed = true;
      connection.close();
    },
  };
}

/** The first word of a server's error, else why there was no answer. */
function replyCode(error: unknown): string {
  const text = error instanceof Error ? error.message : "";
  const code = /^-?([A-Z]{2,})\b/.exec(text)?.[1];
  // A script's own error names the place in it.
  const place = /script:? ?[0-9a-z_]*:? ?\w*:?(\d+):/.exec(text)?.[1];
  if (code === undefined) return "the connection was lost";
  return place === undefined ? code : `${code} in line ${place} of a script`;
}
