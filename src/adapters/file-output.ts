import { dirname, resolve } from "node:path";
import type { Disk } from "./file-disk.js";

/** A line to be written, without its line feed. */
export interface Line {
  readonly text: string;
  /** Milliseconds since the epoch. */
  readonly time: number;
}

/** Where whole lines are written to, once it is open. */
export interface LineOutput {
  /** The lines as they are written, each with its line feed. */
  readonly encode: (lines: readonly Line[]) => Buffer;
  /** So many of the lines that were encoded last are written whole, and none of the others. */
  readonly commit: (count: number) => void;
  /** May write less; rejects with EAGAIN when nothing can be written now. */
  readonly write: (bytes: Uint8Array) => Promise<number>;
  readonly sync: () => Promise<void>;
  /** Takes back so many bytes of a line that could not be written whole. False: they are out for good. */
  readonly takeBack: (bytes: number) => Promise<boolean>;
  /** No name leads to it any more, so that what is written is lost. */
  readonly isGone: () => Promise<boolean>;
  /** Never rejects. */
  readonly close: () => Promise<void>;
}

/** Opens an output; asked again while it rejects, and when the name may lead elsewhere. */
export interface LineTarget {
  /** For logs: a path, or `stdout`. */
  readonly where: string;
  /** False: there is nothing to open again, as with stdout. */
  readonly reopens: boolean;
  /** `current` is what was open, and stays so if this rejects. */
  readonly open: (current: LineOutput | undefined) => Promise<LineOutput>;
  /** Gives up what is held beyond an output, such as a lock. Never rejects. */
  readonly release: () => Promise<void>;
}

/** Lines as they are. */
function joinLines(lines: readonly Line[]): Buffer {
  let joined = "";
  for (const { text } of lines) joined += `${text}\n`;
  return Buffer.from(joined, "utf8");
}

/** A file that is appended to, by anyone who likes. */
export function fileTarget(path: string, disk: Disk): LineTarget {
  const where = resolve(path);
  return {
    where,
    reopens: true,
    open: async () => {
      const fd = await disk.append(where, "write");
      // What was made just now is to be found after a crash. A folder of others may refuse that.
      await disk.syncFolder(dirname(where)).catch(() => {});
      return outputOn(fd, disk);
    },
    release: async () => {},
  };
}

/** Lines on an open descriptor, which is closed with it unless it is `shared`. */
export function outputOn(fd: number, disk: Disk, shared: boolean = false): LineOutput {
  return {
    encode: joinLines,
    commit: () => {},
    write: (bytes) => disk.write(fd, bytes),
    sync: () => disk.sync(fd),
    takeBack: (bytes) => cutOff(fd, bytes, disk),
    isGone: async () => (await disk.stat(fd)).links === 0,
    close: async () => {
      if (!shared) await disk.close(fd).catch(() => {});
    },
  };
}

/** Shortens a file by so many bytes; false when it is none, or will not. */
export async function cutOff(fd: number, bytes: number, disk: Disk): Promise<boolean> {
  try {
    const { isRegular, size } = await disk.stat(fd);
    if (!isRegular) return false;
    await disk.truncate(fd, Math.max(size - bytes, 0));
    return true;
  } catch {
    return false;
  }
}
