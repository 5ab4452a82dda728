import { type CounterStore, StoreError } from "../quota/index.js";
import type { LineLink } from "./line-link.js";
import {
  decodeQuestion,
  encodeAnswer,
  type StoreMethod,
  type WireAnswer,
  type WireCall,
} from "./store-wire.js";

interface HostPorts {
  readonly link: LineLink;
  readonly store: CounterStore;
  /** Told of what should not happen: anything but a StoreError. */
  readonly onError: (error: unknown) => void;
}

/**
 * Lets the worker at the other end of a link count on a store. What is done at once is answered in one line; what takes
 * time is answered when it is done, and keeps nothing else waiting.
 */
export function hostStore({ link, store, onError }: HostPorts): void {
  link.onLine((line) => {
    const calls = read(line);
    if (calls === undefined) {
      onError(new StoreError("unavailable", "a worker sent a line that cannot be read"));
      link.close();
      return;
    }
    const answers: WireAnswer[] = [];
    for (const call of calls) {
      const answer = carryOut(call, store, onError);
      if (answer instanceof Promise) void answer.then((late) => link.send(JSON.stringify([late])));
      else answers.push(answer);
    }
    if (answers.length > 0) link.send(JSON.stringify(answers));
  });
}

function read(line: string): readonly WireCall[] | undefined {
  try {
    const calls: unknown = JSON.parse(line);
    return Array.isArray(calls) && calls.every(isCall) ? calls : undefined;
  } catch {
    return undefined;
  }
}

function isCall(call: unknown): call is WireCall {
  return Array.isArray(call) && typeof call[0] === "number" && methods.has(call[1] as StoreMethod);
}

const methods: ReadonlySet<StoreMethod> = new Set<StoreMethod>([
  "charge",
  "refund",
  "debit",
  "add",
  "look",
  "read",
  "reset",
]);

/** One operation; its failure is its own, and never thrown. */
function carryOut(
  [id, method, wire]: WireCall,
  store: CounterStore,
  onError: (error: unknown) => void,
): WireAnswer | Promise<WireAnswer> {
  const failed = (error: unknown): WireAnswer => {
    if (error instanceof StoreError) return [id, error.fault, error.message];
    onError(error);
    return [id, "unavailable", "the ledger failed"];
  };
  const encoded = (answer: unknown): WireAnswer => [id, encodeAnswer(method, answer as never)];
  try {
    const answer: unknown = Reflect.apply(store[method], store, decodeQuestion(method, wire));
    return answer instanceof Promise ? answer.then(encoded).catch(failed) : encoded(answer);
  } catch (error) {
    return failed(error);
  }
}
