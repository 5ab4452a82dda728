import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { startChild } from "../../test/support/child.js";
import { nodeFlags, startBuiltGatehouse, type Target, whenListening } from "../load/targets.js";
import { logConfigs } from "./configs.js";
import type { Sampled } from "./entries.js";

/** A server that entries are streamed to. */
export interface LogTarget extends Target {
  readonly name: string;
  readonly sampled: Sampled;
}

/** Peers, which make nothing of what they get. */
export const COUNTING = "grpc-js, counts bytes";
export const DECODING = "grpc-js, decodes by proto-loader";

/** All servers, or those whose names contain `only`, the peer that counts always. */
export async function startLogTargets(
  only: string,
): Promise<{ targets: LogTarget[]; stop: () => Promise<void> }> {
  const stops: (() => Promise<void>)[] = [];
  const stop = async (): Promise<void> => {
    for (const each of stops.toReversed()) await each();
  };
  const started: LogTarget[] = [];
  const add = (name: string, sampled: Sampled, target: Target): void => {
    stops.push(target.stop);
    started.push({ ...target, name, sampled });
  };
  try {
    const folder = await mkdtemp(join(tmpdir(), "gatehouse-bench-als-"));
    stops.push(() => rm(folder, { recursive: true, force: true }));
    const receiver = await startScript("receiver.ts");
    stops.push(receiver.stop);
    add(COUNTING, 10, await startScript("peer.ts"));
    if (DECODING.includes(only)) add(DECODING, 10, await startScript("peer.ts", "--decode"));
    for (const { name, mesh, documents, sampled } of logConfigs(folder, receiver.port)) {
      if (!name.includes(only)) continue;
      add(name, sampled, await startBuiltGatehouse({ applicable: 10, loaded: 10 }, { mesh, documents }));
    }
    return { targets: started, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function startScript(file: string, ...flags: readonly string[]): Promise<Target> {
  const path = fileURLToPath(new URL(file, import.meta.url));
  const child = await startChild(process.execPath, [...nodeFlags(), "--import", "tsx", path, ...flags]);
  return { ...(await whenListening(child)), stop: async () => void (await child.stop()) };
}

/** Entries that a Gatehouse read, and what was lost, of entries and behind them; undefined of a peer. */
export async function countsOf({ admin }: Target): Promise<{ read: number; lost: number } | undefined> {
  if (admin === undefined) return undefined;
  const response = await fetch(`http://127.0.0.1:${admin}/metrics`, { signal: AbortSignal.timeout(10_000) });
  const lines = (await response.text()).split("\n");
  const sum = (pattern: RegExp): number =>
    lines.filter((line) => pattern.test(line)).reduce((all, line) => all + Number(line.split(" ").at(-1)), 0);
  return {
    read: sum(/^gatehouse_log_entries_total\{/),
    lost: sum(/^gatehouse_(?:log_entries|sink)_dropped_total\{/),
  };
}
