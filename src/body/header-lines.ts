import { type ByteString, isEditableHeader } from "../attributes/index.js";
import type { HeaderEdit } from "../engine/index.js";
import type { HeaderEdits } from "./run.js";

/** Nothing to change. */
export const noHeaderEdits: HeaderEdits = { remove: [], set: [] };

/**
 * What became of one header: lines put behind those that came, or other lines in their place; none: it is
 * gone.
 */
interface Touched {
  readonly lines: readonly ByteString[];
  readonly isAppended: boolean;
}

/**
 * Headers of a message while rules change them one after the other. `lines` is how they stand now; `edits`
 * is what to tell Envoy so that they come to stand so: each name is put or removed, never both, since Envoy
 * removes last.
 */
export interface HeaderLines {
  readonly lines: ReadonlyMap<string, readonly ByteString[]>;
  /** `set` and `remove`: true when it made a difference. */
  set(name: string, value: ByteString): boolean;
  append(name: string, value: ByteString): void;
  /** Of a name that ends with `*` every header that begins so and may be changed. */
  remove(name: string): boolean;
  /** Takes up what somebody else worked out by the same rules. */
  apply(edits: HeaderEdits): void;
  edits(): HeaderEdits;
}

/** Begins with the headers as they came, which are copied at the first change. */
export function createHeaderLines(came: ReadonlyMap<string, readonly ByteString[]>): HeaderLines {
  let copy: Map<string, readonly ByteString[]> | undefined;
  const touched = new Map<string, Touched>();

  const put = (name: string, lines: readonly ByteString[], isAppended: boolean, now = lines): void => {
    copy ??= new Map(came);
    if (now.length === 0) copy.delete(name);
    else copy.set(name, now);
    touched.set(name, { lines, isAppended });
  };
  const current = (): ReadonlyMap<string, readonly ByteString[]> => copy ?? came;
  const set = (name: string, value: ByteString): boolean => {
    const [first, second] = current().get(name) ?? [];
    put(name, [value], false);
    return first !== value || second !== undefined;
  };
  const append = (name: string, value: ByteString): void => {
    const before = touched.get(name);
    const now = [...(current().get(name) ?? []), value];
    if (before === undefined) put(name, [value], true, now);
    else put(name, [...before.lines, value], before.isAppended, now);
  };
  const remove = (name: string): boolean => {
    const names = name.endsWith("*")
      ? [...current().keys()].filter((each) => each.startsWith(name.slice(0, -1)) && isEditableHeader(each))
      : [name];
    const there = names.filter((each) => current().has(each));
    for (const each of there) put(each, [], false);
    return there.length > 0;
  };
  return {
    get lines() {
      return current();
    },
    set,
    append,
    remove,
    apply: (edits) => {
      for (const name of edits.remove) remove(name);
      for (const { name, value, action } of edits.set) {
        if (action === "OVERWRITE_IF_EXISTS_OR_ADD") set(name, value);
        else if (action === "APPEND_IF_EXISTS_OR_ADD") append(name, value);
        else if (current().has(name) === (action === "OVERWRITE_IF_EXISTS")) set(name, value);
      }
    },
    edits: () => (touched.size === 0 ? noHeaderEdits : editsOf(touched, came)),
  };
}

function editsOf(
  touched: ReadonlyMap<string, Touched>,
  came: ReadonlyMap<string, readonly ByteString[]>,
): HeaderEdits {
  const remove: string[] = [];
  const set: HeaderEdit[] = [];
  for (const [name, { lines, isAppended }] of touched) {
    if (lines.length === 0) {
      if (came.has(name)) remove.push(name);
      continue;
    }
    for (const [i, value] of lines.entries()) {
      const action = i === 0 && !isAppended ? "OVERWRITE_IF_EXISTS_OR_ADD" : "APPEND_IF_EXISTS_OR_ADD";
      set.push({ name, value, action });
    }
  }
  return { remove, set };
}
