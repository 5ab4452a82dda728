import { keyOfLocator } from "../adapters/index.js";
import {
  type KeySet,
  type KeySource,
  type KeySources,
  parseKeySet,
  type RemoteKeys,
} from "../authn/index.js";
import type { KeysMessage, ToWorker } from "./messages.js";

/** A worker's copy of the keys that the primary owns. */
export interface KeyMirror {
  readonly sources: KeySources;
  /** What the primary said about keys. */
  receive(message: KeysMessage | Extract<ToWorker, { type: "keys_refreshed" }>): void;
}

interface MirrorPorts {
  /** Asks the primary for newer keys; it answers by `keys_refreshed`. */
  readonly ask: (name: string) => void;
  /** Milliseconds that never go back. */
  readonly now: () => number;
  /** Calls back once after `ms`; gives what calls that off. */
  readonly schedule: (ms: number, callback: () => void) => () => void;
}

/** What is known of one source. It outlives its configuration: rules that were compiled for it hold on to it. */
interface Copy {
  keys: KeySet | undefined;
  jwks: string | undefined;
  refresh: { readonly ended: Promise<void>; readonly end: () => void } | undefined;
  /** Until then the primary would not fetch. */
  closedUntil: number;
  /** The primary knows that someone would like to have newer keys as soon as that is possible. */
  wished: boolean;
}

/**
 * Keys in a worker. One question per source is under way at a time, and after its answer there is none, but for a
 * wish, until the primary would fetch again: so workers together cause no more fetches than one process.
 */
export function createKeyMirror({ ask, now, schedule }: MirrorPorts): KeyMirror {
  const copies = new Map<string, Copy>();
  const copyOf = (name: string): Copy => {
    const known = copies.get(name);
    if (known !== undefined) return known;
    const made = { keys: undefined, jwks: undefined, refresh: undefined, closedUntil: 0, wished: false };
    copies.set(name, made);
    return made;
  };

  const begin = (copy: Copy, name: string, timeoutMs: number): Promise<void> => {
    let resolve = (): void => {};
    const ended = new Promise<void>((done) => {
      resolve = done;
    });
    const end = (): void => {
      cancel();
      copy.refresh = undefined;
      copy.wished = false;
      resolve();
    };
    const cancel = schedule(timeoutMs, end);
    copy.refresh = { ended, end };
    ask(name);
    return ended;
  };

  const source = (locator: RemoteKeys): KeySource => {
    const name = keyOfLocator(locator);
    const copy = copyOf(name);
    return {
      current: () => copy.keys,
      refresh() {
        if (copy.refresh !== undefined) return copy.refresh.ended;
        if (now() >= copy.closedUntil) return begin(copy, name, locator.timeoutMs);
        if (!copy.wished) {
          copy.wished = true;
          ask(name);
        }
        return undefined;
      },
    };
  };

  return {
    // The same for equal locators: a request asks each source once.
    sources: remember(source),
    receive(message) {
      const copy = copyOf(message.name);
      if (message.type === "keys_refreshed") {
        copy.closedUntil = now() + message.closedMs;
        copy.refresh?.end();
        return;
      }
      if (message.jwks === copy.jwks) return;
      copy.jwks = message.jwks;
      copy.keys =
        message.jwks === undefined ? undefined : parseKeySet(message.jwks, { allowSymmetric: false }).keySet;
    },
  };
}

function remember(make: KeySources): KeySources {
  const made = new Map<string, KeySource>();
  return (locator) => {
    const name = keyOfLocator(locator);
    const source = made.get(name) ?? make(locator);
    made.set(name, source);
    return source;
  };
}
