/** Why something for a sink was lost. */
export type SinkLoss =
  /** More waits than the sink's queue may hold: the disk, the reader or the receiver is too slow, or away. */
  | "queue_full"
  /** It alone is longer than any sink takes. */
  | "too_long"
  /** Nothing has that name. */
  | "unknown_sink"
  /** The sink had been closed, or its time to end was over. */
  | "closed"
  /** It had to be on disk for someone to go on, and is not. */
  | "not_stored"
  /** The receiver refused it for good, alone or with its batch. */
  | "refused"
  /** The receiver took it at none of the attempts. */
  | "retries";

/**
 * Told of what becomes of what is given to sinks, for metrics. Must not throw, and is called for every line: what is
 * given = delivered + dropped + queued, whenever no call is under way.
 */
export interface SinkObserver {
  /** How much waits for the sink or is on its way, whenever that changes; 0 when the sink is gone. */
  queued(sink: string, depth: number): void;
  dropped(sink: string, loss: SinkLoss, count: number): void;
  /** Written, or taken by the receiver. */
  delivered(sink: string, count: number): void;
  /** Another attempt to open, write or send. */
  retried(sink: string): void;
}

/** Told once when a sink fails, and once when it works again. No secrets in it, no text of a receiver. */
export interface SinkLogger {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
}

/** Calls back after so many milliseconds unless what it gave is called before. */
export type Schedule = (ms: number, callback: () => void) => () => void;

/** What sinks of every kind take from their surroundings. */
export interface SinkSurroundings {
  readonly logger: SinkLogger;
  readonly observer: SinkObserver;
  /** Milliseconds that never go back; default: performance.now. */
  readonly monotonic?: () => number;
  /** Default: setTimeout. */
  readonly schedule?: Schedule;
  /** From 0 to below 1; default: Math.random. */
  readonly random?: () => number;
}

/** The same with nothing left out. */
export type SinkBase = Required<SinkSurroundings>;

/** Puts the defaults in. */
export function complete(surroundings: SinkSurroundings): SinkBase {
  return {
    logger: surroundings.logger,
    observer: surroundings.observer,
    monotonic: surroundings.monotonic ?? (() => performance.now()),
    schedule: surroundings.schedule ?? realSchedule,
    random: surroundings.random ?? Math.random,
  };
}

const realSchedule: Schedule = (ms, callback) => {
  const timer = setTimeout(callback, ms);
  return () => clearTimeout(timer);
};

/** A promise that is resolved after so many milliseconds, or at once by `skip`. */
export interface Pause {
  readonly over: Promise<void>;
  readonly skip: () => void;
}

/** Starts one. */
export function startPause(schedule: Schedule, ms: number): Pause {
  let skip = (): void => {};
  const over = new Promise<void>((resolve) => {
    const cancel = schedule(ms, resolve);
    skip = () => {
      cancel();
      resolve();
    };
  });
  return { over, skip };
}
