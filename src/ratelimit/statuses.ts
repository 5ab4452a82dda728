import type { Count } from "./counts.js";
import type { LocalCache } from "./local-cache.js";
import type { DescriptorStatus } from "./model.js";
import type { Statistics } from "./statistics.js";
import { secondsUntilReset } from "./windows.js";

/** Of a descriptor to which nothing applies. */
export const unmatched: DescriptorStatus = Object.freeze({
  code: "OK",
  currentLimit: undefined,
  limitRemaining: 0,
  durationUntilReset: undefined,
});

/** Of a descriptor that may do as it likes; the number is what the peer sends. */
export const unlimited: DescriptorStatus = Object.freeze({
  code: "OK",
  currentLimit: undefined,
  limitRemaining: 0xffff_ffff,
  durationUntilReset: undefined,
});

/** What statuses have an effect on. */
export interface StatusPorts {
  readonly statistics: Statistics;
  readonly localCache: LocalCache | undefined;
}

/**
 * Of a descriptor that was counted; `after`: its counter then. Over is what is above the limit. `now` in
 * milliseconds since the epoch, as it was when the key was made, so that the reset is that of the window that
 * was counted.
 */
export function statusOf(count: Count, after: number, now: number, ports: StatusPorts): DescriptorStatus {
  const { limit } = count;
  const isOver = count.givesBack ? givenBack(count, after, ports) : isCountedOver(count, after, now, ports);
  return {
    code: isOver && !limit.shadowMode ? "OVER_LIMIT" : "OK",
    currentLimit: limit.current,
    limitRemaining: isOver ? 0 : Math.max(0, limit.requestsPerUnit - after),
    durationUntilReset: secondsUntilReset(limit.unit, Math.floor(now / 1000)),
  };
}

function isCountedOver(count: Count, after: number, now: number, ports: StatusPorts): boolean {
  const { limit, key } = count;
  const { statistics, localCache } = ports;
  const hits = Number(count.hits);
  if (count.isKnownOver) {
    statistics.overByLocalCache(limit, hits);
    return true;
  }
  if (after > limit.requestsPerUnit) {
    statistics.over(limit, hits, after);
    localCache?.add(key, now + limit.seconds * 1000);
    return true;
  }
  statistics.within(limit, hits, after);
  return false;
}

/** Never over; what is within its limit again is asked for again. */
function givenBack({ limit, key }: Count, after: number, { localCache }: StatusPorts): false {
  if (after <= limit.requestsPerUnit) {
    localCache?.delete(key);
  }
  return false;
}
