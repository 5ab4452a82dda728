import type { Charge, ChargeResult, CounterState } from "../quota/index.js";

/** What one script can be asked, and where in the whole it stands. */
export interface Part<Item> {
  readonly items: readonly Item[];
  readonly places: readonly number[];
}

/** Of one server: everything in one. */
export function allAtOnce<Item>(items: readonly Item[]): readonly Part<Item>[] {
  return items.length === 0 ? [] : [{ items, places: items.map((_, i) => i) }];
}

/** Of a cluster: each group by itself, in the order of their first items. */
export function byGroup<Item extends { readonly group: string }>(
  items: readonly Item[],
): readonly Part<Item>[] {
  const parts = new Map<string, { items: Item[]; places: number[] }>();
  items.forEach((item, place) => {
    const part = parts.get(item.group);
    if (part === undefined) parts.set(item.group, { items: [item], places: [place] });
    else {
      part.items.push(item);
      part.places.push(place);
    }
  });
  return [...parts.values()];
}

/** Asks for all parts at once and puts the answers in the order of the whole. */
export async function gather<Item, Found>(
  parts: readonly Part<Item>[],
  ask: (items: readonly Item[]) => Promise<readonly Found[]>,
): Promise<readonly Found[]> {
  const answers = await Promise.all(parts.map(({ items }) => ask(items)));
  const [only] = answers;
  if (answers.length === 1 && only !== undefined) return only;
  const found: Found[] = [];
  answers.forEach((answer, part) => {
    answer.forEach((one, i) => {
      found[parts[part]?.places[i] ?? found.length] = one;
    });
  });
  return found;
}

/** What came of charges of one group. */
export interface Reservation {
  readonly result: ChargeResult;
  /** The charge at this place was charged before, under its id. */
  readonly isRepeated: (place: number) => boolean;
}

/** What a charge over several groups is made of; each for charges of one group, `look` for any. */
export interface GroupSteps {
  /** By the node's own clock unless a time is given. */
  readonly reserve: (charges: readonly Charge[], atMs?: number) => Promise<Reservation>;
  readonly refund: (charges: readonly Charge[], atMs: number) => Promise<void>;
  readonly look: (charges: readonly Charge[]) => Promise<readonly CounterState[]>;
}

/**
 * Reserves group by group, all by the clock of the first, so that one time is enough to give back. Where a
 * group refuses or fails, those before it get their units back; one that failed may have counted. Trials
 * follow when all have passed.
 */
export async function chargeGroups(charges: readonly Charge[], steps: GroupSteps): Promise<ChargeResult> {
  const { reserve, refund, look } = steps;
  const counters: CounterState[] = [];
  const reserved: Charge[] = [];
  const parts = byGroup(charges);
  const firm = parts.map((part) => only(part, false)).filter(({ items }) => items.length > 0);
  const trials = parts.map((part) => only(part, true)).filter(({ items }) => items.length > 0);
  let atMs: number | undefined;
  for (const { items, places } of [...firm, ...trials]) {
    let reservation: Reservation;
    try {
      reservation = await reserve(items, atMs);
    } catch (error) {
      if (atMs !== undefined && reserved.length > 0) await refund(reserved, atMs).catch(() => {});
      throw error;
    }
    const { result, isRepeated } = reservation;
    atMs ??= result.atMs;
    if (!result.allowed) {
      if (reserved.length > 0) await refund(reserved, atMs);
      return { allowed: false, counters: await look(charges), atMs };
    }
    items.forEach((charge, i) => {
      const counter = result.counters[i];
      if (counter === undefined) return;
      counters[places[i] ?? 0] = counter;
      if (counter.allowed && !isRepeated(i)) reserved.push(charge);
    });
  }
  return { allowed: true, counters, atMs: atMs ?? 0 };
}

function only({ items, places }: Part<Charge>, isTrial: boolean): Part<Charge> {
  const kept = items.flatMap((charge, i) => (charge.isTrial === isTrial ? [i] : []));
  const pick = <Item>(list: readonly Item[]): Item[] => kept.flatMap((i) => list.slice(i, i + 1));
  return { items: pick(items), places: pick(places) };
}
