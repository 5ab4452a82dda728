import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { startChild } from "../../test/support/child.js";
import { freePort } from "../../test/support/ports.js";
import { findTool } from "../../test/support/tools.js";
import type { Target } from "../load/targets.js";

const run = promisify(execFile);
/** Of commit 3fb702589d36, whose answers the conformance cases are. */
const version = "v1.4.1-0.20260122083618-3fb702589d36";
const START_MS = 20_000;

/** envoyproxy/ratelimit: `RATELIMIT_BIN`, else built once into `.tools/` by Go, which takes minutes. */
export async function findPeer(): Promise<string> {
  const named = process.env["RATELIMIT_BIN"];
  if (named) return named;
  const folder = fileURLToPath(new URL("../../.tools/envoyproxy-ratelimit-3fb702589d36", import.meta.url));
  const program = `${folder}/service_cmd`;
  if (existsSync(program)) return program;
  const go = await findTool("go");
  await run(go.where, ["install", `github.com/envoyproxy/ratelimit/src/service_cmd@${version}`], {
    timeout: 900_000,
    env: { ...process.env, GOBIN: folder },
  });
  return program;
}

/** How the peer is started. */
export interface PeerOptions {
  readonly program: string;
  /** Its files are in `config/` of it. */
  readonly folder: string;
  readonly redisPort: number;
  readonly env?: Readonly<Record<string, string>>;
}

/** Starts the peer without statistics and tracing; fulfilled when it says that it is healthy. */
export async function startPeer({ program, folder, redisPort, env = {} }: PeerOptions): Promise<Target> {
  const [grpc, http, debug] = [await freePort(), await freePort(), await freePort()];
  const child = await startChild(program, [], {
    env: {
      HOST: "127.0.0.1",
      GRPC_HOST: "127.0.0.1",
      DEBUG_HOST: "127.0.0.1",
      PORT: String(http),
      GRPC_PORT: String(grpc),
      DEBUG_PORT: String(debug),
      RUNTIME_ROOT: folder,
      RUNTIME_SUBDIRECTORY: "",
      RUNTIME_WATCH_ROOT: "false",
      USE_STATSD: "false",
      LOG_LEVEL: "error",
      REDIS_SOCKET_TYPE: "tcp",
      REDIS_TYPE: "SINGLE",
      REDIS_URL: `127.0.0.1:${redisPort}`,
      ...env,
    },
  });
  const late = Date.now() + START_MS;
  while (!(await isHealthy(http))) {
    if (Date.now() > late) {
      await child.stop();
      throw new Error(`the peer is not healthy after ${START_MS} ms:\n${child.output()}`);
    }
    await sleep(50);
  }
  if (child.pid === undefined) throw new Error("the peer has no process id");
  return { pid: child.pid, port: grpc, stop: async () => void (await child.stop()) };
}

async function isHealthy(port: number): Promise<boolean> {
  try {
    return (await fetch(`http://127.0.0.1:${port}/healthcheck`, { signal: AbortSignal.timeout(1_000) })).ok;
  } catch {
    return false;
  }
}
