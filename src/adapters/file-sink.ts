import type { Line, LineTarget } from "./file-output.js";
import { createLineQueue, type QueueBounds, type QueuedLine, type Waiter } from "./file-queue.js";
import { createLineWriter } from "./file-writer.js";
import { type Pause, type SinkBase, type SinkLoss, startPause } from "./sinks-ports.js";

/** How long, how much, how often. */
export interface FileSinkLimits {
  readonly queue: QueueBounds;
  /** How long a line waits for others that are written with it, unless somebody waits for it. */
  readonly lingerMs: number;
  /** After a failure; doubled with each that follows. */
  readonly minPauseMs: number;
  readonly maxPauseMs: number;
  /** How often it is looked whether the file has lost its name. */
  readonly lookMs: number;
}

/** Some seconds of a busy mesh; a batch of 20 ms costs a line less than the line itself. */
export const fileSinkLimits: FileSinkLimits = {
  queue: { lines: 65_536, length: 16 * 1024 * 1024 },
  lingerMs: 20,
  minPauseMs: 100,
  maxPauseMs: 5000,
  lookMs: 1000,
};

/** One sink of lines. */
export interface LineSink {
  /** False: it is lost, and counted. A waiter is told once whether the line is on disk. */
  readonly add: (line: Line, waiter: Waiter | undefined) => boolean;
  readonly reopen: () => void;
  readonly close: (deadlineMs: number) => Promise<void>;
}

/** For closing what is open, beyond the deadline of what is queued. */
const endMs = 500;
/** About what one write takes, in UTF-16 units. */
const writeLength = 1024 * 1024;

/**
 * Writes lines to a target in batches, one write under way at a time; lines that come meanwhile share the next one, and
 * its `fsync` if somebody waits for one of them. Not sonic-boom (pino's destination), which loses what a failed write
 * held, does not open again what could not be opened, tears a line when its disk is full, and cannot say which
 * lines arrived.
 */
