import { setTimeout as sleep } from "node:timers/promises";
import { Redis } from "ioredis";
import { freePort } from "./ports.js";
import { type RedisServer, startRedis } from "./redis-server.js";

/** Three real nodes with a third of the slots each, no replicas. */
export interface RedisCluster {
  readonly nodes: readonly RedisServer[];
  /** An administrator's connection to each node. */
  readonly admins: readonly Redis[];
  stop(): Promise<void>;
}

const SLOTS = 16_384;
const READY_MS = 20_000;

/** Fulfilled when every node knows of all slots. */
export async function startRedisCluster(): Promise<RedisCluster> {
  const nodes: RedisServer[] = [];
  const admins: Redis[] = [];
  const stop = async (): Promise<void> => {
    for (const admin of admins) admin.disconnect();
    await Promise.all(nodes.map((node) => node.stop()));
  };
  try {
    for (let i = 0; i < 3; i++) {
      // Not the usual port plus 10,000: that may be above 65,535.
      const busPort = await freePort();
      const args = ["--cluster-enabled", "yes", "--cluster-node-timeout", "5000"];
      const node = await startRedis({ args: [...args, "--cluster-port", String(busPort)] });
      nodes.push(node);
      const admin = new Redis(node.url);
      admins.push(admin);
      const from = Math.floor((i * SLOTS) / 3);
      const to = Math.floor(((i + 1) * SLOTS) / 3) - 1;
      await admin.call("CLUSTER", "ADDSLOTSRANGE", String(from), String(to));
      await admins[0]?.call("CLUSTER", "MEET", "127.0.0.1", String(node.port), String(busPort));
    }
    await Promise.all(admins.map(isReady));
    return { nodes, admins, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function isReady(admin: Redis): Promise<void> {
  const deadline = Date.now() + READY_MS;
  while (Date.now() < deadline) {
    const text = String(await admin.cluster("INFO"));
    if (text.includes("cluster_state:ok") && text.includes("cluster_known_nodes:3")) return;
    await sleep(50);
  }
  throw new Error("the redis cluster does not come up");
}
