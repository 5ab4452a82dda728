import { type DecisionFilter, matches } from "./filter.js";
import { joinResponses } from "./join-responses.js";
import type { DecisionOutcome, JoinedRecord, KnownDecision, ServedRecord, ServedResponse } from "./joined.js";
import type { DecisionRecord } from "./record.js";

/** The last decisions, each with what became of it. */
export interface DecisionRing {
  push(record: DecisionRecord): void;
  /** Joins what a proxy reports to its decision, which may come later; one that never comes is known from it alone. */
  served(record: ServedRecord): void;
  /** Newest first, unless `filter.after` is given. */
  list(filter: DecisionFilter): JoinedRecord[];
  /** The decisions that were pushed since the last call, as many of them as are still held, oldest first. */
  takeNew(): DecisionRecord[];
  /**
   * Where reports are forwarded: those since the last call, in their order. Where there were too many the last ones, and
   * before them those of refusals that an upstream answered.
   */
  takeNewServed(): ServedRecord[];
}

/** How a ring is used. */
export interface DecisionRingOptions {
  /** Reports are kept for `takeNewServed` instead of joined: whoever takes them joins them. */
  readonly forwards?: boolean;
  /** Told once of each decision that refused what an upstream answered nevertheless. Must not throw. */
  readonly onAlarm?: (record: JoinedRecord) => void;
}

/** So many reports of refusals that were served are forwarded beside the last ones, whatever else was reported. */
const MAX_ALARMS = 100;

interface Slot {
  decision: KnownDecision;
  knownFrom: JoinedRecord["known_from"];
  outcome: DecisionOutcome;
  response: ServedResponse | null;
  seq: number;
  cursor: number;
}

/**
 * Holds the last `capacity` decisions, those that are known from reports included; each one overwrites the oldest.
 * A `decision_id` is held once, whatever comes how often and in which order.
 */
