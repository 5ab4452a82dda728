/** Reads what one stream of access logs sent; `envoy/als` has it. */
export interface LogStream {
  /** How many entries a message has, without reading them. */
  count(bytes: Uint8Array): number;
  /**
   * Reads a message and reports its entries while it is iterated; each step is short and gives how many entries are
   * done with it. Never throws.
   */
  read(bytes: Uint8Array): Iterator<number>;
  close(): void;
}

interface LogQueuePorts {
  /** Calls back in a later turn of the event loop, after what has arrived by now was answered. */
  readonly soon: (callback: () => void) => void;
  /** Milliseconds that never go back. */
  readonly now: () => number;
  /** Told of entries that were thrown away unread. */
  readonly onDropped: (entries: number) => void;
  /** Told how many entries wait. */
  readonly onDepth: (entries: number) => void;
}

interface LogQueueLimits {
  /** So many entries may wait; a message that does not fit any more is thrown away whole. */
  readonly maxEntries: number;
  readonly maxBytes: number;
  /** Reading stops after so many milliseconds, so that checks are answered in between. */
  readonly turnMs: number;
}

/** Entries of access logs between their arrival and their reading. */
export interface LogQueue {
  /** Never waits: what does not fit is dropped and told. */
  push(stream: LogStream, bytes: Uint8Array): void;
  /** After what was pushed before for this stream. */
  end(stream: LogStream): void;
  /** Reads all that waits, at once. */
  flush(): void;
}

interface Waiting {
  readonly stream: LogStream;
  /** Undefined: the stream's end. */
  readonly bytes: Uint8Array | undefined;
  /** Those that are not read yet. */
  entries: number;
}

const defaultLimits: LogQueueLimits = { maxEntries: 20_000, maxBytes: 32 * 1024 * 1024, turnMs: 0.5 };
/** So many that were read stay in front before the others are moved up: a queue that is never empty would grow. */
const MAX_READ = 1024;

/**
 * Access logs are many and may wait, checks may not: entries are read in small portions between other work. The stream
 * is never held up: Envoy would throw away what it cannot send, and only its own counters would tell.
 */
export function createLogQueue(
  { soon, now, onDropped, onDepth }: LogQueuePorts,
  { maxEntries, maxBytes, turnMs }: LogQueueLimits = defaultLimits,
): LogQueue {
  let queue: Waiting[] = [];
  let next = 0;
  let entries = 0;
  let bytes = 0;
  let scheduled = false;

  /** Of the message in front, once it was begun. */
  let reading: Iterator<number> | undefined;

  /** Does a part of what is in front; false: nothing waits. */
  const step = (): boolean => {
    const one = queue[next];
    if (one === undefined) return false;
    if (one.bytes === undefined) one.stream.close();
    else {
      reading ??= one.stream.read(one.bytes);
      const portion = reading.next();
      if (portion.done !== true) {
        one.entries -= portion.value;
        entries -= portion.value;
        return true;
      }
      reading = undefined;
    }
    next += 1;
    if (next === queue.length || (next >= MAX_READ && next * 2 >= queue.length)) {
      [queue, next] = [queue.slice(next), 0];
    }
    entries -= one.entries;
    bytes -= one.bytes?.length ?? 0;
    return true;
  };

  const run = (): void => {
    scheduled = false;
    const until = now() + turnMs;
    while (step()) if (now() >= until) break;
    onDepth(entries);
    schedule();
  };

  const schedule = (): void => {
    if (scheduled || queue.length === 0) return;
    scheduled = true;
    soon(run);
  };

  return {
    push(stream, message) {
      // Of no bytes any number would fit.
      if (message.length === 0) return;
      const count = stream.count(message);
      if (entries + count > maxEntries || bytes + message.length > maxBytes) {
        onDropped(count);
        return;
      }
      entries += count;
      bytes += message.length;
      queue.push({ stream, bytes: message, entries: count });
      onDepth(entries);
      schedule();
    },
    end(stream) {
      queue.push({ stream, bytes: undefined, entries: 0 });
      schedule();
    },
    flush() {
      while (step());
      onDepth(entries);
    },
  };
}
