import { type Backoff, pauseBefore, type Sent } from "./otlp-answer.js";
import { type Pause, type SinkBase, type SinkLoss, startPause } from "./sinks-ports.js";

/** How much, how long, how often. */
export interface ExportLimits extends Backoff {
  readonly maxQueued: number;
  /** Of what is queued, about. */
  readonly maxQueuedBytes: number;
  readonly maxBatch: number;
  readonly maxBatchBytes: number;
  readonly maxItemBytes: number;
  /** How long the first of a batch waits for others. */
  readonly lingerMs: number;
  readonly maxAttempts: number;
}

/**
 * A batch stays below the 4 MiB that receivers of gRPC take, whatever the text. Some five minutes of attempts, as long
 * as the collector's own exporters try.
 */
export const exportLimits: ExportLimits = {
  maxQueued: 8192,
  maxQueuedBytes: 16 * 1024 * 1024,
  maxBatch: 512,
  maxBatchBytes: 1024 * 1024,
  maxItemBytes: 256 * 1024,
  lingerMs: 1000,
  maxAttempts: 16,
  minMs: 500,
  maxMs: 30_000,
  maxWishMs: 300_000,
};

/** How items are measured and sent. */
export interface ExportWay<Item> {
  readonly sizeOf: (item: Item) => number;
  readonly encode: (items: readonly Item[]) => Uint8Array;
  /** Never rejects. */
  readonly send: (bytes: Uint8Array) => Promise<Sent>;
  /** Ends what is under way, too. */
  readonly close: () => void;
}

/** Items on their way to one receiver. */
export interface ExportQueue<Item> {
  /** False: it is lost, and counted. */
  readonly add: (item: Item) => boolean;
  readonly close: (deadlineMs: number) => Promise<void>;
}

/** Sends in batches, one request under way at a time; a batch that is not taken is sent again as it was. */
export function createExportQueue<Item>(
  name: string,
  way: ExportWay<Item>,
  base: SinkBase,
  limits: ExportLimits = exportLimits,
): ExportQueue<Item> {
  const { observer, logger, schedule } = base;
  let waiting: { readonly item: Item; readonly size: number }[] = [];
  let waitingBytes = 0;
  let sending = 0;
  let state: "open" | "closing" | "closed" = "open";
  const isClosed = (): boolean => state === "closed";
  let isFailing = false;
  let draining: Promise<void> | undefined;
  let lingering: (() => void) | undefined;
  let pause: Pause | undefined;

  const lose = (loss: SinkLoss, count: number): false => {
    if (count > 0) observer.dropped(name, loss, count);
    return false;
  };
  const tell = (): void => observer.queued(name, waiting.length + sending);

  const say = (failed: string | undefined): void => {
    if (failed !== undefined && !isFailing)
      logger.warn({ sink: name, reason: failed }, "otlp receiver fails");
    if (failed === undefined && isFailing) logger.info({ sink: name }, "otlp receiver takes again");
    isFailing = failed !== undefined;
  };

  const take = (): Item[] => {
    let count = 0;
    let bytes = 0;
    for (const { size } of waiting) {
      if (count === limits.maxBatch || (count > 0 && bytes + size > limits.maxBatchBytes)) break;
      count += 1;
      bytes += size;
    }
    const items = waiting.slice(0, count).map(({ item }) => item);
    waiting = waiting.slice(count);
    waitingBytes -= bytes;
    sending = count;
    return items;
  };

  /** The batch is gone one way or another. */
  const finish = (taken: number, loss: SinkLoss): void => {
    const lost = sending - taken;
    sending = 0;
    tell();
    if (taken > 0) observer.delivered(name, taken);
    lose(loss, lost);
  };

  const sendBatch = async (): Promise<void> => {
    const items = take();
    const bytes = way.encode(items);
    for (let attempt = 1; ; attempt += 1) {
      const sent = await way.send(bytes);
      if (isClosed()) return;
      if (sent.kind === "taken") {
        say(sent.rejected > 0 ? "some of the batch was rejected" : undefined);
        return finish(Math.max(items.length - sent.rejected, 0), "refused");
      }
      say(sent.reason);
      if (sent.kind === "refused") return finish(0, "refused");
      if (attempt >= limits.maxAttempts) return finish(0, "retries");
      pause = pauseBefore(attempt, sent.afterMs, limits, base);
      await pause.over;
      pause = undefined;
      if (isClosed()) return;
      observer.retried(name);
    }
  };

  const isFull = (): boolean =>
    waiting.length >= limits.maxBatch || waitingBytes >= limits.maxBatchBytes || state === "closing";

  const drain = async (): Promise<void> => {
    do await sendBatch();
    while (!isClosed() && waiting.length > 0 && isFull());
  };

  const start = (): void => {
    lingering?.();
    lingering = undefined;
    if (draining !== undefined || isClosed() || waiting.length === 0) return;
    draining = drain()
      .catch(() => finish(0, "refused"))
      .finally(() => {
        draining = undefined;
        arrange();
      });
  };

  const arrange = (): void => {
    if (draining !== undefined || waiting.length === 0) return;
    if (isFull()) start();
    else lingering ??= schedule(limits.lingerMs, start);
  };

  const add = (item: Item): boolean => {
    if (state !== "open") return lose("closed", 1);
    const size = way.sizeOf(item);
    if (size > limits.maxItemBytes) return lose("too_long", 1);
    const isTooMuch = waitingBytes + size > limits.maxQueuedBytes;
    if (isTooMuch || waiting.length + sending >= limits.maxQueued) return lose("queue_full", 1);
    waiting.push({ item, size });
    waitingBytes += size;
    tell();
    arrange();
    return true;
  };

  const close = async (deadlineMs: number): Promise<void> => {
    if (state !== "open") return;
    state = "closing";
    const deadline = startPause(schedule, deadlineMs);
    const emptied = async (): Promise<void> => {
      start();
      pause?.skip();
      while (draining !== undefined) await draining;
    };
    await Promise.race([emptied(), deadline.over]);
    deadline.skip();
    state = "closed";
    lingering?.();
    const left = waiting.length + sending;
    waiting = [];
    sending = 0;
    tell();
    lose("closed", left);
    pause?.skip();
    way.close();
    await draining;
  };
  return { add, close };
}
