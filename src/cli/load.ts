import type { ConfigUpdate } from "../config/index.js";
import { startConfigThread } from "../server/index.js";

/** Reads a configuration once, as `serve` would at its start. */
export async function readConfig(paths: readonly string[], allowEmpty = false): Promise<ConfigUpdate> {
  const source = startConfigThread({ paths, allowEmpty });
  try {
    return await new Promise((resolve) => {
      source.onUpdate(resolve);
    });
  } finally {
    await source.close();
  }
}
