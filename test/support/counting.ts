import type { createAssembler } from "../../src/config/index.js";
import { createLedger, createMemoryStore } from "../../src/quota/index.js";
import { defaultRateLimitSettings } from "../../src/ratelimit/index.js";

type CountingPorts = Pick<Parameters<typeof createAssembler>[0], "quota" | "rateLimit">;

/** Counters in memory, and nobody who watches them. */
export function countingPorts(now: () => number = () => 0): CountingPorts {
  const store = createMemoryStore({ now });
  const observer = { charged: () => {}, expressionFailed: () => {}, storeFailed: () => {} };
  return {
    quota: { ledger: createLedger({ store, local: createMemoryStore({ now }), observer }), observer },
    rateLimit: {
      settings: defaultRateLimitSettings,
      store,
      now,
      random: () => 0,
      observer: { counted: () => {}, domainNotFound: () => {} },
      localCache: undefined,
    },
  };
}
