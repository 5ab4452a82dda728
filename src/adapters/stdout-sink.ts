import type { Disk } from "./file-disk.js";
import { type LineTarget, outputOn } from "./file-output.js";

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
      return own === undefined ? outputOn(fd, disk, true) : outputOn(own, disk);
    },
    release: async () => {},
  };
}
