import { z } from "zod";
import { showNamed } from "../diagnostics/index.js";

const unitMs: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };
const whole = /^(?:[0-9]+(?:\.[0-9]+)?(?:ms|s|m|h))+$/;
const part = /([0-9.]+)(ms|s|m|h)/g;

/** Longest delay that a Node timer can wait. */
const MAX_MS = 2 ** 31 - 1;

/** Reads `10s`, `1.5s`, `100ms`, `1m30s` as milliseconds, at least 1; undefined when it is none. */
export function parseDurationMs(text: string): number | undefined {
  const total = totalMs(text);
  return total !== undefined && total >= 1 && total <= MAX_MS ? total : undefined;
}

/** A duration in a document, in milliseconds once read. */
export const durationMs: z.ZodType<number, string> = z.string().transform((text, context) => {
  const ms = parseDurationMs(text);
  if (ms !== undefined) return ms;
  context.addIssue({ code: "custom", message: unreadable(text) });
  return z.NEVER;
});

/** A duration between two others, both as a document writes them; `0s` may be the least. */
export function durationWithin(least: string, most: string): z.ZodType<number, string> {
  const [leastMs, mostMs] = [totalMs(least) ?? 0, totalMs(most) ?? MAX_MS];
  return z.string().transform((text, context) => {
    const ms = totalMs(text);
    if (ms !== undefined && ms >= leastMs && ms <= mostMs) return ms;
    const message =
      ms === undefined
        ? unreadable(text)
        : `duration \`${text}\` is out of range, expected ${least} to ${most}`;
    context.addIssue({ code: "custom", message });
    return z.NEVER;
  });
}

function totalMs(text: string): number | undefined {
  if (text.length > 80 || !whole.test(text)) return undefined;
  let total = 0;
  for (const [, digits, unit] of text.matchAll(part)) total += Number(digits) * (unitMs[unit ?? ""] ?? 0);
  return total;
}

function unreadable(text: string): string {
  return `${showNamed("duration", text)} cannot be read, expected for example \`10s\`, \`1.5s\` or \`100ms\``;
}
