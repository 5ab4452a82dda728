import type { KeySet, KeySource, RemoteKeys } from "../authn/index.js";
import { type FetchKeys, type KeyFailure, type KeyText, readKeySet } from "./remote-keys-fetch.js";
import { describeKeys, describeState, type HeldKeys, type KeyState } from "./remote-keys-state.js";

/** When keys are fetched and how long they are kept, in milliseconds. */
export interface KeyTimes {
  /** Keys are fresh for as long as `Cache-Control` says, within these; `defaultFreshMs` when it says nothing. */
  readonly minFreshMs: number;
  readonly maxFreshMs: number;
  readonly defaultFreshMs: number;
  /** Keys that could not be renewed are used so much longer. */
  readonly staleMs: number;
  /** Tokens with an unknown `kid` cause at most one fetch in this time. */
  readonly intervalMs: number;
  /**
   * The pause after a first failure, doubled after each one that follows, up to the second number; with keys at hand
   * it is at least `intervalMs`.
   */
  readonly retryMs: number;
  readonly maxRetryMs: number;
}

/** Istio's istiod looks for new keys every 20 minutes too. */
export const defaultKeyTimes: KeyTimes = {
  minFreshMs: 60_000,
  maxFreshMs: 24 * 3_600_000,
  defaultFreshMs: 20 * 60_000,
  staleMs: 24 * 3_600_000,
  intervalMs: 10_000,
  retryMs: 1_000,
  maxRetryMs: 5 * 60_000,
};

/** What happened to a source. */
export type KeyEvent =
  | {
      readonly kind: "fetched";
      readonly locator: RemoteKeys;
      readonly text: string;
      /** Of the first keys in it, fit to be shown. */
      readonly kids: readonly string[];
      /** Other keys than before; so are the first. */
      readonly changed: boolean;
      readonly isFirst: boolean;
      readonly failuresBefore: number;
    }
  | {
      readonly kind: "failed";
      readonly locator: RemoteKeys;
      readonly failure: KeyFailure;
      /** In a row, this one included. */
      readonly failures: number;
      readonly hasKeys: boolean;
    }
  /** The last good keys were stale for too long: there are none now. */
  | { readonly kind: "expired"; readonly locator: RemoteKeys };

const maxKids = 20;

/** Surroundings of sources. */
export interface KeyPorts {
  readonly fetch: FetchKeys;
  readonly times: KeyTimes;
  /** Milliseconds that never go back. */
  readonly now: () => number;
  /** Milliseconds since the epoch, for people. */
  readonly wall: () => number;
  /** Calls back once after `ms`; gives what calls that off. */
  readonly schedule: (ms: number, callback: () => void) => () => void;
  /** From 0 to below 1. */
  readonly random: () => number;
  readonly onEvent: (event: KeyEvent) => void;
}

/** A source that its owner can look into. */
export interface RemoteKeySource extends KeySource {
  readonly state: () => KeyState;
  /** The keys that `current` gives, and where they came from. */
  readonly held: () => HeldKeys | undefined;
  /** After so many milliseconds `refresh` may cause a fetch again. */
  readonly opensInMs: () => number;
  /** Resolves when the first fetch has ended, well or not, or the source was closed. */
  readonly settled: Promise<void>;
  /** Fetches again now, if the last fetch failed. */
  readonly retry: () => void;
  /** Fetches no more; the last keys stay. */
  readonly close: () => void;
}

