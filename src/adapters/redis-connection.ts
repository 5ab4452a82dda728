import { Cluster, type ClusterOptions, Command, Redis, type RedisOptions } from "ioredis";
import type { RedisTarget } from "./redis-options.js";

/** A connection to one server or to a cluster, that comes back by itself. */
export interface RedisConnection {
  /**
   * Sends one command, together with all others of this turn of the event loop in one write per node. Rejects
   * at once without a connection, and when it is lost: nothing is sent twice, since it may have been counted.
   */
  readonly send: (name: string, args: (string | number)[]) => Promise<unknown>;
  /** Fulfilled, never rejected, when the first attempt to connect has ended, well or not. */
  readonly opened: Promise<void>;
  readonly isReady: () => boolean;
  /** Looks for the server anew: behind its name there may be another one. */
  readonly reconnect: () => void;
  readonly close: () => void;
}

/** What a connection takes from its surroundings. */
export interface ConnectionPorts {
  /** From 0 to below 1. */
  readonly random: () => number;
  /** What went wrong with a connection, without secrets; said for each attempt. */
  readonly onError: (reason: string) => void;
  readonly onReady: () => void;
  /** The connection is lost; it will be tried again. */
  readonly onLost: () => void;
}

/**
 * Between attempts to connect: this, doubled each time up to two seconds, and up to as much again by chance.
 */
const firstRetryMs = 50;
const longestRetryMs = 2_000;
/** Nothing came for so long while answers are due: the connection is dead, whatever TCP thinks. */
const silenceMs = 3_000;
const connectTimeoutMs = 2_000;

/** Connects now, in the background. */
export function connectRedis(target: RedisTarget, ports: ConnectionPorts): RedisConnection {
  const client = target.isCluster ? createCluster(target, ports) : createSingle(target, ports);
  let closed = false;
  client.on("error", (error: unknown) => ports.onError(connectionFault(error)));
  client.on("node error", (error: unknown) => ports.onError(connectionFault(error)));
  client.on("ready", ports.onReady);
  client.on("close", () => {
    if (!closed) ports.onLost();
  });
  // Errors come as events.
  const opened = client.connect().catch(() => {});

  const nodes = (): readonly Redis[] => (client instanceof Cluster ? client.nodes("master") : [client]);
  let corked: { readonly stream: Redis["stream"] }[] = [];
  const uncork = (): void => {
    const held = corked;
    corked = [];
    for (const { stream } of held) stream.uncork();
  };
  const cork = (): void => {
    for (const { stream } of nodes()) {
      if (stream === undefined || stream.destroyed) continue;
      stream.cork();
      corked.push({ stream });
    }
    // After the I/O callbacks of this turn, so that all requests that came in it leave together.
    if (corked.length > 0) setImmediate(uncork);
  };
  return {
    opened,
    isReady: () => client.status === "ready",
    send: (name, args) => {
      if (corked.length === 0) cork();
      const command = new Command(name, args, { replyEncoding: "utf8" });
      client.sendCommand(command);
      return command.promise;
    },
    reconnect: () => {
      if (!closed) client.disconnect(true);
    },
    close: () => {
      closed = true;
      const streams =
        client instanceof Cluster ? client.nodes().map(({ stream }) => stream) : [client.stream];
      client.disconnect();
      // A server that hangs would never end its side.
      for (const stream of streams) stream?.destroy();
    },
  };
}

function createSingle(target: RedisTarget, ports: ConnectionPorts): Redis {
  const [address] = target.addresses;
  const client: Redis = new Redis({
    ...nodeOptions(target),
    ...address,
    db: target.db,
    lazyConnect: true,
    enableOfflineQueue: false,
    retryStrategy: (times: number) => {
      refreshPassword(target, client.options);
      return retryMs(times, ports.random);
    },
  });
  return client;
}

function createCluster(target: RedisTarget, ports: ConnectionPorts): Cluster {
  const redisOptions = nodeOptions(target);
  return new Cluster([...target.addresses], {
    redisOptions,
    lazyConnect: true,
    enableOfflineQueue: false,
    scaleReads: "master",
    // What was sent may have been counted: only a server's refusal leads to a further attempt.
    retryDelayOnFailover: 0,
    retryDelayOnClusterDown: 0,
    retryDelayOnTryAgain: 10,
    maxRedirections: 4,
    // Names go to TLS as they are.
    ...(target.tls === undefined ? {} : { dnsLookup: (name, done) => done(null, name) }),
    clusterRetryStrategy: (times) => {
      refreshPassword(target, redisOptions);
      return retryMs(times, ports.random);
    },
    // Else a node that restarted is not found again before the slots change.
    clusterNodeRetryStrategy: (times) => retryMs(times, ports.random),
  });
}

/** What one server and each node of a cluster have in common. */
type NodeOptions = Omit<NonNullable<ClusterOptions["redisOptions"]>, "replyMapping">;

function nodeOptions(target: RedisTarget): NodeOptions {
  const password = target.password();
  return {
    ...(target.username === undefined ? {} : { username: target.username }),
    ...(password === undefined ? {} : { password }),
    ...(target.tls === undefined ? {} : { tls: { ...target.tls } }),
    // RESP2 is what every Redis from 5 on speaks, and integers and texts are all that we are answered.
    protocol: 2,
    connectionName: "gatehouse",
    disableClientInfo: true,
    // INFO is more than an ACL user for counters needs; a server that loads its data says so to each command.
    enableReadyCheck: false,
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: 0,
    connectTimeout: connectTimeoutMs,
    // Never before the answer's own time is over.
    socketTimeout: Math.max(silenceMs, 2 * target.timeoutMs),
  };
}

/** The file may have changed since; while it cannot be read the last password stays. */
function refreshPassword(target: RedisTarget, options: Pick<RedisOptions, "password">): void {
  try {
    const password = target.password();
    if (password !== undefined) options.password = password;
  } catch {
    // Tried again with the next connection.
  }
}

function retryMs(times: number, random: () => number): number {
  const ms = Math.min(firstRetryMs * 2 ** Math.min(times - 1, 10), longestRetryMs);
  return Math.round(ms * (1 + random()));
}

/** Codes only: what a server or a library says may hold what we sent. */
function connectionFault(error: unknown): string {
  if (!(error instanceof Error)) return "unknown";
  if ("code" in error && typeof error.code === "string") return error.code;
  const [word = ""] = error.message.split(" ", 1);
  return /^[A-Z]{2,}$/.test(word) ? word : error.name;
}
