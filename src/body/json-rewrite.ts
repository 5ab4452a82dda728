import { Buffer } from "node:buffer";
import type { PathStep } from "../redaction/index.js";
import { endOfString, endOfValue, skipSpace, textOfToken } from "./json-scan.js";

/** What is done at every place that a path names. */
export type JsonChange =
  /**
   * `value` is JSON text. A last step that is a name is added to objects that do not have it; no parent is
   * made.
   */
  { readonly kind: "set"; readonly value: string } | { readonly kind: "remove" };

/** A passage that something else stands in place of. */
interface Cut {
  readonly start: number;
  readonly end: number;
  readonly put: string;
}

/** A member or item of what is open: the passage from its name on. */
interface Entry {
  readonly start: number;
  readonly end: number;
  readonly isRemoved: boolean;
}

/**
 * Changes what `steps` name in a body, and leaves every other byte as it was. Of a name that stands twice in
 * an object each is changed, so that it does not matter which of them a reader takes. Undefined: nothing
 * changes. `body` is valid JSON in UTF-8, nested no deeper than a stack bears (some thousand levels).
 */
export function rewriteJson(
  body: Uint8Array,
  steps: readonly PathStep[],
  change: JsonChange,
): { readonly body: Uint8Array; readonly changed: number } | undefined {
  const text = Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString("latin1");
  const put = change.kind === "set" ? Buffer.from(change.value).toString("latin1") : "";
  const walk = createWalk(text, steps, change.kind === "set" ? put : undefined);
  const start = skipSpace(text, 0);
  if (steps.length === 0) {
    // A document has no room for nothing: what is removed is null.
    const whole = change.kind === "set" ? put : "null";
    return spliced(text, [{ start, end: endOfValue(text, start), put: whole }], 1);
  }
  const { cuts, count } = walk(start);
  return count === 0 ? undefined : spliced(text, cuts, count);
}

function spliced(
  text: string,
  cuts: readonly Cut[],
  changed: number,
): { readonly body: Uint8Array; readonly changed: number } {
  const parts: string[] = [];
  let at = 0;
  for (const cut of [...cuts].sort((a, b) => a.start - b.start || a.end - b.end)) {
    parts.push(text.slice(at, cut.start), cut.put);
    at = cut.end;
  }
  parts.push(text.slice(at));
  return { body: Buffer.from(parts.join(""), "latin1"), changed };
}

/** Indexes of the steps that come next. */
type States = readonly number[];

function createWalk(
  text: string,
  steps: readonly PathStep[],
  put: string | undefined,
): (start: number) => { readonly cuts: readonly Cut[]; readonly count: number } {
  const cuts: Cut[] = [];
  let count = 0;

  /** With the step behind each `descend`, which acts on this level too. */
  const opened = (states: States): States => {
    const all = new Set(states);
    for (const state of all) if (steps[state]?.kind === "descend") all.add(state + 1);
    return [...all];
  };
  const after = (states: States, fits: (step: PathStep) => boolean): States => {
    const next = new Set<number>();
    for (const state of states) {
      const step = steps[state];
      if (step === undefined) continue;
      if (step.kind === "descend") next.add(state);
      else if (fits(step)) next.add(state + 1);
    }
    return [...next];
  };
  /** The place of a value that some path may lead to: its end, and whether it goes away. */
  const value = (start: number, states: States): { end: number; isRemoved: boolean } => {
    if (states.length === 0) return { end: endOfValue(text, start), isRemoved: false };
    if (!states.includes(steps.length)) return { end: inside(start, states), isRemoved: false };
    const end = endOfValue(text, start);
    count++;
    if (put !== undefined) cuts.push({ start, end, put });
    return { end, isRemoved: put === undefined };
  };
  const inside = (start: number, given: States): number => {
    const states = opened(given);
    const code = text.charCodeAt(start);
    if (code === 0x7b) return object(start, states);
    return code === 0x5b ? array(start, states) : endOfValue(text, start);
  };
  const object = (start: number, states: States): number => {
    const entries: Entry[] = [];
    const found = new Set<string>();
    let at = skipSpace(text, start + 1);
    while (text.charCodeAt(at) !== 0x7d) {
      const keyEnd = endOfString(text, at);
      const name = textOfToken(text.slice(at, keyEnd));
      found.add(name);
      const from = skipSpace(text, skipSpace(text, keyEnd) + 1);
      const next = after(
        states,
        (step) => step.kind === "all" || (step.kind === "member" && step.name === name),
      );
      const { end, isRemoved } = value(from, next);
      entries.push({ start: at, end, isRemoved });
      at = skipSpace(text, end);
      if (text.charCodeAt(at) === 0x2c) at = skipSpace(text, at + 1);
    }
    close(entries);
    add(start, entries, states, found);
    return at + 1;
  };
  const array = (start: number, states: States): number => {
    const entries: Entry[] = [];
    let at = skipSpace(text, start + 1);
    while (text.charCodeAt(at) !== 0x5d) {
      const index = entries.length;
      const next = after(
        states,
        (step) => step.kind === "all" || (step.kind === "item" && step.index === index),
      );
      const { end, isRemoved } = value(at, next);
      entries.push({ start: at, end, isRemoved });
      at = skipSpace(text, end);
      if (text.charCodeAt(at) === 0x2c) at = skipSpace(text, at + 1);
    }
    close(entries);
    return at + 1;
  };
  /** Takes removed entries out, each with one comma. */
  const close = (entries: readonly Entry[]): void => {
    let kept: Entry | undefined;
    for (const [i, entry] of entries.entries()) {
      const before = entries[i - 1];
      if (!entry.isRemoved) kept = entry;
      else if (kept !== undefined && before !== undefined)
        cuts.push({ start: before.end, end: entry.end, put: "" });
      else cuts.push({ start: entry.start, end: entries[i + 1]?.start ?? entry.end, put: "" });
    }
  };
  /** Adds the member that the last step names where it is not there. */
  const add = (start: number, entries: readonly Entry[], states: States, found: Set<string>): void => {
    const last = steps.length - 1;
    const step = steps[last];
    if (put === undefined || step?.kind !== "member" || steps[last - 1]?.kind === "descend") return;
    if (!states.includes(last) || found.has(step.name)) return;
    count++;
    const at = entries.at(-1)?.end ?? start + 1;
    const name = Buffer.from(JSON.stringify(step.name)).toString("latin1");
    cuts.push({ start: at, end: at, put: `${entries.length === 0 ? "" : ","}${name}:${put}` });
  };

  return (start) => {
    // INVARIANT: the document itself is no place of a path with steps.
    inside(start, [0]);
    return { cuts, count };
  };
}
