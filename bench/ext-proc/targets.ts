import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { startChild } from "../../test/support/child.js";
import { nodeFlags, startBuiltGatehouse, type Target, whenListening } from "../load/targets.js";
import { benchConfig } from "../policies.js";

/** Of authorization, on every Gatehouse. */
export const POLICIES = { applicable: 10, loaded: 10 };

const path = (name: string): string => fileURLToPath(new URL(name, import.meta.url));

/** Starts the server that does nothing. */
export async function startNoop(): Promise<Target> {
  const child = await startChild(process.execPath, [...nodeFlags(), "--import", "tsx", path("noop.ts")]);
  return { ...(await whenListening(child)), stop: async () => void (await child.stop()) };
}

/** Starts Gatehouse as it is built, with BodyPolicies. */
export function startGatehouse(...documents: readonly string[]): Promise<Target> {
  return startBuiltGatehouse(POLICIES, { documents });
}

/** Bytes that a process needs after garbage was collected. */
export interface WithMemory {
  /** What lives on the heap and outside of it. */
  memory(): Promise<number>;
}

const REPORT_MS = 10_000;

/** In the environment, since flags would not hold for the server's threads. */
const reporting = `--import=${import.meta.resolve("./memory-report.mjs")}`;

/** The same, its memory can be asked for. */
export async function startReportingGatehouse(...documents: readonly string[]): Promise<Target & WithMemory> {
  const folder = await mkdtemp(join(tmpdir(), "gatehouse-bench-"));
  await writeFile(join(folder, "policies.yaml"), [...benchConfig(POLICIES), ...documents].join("---\n"));
  const address = ["--grpc-address", "127.0.0.1:0", "--admin-address", "127.0.0.1:0"];
  const args = [path("../../dist/cli/main.js"), "serve", "--config", folder, ...address];
  const child = await startChild(process.execPath, args, {
    env: { ...process.env, NODE_OPTIONS: reporting },
  });
  const reports = (): string[] => child.output().match(/^\{"memory":.*\}$/gm) ?? [];
  return {
    ...(await whenListening(child)),
    stop: async () => {
      await child.stop();
      await rm(folder, { recursive: true, force: true });
    },
    async memory() {
      const before = reports().length;
      child.kill("SIGUSR2");
      for (const late = Date.now() + REPORT_MS; Date.now() < late; ) {
        await new Promise((resolve) => setTimeout(resolve, 50));
        const last = reports().at(-1);
        if (reports().length === before || last === undefined) continue;
        const { memory } = JSON.parse(last) as { memory: NodeJS.MemoryUsage };
        return memory.heapUsed + memory.external;
      }
      throw new Error(`no report of memory after ${REPORT_MS} ms`);
    },
  };
}