/** Kept up to date from now on: the first fetch has begun when this returns. Until it ends `seed` counts. */
export function createKeySource(
  locator: RemoteKeys,
  ports: KeyPorts,
  seed: HeldKeys | undefined,
): RemoteKeySource {
  const { times, now, wall, schedule, random, onEvent } = ports;
  let held = seed;
  let discovered: { readonly uri: string; readonly at: number } | undefined;
  let lastError: KeyState["lastError"];
  let failures = 0;
  let underWay: Promise<void> | undefined;
  /** What all wait for who came while a fetch was under way. */
  let joined: Promise<void> | undefined;
  /** When the last fetch ended that a token caused. */
  let askedAt = Number.NEGATIVE_INFINITY;
  /** A token asked while that was too recent. */
  let wished = false;
  let closed = false;
  let next: { readonly at: number; readonly cancel: () => void } | undefined;
  let cancelExpiry = (): void => {};
  let settle = (): void => {};
  const settled = new Promise<void>((resolve) => {
    settle = resolve;
  });

  const plan = (ms: number): void => {
    next?.cancel();
    next = { at: now() + ms, cancel: schedule(ms, () => void begin(wished)) };
  };
  const opensInMs = (): number => Math.max(0, askedAt + times.intervalMs - now());

  const begin = (isAsked: boolean): Promise<void> => {
    next?.cancel();
    next = undefined;
    wished = false;
    const isKnown = discovered !== undefined && now() - discovered.at < times.staleMs;
    const fetching = ports.fetch(locator, isKnown ? discovered?.uri : undefined).then((outcome) => {
      underWay = undefined;
      if (isAsked) askedAt = now();
      if (closed) return;
      if (outcome.ok) take(outcome.keys);
      else fail(outcome.failure);
      settle();
    });
    underWay = fetching;
    joined = undefined;
    return fetching;
  };

  const take = (given: KeyText): void => {
    const { text, jwksUri, discoveryFailure } = given;
    const old = held;
    const keys = old?.text === text ? old.keys : readKeySet(text);
    if ("reason" in keys) {
      fail(keys);
      return;
    }
    if (discoveryFailure === undefined) discovered = { uri: jwksUri, at: now() };
    const changed = old === undefined || (old.keys !== keys && fingerprint(old.keys) !== fingerprint(keys));
    const freshMs = Math.min(
      Math.max(given.maxAgeMs ?? times.defaultFreshMs, times.minFreshMs),
      times.maxFreshMs,
    );
    held = {
      // The same object, so that what it verified need not be verified again.
      keys: changed ? keys : old.keys,
      text: changed ? text : old.text,
      jwksUri,
      fetchedAt: now(),
      fetchedWall: wall(),
      freshMs,
    };
    if (discoveryFailure !== undefined) lastError = { ...discoveryFailure, at: wall() };
    const failuresBefore = failures;
    failures = 0;
    expireIn(freshMs + times.staleMs);
    // Sources that were begun together do not stay together.
    plan(freshMs * (0.72 + 0.08 * random()));
    const isFirst = old === undefined;
    const kids = describeKeys(held.keys)
      .slice(0, maxKids)
      .map(({ kid }) => kid);
    onEvent({ kind: "fetched", locator, text: held.text, kids, changed, isFirst, failuresBefore });
  };

  const fail = (failure: KeyFailure): void => {
    failures += 1;
    lastError = { ...failure, at: wall() };
    const first = held === undefined ? times.retryMs : Math.max(times.retryMs, times.intervalMs);
    plan(Math.min(first * 2 ** (failures - 1), times.maxRetryMs) * (1 + 0.25 * random()));
    onEvent({ kind: "failed", locator, failure, failures, hasKeys: held !== undefined });
  };

  const expireIn = (ms: number): void => {
    cancelExpiry();
    cancelExpiry = schedule(ms, () => {
      held = undefined;
      onEvent({ kind: "expired", locator });
    });
  };

  if (held !== undefined) expireIn(held.fetchedAt + held.freshMs + times.staleMs - now());
  const ask = (): Promise<void> | undefined => {
    const opensIn = opensInMs();
    if (opensIn === 0) return begin(true);
    // Nobody waits for it, but who comes after it need not come twice.
    if (!wished) {
      wished = true;
      if (now() + opensIn < (next?.at ?? 0)) plan(opensIn);
    }
    return undefined;
  };

  /** A fetch that began before a token came may bring keys from before the token's. */
  const join = (first: Promise<void>): Promise<void> => {
    const before = held?.keys;
    return new Promise((resolve) => {
      const end = (): void => {
        cancel();
        resolve();
      };
      const cancel = schedule(locator.timeoutMs, end);
      const isOld = (): boolean => !closed && failures === 0 && held?.keys === before;
      void first.then(() => (isOld() ? ask() : undefined)).then(end);
    });
  };

  void begin(false);
  return {
    current: () => held?.keys,
    refresh() {
      if (closed) return undefined;
      if (underWay === undefined) return ask();
      joined ??= join(underWay);
      return joined;
    },
    state: () =>
      describeState(locator, {
        held,
        discovered: discovered?.uri,
        lastError,
        failures,
        next: next?.at,
        now: now(),
      }),
    held: () => held,
    opensInMs,
    settled,
    retry() {
      if (!closed && failures > 0 && underWay === undefined) void begin(false);
    },
    close() {
      closed = true;
      next?.cancel();
      cancelExpiry();
      settle();
    },
  };
}

/** Equal for sets that verify the same tokens. */
function fingerprint({ keys }: KeySet): string {
  const each = keys.map(({ kid, alg, algorithms, key }) =>
    JSON.stringify([kid, alg, algorithms, key.export({ format: "jwk" })]),
  );
  return each.sort().join("\n");
}
