import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Sent } from "../../../src/adapters/otlp-answer.js";
import { createExportQueue, type ExportQueue, exportLimits } from "../../../src/adapters/otlp-queue.js";
import { createFakeTime, type FakeTime, settle } from "../../support/fake-time.js";
import { createSinkLedger, type SinkLedger } from "../../support/sink-ledger.js";

interface Stage {
  readonly time: FakeTime;
  readonly ledger: SinkLedger;
  readonly queue: ExportQueue<string>;
  /** What was sent, and when. */
  readonly sent: { readonly at: number; readonly items: readonly string[] }[];
  /** Answers the request that is under way. */
  readonly answer: (sent: Sent) => Promise<void>;
  readonly underWay: () => number;
}

const taken: Sent = { kind: "taken", rejected: 0 };
const later: Sent = { kind: "later", afterMs: undefined, reason: "HTTP status 503" };

/** `usual`: every request is answered with it at once. */
function aStage(more: Partial<typeof exportLimits> = {}, usual?: Sent): Stage {
  const time = createFakeTime();
  const ledger = createSinkLedger();
  const sent: { at: number; items: readonly string[] }[] = [];
  let resolveSend: ((sent: Sent) => void) | undefined;
  const queue = createExportQueue<string>(
    "otlp",
    {
      sizeOf: (item) => item.length,
      encode: (items) => Buffer.from(JSON.stringify(items)),
      send: (bytes) => {
        sent.push({ at: time.now(), items: JSON.parse(Buffer.from(bytes).toString()) as string[] });
        if (usual !== undefined) return Promise.resolve(usual);
        return new Promise((resolve) => {
          resolveSend = resolve;
        });
      },
      close: () => resolveSend?.(later),
    },
    { ...ledger, monotonic: time.now, schedule: time.schedule, random: () => 0.5 },
    { ...exportLimits, ...more },
  );
  return {
    time,
    ledger,
    queue,
    sent,
    underWay: () => (resolveSend === undefined ? 0 : 1),
    answer: async (answer) => {
      const resolve = resolveSend;
      resolveSend = undefined;
      resolve?.(answer);
      await settle();
    },
  };
}

