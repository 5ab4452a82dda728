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
/** And so many characters of lines, of spans, and of lines that have to be on disk: each may be long. */
const MAX_WAITING_CHARACTERS = 32 * 1_048_576;
/** So many go in one message, so that reading it does not hold up the primary. */
const BATCH = 500;
/** Nor more characters than this, but for one that is longer. */
const BATCH_CHARACTERS = 4 * 1_048_576;
/** A line of which the primary has said nothing by then, after its own second: the check is refused. */
const STORE_MS = 1_500;

/** A worker's way to the sinks of the primary. */
export function createOutletLink(ports: OutletLinkPorts): OutletLink {
  const { send, ask, later, soon, schedule, onDropped } = ports;
  const lines = createWaiting(lengthOfLine);
  const spans = createWaiting(lengthOfSpan);
  let questions: StoreQuestion[] = [];
  const waiting = new Map<number, { readonly settle: (error: Error | undefined) => void }>();
  let waitingCharacters = 0;
  let nextId = 0;
  let isUnderWay = false;
  let isScheduled = false;

  const sendBatch = (): void => {
    const batch = { lines: lines.take(), spans: spans.take() };
    if (batch.lines.length + batch.spans.length === 0) return;
    isUnderWay = true;
    send(batch, () => {
      isUnderWay = false;
      if (lines.count() + spans.count() > 0) sendBatch();
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
      if (lines.push(line)) wake();
      else onDropped(line.sink);
    },
    export(span) {
      if (spans.push(span)) wake();
      else onDropped(span.provider);
    },
    store: (line) =>
      new Promise((resolve, reject) => {
        const length = lengthOfLine(line);
        if (waiting.size >= MAX_WAITING || waitingCharacters + length > MAX_WAITING_CHARACTERS) {
          onDropped(line.sink);
          return reject(new Error("too many records wait for the disk"));
        }
        const id = nextId++;
        const settle = (error: Error | undefined): void => {
          cancel();
          if (waiting.delete(id)) waitingCharacters -= length;
          if (error === undefined) resolve();
          else reject(error);
        };
        const cancel = schedule(STORE_MS, () => settle(new Error("the record was not on disk in time")));
        waiting.set(id, { settle });
        waitingCharacters += length;
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
      while (lines.count() + spans.count() > 0) sendBatch();
    },
  };
}

/** What waits for the primary, bounded by number and by length. */
interface Waiting<Item> {
  /** False: it does not fit. */
  push(item: Item): boolean;
  /** The first ones, as many as go in one message. */
  take(): Item[];
  count(): number;
}

function createWaiting<Item>(lengthOf: (item: Item) => number): Waiting<Item> {
  let items: Item[] = [];
  let characters = 0;
  return {
    push(item) {
      const length = lengthOf(item);
      if (items.length >= MAX_WAITING || characters + length > MAX_WAITING_CHARACTERS) return false;
      items.push(item);
      characters += length;
      return true;
    },
    take() {
      let end = 0;
      let taken = 0;
      for (const item of items.slice(0, BATCH)) {
        const length = lengthOf(item);
        if (end > 0 && taken + length > BATCH_CHARACTERS) break;
        end += 1;
        taken += length;
      }
      const batch = items.slice(0, end);
      items = items.slice(end);
      characters -= taken;
      return batch;
    },
    count: () => items.length,
  };
}

function lengthOfLine({ text, fields }: LogLine): number {
  return text.length + (fields === undefined ? 0 : lengthOfValues(fields));
}

function lengthOfSpan({ name, statusMessage, traceState, attributes }: Span): number {
  return name.length + statusMessage.length + traceState.length + lengthOfValues(attributes);
}

function lengthOfValues(values: Readonly<Record<string, string | number | boolean>>): number {
  let length = 0;
  for (const value of Object.values(values)) if (typeof value === "string") length += value.length;
  return length;
}
