import { createRedisStore } from "../adapters/index.js";
import type { QuotaPorts } from "../config/index.js";
import { type CounterStore, createLedger, createMemoryStore } from "../quota/index.js";
import { createLocalCache, type RateLimitPorts } from "../ratelimit/index.js";
import type { Metrics } from "../telemetry/index.js";
import type { ServerPorts, ServingOptions } from "./options.js";

interface CounterSurroundings extends Pick<ServerPorts, "now"> {
  readonly logger: Pick<ServerPorts["logger"], "info" | "warn" | "error">;
  readonly metrics: Pick<Metrics, "quotas" | "rateLimits" | "countersChanged" | "redis">;
}

/** How often counters whose time is over are thrown away, in milliseconds. */
const SWEEP_MS = 1000;
/** The same while there are more than one sweep throws away. */
const SWEEP_ON_MS = 20;

/** The counters of all quotas: in Redis where one is named, else in this process's memory. */
export function openStore(
  { redis, maxCounters }: Pick<ServingOptions, "redis" | "maxCounters">,
  ports: CounterSurroundings,
): CounterStore {
  const { logger, metrics } = ports;
  return redis === undefined
    ? memoryOf(maxCounters, ports)
    : createRedisStore(redis, { logger, observer: metrics.redis });
}

/** A memory store that forgets what is over by itself. */
function memoryOf(maxCounters: number, { now, metrics }: CounterSurroundings): CounterStore {
  const store = createMemoryStore({ now, maxCounters });
  let told = 0;
  const sweep = (): void => {
    const isMore = store.sweep();
    metrics.countersChanged(store.size - told);
    told = store.size;
    timer = setTimeout(sweep, isMore ? SWEEP_ON_MS : SWEEP_MS).unref();
  };
  let timer = setTimeout(sweep, SWEEP_MS).unref();
  return {
    ...store,
    async close() {
      clearTimeout(timer);
      await store.close();
    },
  };
}

/** What quotas and rate limits of one serving process are counted with. */
export interface Counters {
  readonly quota: QuotaPorts;
  readonly rateLimit: RateLimitPorts;
  close(): Promise<void>;
}

/** Joins the store with what each process has of its own: shares for a store that fails, the cache of full keys. */
export function createCounters(
  options: Pick<ServingOptions, "rateLimit" | "workers" | "clockOffsetMs" | "maxCounters">,
  ports: CounterSurroundings & { readonly store: CounterStore },
): Counters {
  const { store, metrics, now } = ports;
  const { rateLimit: settings, workers, clockOffsetMs } = options;
  const local = memoryOf(options.maxCounters, ports);
  const observer = metrics.quotas;
  return {
    quota: { ledger: createLedger({ store, local, observer, processes: workers }), observer },
    rateLimit: {
      settings,
      store,
      now: () => now() + clockOffsetMs,
      random: Math.random,
      observer: metrics.rateLimits,
      localCache: settings.localCacheBytes > 0 ? createLocalCache(settings.localCacheBytes) : undefined,
    },
    close: () => local.close(),
  };
}
