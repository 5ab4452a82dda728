import { randomUUID } from "node:crypto";
import { dirname, resolve } from "node:path";
import { type Chain, type ChainState, createChain, newChain, readChain } from "../audit/index.js";
import { GatehouseError } from "../diagnostics/index.js";
import { type FileLock, lockFile } from "./audit-lock.js";
import type { Disk } from "./file-disk.js";
import { cutOff, type Line, type LineOutput, type LineTarget, outputOn } from "./file-output.js";
import type { SinkLogger } from "./sinks-ports.js";

/** What an audit file takes from its surroundings. */
export interface AuditPorts {
  readonly disk: Disk;
  readonly logger: SinkLogger;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  /** What makes the chain one of HMACs; undefined: it is one of hashes. Read at every opening, since it may not be there yet. */
  readonly readKey: () => Promise<Uint8Array | undefined>;
}

/** The same when the key is known. */
interface Keyed extends AuditPorts {
  readonly key: Uint8Array | undefined;
}

/** Of the end of a file that is looked at first, and at most. */
const tailBytes = 64 * 1024;
const maxTailBytes = 64 * 1024 * 1024;

/** An output, and where its chain stands. */
interface AuditOutput extends LineOutput {
  readonly identity: string;
  /** Behind the last line that is written. */
  readonly state: () => ChainState;
}

/**
 * A file with a hash chain, which goes on where the file ends, and in a new file when the old one was moved away. Held by
 * a lock, since two writers would break the chain. What it opens is looked at in full before it is written to.
 */
export function auditTarget(path: string, ports: AuditPorts): LineTarget {
  const { disk, now } = ports;
  const where = resolve(path);
  const opened = new WeakMap<LineOutput, AuditOutput>();
  let lock: FileLock | undefined;
  /** Of which it may be closed already: an empty file is the next one of its chain. */
  let last: AuditOutput | undefined;

  const open = async (current: LineOutput | undefined): Promise<LineOutput> => {
    const key = await ports.readKey();
    const keyed = { ...ports, key };
    lock ??= await lockFile(where);
    const fd = await disk.append(where, "readwrite");
    try {
      const before = current && opened.get(current);
      const { identity, isRegular, size } = await disk.stat(fd);
      if (!isRegular) throw new GatehouseError("sink", "is no regular file");
      if (before !== undefined && before.identity === identity) {
        await disk.close(fd);
        return before;
      }
      const found = size === 0 ? last?.state() : await readEnd(fd, size, where, keyed);
      const state = found ?? newChain(randomUUID());
      const chain = createChain(state, key);
      const isNext = size === 0 && found !== undefined;
      const first = isNext ? chain.rotate(now()) : chain.begin(now());
      await writeFirst(fd, first, disk);
      if (size === 0) await disk.syncFolder(dirname(where));
      const output = chained(fd, identity, chain, keyed);
      opened.set(output, output);
      last = output;
      return output;
    } catch (error) {
      await disk.close(fd).catch(() => {});
      throw error;
    }
  };

  return {
    where,
    reopens: true,
    open,
    release: async () => {
      await lock?.release();
      lock = undefined;
    },
  };
}

async function readEnd(
  fd: number,
  size: number,
  where: string,
  { disk, key, logger }: Keyed,
): Promise<ChainState> {
  for (let length = Math.min(tailBytes, size); ; length = Math.min(length * 8, size)) {
    const bytes = await readAt(fd, size - length, length, disk);
    const read = readChain(bytes, { whole: length === size, key });
    if (read === "none") return newChain(randomUUID(), bytes);
    if (read !== "more") {
      if (read.fault !== undefined)
        logger.warn({ file: where, fault: read.fault }, "audit file is not intact");
      return read.state;
    }
    if (length === size || length >= maxTailBytes) {
      throw new GatehouseError("sink", `its last ${length} bytes hold no line of an audit file`);
    }
  }
}

async function readAt(fd: number, position: number, length: number, disk: Disk): Promise<Buffer> {
  const bytes = Buffer.alloc(length);
  let got = 0;
  while (got < length) {
    const more = await disk.read(fd, bytes.subarray(got), position + got);
    if (more === 0) throw new GatehouseError("sink", "it became shorter while it was read");
    got += more;
  }
  return bytes;
}

async function writeFirst(fd: number, text: string, disk: Disk): Promise<void> {
  const bytes = Buffer.from(text, "utf8");
  let done = 0;
  try {
    while (done < bytes.byteLength) done += await disk.write(fd, bytes.subarray(done));
    await disk.sync(fd);
  } catch (error) {
    await cutOff(fd, done, disk);
    throw error;
  }
}

function chained(fd: number, identity: string, begun: Chain, { disk, key }: Keyed): AuditOutput {
  let chain = begun;
  /** Behind each of the lines that were encoded last. */
  let states: ChainState[] = [];
  let written: ChainState = stateOf(chain);
  return {
    ...outputOn(fd, disk),
    identity,
    state: () => written,
    encode(lines: readonly Line[]) {
      states = [];
      let text = "";
      for (const line of lines) {
        text += chain.next(line.time, line.text);
        states.push(stateOf(chain));
      }
      return Buffer.from(text, "utf8");
    },
    commit(count) {
      written = states[count - 1] ?? written;
      if (count < states.length) chain = createChain(written, key);
    },
  };
}

function stateOf(chain: Chain): ChainState {
  return { seq: chain.seq(), head: chain.head(), repair: undefined, id: undefined };
}