export function createDecisionRing(capacity: number, options: DecisionRingOptions = {}): DecisionRing {
  const slots: Slot[] = [];
  const index = new Map<string, Slot>();
  const waiting: ServedRecord[] = [];
  /** Older than all that is waiting. */
  const alarms: ServedRecord[] = [];
  let [pushed, taken, changes, reports] = [0, 0, 0, 0];

  const add = (decision: KnownDecision, knownFrom: Slot["knownFrom"]): Slot => {
    const place = pushed % capacity;
    const seq = pushed;
    pushed += 1;
    changes += 1;
    let slot = slots[place];
    if (slot === undefined) {
      slot = {
        decision,
        knownFrom,
        outcome: answered(decision),
        response: null,
        seq,
        cursor: changes,
      };
      slots[place] = slot;
    } else {
      const old = slot.decision.decision_id;
      if (old !== null && index.get(old) === slot) index.delete(old);
      slot.decision = decision;
      slot.knownFrom = knownFrom;
      slot.outcome = answered(decision);
      slot.response = null;
      slot.seq = seq;
      slot.cursor = changes;
    }
    if (decision.decision_id !== null && decision.decision_id !== "") index.set(decision.decision_id, slot);
    return slot;
  };

  const settle = (slot: Slot, outcome: ServedRecord["outcome"]): void => {
    if (slot.outcome === "denied_but_served") return;
    slot.outcome = outcomeOf(slot.decision, outcome);
    if (slot.outcome === "denied_but_served") options.onAlarm?.(show(slot));
  };

  const changedSince = (after: number, filter: DecisionFilter): Slot[] => {
    // A cursor that nobody here can have given is another process': to it all is new.
    const since = after > changes ? 0 : after;
    return slots
      .filter((slot) => slot.cursor > since && matches(slot, filter))
      .sort((a, b) => a.cursor - b.cursor);
  };

  return {
    push(record) {
      const known = index.get(record.decision_id);
      if (known === undefined) {
        add(record, "decision");
        return;
      }
      // A decision has one record: what comes twice is the same one again.
      if (known.knownFrom === "decision") return;
      known.decision = record;
      known.knownFrom = "decision";
      changes += 1;
      known.cursor = changes;
      settle(known, known.outcome);
    },
    served(record) {
      if (options.forwards === true) {
        const overwritten = waiting[reports % capacity];
        // INVARIANT: no flood of reports hides that a refusal was served.
        if (overwritten !== undefined && tellsAlarm(overwritten) && alarms.length < MAX_ALARMS) {
          alarms.push(overwritten);
        }
        waiting[reports % capacity] = record;
        reports += 1;
        return;
      }
      const { decision_id: id, response, outcome } = record;
      const slot = (id === null ? undefined : index.get(id)) ?? add(record.decision, "access_log");
      const isConnection = record.decision.protocol === "tcp";
      const joined = slot.response === null ? response : joinResponses(slot.response, response, isConnection);
      const isAlarm = outcome === "denied_but_served" && slot.outcome !== outcome;
      if (joined === slot.response && !isAlarm) return;
      slot.response = joined;
      changes += 1;
      slot.cursor = changes;
      settle(slot, outcome);
    },
    list(filter) {
      const limit = Math.min(filter.limit ?? capacity, capacity);
      if (filter.after !== undefined) return changedSince(filter.after, filter).slice(0, limit).map(show);
      const found: JoinedRecord[] = [];
      for (let i = pushed - 1; i >= Math.max(0, pushed - capacity) && found.length < limit; i -= 1) {
        const slot = slots[i % capacity] as Slot;
        if (matches(slot, filter)) found.push(show(slot));
      }
      return found;
    },
    takeNew() {
      const records: DecisionRecord[] = [];
      for (let i = Math.max(taken, pushed - capacity); i < pushed; i += 1) {
        const { knownFrom, decision } = slots[i % capacity] as Slot;
        if (knownFrom === "decision") records.push(decision as DecisionRecord);
      }
      taken = pushed;
      return records;
    },
    takeNewServed() {
      const oldest = reports > capacity ? reports % capacity : 0;
      reports = 0;
      const records = waiting.splice(0);
      return [...alarms.splice(0), ...records.slice(oldest), ...records.slice(0, oldest)];
    },
  };
}

/** Field by field: a spread of so many takes 20 µs each, and a page holds up decisions. */
function show({ decision, outcome, knownFrom, response, seq, cursor }: Slot): JoinedRecord {
  return {
    time: decision.time,
    decision_id: decision.decision_id,
    allowed: decision.allowed,
    code: decision.code,
    stage: decision.stage,
    policy: decision.policy,
    rule: decision.rule,
    reason: decision.reason,
    dry_run: decision.dry_run,
    quota: decision.quota,
    failed_open: decision.failed_open,
    snapshot: decision.snapshot,
    duration_ms: decision.duration_ms,
    protocol: decision.protocol,
    method: decision.method,
    host: decision.host,
    path: decision.path,
    source_ip: decision.source_ip,
    source_principal: decision.source_principal,
    request_principal: decision.request_principal,
    authn_method: decision.authn_method,
    authn_refused: decision.authn_refused,
    destination_namespace: decision.destination_namespace,
    destination_workload: decision.destination_workload,
    outcome,
    known_from: knownFrom,
    response,
    seq,
    cursor,
  };
}

/** Until a proxy says more, what was answered is what happened. */
function answered({ allowed }: KnownDecision): DecisionOutcome {
  return allowed === false ? "denied" : "allowed";
}

function tellsAlarm({ decision, outcome }: ServedRecord): boolean {
  return outcomeOf(decision, outcome) === "denied_but_served";
}

function outcomeOf(decision: KnownDecision, outcome: ServedRecord["outcome"]): DecisionOutcome {
  if (outcome === "none") return answered(decision);
  // INVARIANT: a refusal that passed is never shown as an allowed request, whatever the report makes of it.
  return outcome === "allowed" && decision.allowed === false ? "denied_but_served" : outcome;
}
