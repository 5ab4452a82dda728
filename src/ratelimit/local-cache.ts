/** Counters that are known to be over their limit, so that nobody has to ask for them. */
export interface LocalCache {
  /** `now` in milliseconds since the epoch. */
  has(key: string, now: number): boolean;
  /** Known until then, in milliseconds since the epoch, or until there is no room. */
  add(key: string, until: number): void;
  delete(key: string): void;
}

/** As the peer's cache, which is never smaller and knows no longer keys. */
const leastBytes = 512 * 1024;
const longestKey = 65_535;

/** What a map's entry costs beside the key, roughly. */
const entryBytes = 64;

/**
 * A cache of about so many bytes (LOCAL_CACHE_SIZE_IN_BYTES), from 512 KiB on as in the peer; where it is
 * full the oldest entry goes. It knows counters, not limits: a counter that was over one limit is over every
 * other in its window.
 */
export function createLocalCache(bytes: number): LocalCache {
  const capacity = Math.max(bytes, leastBytes);
  const entries = new Map<string, number>();
  let used = 0;
  const remove = (key: string) => {
    if (entries.delete(key)) {
      used -= costOf(key);
    }
  };
  return {
    has: (key, now) => {
      const until = entries.get(key);
      if (until === undefined) {
        return false;
      }
      if (until > now) {
        return true;
      }
      remove(key);
      return false;
    },
    add: (key, until) => {
      if (key.length > longestKey) {
        return;
      }
      remove(key);
      entries.set(key, until);
      used += costOf(key);
      while (used > capacity) {
        const [oldest] = entries.keys();
        if (oldest === undefined) {
          return;
        }
        remove(oldest);
      }
    },
    delete: remove,
  };
}

function costOf(key: string): number {
  return 2 * key.length + entryBytes;
}
