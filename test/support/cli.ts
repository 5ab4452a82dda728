import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createRequire } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { run } from "../../src/cli/run.js";

const main = join(import.meta.dirname, "../../src/cli/main.ts");
const tsx = pathToFileURL(createRequire(import.meta.url).resolve("tsx")).href;

/** What a finished command said. */
export interface Finished {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A command under way. */
export interface Started {
  readonly process: ChildProcess;
  /** The first line on standard output, as JSON. Rejects when the command ends before it. */
  readonly listening: Promise<{ readonly event: string; readonly grpc: string; readonly admin: string }>;
  readonly finished: Promise<Finished>;
  /** What stands on standard error so far, line by line as JSON. */
  logs(): readonly Record<string, unknown>[];
}

/** Starts the command line from the sources. */
export function startCli(args: readonly string[], env: Record<string, string> = {}): Started {
  const child = spawn(process.execPath, ["--import", tsx, main, ...args], {
    env: { PATH: process.env["PATH"] ?? "", ...env },
    stdio: ["pipe", "pipe", "pipe"],
  });
  let stdout = "";
  let stderr = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    stderr += text;
  });
  const listening = new Promise<Awaited<Started["listening"]>>((resolve, reject) => {
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      stdout += text;
      const line = stdout.split("\n")[0] ?? "";
      if (stdout.includes("\n") && line.startsWith("{") && line.endsWith("}"))
        resolve(JSON.parse(line) as never);
    });
    child.once("close", () => reject(new Error(`ended before it listened: ${stderr}`)));
  });
  listening.catch(() => {});
  const finished = once(child, "close").then(([code]) => ({ code: code as number | null, stdout, stderr }));
  const logs = (): Record<string, unknown>[] =>
    stderr
      .split("\n")
      .filter((line) => line.startsWith("{") && line.endsWith("}"))
      .map((line) => JSON.parse(line) as Record<string, unknown>);
  return { process: child, listening, finished, logs };
}

/** Runs a command that ends by itself, in this process. */
export async function runCli(
  args: readonly string[],
  input = "",
  env: Record<string, string> = {},
): Promise<Finished> {
  let stdout = "";
  let stderr = "";
  const code = await run(args, {
    out: (text) => {
      stdout += text;
    },
    err: (text) => {
      stderr += text;
    },
    stdin: async () => input,
    env,
  });
  return { code, stdout, stderr };
}
