import type { RemoteKeys } from "./jwt-rule.js";
import type { KeySet } from "./key-set.js";

/** Keys that change while we run. */
export interface KeySource {
  /** The newest good keys; undefined while none have arrived, or when they have been stale for too long. */
  readonly current: () => KeySet | undefined;
  /**
   * Asks for newer keys because a token names one that `current` lacks. Undefined when nothing would come of it
   * now (fetched too recently). Otherwise resolves, and never rejects, when the fetch that all callers share has
   * ended, within the locator's timeout.
   */
  readonly refresh: () => Promise<void> | undefined;
}

/** Port: finds the source of a locator; the same for equal locators. */
export type KeySources = (locator: RemoteKeys) => KeySource;
