import type { RateLimitService } from "../../src/envoy/index.js";
import type { RateLimits } from "../../src/ratelimit/index.js";

/** What a snapshot has where no test asks the rate limit service. */
export const noRateLimits: RateLimits = {
  decide: () => {
    throw new Error("no rate limits in this test");
  },
};

/** What a transport has where no test asks the rate limit service. */
export const noRateLimitService: RateLimitService = {
  shouldRateLimit: () => {
    throw new Error("no rate limits in this test");
  },
};
