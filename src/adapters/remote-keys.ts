import type { KeySource, RemoteKeys } from "../authn/index.js";
import type { HttpClient } from "./http.js";
import { createKeyFetch } from "./remote-keys-fetch.js";
import {
  createKeySource,
  defaultKeyTimes,
  type KeyPorts,
  type KeyTimes,
  type RemoteKeySource,
} from "./remote-keys-source.js";
import type { KeyState } from "./remote-keys-state.js";

/** The keys of all issuers that the configuration names, kept up to date. */
export interface RemoteKeyPool {
  /**
   * The same for equal locators, for as long as the configuration names them. It has keys once `retain` wants them;
   * when it no longer does, the last ones stay for requests that are under way.
   */
  readonly source: (locator: RemoteKeys) => KeySource;
  /**
   * Fetches for these, beginning now, and no longer for others. One that differs from another in nothing but its
   * timeout starts with the other's keys. Gives those that are new. What is neither among them nor `named` otherwise
   * is forgotten: no rule that may still be compiled into a configuration holds on to its source.
   */
  readonly retain: (locators: readonly RemoteKeys[], named?: readonly RemoteKeys[]) => readonly RemoteKeys[];
  readonly states: () => readonly KeyState[];
  /** The text of the keys that a source has now, by locator. */
  readonly texts: () => readonly KeyTextOf[];
  /** After so many milliseconds `refresh` of that source may cause a fetch again. */
  readonly opensInMs: (locator: RemoteKeys) => number;
  /** Where fetches may go has changed: those that failed are tried again now. */
  readonly retry: () => void;
  /** Resolves when the first fetch of each source has ended, well or not, at the latest after `timeoutMs`. */
  readonly settled: (timeoutMs: number) => Promise<void>;
  readonly close: () => void;
}

/** The JWKS of a source; undefined when it has none. */
export interface KeyTextOf {
  readonly locator: RemoteKeys;
  readonly text: string | undefined;
}

/** What a pool takes from its surroundings. */
export interface RemoteKeyOptions extends Omit<KeyPorts, "fetch" | "times"> {
  readonly send: HttpClient["send"];
  readonly times?: Partial<KeyTimes>;
}

/** Makes a pool that knows no locator. */
export function createRemoteKeys({ send, times, ...rest }: RemoteKeyOptions): RemoteKeyPool {
  const ports: KeyPorts = {
    ...rest,
    fetch: createKeyFetch(send, rest.now),
    times: { ...defaultKeyTimes, ...times },
  };
  const slots = new Map<string, Slot>();

  const slotOf = (locator: RemoteKeys): Slot => {
    const name = keyOfLocator(locator);
    const known = slots.get(name);
    if (known !== undefined) return known;
    const slot: Slot = {
      locator,
      isWanted: false,
      source: undefined,
      handle: { current: () => slot.source?.current(), refresh: () => slot.source?.refresh() },
    };
    slots.set(name, slot);
    return slot;
  };
  const wanted = (): Wanted[] => [...slots.values()].filter(isWanted);
  const start = (slot: Slot): boolean => {
    if (slot.isWanted) return false;
    const { issuer, jwksUri } = slot.locator;
    const twin = [...slots.values()].find(
      ({ locator, source }) =>
        locator.issuer === issuer && locator.jwksUri === jwksUri && source?.current() !== undefined,
    );
    slot.source = createKeySource(slot.locator, ports, twin?.source?.held());
    slot.isWanted = true;
    return true;
  };

  const pool: RemoteKeyPool = {
    source: (locator) => slotOf(locator).handle,
    retain(locators, named = []) {
      const names = new Set(locators.map(keyOfLocator));
      const fresh = locators.filter((locator) => start(slotOf(locator)));
      for (const slot of wanted()) {
        if (names.has(keyOfLocator(slot.locator))) continue;
        slot.source.close();
        slot.isWanted = false;
      }
      const known = new Set([...names, ...named.map(keyOfLocator)]);
      for (const name of slots.keys()) if (!known.has(name)) slots.delete(name);
      return fresh;
    },
    states: () => wanted().map(({ source }) => source.state()),
    texts: () => wanted().map(({ locator, source }) => ({ locator, text: source.held()?.text })),
    opensInMs: (locator) => slots.get(keyOfLocator(locator))?.source?.opensInMs() ?? 0,
    retry() {
      for (const { source } of wanted()) source.retry();
    },
    settled(timeoutMs) {
      return new Promise((resolve) => {
        const cancel = rest.schedule(timeoutMs, resolve);
        void Promise.all(wanted().map(({ source }) => source.settled)).then(() => {
          cancel();
          resolve();
        });
      });
    },
    close: () => void pool.retain([]),
  };
  return pool;
}

/** A source that comes and goes behind a handle that stays, since compiled rules hold on to it. */
interface Slot {
  readonly locator: RemoteKeys;
  readonly handle: KeySource;
  isWanted: boolean;
  source: RemoteKeySource | undefined;
}

type Wanted = Slot & { readonly source: RemoteKeySource };

function isWanted(slot: Slot): slot is Wanted {
  return slot.isWanted;
}

/** Equal for equal locators. */
export function keyOfLocator({ issuer, jwksUri, timeoutMs }: RemoteKeys): string {
  return JSON.stringify([issuer, jwksUri ?? null, timeoutMs]);
}
