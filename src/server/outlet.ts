import type { LogLine } from "../logs/index.js";
import type { Span } from "../traces/index.js";

/** Where a serving process puts what leaves Gatehouse: its own sinks or, in a worker, the primary's. */
export interface Outlet {
  /** Never throws, never waits; what cannot be taken is lost and counted. */
  write(line: LogLine): void;
  /** Resolves when the line is on disk, rejects when nobody can say so. */
  store(line: LogLine): Promise<void>;
  /** As `write`. */
  export(span: Span): void;
}

/** A batch from a worker. */
export interface OutletBatch {
  readonly lines: readonly LogLine[];
  readonly spans: readonly Span[];
}

/** A line that has to be on disk before its check is answered. */
export interface StoreQuestion {
  readonly id: number;
  readonly line: LogLine;
}

interface OutletLinkPorts {
  /** Calls back when the message is on its way, so that no more than one waits in the pipe. */
  readonly send: (batch: OutletBatch, sent: () => void) => void;
  readonly ask: (questions: readonly StoreQuestion[]) => void;
  /** Calls back once, soon: what comes until then goes with it. */
  readonly later: (callback: () => void) => void;
  /** The same within the turn: a check waits for it. */
  readonly soon: (callback: () => void) => void;
  readonly schedule: (ms: number, callback: () => void) => () => void;
  /** Told of what did not fit, by its sink or exporter. */
  readonly onDropped: (name: string) => void;
}

/** A worker's end: batches. */
export interface OutletLink extends Outlet {
  /** The primary's word on lines that had to be on disk; ids that are not among `failed` are. */
  stored(ids: readonly number[], failed: readonly number[]): void;
  /** Sends what waits, without regard to what is under way. */
  flush(): void;
}

/** So many lines, and so many spans, wait for the primary. */
const MAX_WAITING = 10_000;
/** So many go in one message, so that reading it does not hold up the primary. */
const BATCH = 500;
/** A line of which the primary has said nothing by then, after its own second: the check is refused. */
const STORE_MS = 1_500;

/** A worker's way to the sinks of the primary. */
export function createOutletLink(ports: OutletLinkPorts): OutletLink {
  const { send, ask, later, soon, schedule, onDropped } = ports;
  let lines: LogLine[] = [];
  let spans: Span[] = [];
  let questions: StoreQuestion[] = [];
  const waiting = new Map<number, { readonly settle: (error: Error | undefined) => void }>();
  let nextId = 0;
  let isUnderWay = false;
  let isScheduled = false;

  const sendBatch = (): void => {
    const batch = { lines: lines.slice(0, BATCH), spans: spans.slice(0, BATCH) };
    if (batch.lines.length + batch.spans.length === 0) return;
    lines = lines.slice(BATCH);
    spans = spans.slice(BATCH);
    isUnderWay = true;
    send(batch, () => {
      isUnderWay = false;
      if (lines.length + spans.length > 0) sendBatch();
    });
  };

  const wake = (): void => {
    if (isScheduled) return;
    isScheduled = true;
    later(() => {
      isScheduled = false;
      if (!isUnderWay) sendBatch();
    });
  };

  const askAll = (): void => {
    const all = questions;
    questions = [];
    ask(all);
  };

  return {
    write(line) {
      if (lines.length >= MAX_WAITING) return onDropped(line.sink);
      lines.push(line);
      wake();
    },
    export(span) {
      if (spans.length >= MAX_WAITING) return onDropped(span.provider);
      spans.push(span);
      wake();
    },
    store: (line) =>
      new Promise((resolve, reject) => {
        if (waiting.size >= MAX_WAITING) {
          onDropped(line.sink);
          return reject(new Error("too many records wait for the disk"));
        }
        const id = nextId++;
        const settle = (error: Error | undefined): void => {
          cancel();
          waiting.delete(id);
          if (error === undefined) resolve();
          else reject(error);
        };
        const cancel = schedule(STORE_MS, () => settle(new Error("the record was not on disk in time")));
        waiting.set(id, { settle });
        if (questions.length === 0) soon(askAll);
        questions.push({ id, line });
      }),
    stored(ids, failed) {
      const lost = new Set(failed);
      for (const id of ids) {
        waiting.get(id)?.settle(lost.has(id) ? new Error("the record could not be written") : undefined);
      }
    },
    flush() {
      while (lines.length + spans.length > 0) sendBatch();
    },
  };
}
