/** Hex digits of a trace id that are random in every format, and that a double holds exactly. */
const DIGITS = 13;
const SPACE = 16 ** DIGITS;

/**
 * Whether a trace is among so many of a hundred: by the end of its id, which W3C's level 2 wants to be random, so that
 * every proxy says the same of one trace.
 */
export function isAmong(percent: number, traceId: string): boolean {
  return Number.parseInt(traceId.slice(-DIGITS), 16) < (percent / 100) * SPACE;
}
