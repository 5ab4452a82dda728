import type { RateLimitSettings } from "./model.js";

/** What the peer does where no variable says otherwise. The ratio is float32, as the peer counts with it. */
export const defaultRateLimitSettings: RateLimitSettings = {
  headers: undefined,
  localCacheBytes: 0,
  stopsWhenOver: false,
  shadowMode: false,
  quotaMode: false,
  dynamicMetadata: false,
  keyPrefix: "",
  mergeDomains: false,
  nearLimitRatio: Math.fround(0.8),
  jitterSeconds: 300,
  ignoresDotFiles: false,
  sharedKeys: false,
};

/** Settings and what is wrong with the variables that they come from. */
export interface RateLimitSettingsReading {
  readonly settings: RateLimitSettings;
  /** Each names its variable; the setting then has its default. The peer does not start with one. */
  readonly problems: readonly string[];
}

/**
 * Reads the settings from the peer's environment variables, by the rules of kelseyhightower/envconfig: a
 * variable that is set to nothing is an empty text, and no number or bool.
 */
export function readRateLimitSettings(
  environment: Readonly<Record<string, string | undefined>>,
): RateLimitSettingsReading {
  const problems: string[] = [];
  const read = <Value>(
    name: string,
    parse: (text: string) => Value | undefined,
    expected: string,
    none: Value,
  ): Value => {
    const text = Object.hasOwn(environment, name) ? environment[name] : undefined;
    if (text === undefined) return none;
    const value = parse(text);
    if (value === undefined) problems.push(`${name} is not ${expected}`);
    return value ?? none;
  };
  const flag = (name: string): boolean => read(name, parseBool, "true or false", false);
  const text = (name: string, none: string): string => read(name, (value) => value, "a text", none);
  const size = (text: string): number | undefined => {
    const bytes = parseInteger(text);
    return bytes !== undefined && bytes >= 0 ? bytes : undefined;
  };
  const integer = (name: string, none: number): number => read(name, parseInteger, "a whole number", none);

  const isNamed = flag("LIMIT_RESPONSE_HEADERS_ENABLED");
  const headers = {
    limit: text("LIMIT_LIMIT_HEADER", "RateLimit-Limit"),
    remaining: text("LIMIT_REMAINING_HEADER", "RateLimit-Remaining"),
    reset: text("LIMIT_RESET_HEADER", "RateLimit-Reset"),
  };
  const settings: RateLimitSettings = {
    ...defaultRateLimitSettings,
    headers: isNamed ? headers : undefined,
    localCacheBytes: read("LOCAL_CACHE_SIZE_IN_BYTES", size, "a whole number of 0 or more", 0),
    stopsWhenOver: flag("STOP_CACHE_KEY_INCREMENT_WHEN_OVERLIMIT"),
    shadowMode: flag("SHADOW_MODE"),
    quotaMode: flag("QUOTA_MODE"),
    dynamicMetadata: flag("RESPONSE_DYNAMIC_METADATA"),
    keyPrefix: text("CACHE_KEY_PREFIX", ""),
    mergeDomains: flag("MERGE_DOMAIN_CONFIG"),
    nearLimitRatio: read(
      "NEAR_LIMIT_RATIO",
      parseFloat32,
      "a number",
      defaultRateLimitSettings.nearLimitRatio,
    ),
    // Below zero is none for the peer.
    jitterSeconds: Math.max(
      0,
      integer("EXPIRATION_JITTER_MAX_SECONDS", defaultRateLimitSettings.jitterSeconds),
    ),
    ignoresDotFiles: flag("RUNTIME_IGNOREDOTFILES"),
  };
  return { settings, problems };
}

/** Go's strconv.ParseBool. */
function parseBool(text: string): boolean | undefined {
  if (/^(?:1|t|T|TRUE|true|True)$/.test(text)) return true;
  return /^(?:0|f|F|FALSE|false|False)$/.test(text) ? false : undefined;
}

/** Go's strconv.ParseInt with base 0: 0x, 0o, 0b and 0 lead other bases, `_` may stand between digits. */
function parseInteger(text: string): number | undefined {
  const [, sign, decimal, prefix, based] =
    /^([-+]?)(?:([1-9](?:_?[0-9])*)|0([xX]|[oO]|[bB]|)((?:_?[0-9a-fA-F])*))$/.exec(text) ?? [];
  if (sign === undefined) return undefined;
  const digits = (decimal ?? based ?? "").replaceAll("_", "");
  const base = decimal !== undefined ? 10 : baseOf(prefix ?? "");
  if (prefix !== undefined && prefix !== "" && digits === "") return undefined;
  if ([...digits].some((digit) => Number.parseInt(digit, 16) >= base)) return undefined;
  const size = digits === "" ? 0 : Number.parseInt(digits, base);
  // Beyond what counts exactly; the peer takes int64, of which nothing here needs the rest.
  if (size > Number.MAX_SAFE_INTEGER) return undefined;
  return sign === "-" && size > 0 ? -size : size;
}

function baseOf(prefix: string): number {
  if (prefix === "") return 8;
  return { x: 16, o: 8, b: 2 }[prefix.toLowerCase() as "x" | "o" | "b"];
}

/** Go's strconv.ParseFloat for 32 bits, without its hexadecimal numbers, infinities and NaN. */
function parseFloat32(text: string): number | undefined {
  const digits = "[0-9](?:_?[0-9])*";
  const number = new RegExp(`^[-+]?(?:${digits}(?:\\.(?:${digits})?)?|\\.${digits})(?:[eE][-+]?${digits})?$`);
  if (!number.test(text)) return undefined;
  const value = Math.fround(Number(text.replaceAll("_", "")));
  return Number.isFinite(value) ? value : undefined;
}
