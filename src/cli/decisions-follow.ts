import type { AskDecisions, ShownRecord } from "./decisions.js";
import type { DecisionPorts } from "./decisions-ports.js";

interface Following extends DecisionPorts {
  readonly ask: AskDecisions;
  readonly print: (record: ShownRecord) => void;
  readonly warn: (line: string) => void;
  /** What was printed already. */
  readonly last: readonly ShownRecord[];
  /** No filter is set, so that a gap in what comes is one. */
  readonly isWhole: boolean;
}

const POLL_MS = 1000;
/** So long a decision waits for what its proxy says. */
const RESPONSE_MS = 5000;
/** More are printed as they are. */
const MAX_WAITING = 10_000;
/** So many sequence numbers back a record may still change: more than any server is told to remember. */
const MAX_REMEMBERED = 100_000;

/**
 * Prints each decision once: when its request is over, as far as its proxy says so within 5 seconds, else as far as it
 * is known then. Until the signal is aborted. A server that cannot be asked is asked again.
 */
export async function followDecisions(following: Following): Promise<void> {
  const { ask, print, last, warn, isWhole, signal, sleep, now } = following;
  const waiting = new Map<number, { record: ShownRecord; readonly since: number }>();
  const printed = new Set(last.map(({ seq }) => seq));
  let floor = Math.max(-1, ...last.map(({ seq }) => seq));
  let newest = floor;
  let cursor = Math.max(0, ...last.map((record) => record.cursor));
  let isReached = true;

  const show = (record: ShownRecord): void => {
    waiting.delete(record.seq);
    printed.add(record.seq);
    print(record);
  };
  const take = (records: readonly ShownRecord[]): void => {
    // Cursors only grow; a smaller one is of a server that has begun anew.
    if (records.some((record) => record.cursor < cursor)) {
      for (const { record } of [...waiting.values()]) show(record);
      printed.clear();
      [floor, newest] = [-1, -1];
    }
    const fresh = records.filter(({ seq }) => seq > newest).length;
    const reached = Math.max(newest, ...records.map(({ seq }) => seq));
    if (isWhole && newest >= 0 && reached - newest > fresh) {
      warn(`warning: ${reached - newest - fresh} decisions were overwritten before they could be read\n`);
    }
    newest = reached;
    cursor = records.at(-1)?.cursor ?? cursor;
    for (const record of records) {
      const { seq } = record;
      if (seq <= floor || printed.has(seq)) continue;
      const since = waiting.get(seq)?.since ?? now();
      waiting.set(seq, { record, since });
      if (record.response?.event === "close" || waiting.size > MAX_WAITING) show(record);
    }
    for (const seq of printed) {
      if (seq >= newest - MAX_REMEMBERED) break;
      printed.delete(seq);
    }
  };

  while (!signal.aborted) {
    await sleep(POLL_MS);
    if (signal.aborted) break;
    try {
      take(await ask({ after: String(cursor) }));
      isReached = true;
    } catch (error) {
      if (isReached) warn(`warning: ${error instanceof Error ? error.message : error}; trying again\n`);
      isReached = false;
    }
    for (const { record, since } of [...waiting.values()]) if (now() - since >= RESPONSE_MS) show(record);
  }
  for (const { record } of [...waiting.values()]) show(record);
}
