import type { ConfigUpdate } from "../config/index.js";
import { startConfigThread } from "../server/index.js";
import { cacheDirOf } from "./cache-dir.js";
import { rateLimitSettingsOf } from "./rate-limit-settings.js";

/** A server that names bundles by URL would be asked meanwhile; a command waits for them. */
const DOWNLOADS_MS = 5_000;

/** What to read. */
export interface ConfigPaths {
  readonly paths: readonly string[];
  /** Folders of Rego. */
  readonly rego?: readonly string[] | undefined;
  /** Config files of envoyproxy/ratelimit and folders of them. */
  readonly rateLimit?: readonly string[] | undefined;
}

/** Reads a configuration once, as `serve` would at its start. */
export async function readConfig(
  { paths, rego = [], rateLimit = [] }: ConfigPaths,
  environment: Readonly<Record<string, string | undefined>>,
): Promise<ConfigUpdate> {
  const cacheDir = cacheDirOf(environment["GATEHOUSE_CACHE_DIR"], environment);
  const options = { paths, rego, rateLimit, cacheDir, allowEmpty: false, awaitDownloadsMs: DOWNLOADS_MS };
  const rateLimitSettings = rateLimitSettingsOf(environment);
  const source = startConfigThread({ ...options, rateLimitSettings, environment });
  try {
    return await new Promise((resolve) => {
      source.onUpdate(resolve);
    });
  } finally {
    await source.close();
  }
}
