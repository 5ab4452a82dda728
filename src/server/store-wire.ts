import type {
  Algorithm,
  Charge,
  ChargeResult,
  CounterKey,
  CounterState,
  CounterStore,
  StoreFault,
} from "../quota/index.js";

/** What a store can be asked over the wire. */
export type StoreMethod = Exclude<keyof CounterStore, "close">;

/** What each method is asked with. */
export type Questions = { readonly [M in StoreMethod]: Readonly<Parameters<CounterStore[M]>> };

/** What each method answers. */
export interface Answers {
  readonly charge: ChargeResult;
  readonly refund: undefined;
  readonly debit: readonly CounterState[];
  readonly look: readonly CounterState[];
  readonly add: readonly number[];
  readonly read: readonly (number | undefined)[];
  readonly reset: number;
}

/**
 * One operation as JSON holds it: lists without field names, since a line is written and read for each tick of each
 * worker. Both ends are of one version: a primary starts its workers from its own files.
 */
export type WireCall = readonly [id: number, method: StoreMethod, question: unknown];

/** What came of an operation. */
export type WireAnswer =
  | readonly [id: number, answer: unknown]
  | readonly [id: number, fault: StoreFault, message: string];

const algorithms: readonly Algorithm[] = ["fixedWindow", "slidingWindow", "tokenBucket", "concurrency"];

type WireCharge = readonly [
  group: string,
  key: string,
  algorithm: number,
  limit: number,
  windowMs: number,
  burst: number,
  cost: number,
  isTrial: 0 | 1,
  id: string | null,
];
type WireState = readonly [allowed: 0 | 1, remaining: number, resetMs: number, retryMs: number];
type WireResult = readonly [allowed: 0 | 1, counters: readonly WireState[], atMs: number];
type WireRefund = readonly [charges: readonly WireCharge[], atMs: number];
/** Hits beyond 2^53 are text: JSON has no such numbers. */
type WireAddition = readonly [key: string, hits: number | string, ttlSeconds: number, limit: number];
type WireRequest = readonly [group: string, stopsWhenOver: 0 | 1, additions: readonly WireAddition[]];
type WireKey = readonly [group: string, key: string];

const questionOut: { readonly [M in StoreMethod]: (...question: Questions[M]) => unknown } = {
  charge: (charges) => charges.map(chargeOut),
  refund: (charges, atMs): WireRefund => [charges.map(chargeOut), atMs],
  debit: (charges) => charges.map(chargeOut),
  look: (charges) => charges.map(chargeOut),
  add: ({ group, additions, stopsWhenOver }): WireRequest => [
    group,
    stopsWhenOver ? 1 : 0,
    additions.map(({ key, hits, ttlSeconds, limit }) => {
      return [key, typeof hits === "bigint" ? String(hits) : hits, ttlSeconds, limit];
    }),
  ],
  read: (keys) => keys.map(({ group, key }): WireKey => [group, key]),
  reset: (keys) => keys.map(({ group, key }): WireKey => [group, key]),
};

const questionIn: { readonly [M in StoreMethod]: (wire: never) => Questions[M] } = {
  charge: (wire: readonly WireCharge[]) => [wire.map(chargeIn)],
  refund: ([wire, atMs]: WireRefund) => [wire.map(chargeIn), atMs],
  debit: (wire: readonly WireCharge[]) => [wire.map(chargeIn)],
  look: (wire: readonly WireCharge[]) => [wire.map(chargeIn)],
  add: ([group, stops, wire]: WireRequest) => {
    const additions = wire.map(([key, hits, ttlSeconds, limit]) => {
      return { key, hits: typeof hits === "string" ? BigInt(hits) : hits, ttlSeconds, limit };
    });
    return [{ group, additions, stopsWhenOver: stops === 1 }];
  },
  read: (wire: readonly WireKey[]) => [wire.map(keyIn)],
  reset: (wire: readonly WireKey[]) => [wire.map(keyIn)],
};

const answerOut: { readonly [M in StoreMethod]: (answer: Answers[M]) => unknown } = {
  charge: ({ allowed, counters, atMs }): WireResult => [allowed ? 1 : 0, counters.map(stateOut), atMs],
  refund: () => null,
  debit: (states) => states.map(stateOut),
  look: (states) => states.map(stateOut),
  add: (values) => values,
  read: (values) => values.map((value) => value ?? null),
  reset: (count) => count,
};

const answerIn: { readonly [M in StoreMethod]: (wire: never) => Answers[M] } = {
  charge: ([allowed, states, atMs]: WireResult) => {
    return { allowed: allowed === 1, counters: states.map(stateIn), atMs };
  },
  refund: () => undefined,
  debit: (states: readonly WireState[]) => states.map(stateIn),
  look: (states: readonly WireState[]) => states.map(stateIn),
  add: (values: readonly number[]) => values,
  read: (values: readonly (number | null)[]) => values.map((value) => value ?? undefined),
  reset: (count: number) => count,
};

/** A question as the wire has it. */
export function encodeQuestion<M extends StoreMethod>(method: M, question: Questions[M]): unknown {
  return questionOut[method](...question);
}

/** The question that `encodeQuestion` was given. */
export function decodeQuestion<M extends StoreMethod>(method: M, wire: unknown): Questions[M] {
  return questionIn[method](wire as never);
}

/** An answer as the wire has it. */
export function encodeAnswer<M extends StoreMethod>(method: M, answer: Answers[M]): unknown {
  return answerOut[method](answer);
}

/** The answer that `encodeAnswer` was given. */
export function decodeAnswer<M extends StoreMethod>(method: M, wire: unknown): Answers[M] {
  return answerIn[method](wire as never);
}

function chargeOut(charge: Charge): WireCharge {
  const { group, key, algorithm, limit, windowMs, burst, cost, isTrial, id } = charge;
  const number = algorithms.indexOf(algorithm);
  return [group, key, number, limit, windowMs, burst, cost, isTrial ? 1 : 0, id ?? null];
}

function chargeIn([group, key, number, limit, windowMs, burst, cost, isTrial, id]: WireCharge): Charge {
  return {
    group,
    key,
    algorithm: algorithms[number] as Algorithm,
    limit,
    windowMs,
    burst,
    cost,
    isTrial: isTrial === 1,
    id: id ?? undefined,
  };
}

function keyIn([group, key]: WireKey): CounterKey {
  return { group, key };
}

function stateOut({ allowed, remaining, resetMs, retryMs }: CounterState): WireState {
  return [allowed ? 1 : 0, remaining, resetMs, retryMs];
}

function stateIn([allowed, remaining, resetMs, retryMs]: WireState): CounterState {
  return { allowed: allowed === 1, remaining, resetMs, retryMs };
}
