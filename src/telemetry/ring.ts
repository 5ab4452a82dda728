import type { DecisionRecord } from "./record.js";

/** What `/decisions` can be asked for. */
export interface DecisionFilter {
  /** True: only refusals; false: only what was allowed. */
  readonly denied?: boolean | undefined;
  /** `NAMESPACE/NAME`. */
  readonly policy?: string | undefined;
  readonly limit?: number | undefined;
}

/** The last decisions. */
export interface DecisionRing {
  push(record: DecisionRecord): void;
  /** Newest first. */
  list(filter: DecisionFilter): DecisionRecord[];
  /** What was pushed since the last call, as much of it as is still held, oldest first. */
  takeNew(): DecisionRecord[];
}

/** Holds the last `capacity` decisions; a push overwrites the oldest and allocates nothing. */
export function createDecisionRing(capacity: number): DecisionRing {
  const slots: (DecisionRecord | undefined)[] = new Array(capacity).fill(undefined);
  let pushed = 0;
  let taken = 0;
  const at = (index: number): DecisionRecord => slots[index % capacity] as DecisionRecord;
  return {
    push(record) {
      slots[pushed % capacity] = record;
      pushed += 1;
    },
    list(filter) {
      const found: DecisionRecord[] = [];
      const limit = Math.min(filter.limit ?? capacity, capacity);
      const oldest = Math.max(0, pushed - capacity);
      for (let i = pushed - 1; i >= oldest && found.length < limit; i -= 1) {
        const record = at(i);
        if (matches(record, filter)) found.push(record);
      }
      return found;
    },
    takeNew() {
      const from = Math.max(taken, pushed - capacity);
      const records: DecisionRecord[] = [];
      for (let i = from; i < pushed; i += 1) records.push(at(i));
      taken = pushed;
      return records;
    },
  };
}

function matches(record: DecisionRecord, filter: DecisionFilter): boolean {
  if (filter.denied !== undefined && record.allowed === filter.denied) return false;
  return filter.policy === undefined || record.policy === filter.policy;
}
