import { mkdtemp, rm } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { Running } from "./child.js";
import { freePort } from "./ports.js";
import { findTool } from "./tools.js";

/** A real Redis or Valkey on a loopback port, that keeps nothing on disk. */
export interface RedisServer {
  readonly port: number;
  /** `redis://127.0.0.1:PORT`. */
  readonly url: string;
  readonly pid: number;
  output(): string;
  /** SIGSTOP: connections stay, nothing is answered. */
  pause(): void;
  resume(): void;
  /** SIGKILL; fulfilled when it is gone. */
  kill(): Promise<void>;
  /** Ends it, also when it is paused. */
  stop(): Promise<void>;
}

/** How a server is started. */
export interface RedisServerOptions {
  /** A free one by default. */
  readonly port?: number;
  /** Words of the command line after ours, so that they win. */
  readonly args?: readonly string[];
}

const START_MS = 10_000;

/** Fulfilled when the server answers. Rejects with its output when it does not within ten seconds. */
export async function startRedis(options: RedisServerOptions = {}): Promise<RedisServer> {
  const tool = await findTool("redis");
  const port = options.port ?? (await freePort());
  const folder = await mkdtemp(join(tmpdir(), "gatehouse-redis-"));
  const args = ["--port", String(port), "--bind", "127.0.0.1", "--dir", folder, "--save", ""];
  const running = await tool.launch([...args, "--appendonly", "no", ...(options.args ?? [])], {
    folders: [folder],
  });
  try {
    await answers(port, running);
  } catch (error) {
    await running.stop();
    await rm(folder, { recursive: true, force: true });
    throw error;
  }
  const signal = (name: NodeJS.Signals): void => {
    // A program in a container has no pid here.
    if (running.pid === undefined) throw new Error(`${tool.where}: cannot send ${name} into a container`);
    process.kill(running.pid, name);
  };
  const gone = async (): Promise<void> => {
    await running.exited;
    await rm(folder, { recursive: true, force: true });
  };
  let isPaused = false;
  let hasEnded = false;
  void running.exited.then(() => {
    hasEnded = true;
  });
  const resume = (): void => {
    if (isPaused && !hasEnded) signal("SIGCONT");
    isPaused = false;
  };
  return {
    port,
    url: `redis://127.0.0.1:${port}`,
    pid: running.pid ?? 0,
    output: running.output,
    pause: () => {
      signal("SIGSTOP");
      isPaused = true;
    },
    resume,
    kill: async () => {
      if (!hasEnded) signal("SIGKILL");
      await gone();
    },
    stop: async () => {
      resume();
      await running.stop();
      await gone();
    },
  };
}

async function answers(port: number, running: Running): Promise<void> {
  const deadline = Date.now() + START_MS;
  while (Date.now() < deadline) {
    // With a password it says -NOAUTH, which will do.
    if (/^(\+PONG|-NOAUTH)/.test(await ask(port, "PING"))) return;
    await sleep(20);
  }
  throw new Error(`redis does not answer on port ${port}:\n${running.output()}`);
}

/** The first bytes of the answer to one line; empty when there is no server. */
function ask(port: number, line: string): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1", () => socket.write(`${line}\r\n`));
    socket.setTimeout(1_000, () => socket.destroy());
    socket.setEncoding("utf8").once("data", (text: string) => {
      resolve(text);
      socket.destroy();
    });
    socket.on("error", () => socket.destroy());
    socket.on("close", () => resolve(""));
  });
}
