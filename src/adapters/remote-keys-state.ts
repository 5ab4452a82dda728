import type { KeySet, RemoteKeys } from "../authn/index.js";
import type { KeyFailure } from "./remote-keys-fetch.js";

/** What there is to say about a key; nothing secret. */
export interface KeyDescription {
  readonly kid: string;
  readonly kty: string;
  /** Empty when the JWK names none. */
  readonly alg: string;
}

/** How one source stands. Times of day are in milliseconds since the epoch. */
export interface KeyState {
  readonly issuer: string;
  /** Without query; undefined until discovery has found it. */
  readonly jwksUri: string | undefined;
  readonly state: "fresh" | "stale" | "missing";
  readonly keys: readonly KeyDescription[];
  /** When the last good fetch ended. */
  readonly fetchedAt: number | undefined;
  readonly ageMs: number | undefined;
  /** Undefined while a fetch is under way. */
  readonly nextFetchInMs: number | undefined;
  readonly lastError: (KeyFailure & { readonly at: number }) | undefined;
  /** In a row; 0 when the last fetch was good, whatever `lastError` says. */
  readonly failures: number;
}

/** Good keys and where they came from. */
export interface HeldKeys {
  readonly keys: KeySet;
  readonly text: string;
  readonly jwksUri: string;
  /** By the clock that never goes back. */
  readonly fetchedAt: number;
  /** Since the epoch. */
  readonly fetchedWall: number;
  readonly freshMs: number;
}

interface Facts extends Pick<KeyState, "lastError" | "failures"> {
  readonly held: HeldKeys | undefined;
  readonly discovered: string | undefined;
  /** When the next fetch begins. */
  readonly next: number | undefined;
  readonly now: number;
}

/** A source for people. */
export function describeState({ issuer, jwksUri }: RemoteKeys, facts: Facts): KeyState {
  const { held, lastError, failures, next, now } = facts;
  const ageMs = held === undefined ? undefined : now - held.fetchedAt;
  const isFresh = held !== undefined && ageMs !== undefined && ageMs < held.freshMs;
  return {
    issuer,
    jwksUri: withoutSecrets(jwksUri ?? held?.jwksUri ?? facts.discovered),
    state: held === undefined ? "missing" : isFresh ? "fresh" : "stale",
    keys: describeKeys(held?.keys),
    fetchedAt: held?.fetchedWall,
    ageMs,
    nextFetchInMs: next === undefined ? undefined : Math.max(0, next - now),
    lastError,
    failures,
  };
}

function withoutSecrets(uri: string | undefined): string | undefined {
  if (uri === undefined || !URL.canParse(uri)) return undefined;
  const { protocol, host, pathname } = new URL(uri);
  return `${protocol}//${host}${pathname}`;
}

const ktyOf: Readonly<Record<string, string>> = { rsa: "RSA", ec: "EC", ed25519: "OKP" };

/** A `kid` is the other side's text: it is shown short and in plain characters. */
export function describeKeys(keys: KeySet | undefined): readonly KeyDescription[] {
  return (keys?.keys ?? []).map(({ kid, alg, key }) => ({
    kid: kid.slice(0, 64).replace(/[^\x21-\x7e]/g, "?"),
    kty: ktyOf[key.asymmetricKeyType ?? ""] ?? "",
    alg,
  }));
}
