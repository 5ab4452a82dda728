import { GatehouseError } from "../diagnostics/index.js";
import { type RateLimitSettings, readRateLimitSettings } from "../ratelimit/index.js";

/** envoyproxy/ratelimit's own environment variables, by its names. Throws `bad_flag` for a value that it would refuse. */
export function rateLimitSettingsOf(
  environment: Readonly<Record<string, string | undefined>>,
): RateLimitSettings {
  const { settings, problems } = readRateLimitSettings(environment);
  if (problems.length > 0) throw new GatehouseError("bad_flag", problems.join("; "));
  return settings;
}

/** GATEHOUSE_CLOCK_OFFSET_MS: by so much the clock of the rate limit service is ahead; for tests. Throws `bad_flag`. */
export function clockOffsetOf(environment: Readonly<Record<string, string | undefined>>): number {
  const text = environment["GATEHOUSE_CLOCK_OFFSET_MS"];
  if (text === undefined || text === "") return 0;
  const offset = Number(text);
  if (Number.isSafeInteger(offset)) return offset;
  throw new GatehouseError(
    "bad_flag",
    `bad value \`${text}\` for \`GATEHOUSE_CLOCK_OFFSET_MS\`, expected milliseconds`,
  );
}
