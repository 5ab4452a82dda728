import { z } from "zod";

const unitMs: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };
const whole = /^(?:[0-9]+(?:\.[0-9]+)?(?:ms|s|m|h))+$/;
const part = /([0-9.]+)(ms|s|m|h)/g;

/** Longest delay that a Node timer can wait. */
const MAX_MS = 2 ** 31 - 1;

/** Reads `10s`, `1.5s`, `100ms`, `1m30s` as milliseconds, at least 1; undefined when it is none. */
export function parseDurationMs(text: string): number | undefined {
  if (!whole.test(text)) return undefined;
  let total = 0;
  for (const [, digits, unit] of text.matchAll(part)) total += Number(digits) * (unitMs[unit ?? ""] ?? 0);
  return total >= 1 && total <= MAX_MS ? total : undefined;
}

/** A duration in a document, in milliseconds once read. */
export const durationMs: z.ZodType<number, string> = z.string().transform((text, context) => {
  const ms = parseDurationMs(text);
  if (ms !== undefined) return ms;
  const message = `duration \`${text.slice(0, 80)}\` cannot be read, expected for example \`10s\`, \`1.5s\` or \`100ms\``;
  context.addIssue({ code: "custom", message });
  return z.NEVER;
});
