import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type Child, startChild } from "../../test/support/child.js";
import { benchConfig, type PolicyCounts } from "../policies.js";

/** A server under load, a process of its own. */
export interface Target {
  readonly pid: number;
  readonly port: number;
  /** Of Gatehouse's admin interface. */
  readonly admin?: number;
  stop(): Promise<void>;
}

const START_MS = 30_000;
const path = (name: string): string => fileURLToPath(new URL(name, import.meta.url));

/** The echo server; `record`: its answer is as large as Gatehouse's. */
export async function startEcho(record: boolean): Promise<Target> {
  const flags = record ? ["--record"] : [];
  const child = await startChild(process.execPath, ["--import", "tsx", path("echo.ts"), ...flags]);
  return { ...(await whenListening(child)), stop: async () => void (await child.stop()) };
}

/** Gatehouse as it is built, with that many policies and `documents` beside them; `flags` go to `serve`. */
export async function startBuiltGatehouse(
  policies: PolicyCounts,
  {
    flags = [],
    documents = [],
    mesh = {},
    env = {},
  }: {
    readonly flags?: readonly string[];
    readonly documents?: readonly string[];
    /** `spec` of the Mesh. */
    readonly mesh?: object;
    /** Beside what this process has. */
    readonly env?: Readonly<Record<string, string>>;
  } = {},
): Promise<Target> {
  const folder = await mkdtemp(join(tmpdir(), "gatehouse-bench-"));
  await writeFile(
    join(folder, "policies.yaml"),
    [...benchConfig(policies, mesh), ...documents].join("---\n"),
  );
  const address = ["--grpc-address", "127.0.0.1:0", "--admin-address", "127.0.0.1:0"];
  const args = [path("../../dist/cli/main.js"), "serve", "--config", folder, ...address, ...flags];
  const child = await startChild(process.execPath, [...nodeFlags(), ...args], {
    env: { ...process.env, ...env },
  });
  const stop = async (): Promise<void> => {
    await child.stop();
    await rm(folder, { recursive: true, force: true });
  };
  try {
    return { ...(await whenListening(child)), stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** Flags of Node for the measured servers, to profile them: `BENCH_NODE_FLAGS`. */
export function nodeFlags(): string[] {
  return (process.env["BENCH_NODE_FLAGS"] ?? "").split(" ").filter(Boolean);
}

/** Fulfilled when the server has said on which port it listens. */
export async function whenListening(child: Child): Promise<Omit<Target, "stop">> {
  const ports = await new Promise<{ port: number; admin?: number }>((resolve, reject) => {
    const late = setTimeout(
      () => reject(new Error(`no server after ${START_MS} ms:\n${child.output()}`)),
      START_MS,
    );
    void child.exited.then(() => reject(new Error(`the server ended:\n${child.output()}`)));
    child.onLine((line) => {
      const found = /"grpc":"[^"]*:(\d+)"/.exec(line)?.[1];
      if (found === undefined) return;
      clearTimeout(late);
      const admin = /"admin":"[^"]*:(\d+)"/.exec(line)?.[1];
      resolve({ port: Number(found), ...(admin !== undefined && { admin: Number(admin) }) });
    });
  });
  if (child.pid === undefined) throw new Error("the server has no process id");
  return { pid: child.pid, ...ports };
}
