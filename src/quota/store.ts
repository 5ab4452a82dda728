/** How a counter counts. */
export type Algorithm = "fixedWindow" | "slidingWindow" | "tokenBucket" | "concurrency";

/** How much may pass. Whole numbers. */
export interface Allowance {
  readonly algorithm: Algorithm;
  /**
   * Units per window; of `concurrency` units at one time. From 0, where nothing passes, not even a cost of 0, to
   * 2^32 - 1.
   */
  readonly limit: number;
  /**
   * Milliseconds, from 1 to 100 years. A fixed window begins at the multiples of it since the epoch, as
   * envoyproxy/ratelimit's do. Of `concurrency`: after so long a unit that nobody gave back is free again.
   */
  readonly windowMs: number;
  /** Of `tokenBucket`: units that may pass at once. Of the others: equal to `limit`. */
  readonly burst: number;
}

/** Units to be taken from one counter. */
export interface Charge extends Allowance {
  /** Names the counter and no other: nothing is added to it. Changes with algorithm and window, not with the limit. */
  readonly key: string;
  /** Counters of one group are charged as one, in a Redis Cluster too: a Quota's namespace, a domain. */
  readonly group: string;
  /** Units, a whole number from 0 to 2^32 - 1; 0 looks without counting. */
  readonly cost: number;
  /** Counted where all others pass and it does itself, and never in their way: a Quota on trial. */
  readonly isTrial: boolean;
  /**
   * What was charged on this key under this id once passes without being charged again, for a window from then on, at
   * most a day. A refused charge is not remembered, one that was given back is forgotten.
   */
  readonly id: string | undefined;
}

/** A counter after a charge or a look. */
export interface CounterState {
  /** This charge passes, looked at alone. */
  readonly allowed: boolean;
  /** Units left, from 0 on. */
  readonly remaining: number;
  /**
   * Milliseconds until a fixed window ends, or until all units are there again, 0 where they are. After that time the
   * counter need not be kept.
   */
  readonly resetMs: number;
  /** Milliseconds after which the same charge could pass, at most until the reset; 0 when it passes. */
  readonly retryMs: number;
}

/** What came of charges that belong together. */
export interface ChargeResult {
  /** All that are not on trial pass; else none was counted. */
  readonly allowed: boolean;
  /** One for each charge, in order; of a charge that was not counted: as it stands. */
  readonly counters: readonly CounterState[];
  /** By the store's own clock, in milliseconds since the epoch: when it was; for `refund`. */
  readonly atMs: number;
}

/** Hits to be added to one counter, whatever it holds (envoyproxy/ratelimit's way). */
export interface Addition {
  /** Holds the window's start, so that each window has a counter of its own. */
  readonly key: string;
  /**
   * A number below 2^53, or a bigint below 2^63. 0 looks. A negative number gives back, and never leads below 0.
   */
  readonly hits: number | bigint;
  /** Seconds for which the counter is kept from now on. */
  readonly ttlSeconds: number;
  /** Only for `stopsWhenOver`. */
  readonly limit: number;
}

/** Hits that belong to one request. */
export interface AdditionRequest {
  readonly group: string;
  /** In order; a key may stand in it more than once. */
  readonly additions: readonly Addition[];
  /**
   * STOP_CACHE_KEY_INCREMENT_WHEN_OVERLIMIT: where one of the additions would lead over its limit, only those that
   * would are counted.
   */
  readonly stopsWhenOver: boolean;
}

/** Names one counter. */
export interface CounterKey {
  readonly group: string;
  readonly key: string;
}

/** At once where nobody has to be waited for. */
export type Answer<Value> = Value | Promise<Value>;

/**
 * Port: where counters stand. Each method is one atomic step: nobody sees or changes a counter in the midst of it
 * (in a Redis Cluster: within each group). What cannot be done throws or rejects with StoreError, within the store's
 * own deadline; it may have been counted then.
 */
export interface CounterStore {
  /** All or none; see `ChargeResult`. No two charges have the same key. */
  charge(charges: readonly Charge[]): Answer<ChargeResult>;
  /**
   * Gives back units that were charged at `atMs` (`ChargeResult.atMs`): a reservation, or the end of what
   * `concurrency` counted. Only from what still holds them: a window that is over, a lease that ran out, an id that is
   * not remembered give nothing, so that nobody else's units become free. Never below 0. `atMs` below 0: nobody knows
   * when; `concurrency` then gives back the newest units, so that forgotten ones still run out.
   */
  // Without `atMs` a refund after a window's end would make room in the next one, and one of
  // `concurrency` would free another's lease and leave the forgotten one for ever.
  refund(charges: readonly Charge[], atMs: number): Answer<void>;
  /**
   * Counts units that were used already, whatever may pass, but for a limit of 0: a counter then has none left until
   * what was counted beyond its limit has run out too. `allowed` of a state: they could have passed; what is left is
   * told with them in it. Ids and trials are charged like all others, each time.
   */
  debit(charges: readonly Charge[]): Answer<readonly CounterState[]>;
  /**
   * The value of each addition's counter right after it, in order; they may have lost digits above 2^53. Where one
   * would pass 2^63 - 1 it is left out, the others are counted, and StoreError `overflow` is thrown.
   */
  add(request: AdditionRequest): Answer<readonly number[]>;
  /** As the next charge of `cost` would find them; nothing changes. */
  look(charges: readonly Charge[]): Answer<readonly CounterState[]>;
  /** Values of counters that `add` made; undefined where there is none. */
  read(keys: readonly CounterKey[]): Answer<readonly (number | undefined)[]>;
  /** Forgets counters, those of `charge` and those of `add`; gives how many there were. */
  reset(keys: readonly CounterKey[]): Answer<number>;
  close(): Promise<void>;
}
