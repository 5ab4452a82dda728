import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { startChild } from "../../test/support/child.js";
import { type RedisServer, startRedis } from "../../test/support/redis-server.js";
import { nodeFlags, startBuiltGatehouse, type Target, whenListening } from "../load/targets.js";
import { limits } from "./cases.js";
import { findPeer, startPeer } from "./peer.js";

/** Who answers. */
export type Server = "gatehouse" | "peer" | "gatehouse in memory" | "echo";

/** All servers and the Redis that two of them count in. */
export interface Targets {
  readonly redis: RedisServer;
  /** Throws for a server that was not asked for. */
  readonly find: (server: Server, hasLocalCache: boolean) => Target;
  readonly stop: () => Promise<void>;
}

const CACHED = { LOCAL_CACHE_SIZE_IN_BYTES: "1048576" };
const noPolicies = { applicable: 0, loaded: 0 };

/** Starts each of the servers, and again with a local cache where it has one. */
export async function startTargets(servers: readonly Server[]): Promise<Targets> {
  const stops: (() => Promise<void>)[] = [];
  const stop = async (): Promise<void> => void (await Promise.all(stops.map((each) => each())));
  try {
    const folder = await mkdtemp(join(tmpdir(), "gatehouse-bench-limits-"));
    stops.push(() => rm(folder, { recursive: true, force: true }));
    await mkdir(join(folder, "config"));
    await writeFile(join(folder, "config", "limits.yaml"), limits);
    const redis = await startRedis();
    stops.push(redis.stop);
    const started = new Map<string, Target>();
    for (const server of servers) {
      for (const hasLocalCache of server === "echo" ? [false] : [false, true]) {
        const target = await start(server, { folder, redis, env: hasLocalCache ? CACHED : {} });
        stops.push(target.stop);
        started.set(`${server} ${hasLocalCache}`, target);
      }
    }
    const find = (server: Server, hasLocalCache: boolean): Target => {
      const target = started.get(`${server} ${hasLocalCache}`) ?? started.get(`${server} false`);
      if (target === undefined) throw new Error(`${server} was not started`);
      return target;
    };
    return { redis, find, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

interface Surroundings {
  readonly folder: string;
  readonly redis: RedisServer;
  readonly env: Readonly<Record<string, string>>;
}

async function start(server: Server, { folder, redis, env }: Surroundings): Promise<Target> {
  const flags = ["--ratelimit-config", join(folder, "config")];
  switch (server) {
    case "peer":
      return startPeer({ program: await findPeer(), folder, redisPort: redis.port, env });
    case "gatehouse":
      return startBuiltGatehouse(noPolicies, {
        flags: [...flags, "--redis-url", redis.url, "--redis-timeout", "5s"],
        env,
      });
    case "gatehouse in memory":
      return startBuiltGatehouse(noPolicies, { flags, env });
    case "echo": {
      const file = fileURLToPath(new URL("echo.ts", import.meta.url));
      const child = await startChild(process.execPath, [...nodeFlags(), "--import", "tsx", file]);
      return { ...(await whenListening(child)), stop: async () => void (await child.stop()) };
    }
  }
}
