import { randomUUID } from "node:crypto";
import { link, readFile, rename, stat, unlink, utimes, writeFile } from "node:fs/promises";
import { hostname } from "node:os";
import { GatehouseError } from "../diagnostics/index.js";

/** Keeps others from a file until it is let go, or until the process has ended. */
export interface FileLock {
  /** Never rejects. */
  readonly release: () => Promise<void>;
}

/** Who holds a lock, as the lock's file says it. */
interface Holder {
  readonly host: string;
  readonly pid: number;
  /** When the process started, in ticks since the machine did; empty where that cannot be read. */
  readonly started: string;
  readonly token: string;
}

/** More than it takes to move a lock away and back. */
const settleMs = 50;
const touchMs = 10_000;
/** A holder on another host that has not touched the lock for so long is gone. */
const staleMs = 60_000;

/**
 * Takes the lock `PATH.lock`. Rejects while another process holds it that is alive: on this host by its id and start,
 * on another, whose processes cannot be seen (a folder shared by containers), by the age of the lock.
 */
export async function lockFile(path: string): Promise<FileLock> {
  const lock = `${path}.lock`;
  const mine: Holder = {
    host: hostname(),
    pid: process.pid,
    started: await startOf(process.pid),
    token: randomUUID(),
  };
  if (!(await make(lock, mine))) {
    const holder = await readHolder(lock);
    if (holder !== undefined && (await isHeld(lock, holder))) {
      throw new GatehouseError("sink", `locked by process ${holder.pid} on ${holder.host}`);
    }
    await takeAway(lock, holder?.token, mine.token);
    if (!(await make(lock, mine))) throw new GatehouseError("sink", "locked by another process");
    // Another that found the same lock stale may have moved ours by now.
    await new Promise((resolve) => setTimeout(resolve, settleMs));
    if ((await readHolder(lock))?.token !== mine.token) {
      throw new GatehouseError("sink", "locked by another process");
    }
  }
  const touching = setInterval(() => {
    const now = new Date();
    utimes(lock, now, now).catch(() => {});
  }, touchMs);
  touching.unref();
  return {
    release: async () => {
      clearInterval(touching);
      const holder = await readHolder(lock).catch(() => undefined);
      if (holder?.token === mine.token) await unlink(lock).catch(() => {});
    },
  };
}

/** Linked when it is whole, so that nobody finds a lock that does not say yet whose it is. */
async function make(lock: string, mine: Holder): Promise<boolean> {
  const draft = `${lock}.${mine.token}`;
  await writeFile(draft, `${JSON.stringify(mine)}\n`, { mode: 0o640 });
  try {
    await link(draft, lock);
    return true;
  } catch (error) {
    if (isCode(error, "EEXIST")) return false;
    throw error;
  } finally {
    await unlink(draft).catch(() => {});
  }
}

/** Undefined: the file is gone, or holds no holder, as when its writer was killed while it wrote. */
async function readHolder(lock: string): Promise<Holder | undefined> {
  try {
    const found: unknown = JSON.parse(await readFile(lock, "utf8"));
    if (typeof found !== "object" || found === null) return undefined;
    const { host, pid, started, token } = found as Partial<Record<keyof Holder, unknown>>;
    if (typeof host !== "string" || typeof pid !== "number" || !Number.isInteger(pid)) return undefined;
    return { host, pid, started: String(started), token: String(token) };
  } catch (error) {
    if (error instanceof SyntaxError || isCode(error, "ENOENT")) return undefined;
    throw error;
  }
}

async function isHeld(lock: string, holder: Holder): Promise<boolean> {
  if (holder.host !== hostname()) return (await ageOf(lock)) < staleMs;
  if (!isAlive(holder.pid)) return false;
  // The id may have been given to another process since.
  const started = await startOf(holder.pid);
  return started === "" || holder.started === "" || started === holder.started;
}

/** Moved before it is removed, so that of two that find it stale one removes it, and no fresh one is. */
async function takeAway(lock: string, token: string | undefined, mine: string): Promise<void> {
  const aside = `${lock}.${mine}.old`;
  try {
    await rename(lock, aside);
  } catch (error) {
    if (isCode(error, "ENOENT")) return;
    throw error;
  }
  const moved = await readHolder(aside);
  if (moved?.token !== token) {
    await link(aside, lock).catch(() => {});
    await unlink(aside);
    throw new GatehouseError("sink", "locked by another process");
  }
  await unlink(aside);
}

async function ageOf(lock: string): Promise<number> {
  return Date.now() - (await stat(lock)).mtimeMs;
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return isCode(error, "EPERM");
  }
}

/** The 22nd field of proc(5)'s stat; the second may hold spaces and brackets. */
async function startOf(pid: number): Promise<string> {
  const text = await readFile(`/proc/${pid}/stat`, "utf8").catch(() => "");
  return text.slice(text.lastIndexOf(")") + 2).split(" ")[19] ?? "";
}

function isCode(error: unknown, code: string): boolean {
  return error instanceof Error && "code" in error && error.code === code;
}
