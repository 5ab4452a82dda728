import type { ServiceRef } from "../attributes/index.js";
import { factsOf, type LabelFacts, type LabelKind, labelValues } from "./istio-labels.js";
import type { Party, Report } from "./report.js";

/** The labels of a report, and what those who count have found for them. */
export interface LabelSet<Held> {
  readonly kind: LabelKind;
  readonly facts: LabelFacts;
  readonly values: readonly string[];
  /** False for the first report of them: keeping something costs more than it saves if no other follows. */
  isKnown: boolean;
  /** By the number of whoever keeps something here. */
  readonly held: Map<number, Held>;
}

/** Remembers label sets. */
export interface LabelSets<Held> {
  /** The labels of a report as `kind` has them; at once for the report that was asked for last. */
  of(report: Report, kind: LabelKind): LabelSet<Held>;
}

/**
 * More than a mesh of some hundred services has. Beyond it all are forgotten and found again, which costs time and
 * changes no count.
 */
const MAX_SETS = 8192;

/** So many characters of their values, too: callers and proxies choose some of them, at any length. */
const MAX_CHARACTERS = 8 * 1_048_576;

/** Codes and flags, of one call under one principal, that are searched in turn. */
const MAX_ALIKE = 256;

type ByPrincipal<Held> = Map<string, LabelSet<Held>[]>;
type ByService<Held> = Map<ServiceRef | undefined, ByPrincipal<Held>>;
type ByDestination<Held> = Map<Party | undefined, ByService<Held>>;

export function createLabelSets<Held>(): LabelSets<Held> {
  /** Parties and services by identity; the principal is the only text of a caller's that may be of any number. */
  const bySource = new Map<Party | undefined, ByDestination<Held>>();
  let size = 0;
  let characters = 0;
  let last: Report | undefined;
  let facts: LabelFacts | undefined;
  let lastSet: LabelSet<Held> | undefined;

  function alike({ source, destination, service }: Report, principal: string): LabelSet<Held>[] {
    const byDestination = within(bySource, source, newMap<Party | undefined, ByService<Held>>);
    const byService = within(byDestination, destination, newMap<ServiceRef | undefined, ByPrincipal<Held>>);
    const byPrincipal = within(byService, service, newMap<string, LabelSet<Held>[]>);
    return within(byPrincipal, principal, newList<LabelSet<Held>>);
  }

  function find(report: Report, kind: LabelKind, wanted: LabelFacts): LabelSet<Held> {
    const sets = alike(report, wanted.sourcePrincipal);
    for (const set of sets) {
      if (set.kind !== kind || !isSame(set.facts, wanted)) continue;
      set.isKnown = true;
      return set;
    }
    const set: LabelSet<Held> = {
      kind,
      facts: wanted,
      values: labelValues(report, kind, wanted),
      isKnown: false,
      held: new Map<number, Held>(),
    };
    remember(report, sets, set);
    return set;
  }

  function remember(report: Report, sets: LabelSet<Held>[], set: LabelSet<Held>): void {
    const length = lengthOf(set);
    if (size >= MAX_SETS || characters + length > MAX_CHARACTERS) {
      bySource.clear();
      size = 0;
      characters = 0;
      alike(report, set.facts.sourcePrincipal).push(set);
    } else {
      if (sets.length >= MAX_ALIKE) sets.length = 0;
      sets.push(set);
    }
    size += 1;
    characters += length;
  }

  return {
    of(report, kind) {
      if (last !== report || facts === undefined) {
        last = report;
        facts = factsOf(report);
        lastSet = undefined;
      }
      if (lastSet?.kind !== kind) lastSet = find(report, kind, facts);
      return lastSet;
    },
  };
}

function newMap<K, V>(): Map<K, V> {
  return new Map();
}

function newList<T>(): T[] {
  return [];
}

function within<K, V>(map: Map<K, V>, key: K, make: () => V): V {
  const known = map.get(key);
  if (known !== undefined) return known;
  const made = make();
  map.set(key, made);
  return made;
}

function lengthOf({ values }: LabelSet<unknown>): number {
  let length = 0;
  for (const value of values) length += value.length;
  return length;
}

/** But for the principal of the source. */
function isSame(one: LabelFacts, other: LabelFacts): boolean {
  return (
    one.code === other.code &&
    one.flags === other.flags &&
    one.reporter === other.reporter &&
    one.protocol === other.protocol &&
    one.grpcStatus === other.grpcStatus &&
    one.destinationPrincipal === other.destinationPrincipal &&
    one.security === other.security &&
    one.serviceName === other.serviceName
  );
}
