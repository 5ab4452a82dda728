import type { Duplex } from "node:stream";

/** One end of a stream of lines between two processes. Lines arrive in order and whole, or not at all. */
export interface LineLink {
  /** False: the other end is gone. `line` holds no line break. */
  send(line: string): boolean;
  onLine(listener: (line: string) => void): void;
  /** Calls back once, when nothing can arrive any more. */
  onEnd(listener: () => void): void;
  close(): void;
}

/** The descriptor of a worker process's end. */
export const LINES_FD = 4;

/** Lines over a stream of bytes. */
export function createLineLink(stream: Duplex): LineLink {
  // A failed write shows as the end, which is handled.
  stream.on("error", () => {});
  return {
    send(line) {
      if (!stream.writable) return false;
      stream.write(`${line}\n`);
      return true;
    },
    onLine(listener) {
      let rest = "";
      stream.setEncoding("utf8").on("data", (text: string) => {
        const lines = text.split("\n");
        lines[0] = rest + lines[0];
        rest = lines.pop() ?? "";
        for (const line of lines) listener(line);
      });
    },
    onEnd: (listener) => void stream.once("close", listener),
    close: () => void stream.destroy(),
  };
}
