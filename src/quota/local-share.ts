import type { Charge } from "./store.js";

/**
 * The charge as one process may grant it by itself while the store cannot be asked: its part of limit and burst, at
 * least 1 where the limit is not 0. `share` is above 0 and at most 1.
 */
export function localCharge(charge: Charge, share: number): Charge {
  const part = (units: number): number => (units === 0 ? 0 : Math.max(1, Math.floor(units * share)));
  return { ...charge, limit: part(charge.limit), burst: part(charge.burst) };
}
