import type { Line } from "./file-output.js";
import type { SinkLoss } from "./sinks-ports.js";

/** What is told to whoever waits for a line to be on disk. */
export interface Waiter {
  readonly stored: () => void;
  readonly lost: (loss: SinkLoss) => void;
}

/** A line that waits to be written. */
export interface QueuedLine extends Line {
  /** Undefined: nobody waits for it. */
  readonly waiter: Waiter | undefined;
}

/** How much may wait. */
export interface QueueBounds {
  readonly lines: number;
  /** Of text, in UTF-16 units. */
  readonly length: number;
}

/** Lines in the order in which they came. */
export interface LineQueue {
  readonly count: () => number;
  readonly length: () => number;
  /** False: it is full. */
  readonly add: (line: QueuedLine) => boolean;
  /** The first lines, at least one and about `maxLength` of text; they stay until they are removed. */
  readonly head: (maxLength: number) => readonly QueuedLine[];
  readonly remove: (count: number) => readonly QueuedLine[];
  /** Removes the lines that somebody waits for. */
  readonly removeWaiting: () => readonly QueuedLine[];
}

/** An empty one. */
export function createLineQueue(bounds: QueueBounds): LineQueue {
  let lines: QueuedLine[] = [];
  let first = 0;
  let length = 0;
  const count = (): number => lines.length - first;
  const compact = (): void => {
    if (first > 1024 && first * 2 > lines.length) {
      lines = lines.slice(first);
      first = 0;
    }
  };
  return {
    count,
    length: () => length,
    add(line) {
      if (count() >= bounds.lines || length + line.text.length > bounds.length) return false;
      lines.push(line);
      length += line.text.length;
      return true;
    },
    head(maxLength) {
      let end = first;
      let taken = 0;
      while (end < lines.length && (end === first || taken < maxLength)) {
        taken += lines[end]?.text.length ?? 0;
        end += 1;
      }
      return lines.slice(first, end);
    },
    remove(many) {
      const removed = lines.slice(first, first + many);
      first += removed.length;
      for (const { text } of removed) length -= text.length;
      if (first === lines.length) {
        lines = [];
        first = 0;
      } else compact();
      return removed;
    },
    removeWaiting() {
      const held = lines.slice(first);
      lines = held.filter(({ waiter }) => waiter === undefined);
      first = 0;
      const removed = held.filter(({ waiter }) => waiter !== undefined);
      for (const { text } of removed) length -= text.length;
      return removed;
    },
  };
}
