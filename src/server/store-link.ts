import { type CounterStore, StoreError } from "../quota/index.js";
import type { LineLink } from "./line-link.js";
import {
  type Answers,
  decodeAnswer,
  encodeQuestion,
  type Questions,
  type StoreMethod,
  type WireAnswer,
  type WireCall,
} from "./store-wire.js";

interface LinkPorts {
  readonly link: LineLink;
  /** Milliseconds that never go back. */
  readonly now: () => number;
  /** Calls back once after `ms`; gives what calls that off. */
  readonly schedule: (ms: number, callback: () => void) => () => void;
  /** Calls back once, after what has arrived by now was read. */
  readonly soon: (callback: () => void) => void;
}

interface LinkOptions {
  /** An operation that got no answer for so long rejects with `timeout`. */
  readonly deadlineMs: number;
  /** So many operations may be without an answer, given up or not; more reject with `unavailable`. */
  readonly maxUnanswered: number;
}

interface Waiting {
  readonly method: StoreMethod;
  readonly resolve: (answer: never) => void;
  readonly reject: (error: StoreError) => void;
  readonly deadline: number;
}

/** The primary answers in microseconds; where it takes so long, the machine has no time left for anything. */
const DEFAULTS: LinkOptions = { deadlineMs: 1000, maxUnanswered: 10_000 };

/**
 * A worker's way to the primary's counters. The operations of one turn of the event loop go as one line, and come back
 * as one. What was given up after its deadline may have been counted.
 */
export function createStoreLink(
  { link, now, schedule, soon }: LinkPorts,
  { deadlineMs, maxUnanswered }: LinkOptions = DEFAULTS,
): CounterStore {
  /** In order of their deadlines. Undefined: given up, but not answered yet: it stands in the primary's way still. */
  const unanswered = new Map<number, Waiting | undefined>();
  let nextId = 0;
  let queued: WireCall[] = [];
  let cancel: (() => void) | undefined;
  let isOver = false;

  const end = (): void => {
    isOver = true;
    cancel?.();
    const waiting = [...unanswered.values()];
    unanswered.clear();
    queued = [];
    for (const one of waiting) one?.reject(gone());
  };

  const flush = (): void => {
    if (queued.length === 0) return;
    const line = JSON.stringify(queued);
    queued = [];
    if (!link.send(line)) end();
  };

  const watch = (): void => {
    cancel = undefined;
    for (const one of unanswered.values()) {
      if (one === undefined) continue;
      cancel = schedule(Math.max(0, one.deadline - now()), () => soon(giveUp));
      return;
    }
  };

  // Answers that lie in the pipe while this process was busy are read first, so that they are in time.
  const giveUp = (): void => {
    const time = now();
    for (const [id, one] of unanswered) {
      if (one === undefined) continue;
      if (one.deadline > time) break;
      unanswered.set(id, undefined);
      one.reject(new StoreError("timeout", `the ledger gave no answer within ${deadlineMs} ms`));
    }
    watch();
  };

  const ask = <M extends StoreMethod>(method: M, ...question: Questions[M]): Promise<Answers[M]> =>
    new Promise((resolve, reject) => {
      if (isOver) return reject(gone());
      if (unanswered.size >= maxUnanswered) {
        return reject(new StoreError("unavailable", "too many operations wait for the ledger"));
      }
      const id = nextId++;
      if (queued.length === 0) soon(flush);
      queued.push([id, method, encodeQuestion(method, question)]);
      unanswered.set(id, { method, resolve, reject, deadline: now() + deadlineMs });
      if (cancel === undefined) watch();
    });

  const receive = (answer: WireAnswer): void => {
    const [id] = answer;
    const one = unanswered.get(id);
    if (answer.length === 3) one?.reject(new StoreError(answer[1], answer[2]));
    else if (answer.length !== 2) throw new TypeError("an answer without an outcome");
    else one?.resolve(decodeAnswer(one.method, answer[1]) as never);
    unanswered.delete(id);
  };

  link.onLine((line) => {
    try {
      for (const answer of JSON.parse(line) as readonly WireAnswer[]) receive(answer);
    } catch {
      // Whoever writes what cannot be read has lost count of what was asked.
      end();
      link.close();
    }
  });
  link.onEnd(end);

  return {
    charge: (charges) => ask("charge", charges),
    refund: (charges, atMs) => ask("refund", charges, atMs),
    debit: (charges) => ask("debit", charges),
    add: (request) => ask("add", request),
    look: (charges) => ask("look", charges),
    read: (keys) => ask("read", keys),
    reset: (keys) => ask("reset", keys),
    async close() {
      end();
    },
  };
}

function gone(): StoreError {
  return new StoreError("unavailable", "the ledger's process is gone");
}
