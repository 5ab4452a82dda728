import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";

/** How a program ended: one of the two is set. */
export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** A started program. It never outlives the process that started it. */
export interface Running {
  readonly pid: number | undefined;
  /** stdout and stderr so far, joined, at most the last MiB. */
  output(): string;
  /** Fulfilled when the program has ended; never rejected. */
  readonly exited: Promise<Exit>;
  /** Sends SIGTERM, after five seconds SIGKILL; fulfilled when the program has ended. */
  stop(): Promise<Exit>;
}

/** A started program of this machine, with its lines on stdout as they come. */
export interface Child extends Running {
  /** Calls back for each whole line on stdout, those that came before included. */
  onLine(listener: (line: string) => void): void;
  kill(signal: NodeJS.Signals): void;
}

/** Where and how to start a program. */
export interface ChildOptions {
  readonly cwd?: string;
  /** Replaces the whole environment. */
  readonly env?: NodeJS.ProcessEnv;
}

const OUTPUT_BYTES = 1 << 20;
const TERM_MS = 5_000;

/** Starts a program without a shell; rejects when it cannot be started at all. */
export async function startChild(
  file: string,
  args: readonly string[],
  options: ChildOptions = {},
): Promise<Child> {
  const child = spawn(file, args, { ...options, stdio: ["ignore", "pipe", "pipe"] });
  // Only "spawn" tells that the program exists; "error" before it says why not.
  await once(child, "spawn");
  child.on("error", () => {});
  const dismiss = guard(child);

  let output = "";
  let partial = "";
  const lines: string[] = [];
  const listeners: ((line: string) => void)[] = [];
  const keep = (text: string): void => {
    output = (output + text).slice(-OUTPUT_BYTES);
  };
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    keep(text);
    const whole = (partial + text).split("\n");
    partial = whole.pop() ?? "";
    for (const line of whole) {
      lines.push(line);
      for (const listener of listeners) listener(line);
    }
  });
  child.stderr.setEncoding("utf8").on("data", keep);

  const exited = new Promise<Exit>((resolve) => {
    child.once("close", (code, signal) => {
      dismiss();
      resolve({ code, signal });
    });
  });
  return {
    pid: child.pid,
    output: () => output,
    exited,
    onLine: (listener) => {
      for (const line of lines) listener(line);
      listeners.push(listener);
    },
    kill: (signal) => {
      child.kill(signal);
    },
    stop: async () => {
      child.kill("SIGTERM");
      const late = setTimeout(() => child.kill("SIGKILL"), TERM_MS);
      const exit = await exited;
      clearTimeout(late);
      return exit;
    },
  };
}

/**
 * Ends the child when this process ends, however it does: a shell waits for the end of a pipe that only this
 * process holds, which the kernel closes even after SIGKILL.
 */
function guard(child: ChildProcess): () => void {
  const onExit = (): void => {
    child.kill("SIGKILL");
  };
  process.once("exit", onExit);
  const watch = spawn("sh", ["-c", 'cat >/dev/null; kill -9 "$1" 2>/dev/null', "watch", String(child.pid)], {
    stdio: ["pipe", "ignore", "ignore"],
    detached: true,
  });
  watch.on("error", () => {});
  watch.unref();
  return () => {
    process.removeListener("exit", onExit);
    watch.kill("SIGKILL");
  };
}