export function createFileSink(
  name: string,
  target: LineTarget,
  base: SinkBase,
  limits: FileSinkLimits = fileSinkLimits,
): LineSink {
  const { observer, logger, monotonic, schedule } = base;
  const queue = createLineQueue(limits.queue);
  const writer = createLineWriter(target);
  let state: "open" | "closing" | "closed" = "open";
  const isClosed = (): boolean => state === "closed";
  let draining: Promise<void> | undefined;
  let lingering: (() => void) | undefined;
  let pause: Pause | undefined;
  let failures = 0;
  let wantsReopen = true;
  let reopenAt = Number.NEGATIVE_INFINITY;
  let lookedAt = Number.NEGATIVE_INFINITY;

  const drop = (lines: readonly QueuedLine[], loss: SinkLoss): void => {
    if (lines.length === 0) return;
    for (const { waiter } of lines) waiter?.lost(loss);
    observer.queued(name, queue.count());
    observer.dropped(name, loss, lines.length);
  };

  const fail = async (error: unknown, message: string): Promise<void> => {
    failures += 1;
    if (failures === 1) logger.warn({ sink: name, file: target.where, code: codeOf(error) }, message);
    observer.retried(name);
    drop(queue.removeWaiting(), "not_stored");
    const ms = Math.min(limits.minPauseMs * 2 ** (failures - 1), limits.maxPauseMs);
    pause = startPause(schedule, ms);
    await pause.over;
    pause = undefined;
  };

  const succeed = (): void => {
    if (failures > 0) logger.info({ sink: name, file: target.where }, "sink is written to again");
    failures = 0;
  };

  const isReopenDue = (): boolean => wantsReopen && monotonic() >= reopenAt && !writer.isInLine();

  const leaveWhatIsGone = async (): Promise<void> => {
    if (!target.reopens || monotonic() - lookedAt < limits.lookMs || writer.isInLine()) return;
    lookedAt = monotonic();
    if (await writer.isGone()) await writer.close();
  };

  /** Opens what is to be opened; false: nothing is open. */
  const ready = async (): Promise<boolean> => {
    await leaveWhatIsGone();
    if (writer.isOpen() && !isReopenDue()) return true;
    try {
      wantsReopen = false;
      await writer.open();
    } catch (error) {
      wantsReopen = true;
      if (!writer.isOpen()) await fail(error, "sink cannot be opened");
      else {
        // The file that was moved away still takes lines, so that none is lost.
        if (reopenAt < 0) {
          logger.warn({ sink: name, file: target.where, code: codeOf(error) }, "sink cannot be opened again");
        }
        reopenAt = monotonic() + limits.maxPauseMs;
      }
    }
    return writer.isOpen();
  };

  const settle = (lines: readonly QueuedLine[], isSynced: boolean): void => {
    const lost = isSynced ? 0 : lines.filter(({ waiter }) => waiter !== undefined).length;
    observer.queued(name, queue.count());
    if (lost > 0) observer.dropped(name, "not_stored", lost);
    if (lines.length > lost) observer.delivered(name, lines.length - lost);
    for (const { waiter } of lines) {
      if (isSynced) waiter?.stored();
      else waiter?.lost("not_stored");
    }
  };

  const drain = async (): Promise<void> => {
    while (!isClosed() && (queue.count() > 0 || (failures === 0 && isReopenDue()))) {
      if (!(await ready())) continue;
      const batch = queue.head(writeLength);
      if (batch.length === 0) continue;
      const written = await writer.write(batch);
      if (isClosed()) return;
      const lines = batch.slice(0, written.count);
      const mustSync = lines.some(({ waiter }) => waiter !== undefined);
      const syncError = mustSync ? await writer.sync().then(noError, asError) : undefined;
      // INVARIANT: nothing else removes lines while a write or a sync is under way, but the end.
      if (isClosed()) return;
      queue.remove(written.count);
      if (lines.length > 0) settle(lines, mustSync && syncError === undefined);
      if (written.isFull) {
        pause = startPause(schedule, written.waitMs);
        await pause.over;
        pause = undefined;
        continue;
      }
      const error = written.error ?? syncError;
      if (error === undefined) succeed();
      else {
        if (syncError !== undefined) await writer.close();
        await fail(error, "sink cannot be written to");
      }
    }
  };

  const start = (): void => {
    lingering?.();
    lingering = undefined;
    if (draining !== undefined || state === "closed") return;
    draining = drain().finally(() => {
      draining = undefined;
      // What came in the last moment.
      if (queue.count() > 0) start();
    });
  };

  const add = ({ text, time }: Line, waiter: Waiter | undefined): boolean => {
    const loss = lossOf({ text, time, waiter });
    if (loss !== undefined) {
      observer.dropped(name, loss, 1);
      waiter?.lost(loss);
      return false;
    }
    observer.queued(name, queue.count());
    if (draining !== undefined) return true;
    if (waiter !== undefined || queue.length() > writeLength / 4) start();
    else lingering ??= schedule(limits.lingerMs, start);
    return true;
  };

  /** Queues the line, or says why not. */
  const lossOf = (line: QueuedLine): SinkLoss | undefined => {
    if (state !== "open") return "closed";
    // While it fails, nobody is kept waiting for the next attempt.
    if (line.waiter !== undefined && failures > 0 && pause !== undefined) return "not_stored";
    return queue.add(line) ? undefined : "queue_full";
  };

  const reopen = (): void => {
    if (!target.reopens || state !== "open") return;
    wantsReopen = true;
    reopenAt = Number.NEGATIVE_INFINITY;
    pause?.skip();
    start();
  };

  const close = async (deadlineMs: number): Promise<void> => {
    if (state !== "open") return;
    state = "closing";
    start();
    const deadline = startPause(schedule, deadlineMs);
    pause?.skip();
    const emptied = async (): Promise<void> => {
      while (draining !== undefined) await draining;
    };
    await Promise.race([emptied(), deadline.over]);
    deadline.skip();
    state = "closed";
    lingering?.();
    pause?.skip();
    drop(queue.remove(queue.count()), "closed");
    // A write that hangs keeps its descriptor until it ends.
    const ended = (draining ?? Promise.resolve()).then(() => writer.close()).then(() => target.release());
    const grace = startPause(schedule, endMs);
    await Promise.race([ended, grace.over]);
    grace.skip();
  };

  start();
  return { add, reopen, close };
}

const noError = (): undefined => undefined;
const asError = (error: unknown): unknown => error ?? new Error("unknown");

/** Of Node's errors only the code: their message is ours to choose. */
function codeOf(error: unknown): string {
  if (!(error instanceof Error)) return "unknown";
  return "code" in error && typeof error.code === "string" && error.code !== "sink"
    ? error.code
    : error.message;
}
