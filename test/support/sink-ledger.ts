import type { SinkLoss, SinkObserver } from "../../src/adapters/index.js";
import type { LogLine } from "../../src/logs/index.js";

/** Adds up what becomes of what is given to sinks, and keeps what is logged. */
export interface SinkLedger {
  readonly observer: SinkObserver;
  readonly logger: {
    info(fields: object, message: string): void;
    warn(fields: object, message: string): void;
  };
  /** Fields and message of each. */
  readonly logged: { readonly level: string; readonly message: string; readonly fields: object }[];
  readonly delivered: () => number;
  readonly queued: () => number;
  readonly retried: () => number;
  readonly dropped: (loss?: SinkLoss) => number;
  /** Delivered, dropped and queued together. */
  readonly sum: () => number;
}

/** Nothing happened yet. */
export function createSinkLedger(): SinkLedger {
  const depths = new Map<string, number>();
  const losses = new Map<SinkLoss, number>();
  const logged: { level: string; message: string; fields: object }[] = [];
  let delivered = 0;
  let retried = 0;
  const sumOf = (map: ReadonlyMap<unknown, number>): number => [...map.values()].reduce((a, b) => a + b, 0);
  const dropped = (loss?: SinkLoss): number => (loss === undefined ? sumOf(losses) : (losses.get(loss) ?? 0));
  const queued = (): number => sumOf(depths);
  return {
    observer: {
      queued: (sink, depth) => void depths.set(sink, depth),
      dropped: (_sink, loss, count) => void losses.set(loss, (losses.get(loss) ?? 0) + count),
      delivered: (_sink, count) => {
        delivered += count;
      },
      retried: () => {
        retried += 1;
      },
    },
    logger: {
      info: (fields, message) => void logged.push({ level: "info", message, fields }),
      warn: (fields, message) => void logged.push({ level: "warn", message, fields }),
    },
    logged,
    delivered: () => delivered,
    queued,
    retried: () => retried,
    dropped,
    sum: () => delivered + dropped() + queued(),
  };
}

/** A line for a sink. */
export function aLine(sink: string, text: string, more: Partial<LogLine> = {}): LogLine {
  return { sink, time: 1_763_769_600_123, severity: "info", text, ...more };
}

/** Waits until it is so; throws after `ms`. */
export async function until(isSo: () => boolean, ms: number = 10_000): Promise<void> {
  const end = Date.now() + ms;
  while (!isSo()) {
    if (Date.now() > end) throw new Error("it did not come to that in time");
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
