/** How long a line that would come again and again is kept back, in milliseconds. */
const QUIET_MS = 10_000;
/** So many reasons are told apart before the memory of lines starts anew. */
const MAX_REASONS = 100;

/**
 * Says whether a line may be written: one for each reason in ten seconds, since what is broken is broken for every
 * request. `now`: milliseconds since the epoch.
 */
export function createSeldom(): (now: number, reason?: string) => boolean {
  const quietUntil = new Map<string, number>();
  return (now, reason = "") => {
    if (now < (quietUntil.get(reason) ?? 0)) return false;
    if (quietUntil.size >= MAX_REASONS) quietUntil.clear();
    quietUntil.set(reason, now + QUIET_MS);
    return true;
  };
}
