import type { Logger } from "pino";
import type { KeyTimes, RedisStoreOptions } from "../adapters/index.js";
import { defaultRateLimitSettings, type RateLimitSettings } from "../ratelimit/index.js";
import type { TlsFiles } from "./tls.js";

/** What one serving process needs; plain data, so that it can be sent to a worker. */
export interface ServingOptions {
  /** Of a message; ext_proc may have 17 MiB where this is less. */
  readonly maxMessageBytes: number;
  /** Bytes of bodies that each process keeps at one time. */
  readonly maxHeldBytes: number;
  readonly reflection: boolean;
  readonly tls: TlsFiles | undefined;
  /** SPIFFE ids or DNS SANs; empty: every client whose certificate verifies. */
  readonly allowClients: readonly string[];
  /** How many decisions `/decisions` remembers. */
  readonly decisions: number;
  /** How many verified tokens each process remembers; 0: none. */
  readonly tokenCache: number;
  /** Policies were named: without any, checks are refused, since only the rate limit service was asked for. */
  readonly decides: boolean;
  /** How the rate limit service answers, by envoyproxy/ratelimit's settings. */
  readonly rateLimit: RateLimitSettings;
  /** Where counters stand; undefined: in the memory of the first process. */
  readonly redis: RedisStoreOptions | undefined;
  /** How many counters the memory holds. */
  readonly maxCounters: number;
  readonly workers: number;
  /**
   * Base64 of the key by which ext_proc knows a decision that ext_authz made: one for all processes that Envoy may ask.
   * Empty: a random one is made at the start.
   */
  readonly recordKey: string;
  /** By so much the clock of the rate limit service is ahead, in milliseconds; for tests. */
  readonly clockOffsetMs: number;
}

/** How to run a server; every field has its default in `defaults`. */
export interface ServerOptions extends ServingOptions {
  /** Files and folders of YAML. */
  readonly configPaths: readonly string[];
  /** Folders of Rego that stand for a RegoPolicy each. */
  readonly regoPaths: readonly string[];
  /** Where compiled policies are kept; undefined: only in memory. */
  readonly cacheDir: string | undefined;
  readonly allowEmpty: boolean;
  /** Serve, and deny all, although the first configuration has errors. */
  readonly allowInvalidStart: boolean;
  /** `HOST:PORT` or `unix:/PATH`. */
  readonly grpcAddress: string;
  readonly adminAddress: string;
  /** Undefined: no second port for metrics and health. */
  readonly metricsAddress: string | undefined;
  /** Names that the Host header of an admin request may have beside IPs and localhost. */
  readonly adminHosts: readonly string[];
  readonly adminTokenFile: string | undefined;
  /** Of `recordKey`; undefined: a random one. */
  readonly recordKeyFile: string | undefined;
  readonly drainTimeoutMs: number;
  /** 1: this process serves; more: so many worker processes do. */
  readonly workers: number;
  /** Config files of envoyproxy/ratelimit and folders of them. */
  readonly rateLimitPaths: readonly string[];
}

/** What `serve` does when nothing else is said. */
export const defaults: Omit<ServerOptions, "configPaths"> = {
  maxMessageBytes: 4 * 1024 * 1024,
  maxHeldBytes: 256 * 1024 * 1024,
  reflection: false,
  tls: undefined,
  allowClients: [],
  decisions: 1000,
  tokenCache: 10_000,
  regoPaths: [],
  cacheDir: undefined,
  allowEmpty: false,
  allowInvalidStart: false,
  grpcAddress: "127.0.0.1:9191",
  adminAddress: "127.0.0.1:8282",
  metricsAddress: undefined,
  adminHosts: [],
  adminTokenFile: undefined,
  recordKeyFile: undefined,
  recordKey: "",
  drainTimeoutMs: 10_000,
  workers: 1,
  decides: true,
  rateLimit: defaultRateLimitSettings,
  rateLimitPaths: [],
  redis: undefined,
  maxCounters: 1_000_000,
  clockOffsetMs: 0,
};

/** What a server takes from its surroundings. */
export interface ServerPorts {
  readonly logger: Logger;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  /** Variables that documents may name; absent: none. */
  readonly environment?: Readonly<Record<string, string | undefined>>;
  /** Others than the documented times of keys, for tests that cannot wait. */
  readonly keyTimes?: Partial<KeyTimes>;
  /** So long readiness waits for the first keys, in milliseconds; for tests too. */
  readonly firstKeysMs?: number;
}

/** The part that a serving process needs. */
export function servingOptionsOf(options: ServerOptions): ServingOptions {
  const { maxMessageBytes, maxHeldBytes, reflection, tls, allowClients, decisions, tokenCache } = options;
  const { decides, rateLimit, redis, maxCounters, workers, clockOffsetMs, recordKey } = options;
  return {
    maxMessageBytes,
    maxHeldBytes,
    reflection,
    tls,
    allowClients,
    decisions,
    tokenCache,
    decides,
    rateLimit,
    redis,
    maxCounters,
    workers,
    clockOffsetMs,
    recordKey,
  };
}
