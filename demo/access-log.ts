import { readFile } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import type { Bootstrap } from "../test/support/envoy.js";

/** What Envoy's access log tells of one request. */
export interface Logged {
  readonly request_id: string;
  /** The decision record's key `gatehouse`; null when Envoy answered without asking. */
  readonly decision: { readonly policy?: string; readonly reason?: string } | null;
  /** Envoy's words for where the answer came from. */
  readonly details: string | null;
}

/** Turns the access log of a bootstrap to a file, which can be read while Envoy runs, also in a container. */
export function logToFile(bootstrap: Bootstrap, path: string): void {
  replace(bootstrap, (config) =>
    config["@type"] === "type.googleapis.com/envoy.extensions.access_loggers.stream.v3.StdoutAccessLog"
      ? {
          ...config,
          "@type": "type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog",
          path,
        }
      : config,
  );
}

function replace(node: unknown, change: (config: Bootstrap) => Bootstrap): void {
  if (typeof node !== "object" || node === null) return;
  const parent = node as Bootstrap;
  for (const [key, value] of Object.entries(parent)) {
    replace(value, change);
    if (key === "typed_config") parent[key] = change(value as Bootstrap);
  }
}

/** The line of a request, once Envoy has written it; undefined when it does not come within two seconds. */
export async function logged(path: string, requestId: string): Promise<Logged | undefined> {
  const deadline = Date.now() + 2_000;
  for (;;) {
    const text = await readFile(path, "utf8").catch(() => "");
    // The last line may be half written.
    for (const line of text.split("\n").slice(0, -1)) {
      const entry = JSON.parse(line) as Logged;
      if (entry.request_id === requestId) return entry;
    }
    if (Date.now() > deadline) return undefined;
    await sleep(20);
  }
}
