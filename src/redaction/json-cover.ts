import type { ByteString } from "../attributes/index.js";
import type { PathState } from "./json-automaton.js";
import type { Outlet } from "./json-outlet.js";
import { behindDocument, behindValue, type Place } from "./json-place.js";
import type { JsonPlan } from "./json-plan.js";
import type { ValueAction, ValueWriter } from "./json-value.js";

/** What field rules make of the values of a document. */
export interface Cover {
  /** For the value that comes or is read; -1: none. */
  rule: number;
  /** It is being replaced or removed; the depth it stands at. */
  isCovered: boolean;
  depth: number;
  /** Of what is replaced, or of a string that is scanned. */
  writer: ValueWriter | undefined;
  /** The writer gets canonical JSON, not a text. */
  isCanonical: boolean;
  /** What is done with a value there. */
  actionAt(state: PathState): ValueAction | undefined;
  /** The value to come stands there in the paths: it is removed, or what leads to it goes on. */
  arrive(to: PathState, at: number): void;
  /** At the first byte of a value. `hasText`: a string or number. */
  beginValue(at: number, hasText: boolean): void;
  /** Behind the last byte of a value. */
  endValue(at: number): void;
  /** Of the value that is covered or scanned: `raw` is how it was written. */
  tell(text: ByteString, raw: ByteString): void;
  /** A bracket, brace, comma, colon or literal. */
  punctuate(mark: string): void;
  /** Puts another text in place of a whole string: its inside is between `from` and `to`. */
  replaceText(from: number, to: number): void;
}

/** Of one body. */
export function createCover(
  plan: JsonPlan,
  active: readonly boolean[] | undefined,
  {
    place,
    out,
    findings,
  }: { readonly place: Place; readonly out: Outlet; readonly findings: Map<string, number> },
): Cover {
  const { paths, actions, names } = plan;

  /** The rule that acts on a value there, -1 when none does. */
  const ruleAt = ({ accepts }: PathState): number => {
    for (const candidate of accepts) {
      if (active === undefined || active[candidate] === true) return candidate;
    }
    return -1;
  };
  // An index of -1 would be a property name to the engine: a tenth of the speed.
  const actionOf = (rule: number): ValueAction | undefined => (rule < 0 ? undefined : actions[rule]);
  const begin = (at: number, by: ValueWriter | undefined, isCanonical: boolean): void => {
    out.close(at);
    cover.isCovered = true;
    cover.depth = place.depth;
    cover.writer = by;
    cover.isCanonical = isCanonical;
  };
  const arrive = (to: PathState, at: number): void => {
    place.child = to;
    const rule = ruleAt(to);
    cover.rule = rule;
    const action = actionOf(rule);
    if (action !== undefined) {
      const name = names[rule] as string;
      findings.set(name, (findings.get(name) ?? 0) + 1);
    }
    if (action?.isRemove === true) {
      if (out.isMarked) out.drop(at);
      begin(at, place.depth === 0 ? action.whole() : undefined, false);
    } else {
      out.keep();
      place.hasKept = true;
    }
  };
  const endValue = (at: number): void => {
    if (cover.isCovered && place.depth === cover.depth) {
      if (cover.writer !== undefined) out.put(cover.writer.end());
      cover.writer = undefined;
      cover.isCovered = false;
      cover.isCanonical = false;
      out.open(at);
    }
    cover.rule = -1;
    place.state = place.depth === 0 ? behindDocument : behindValue;
  };
  const tell = (text: ByteString, raw: ByteString): void => {
    if (cover.writer !== undefined) out.put(cover.writer.push(text, raw));
  };

  const cover: Cover = {
    rule: -1,
    isCovered: false,
    depth: 0,
    writer: undefined,
    isCanonical: false,
    actionAt: (state) => actionOf(ruleAt(state)),
    arrive,
    beginValue(at, hasText) {
      if (cover.isCovered) return;
      if (place.depth === 0) arrive(paths.root, at);
      else if (!place.isObject) arrive(paths.item(place.path, place.index), at);
      const action = actionOf(cover.rule);
      if (action === undefined || cover.isCovered) return;
      if (hasText) begin(at, action.text(), false);
      else begin(at, action.whole(), action.readsWhole);
    },
    endValue,
    tell,
    punctuate(mark) {
      if (cover.isCanonical) tell(mark, mark);
    },
    replaceText(from, to) {
      out.close(from - 1);
      out.put((actionOf(cover.rule) as ValueAction).textOf(out.slice(from, to)));
      out.open(to + 1);
      endValue(to + 1);
    },
  };
  return cover;
}
