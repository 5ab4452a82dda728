import { join } from "node:path";

/**
 * Where compiled policies are kept between starts: what is said, else `gatehouse` in the user's cache (XDG Base Directory
 * Specification). Undefined: nowhere, as `none` says and where there is no home.
 */
export function cacheDirOf(
  said: string | undefined,
  environment: Readonly<Record<string, string | undefined>>,
): string | undefined {
  if (said !== undefined) return said === "none" ? undefined : said;
  const { XDG_CACHE_HOME: cache, HOME: home } = environment;
  if (cache?.startsWith("/")) return join(cache, "gatehouse");
  return home?.startsWith("/") ? join(home, ".cache", "gatehouse") : undefined;
}
