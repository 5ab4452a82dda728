import { setTimeout as sleep } from "node:timers/promises";

const DAY_MS = 86_400_000;

/** Fulfilled when the day of UTC, a window that limits count in, lasts for this long at least: at most after `ms`. */
export async function roomInDay(ms: number): Promise<void> {
  const left = DAY_MS - (Date.now() % DAY_MS);
  if (left < ms) await sleep(left + 50);
}
