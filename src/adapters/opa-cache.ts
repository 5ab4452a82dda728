import { createHash, randomUUID } from "node:crypto";
import type { Stats } from "node:fs";
import { lstat, mkdir, readdir, readFile, rename, rm, stat, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { deserialize, serialize } from "node:v8";
import { LRUCache } from "lru-cache";

/** Results by the hash of all that they depend on. Losing one costs time, never correctness. */
export interface OpaCache {
  /** Undefined: not there, or not as it was written. */
  get(key: string): Promise<unknown>;
  put(key: string, result: unknown): Promise<void>;
}

/** Undefined for what another version of the engine wrote. */
function read(content: Uint8Array): unknown {
  try {
    return deserialize(content.slice());
  } catch {
    return undefined;
  }
}

/** Limits of a cache. */
export interface OpaCacheOptions {
  /** Made when it is missing, for this user alone. Undefined: results live as long as the process. */
  readonly folder?: string | undefined;
  readonly maxMemoryBytes?: number | undefined;
  readonly maxDiskBytes?: number | undefined;
  /** Why the folder is not used, once. */
  readonly onUnusable?: ((reason: string) => void) | undefined;
}

const MAX_MEMORY_BYTES = 64 * 2 ** 20;
const MAX_DISK_BYTES = 256 * 2 ** 20;
const CHECKSUM_BYTES = 32;
const SUFFIX = ".opa";
/** Files of writers that died are left for this long. */
const ABANDONED_MS = 3_600_000;

/** The folder is looked at when it is first needed. */
export function createOpaCache(options: OpaCacheOptions = {}): OpaCache {
  const memory = new LRUCache<string, Uint8Array>({
    maxSize: options.maxMemoryBytes ?? MAX_MEMORY_BYTES,
    sizeCalculation: ({ length }) => length + CHECKSUM_BYTES,
  });
  let folder: Promise<string | undefined> | undefined;
  const usable = (): Promise<string | undefined> => {
    folder ??= prepare(options.folder, options.onUnusable ?? (() => {}));
    return folder;
  };

  return {
    async get(key) {
      const held = memory.get(key);
      if (held !== undefined) return deserialize(held.slice());
      const place = await usable();
      if (place === undefined) return undefined;
      const file = join(place, key + SUFFIX);
      const content = await readFile(file).catch(() => undefined);
      if (content === undefined) return undefined;
      const found = unpack(key, content);
      if (found === undefined) {
        await rm(file, { force: true }).catch(() => {});
        return undefined;
      }
      const result = read(found);
      if (result === undefined) return undefined;
      memory.set(key, found);
      // The oldest are removed first: this one is in use.
      const now = new Date();
      await utimes(file, now, now).catch(() => {});
      return result;
    },
    async put(key, result) {
      const content = new Uint8Array(serialize(result));
      memory.set(key, content);
      const place = await usable();
      if (place === undefined) return;
      try {
        const fresh = join(place, `${key}.${randomUUID()}.tmp`);
        await writeFile(fresh, [checksum(key, content), content], { mode: 0o600, flag: "wx" });
        await rename(fresh, join(place, key + SUFFIX));
        await shrink(place, options.maxDiskBytes ?? MAX_DISK_BYTES);
      } catch (error) {
        options.onUnusable?.(`a result cannot be kept: ${reason(error)}`);
      }
    },
  };
}

/** What is read back is run: a folder that another user may write to is not used. */
async function prepare(
  folder: string | undefined,
  onUnusable: (reason: string) => void,
): Promise<string | undefined> {
  if (folder === undefined) return undefined;
  try {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    const wrong = distrust(await lstat(folder), process.getuid?.());
    if (wrong === undefined) return folder;
    onUnusable(`\`${folder}\` is not used: ${wrong}`);
  } catch (error) {
    onUnusable(`\`${folder}\` is not used: ${reason(error)}`);
  }
  return undefined;
}

/** Why a folder cannot be trusted. Where there are no user ids nothing can be said. */
export function distrust(found: Stats, user: number | undefined): string | undefined {
  if (!found.isDirectory()) return "it is no folder";
  if (user === undefined) return undefined;
  if (found.uid !== user) return "it belongs to another user";
  if ((found.mode & 0o022) !== 0) return "others may write to it";
  return undefined;
}

/** The key is part of it, so that an entry under another's name counts as damaged. */
function checksum(key: string, content: Uint8Array): Uint8Array {
  return createHash("sha256").update(key).update(content).digest();
}

function unpack(key: string, file: Buffer): Uint8Array | undefined {
  const content = file.subarray(CHECKSUM_BYTES);
  if (!file.subarray(0, CHECKSUM_BYTES).equals(checksum(key, content))) return undefined;
  return new Uint8Array(content);
}

async function shrink(folder: string, maxBytes: number): Promise<void> {
  const files: { readonly file: string; readonly size: number; readonly mtimeMs: number }[] = [];
  for (const name of await readdir(folder)) {
    const file = join(folder, name);
    const found = await stat(file).catch(() => undefined);
    if (found === undefined) continue;
    if (name.endsWith(SUFFIX)) files.push({ file, size: found.size, mtimeMs: found.mtimeMs });
    else if (name.endsWith(".tmp") && Date.now() - found.mtimeMs > ABANDONED_MS)
      await rm(file, { force: true });
  }
  let total = files.reduce((sum, { size }) => sum + size, 0);
  for (const { file, size } of files.sort((a, b) => a.mtimeMs - b.mtimeMs)) {
    if (total <= maxBytes) return;
    await rm(file, { force: true });
    total -= size;
  }
}

function reason(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
