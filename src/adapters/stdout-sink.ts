import type { Disk } from "./file-disk.js";
import { type LineOutput, type LineTarget, outputOn } from "./file-output.js";

/**
 * Standard output. Of a pipe or a terminal a descriptor of our own is opened that never waits: `process.stdout` writes
 * to pipes synchronously, and a write that waits for a reader in a thread keeps the process from ending.
 * What cannot be opened again (a socket, as journald gives one, or a pipe of another user) is written to as it is: one
 * thread waits with it when it is full.
 */
export function stdoutTarget(disk: Disk, fd: number = 1): LineTarget {
  return {
    where: "stdout",
    reopens: false,
    open: async () => {
      const { isStream } = await disk.stat(fd);
      if (!isStream) return outputOn(fd, disk, true);
      const own = await disk.append(`/proc/self/fd/${fd}`, "write").catch(() => undefined);
      return own === undefined ? outputOn(fd, disk, true) : inWholeLines(outputOn(own, disk));
    },
    release: async () => {},
  };
}

/** PIPE_BUF of Linux: so much is written to a pipe whole or, where it never waits, not at all (pipe(7)). */
const pipeBytes = 4096;

/** Several sinks write to one pipe: that none of them tears another's line, each write is a few whole ones. */
function inWholeLines(output: LineOutput): LineOutput {
  return {
    ...output,
    write: (bytes) => {
      const last = bytes.length <= pipeBytes ? bytes.length : bytes.lastIndexOf(lineFeed, pipeBytes - 1) + 1;
      const end = last > 0 ? last : bytes.indexOf(lineFeed) + 1 || bytes.length;
      return output.write(end === bytes.length ? bytes : bytes.subarray(0, end));
    },
  };
}

const lineFeed = 0x0a;
