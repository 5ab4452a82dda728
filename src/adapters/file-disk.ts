import { close, constants, fstat, fsync, ftruncate, open, read, write } from "node:fs";
import { promisify } from "node:util";

/** What is open. */
export interface DiskFile {
  readonly size: number;
  /** Names that lead to it: 0 after its removal. */
  readonly links: number;
  readonly isRegular: boolean;
  /** A pipe or a terminal: something that can be full without being broken. */
  readonly isStream: boolean;
  /** Device and inode: the same for the same file under any name. */
  readonly identity: string;
}

/** Files by descriptor. Every call may take its time, and rejects with Node's errors. */
export interface Disk {
  /** For appending, never waiting for a reader; made with mode 0640 where there is none. */
  append(path: string, access: "write" | "readwrite"): Promise<number>;
  /** Gives how much was written, which may be less. */
  write(fd: number, bytes: Uint8Array): Promise<number>;
  read(fd: number, into: Uint8Array, position: number): Promise<number>;
  sync(fd: number): Promise<void>;
  truncate(fd: number, size: number): Promise<void>;
  stat(fd: number): Promise<DiskFile>;
  close(fd: number): Promise<void>;
  /** Makes a name that was made in the folder survive a crash. */
  syncFolder(path: string): Promise<void>;
}

const openFile = promisify(open);
const readBytes = promisify(read);
const writeBytes = promisify(write);
const statFile = promisify(fstat);
const syncFile = promisify(fsync);
const closeFile = promisify(close);

/** Nobody but the owner writes, and whoever is in the group of logs may read. */
const mode = 0o640;

/** Node's files. */
export const nodeDisk: Disk = {
  append(path, access) {
    // Without O_NONBLOCK the opening of a pipe that nobody reads would hold up a thread for good.
    const how = constants.O_APPEND | constants.O_CREAT | constants.O_NONBLOCK;
    return openFile(path, how | (access === "write" ? constants.O_WRONLY : constants.O_RDWR), mode);
  },
  async write(fd, bytes) {
    return (await writeBytes(fd, bytes)).bytesWritten;
  },
  async read(fd, into, position) {
    return (await readBytes(fd, into, 0, into.byteLength, position)).bytesRead;
  },
  sync: syncFile,
  truncate: promisify(ftruncate),
  async stat(fd) {
    const found = await statFile(fd);
    return {
      size: found.size,
      links: found.nlink,
      isRegular: found.isFile(),
      isStream: found.isFIFO() || found.isSocket() || found.isCharacterDevice(),
      identity: `${found.dev}:${found.ino}`,
    };
  },
  close: closeFile,
  async syncFolder(path) {
    const fd = await openFile(path, constants.O_RDONLY | constants.O_DIRECTORY, 0);
    try {
      await syncFile(fd);
    } finally {
      await closeFile(fd);
    }
  },
};