describe("a queue of exports", () => {
  it("sends what came in a second as one batch", async () => {
    const { queue, time, sent } = aStage({}, taken);
    for (const item of ["a", "b", "c"]) queue.add(item);
    await time.advance(999);
    expect(sent).toEqual([]);
    await time.advance(1);
    expect(sent).toEqual([{ at: 1000, items: ["a", "b", "c"] }]);
  });

  it("sends a full batch at once, and never more items or bytes than a batch may have", async () => {
    const { queue, sent, ledger } = aStage({}, taken);
    for (let i = 0; i < 1300; i += 1) queue.add("x");
    await settle();
    expect(sent.map(({ items }) => items.length)).toEqual([512, 512]);
    expect([ledger.delivered(), ledger.queued()]).toEqual([1024, 276]);
    const long = aStage({ maxBatchBytes: 100 }, taken);
    for (const item of ["x".repeat(60), "y".repeat(60), "z".repeat(101)]) long.queue.add(item);
    await settle();
    expect(long.sent.map(({ items }) => items.length)).toEqual([1, 1, 1]);
  });

  it("has one request under way, and drops what does not fit meanwhile", async () => {
    const { queue, ledger, sent, answer } = aStage({ maxQueued: 1000 });
    for (let i = 0; i < 1500; i += 1) queue.add("x");
    await settle();
    expect([sent.length, ledger.queued(), ledger.dropped("queue_full")]).toEqual([1, 1000, 500]);
    await answer(taken);
    expect([ledger.delivered(), ledger.queued(), ledger.sum()]).toEqual([512, 488, 1500]);
  });

  it("bounds the bytes too, and refuses an item that is too long", () => {
    const { queue, ledger } = aStage({ maxQueuedBytes: 1000, maxItemBytes: 400 });
    for (let i = 0; i < 4; i += 1) queue.add("x".repeat(400));
    queue.add("x".repeat(401));
    expect([ledger.queued(), ledger.dropped("queue_full"), ledger.dropped("too_long")]).toEqual([2, 2, 1]);
  });

  it("sends a batch again as it was, after pauses that double, with jitter", async () => {
    const { queue, time, sent, ledger } = aStage({ lingerMs: 0, minMs: 1000, maxMs: 5000 }, later);
    queue.add("a");
    await time.advance(0);
    queue.add("b");
    await time.advance(20_000);
    const pauses = sent.map(({ at }, i) => at - (sent[i - 1]?.at ?? 0));
    expect(pauses).toEqual([0, 750, 1500, 3000, 3750, 3750, 3750]);
    expect(sent.every(({ items }) => items.length === 1 && items[0] === "a")).toBe(true);
    expect([ledger.retried(), ledger.queued(), ledger.sum()]).toEqual([6, 2, 2]);
    expect(ledger.logged.length).toBe(1);
  });

  it("waits as long as the receiver wishes, but not longer than is sane", async () => {
    for (const [afterMs, expected] of [
      [7000, 7000],
      [86_400_000, 300_000],
      [1, 375],
    ] as const) {
      const { queue, time, sent, answer } = aStage({ lingerMs: 0 });
      queue.add("a");
      await time.advance(0);
      await answer({ kind: "later", afterMs, reason: "HTTP status 429" });
      await time.advance(expected - 1);
      expect(sent.length).toBe(1);
      await time.advance(1);
      expect(sent.length).toBe(2);
    }
  });

  it("gives a batch up after its last attempt, and goes on with the next", async () => {
    const { queue, time, sent, ledger } = aStage({ lingerMs: 0, maxAttempts: 3 }, later);
    queue.add("a");
    await time.advance(0);
    queue.add("b");
    await time.advance(60_000);
    expect(sent.map(({ items }) => items[0])).toEqual(["a", "a", "a", "b", "b", "b"]);
    expect([ledger.dropped("retries"), ledger.sum()]).toEqual([2, 2]);
  });

  it("counts what the receiver rejects of a batch, and a batch that it refuses", async () => {
    const { queue, time, ledger, answer } = aStage({ lingerMs: 0 });
    for (const item of ["a", "b", "c"]) queue.add(item);
    await time.advance(0);
    await answer({ kind: "taken", rejected: 2 });
    expect([ledger.delivered(), ledger.dropped("refused")]).toEqual([1, 2]);
    queue.add("d");
    await time.advance(0);
    await answer({ kind: "refused", reason: "HTTP status 400" });
    expect([ledger.delivered(), ledger.dropped("refused"), ledger.sum()]).toEqual([1, 3, 4]);
    queue.add("e");
    await time.advance(0);
    await answer({ kind: "taken", rejected: 99 });
    expect([ledger.dropped("refused"), ledger.sum()]).toEqual([4, 5]);
  });

  it("sends all that is queued at the end, without waiting for a pause", async () => {
    const { queue, time, sent, ledger, answer } = aStage({ lingerMs: 0 });
    queue.add("a");
    await time.advance(0);
    await answer({ kind: "later", afterMs: 60_000, reason: "HTTP status 503" });
    queue.add("b");
    const closed = queue.close(5000);
    await settle();
    await answer(taken);
    await answer(taken);
    await closed;
    expect(sent.map(({ at, items }) => [at, items[0]])).toEqual([
      [0, "a"],
      [0, "a"],
      [0, "b"],
    ]);
    expect([ledger.delivered(), ledger.queued()]).toEqual([2, 0]);
    queue.add("c");
    expect(ledger.dropped("closed")).toBe(1);
  });

  it("ends at its deadline, with the rest counted as lost, once", async () => {
    const { queue, time, ledger, answer } = aStage({ maxBatch: 2 });
    for (let i = 0; i < 5; i += 1) queue.add("x");
    const closed = queue.close(1000);
    await time.advance(1000);
    await closed;
    expect([ledger.queued(), ledger.dropped("closed")]).toEqual([0, 5]);
    await answer(taken);
    expect([ledger.delivered(), ledger.sum()]).toEqual([0, 5]);
  });

  it("adds up at any time, whatever the receiver does", async () => {
    const answers = fc.oneof(
      fc.record({ kind: fc.constant("taken" as const), rejected: fc.nat(4) }),
      fc.record({
        kind: fc.constant("later" as const),
        afterMs: fc.option(fc.nat(5000), { nil: undefined }),
        reason: fc.constant("x"),
      }),
      fc.record({ kind: fc.constant("refused" as const), reason: fc.constant("x") }),
    );
    const step = fc.oneof(
      fc.integer({ min: 1, max: 30 }),
      fc.nat(4000).map((ms) => ({ ms })),
      answers,
    );
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
        const stage = aStage({ maxQueued: 40, maxBatch: 8, maxAttempts: 3, minMs: 100 });
        const { queue, time, ledger, answer } = stage;
        let given = 0;
        for (const one of steps) {
          if (typeof one === "number") {
            for (let i = 0; i < one; i += 1) queue.add("x");
            given += one;
          } else if ("ms" in one) await time.advance(one.ms);
          else await answer(one);
          expect(ledger.sum()).toBe(given);
          expect(ledger.queued()).toBeLessThanOrEqual(40);
        }
        const closed = queue.close(1000);
        await time.advance(1000);
        await closed;
        expect([ledger.queued(), ledger.sum()]).toEqual([0, given]);
        expect(time.waiting()).toBe(0);
      }),
    );
  });
});
