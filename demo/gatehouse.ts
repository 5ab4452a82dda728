import { execFile } from "node:child_process";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { type Child, startChild } from "../test/support/child.js";
import { send } from "../test/support/http.js";

/** A running `gatehouse serve`. */
export interface Gatehouse {
  readonly child: Child;
  readonly grpcPort: number;
  readonly adminPort: number;
}

/** Where to listen (0: any free port) and what to load. */
export interface GatehouseOptions {
  /** Files and folders. */
  readonly config: readonly string[];
  readonly grpcPort: number;
  readonly adminPort: number;
}

const MAIN = fileURLToPath(new URL("../dist/cli/main.js", import.meta.url));
const START_MS = 20_000;

/** Makes an API key by the built Gatehouse's own command; its hash goes into the file. Throws with what it says. */
export async function createApiKey(file: string, owner: string): Promise<string> {
  const { stdout } = await promisify(execFile)(process.execPath, [
    ...[MAIN, "apikey", "create", "--file", file, "--namespace", "bookshop", "--name", "partners"],
    ...["--owner", owner, "--expires", "1d"],
  ]);
  return stdout.trim();
}

/** Starts the built Gatehouse and waits until it is ready; throws with its log when it is not. */
export async function startGatehouse(options: GatehouseOptions): Promise<Gatehouse> {
  const child = await startChild(process.execPath, [
    ...[MAIN, "serve", ...options.config.flatMap((path) => ["--config", path])],
    ...["--grpc-address", `127.0.0.1:${options.grpcPort}`],
    ...["--admin-address", `127.0.0.1:${options.adminPort}`],
  ]);
  try {
    const { grpc, admin } = await listening(child);
    const ports = { grpcPort: portOf(grpc), adminPort: portOf(admin) };
    await ready(child, ports.adminPort);
    return { child, ...ports };
  } catch (error) {
    await child.stop();
    throw error;
  }
}

/** The first line on stdout says where it listens. */
async function listening(child: Child): Promise<{ grpc: string; admin: string }> {
  const line = new Promise<string>((resolve) => child.onLine(resolve));
  const ended = child.exited.then(({ code, signal }) => {
    throw new Error(`gatehouse ended with ${code ?? signal}:\n${child.output()}`);
  });
  const late = sleep(START_MS, undefined, { ref: false }).then(() => {
    throw new Error(`gatehouse does not listen after ${START_MS} ms:\n${child.output()}`);
  });
  const event: unknown = JSON.parse(await Promise.race([line, ended, late]));
  const { grpc, admin } = event as { grpc?: unknown; admin?: unknown };
  if (typeof grpc === "string" && typeof admin === "string") return { grpc, admin };
  throw new Error(`expected a line with \`grpc\` and \`admin\`, got \`${JSON.stringify(event)}\``);
}

async function ready(child: Child, adminPort: number): Promise<void> {
  const deadline = Date.now() + START_MS;
  for (;;) {
    const answer = await send({ port: adminPort, path: "/readyz" }).catch(() => undefined);
    if (answer?.status === 200) return;
    if (Date.now() > deadline) {
      throw new Error(`gatehouse is not ready: ${answer?.body ?? "no answer"}\n${child.output()}`);
    }
    await sleep(50);
  }
}

function portOf(address: string): number {
  return Number(address.slice(address.lastIndexOf(":") + 1));
}
