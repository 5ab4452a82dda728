import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createLogQueue, type LogQueue, type LogStream } from "../../../src/server/log-queue.js";

interface Setup {
  readonly queue: LogQueue;
  readonly stream: LogStream;
  /** What the stream was given, `end` for its end. */
  readonly seen: string[];
  readonly dropped: () => number;
  readonly depth: () => number;
  /** Runs one turn of the event loop; false: nothing was to be done. */
  readonly turn: () => boolean;
}

/** A message of `n` entries is `n` letters; reading one entry takes a millisecond. */
function setup(limits: Partial<Parameters<typeof createLogQueue>[1]> = {}): Setup {
  const turns: (() => void)[] = [];
  const seen: string[] = [];
  let dropped = 0;
  let depth = 0;
  let time = 0;
  const queue = createLogQueue(
    {
      soon: (callback) => void turns.push(callback),
      now: () => time,
      onDropped: (entries) => {
        dropped += entries;
      },
      onDepth: (entries) => {
        depth = entries;
      },
    },
    { maxEntries: 10, maxBytes: 100, turnMs: 1, ...limits },
  );
  const stream: LogStream = {
    count: (bytes) => bytes.length,
    *read(bytes) {
      for (const letter of Buffer.from(bytes).toString()) {
        time += 1;
        seen.push(letter);
        yield 1;
      }
    },
    close: () => void seen.push("end"),
  };
  const turn = (): boolean => {
    const next = turns.shift();
    next?.();
    return next !== undefined;
  };
  return { queue, stream, seen, dropped: () => dropped, depth: () => depth, turn };
}

const bytes = (text: string): Uint8Array => Buffer.from(text);

describe("the queue of access logs", () => {
  it("reads nothing in the turn in which a message arrives", () => {
    const { queue, stream, seen, depth } = setup();
    queue.push(stream, bytes("ab"));
    expect([seen, depth()]).toEqual([[], 2]);
  });

  it("reads one message after the other, and stops when its time is over", () => {
    const { queue, stream, seen, turn, depth } = setup();
    for (const text of ["a", "b", "c"]) queue.push(stream, bytes(text));
    turn();
    expect([seen, depth()]).toEqual([["a"], 2]);
    while (turn());
    expect([seen, depth()]).toEqual([["a", "b", "c"], 0]);
  });

  it("stops within a message, and goes on there before all others", () => {
    const { queue, stream, seen, turn, depth } = setup({ turnMs: 2 });
    queue.push(stream, bytes("abcde"));
    queue.push(stream, bytes("fg"));
    const turns = [];
    while (turn()) turns.push(`${seen.join("")} ${depth()}`);
    expect(turns.slice(0, 4)).toEqual(["ab 5", "abcd 3", "abcdef 1", "abcdefg 0"]);
  });

  it("makes room as a message is read", () => {
    const { queue, stream, seen, turn, dropped } = setup({ turnMs: 3 });
    queue.push(stream, bytes("abcdefghij"));
    turn();
    queue.push(stream, bytes("klmn"));
    queue.push(stream, bytes("xyz"));
    while (turn());
    expect([seen.join(""), dropped()]).toEqual(["abcdefghijxyz", 4]);
  });

  it("goes on by the count where a message ends before its entries do", () => {
    const { queue, stream, depth, turn } = setup();
    queue.push({ ...stream, count: () => 5 }, bytes("ab"));
    while (turn());
    expect(depth()).toBe(0);
  });

  it("throws a message away whole that does not fit, and counts its entries", () => {
    const { queue, stream, seen, dropped, turn } = setup();
    queue.push(stream, bytes("12345678"));
    queue.push(stream, bytes("abc"));
    queue.push(stream, bytes("xy"));
    while (turn());
    expect([seen.join(""), dropped()]).toEqual(["12345678xy", 3]);
  });

  it("is bounded in bytes too", () => {
    const { queue, stream, dropped } = setup({ maxEntries: 1000, maxBytes: 4 });
    queue.push(stream, bytes("abc"));
    queue.push(stream, bytes("de"));
    expect(dropped()).toBe(2);
  });

  it("lets go of what was read although it never becomes empty", () => {
    setFlagsFromString("--expose-gc");
    const { queue, stream, turn } = setup({ maxEntries: 10, maxBytes: 1_000_000 });
    const firsts: WeakRef<Uint8Array>[] = [];
    for (let i = 0; i < 5000; i++) {
      const message = bytes("a");
      if (i < 100) firsts.push(new WeakRef(message));
      queue.push(stream, message);
      if (i >= 5) turn();
    }
    return new Promise<void>((resolve) => setImmediate(resolve)).then(() => {
      (runInNewContext("gc") as () => void)();
      expect(firsts.filter((one) => one.deref() !== undefined)).toEqual([]);
    });
  });

  it("does not hold messages without bytes, of which any number would fit", () => {
    const { queue, stream, turn } = setup();
    queue.push(stream, bytes(""));
    expect(turn()).toBe(false);
  });

  it("ends a stream after what came before", () => {
    const { queue, stream, seen, turn } = setup();
    queue.push(stream, bytes("a"));
    queue.end(stream);
    while (turn());
    expect(seen).toEqual(["a", "end"]);
  });

  it("reads all at once when it is told to, the rest of what was begun too", () => {
    const { queue, stream, seen, depth, turn } = setup();
    for (const text of ["ab", "c", "d"]) queue.push(stream, bytes(text));
    turn();
    queue.flush();
    expect([seen, depth()]).toEqual([["a", "b", "c", "d"], 0]);
  });

  it("loses nothing that it does not count", () => {
    const step = fc.oneof(fc.constant("turn"), fc.integer({ min: 1, max: 9 }));
    fc.assert(
      fc.property(fc.array(step), (steps) => {
        const { queue, stream, seen, dropped, depth, turn } = setup();
        let pushed = 0;
        for (const one of steps) {
          if (typeof one === "string") turn();
          else {
            queue.push(stream, bytes("x".repeat(one)));
            pushed += one;
          }
          expect(depth()).toBeLessThanOrEqual(10);
        }
        while (turn());
        expect(seen.join("").length + dropped()).toBe(pushed);
      }),
    );
  });
});
