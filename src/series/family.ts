import { createLabelValues, keyOf, OTHER } from "./label-values.js";
import type { FamilyDefinition, SeriesRow } from "./series.js";

/** One series. */
export interface Series {
  readonly labels: readonly string[];
  /** Of a histogram: the sum. */
  value: number;
  /** How many fell into each bucket alone; undefined where there are no buckets. */
  readonly buckets: number[] | undefined;
  /** Milliseconds; when it last got something. */
  lastMs: number;
  /** False once it expired: whoever holds it has to find it again. */
  isLive: boolean;
}

/** The series of one family, whatever is counted in them. */
export interface Family {
  /** The series of these values, or what stands for them beyond the bounds; made if there is none. */
  find(values: readonly string[]): Series;
  /** Finds always the series of these values, without a look-up as long as that is the same. Copies `values`. */
  at(values: readonly string[]): () => Series;
  /** New bounds and a new text; nothing is forgotten. */
  redefine(definition: FamilyDefinition): void;
  /** Forgets what got nothing for as long as its expiry, and gives back the values that no series uses now. */
  expire(): void;
  readonly definition: FamilyDefinition;
  readonly size: number;
  /** How many series expired so far. */
  readonly expired: number;
  /** How often a bound was in the way, by label; `*`: the bound on series. */
  readonly limited: ReadonlyMap<string, number>;
  rows(): SeriesRow[];
}

export interface FamilyOptions {
  /** Milliseconds. */
  readonly now: () => number;
  /** Of histograms, with the one beyond every bound; else 0. */
  readonly bucketCount: number;
  /**
   * Whether expired series are kept aside, as many as there may be series. A sum over processes has to keep the part
   * of a process in which the series expired while it lives in another; and a series that comes back goes on where it
   * was, which `rate()` reads rightly whether or not it saw the gap.
   */
  readonly keepsExpired: boolean;
}

/** Between two searches for expired series that a full family makes, at least; a scrape always searches. */
const SWEEP_PAUSE_MS = 1000;

export function createFamily(first: FamilyDefinition, options: FamilyOptions): Family {
  const { now, bucketCount, keepsExpired } = options;
  const count = first.labels.length;
  const live = new Map<string, Series>();
  /** In the order in which they expired. */
  const expired = new Map<string, Series>();
  const values = first.labels.map((label) => createLabelValues(limitOf(first, label)));
  const limited = new Map<string, number>();
  let definition = first;
  let expiredCount = 0;
  let sweptMs = now();
  const overflowKey = keyOf(
    values.map(() => OTHER),
    count,
  );

  const touch = (series: Series): Series => {
    if (definition.expiryMs !== undefined) series.lastMs = now();
    return series;
  };

  const countLimited = (label: string): void => {
    limited.set(label, (limited.get(label) ?? 0) + 1);
  };

  const isFull = (): boolean => live.size >= definition.maxSeries;

  /** The values as they are to be used: the same array where all are, so that what is known costs no garbage. */
  function admit(raw: readonly string[]): readonly string[] {
    let admitted = raw;
    for (let i = 0; i < count; i++) {
      const value = raw[i] ?? "";
      const used = values[i]?.admit(value) ?? OTHER;
      if (used === value) continue;
      if (admitted === raw) admitted = [...raw];
      (admitted as string[])[i] = used;
    }
    return admitted;
  }

  function isLimited(raw: readonly string[], admitted: readonly string[]): boolean {
    if (raw === admitted) return false;
    for (let i = 0; i < count; i++) if (admitted[i] === OTHER && raw[i] !== OTHER) return true;
    return false;
  }

  function find(raw: readonly string[]): Series {
    let admitted = admit(raw);
    let isBounded = isLimited(raw, admitted);
    if (isBounded && sweepIfDue()) {
      admitted = admit(raw);
      isBounded = isLimited(raw, admitted);
    }
    if (isBounded) countValues(raw, admitted);
    const key = keyOf(admitted, count);
    const known = live.get(key);
    if (known !== undefined) return touch(known);
    if (!isFull() || (sweepIfDue() && !isFull())) return begin(key, tupleOf(admitted));
    countLimited("*");
    const overflow = live.get(overflowKey);
    return overflow === undefined
      ? begin(
          overflowKey,
          values.map(() => OTHER),
        )
      : touch(overflow);
  }

  function countValues(raw: readonly string[], admitted: readonly string[]): void {
    for (let i = 0; i < count; i++) {
      if (admitted[i] === OTHER && raw[i] !== OTHER) countLimited(definition.labels[i] ?? "");
    }
  }

  const tupleOf = (raw: readonly string[]): string[] => values.map((_, i) => raw[i] ?? "");

  function begin(key: string, labels: readonly string[]): Series {
    const series = expired.get(key) ?? aSeries(labels);
    expired.delete(key);
    series.isLive = true;
    series.lastMs = now();
    live.set(key, series);
    labels.forEach((value, i) => {
      values[i]?.take(value);
    });
    return series;
  }

  function aSeries(labels: readonly string[]): Series {
    const buckets = bucketCount === 0 ? undefined : new Array<number>(bucketCount).fill(0);
    return { labels, value: 0, buckets, lastMs: now(), isLive: true };
  }

  function sweepIfDue(): boolean {
    if (definition.expiryMs === undefined || now() - sweptMs < SWEEP_PAUSE_MS) return false;
    expire();
    return true;
  }

  function expire(): void {
    const { expiryMs } = definition;
    if (expiryMs === undefined) return;
    sweptMs = now();
    for (const [key, series] of live) {
      if (sweptMs - series.lastMs <= expiryMs) continue;
      live.delete(key);
      series.isLive = false;
      series.labels.forEach((value, i) => {
        values[i]?.give(value);
      });
      expiredCount += 1;
      if (keepsExpired) expired.set(key, series);
    }
    for (const key of expired.keys()) {
      if (expired.size <= definition.maxSeries) break;
      expired.delete(key);
    }
  }

  return {
    find,
    at(raw) {
      const own = tupleOf(raw);
      let found: Series | undefined;
      return () => {
        if (found?.isLive === true) return touch(found);
        const series = find(own);
        // What stands for the values beyond a bound is asked for each time: it counts that, and may get room again.
        found = series.labels.every((value, i) => value === own[i]) ? series : undefined;
        return series;
      };
    },
    redefine(next) {
      definition = next;
      next.labels.forEach((label, i) => {
        values[i]?.setLimit(limitOf(next, label));
      });
    },
    expire,
    get definition() {
      return definition;
    },
    get size() {
      return live.size;
    },
    get expired() {
      return expiredCount;
    },
    limited,
    rows() {
      const rows = [...live.values()].map(rowOf);
      for (const series of expired.values()) rows.push({ ...rowOf(series), expired: true });
      return rows;
    },
  };
}

function rowOf({ labels, value, buckets }: Series): SeriesRow {
  return buckets === undefined ? { labels, value } : { labels, value, buckets: [...buckets] };
}

function limitOf({ maxValues, maxValuesOf }: FamilyDefinition, label: string): number {
  return maxValuesOf?.get(label) ?? maxValues;
}
