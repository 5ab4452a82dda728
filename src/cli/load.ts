import type { ConfigUpdate } from "../config/index.js";
import { startConfigThread } from "../server/index.js";

/** Reads a configuration once, as `serve` would at its start. */
export async function readConfig(
  paths: readonly string[],
  environment: Readonly<Record<string, string | undefined>>,
): Promise<ConfigUpdate> {
  const source = startConfigThread({ paths, allowEmpty: false, environment });
  try {
    return await new Promise((resolve) => {
      source.onUpdate(resolve);
    });
  } finally {
    await source.close();
  }
}
