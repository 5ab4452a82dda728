import type { Amendment, BodyRecord } from "./body-record.js";
import { type DecisionFilter, matches } from "./filter.js";
import { joinResponses } from "./join-responses.js";
import type { DecisionOutcome, JoinedRecord, KnownDecision, ServedRecord, ServedResponse } from "./joined.js";
import type { DecisionRecord } from "./record.js";

/** The last decisions, each with what became of it. */
export interface DecisionRing {
  push(record: DecisionRecord): void;
  /** Joins what a proxy reports to its decision, which may come later; one that never comes is known from it alone. */
  served(record: ServedRecord): void;
  /**
   * Joins what body policies did to its decision, which may come later; of one that never comes nothing is known. What
   * comes twice for a decision is the same again.
   */
  amend(amendment: Amendment): void;
  /** Newest first, unless `filter.after` is given. */
  list(filter: DecisionFilter): JoinedRecord[];
  /** The decisions that were pushed since the last call, as many of them as are still held, oldest first. */
  takeNew(): DecisionRecord[];
  /**
   * Where reports are forwarded: those since the last call, in their order. Where there were too many the last ones, and
   * before them those of refusals that an upstream answered.
   */
  takeNewServed(): ServedRecord[];
  /** Where amendments are forwarded: the last ones since the last call, in their order. */
  takeNewAmendments(): Amendment[];
}

/** How a ring is used. */
export interface DecisionRingOptions {
  /** Reports and amendments are kept to be taken instead of joined: whoever takes them joins them. */
  readonly forwards?: boolean;
  /** Told once of each decision that refused what an upstream answered nevertheless. Must not throw. */
  readonly onAlarm?: (record: JoinedRecord) => void;
  /** Told once of each decision whose obligations nobody carried out although it was served. Must not throw. */
  readonly onUnmet?: (record: JoinedRecord) => void;
}

/** So many reports of refusals that were served, or of obligations that were not met, are forwarded beside the last ones, whatever else was reported. */
const MAX_ALARMS = 100;

interface Slot {
  decision: KnownDecision;
  knownFrom: JoinedRecord["known_from"];
  outcome: DecisionOutcome;
  response: ServedResponse | null;
  body: BodyRecord | null;
  /** Whoever ran the body policies said so, not only a proxy. */
  isAmended: boolean;
  unmet: readonly string[];
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
  /** Amendments to be taken or, here, of decisions that have not come; the oldest first. */
  const amendments = new Map<string, Amendment>();
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
        body: null,
        isAmended: false,
        unmet: allMet,
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
      slot.body = null;
      slot.isAmended = false;
      slot.unmet = allMet;
      slot.seq = seq;
      slot.cursor = changes;
    }
    const { decision_id: id } = decision;
    if (id !== null && id !== "") {
      index.set(id, slot);
      const amendment = amendments.get(id);
      if (amendment !== undefined && options.forwards !== true) {
        amendments.delete(id);
        join(slot, amendment.body);
      }
    }
    return slot;
  };

  /** Until the proxy says more, what a body policy refused was refused. */
  const join = (slot: Slot, body: BodyRecord): void => {
    slot.body = body;
    slot.isAmended = true;
    slot.unmet = without(slot.unmet, body.fulfilled);
    settle(slot, slot.outcome);
  };

  const settle = (slot: Slot, outcome: ServedRecord["outcome"]): void => {
    if (slot.outcome === "denied_but_served") return;
    slot.outcome = outcomeOf(slot, outcome);
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
      const unmet = slot.unmet.length > 0 ? allMet : without(record.unmet, slot.body?.fulfilled ?? allMet);
      if (joined === slot.response && !isAlarm && unmet.length === 0) return;
      slot.response = joined;
      if (!slot.isAmended && record.body !== null) slot.body = record.body;
      changes += 1;
      slot.cursor = changes;
      settle(slot, outcome);
      if (unmet.length === 0) return;
      slot.unmet = unmet;
      options.onUnmet?.(show(slot));
    },
    amend(amendment) {
      const { decision_id: id, body } = amendment;
      const slot = options.forwards === true ? undefined : index.get(id);
      if (slot === undefined) {
        if (id === "" || amendments.has(id)) return;
        const [oldest] = amendments.keys();
        if (amendments.size >= capacity && oldest !== undefined) amendments.delete(oldest);
        amendments.set(id, amendment);
        return;
      }
      if (slot.isAmended) return;
      join(slot, body);
      changes += 1;
      slot.cursor = changes;
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
    takeNewAmendments() {
      const taken = [...amendments.values()];
      amendments.clear();
      return taken;
    },
  };
}

/** Field by field: a spread of so many takes 20 µs each, and a page holds up decisions. */
function show({ decision, outcome, knownFrom, response, body, unmet, seq, cursor }: Slot): JoinedRecord {
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
    obligations: decision.obligations,
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
    body,
    unmet,
    seq,
    cursor,
  };
}

/** Until a proxy says more, what was answered is what happened. */
function answered({ allowed }: KnownDecision): DecisionOutcome {
  return allowed === false ? "denied" : "allowed";
}

const allMet: readonly string[] = [];

function without(names: readonly string[], others: readonly string[]): readonly string[] {
  if (names.length === 0) return allMet;
  const left = names.filter((name) => !others.includes(name));
  return left.length === 0 ? allMet : left;
}

function tellsAlarm(record: ServedRecord): boolean {
  return record.unmet.length > 0 || outcomeOf(record, record.outcome) === "denied_but_served";
}

function outcomeOf(
  { decision, body }: Pick<ServedRecord, "decision" | "body">,
  outcome: ServedRecord["outcome"],
): DecisionOutcome {
  const known = outcome === "none" ? answered(decision) : outcome;
  if (known !== "allowed") return known;
  // INVARIANT: a refusal that passed is never shown as an allowed request, whatever the report makes of it.
  if (decision.allowed === false) return "denied_but_served";
  // What was allowed at first may be refused in a later phase.
  return (body?.refused ?? null) === null ? "allowed" : "denied";
}
