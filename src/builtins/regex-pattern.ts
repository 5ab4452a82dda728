import { RE2JS, RE2JSException } from "re2js";
import { BuiltinError } from "./builtin.js";
import { LimitError } from "./limit.js";
import { recent } from "./recent.js";

/**
 * A compiled regular expression of RE2's syntax; finds in linear time, and gives up on what would take long.
 */
export interface Pattern {
  /** Names of the groups, by index; empty for those without one, and for the whole match. */
  readonly groupNames: readonly string[];
  /** Whether it matches anywhere. */
  readonly matches: (text: string) => boolean;
  /**
   * Go's FindAllStringSubmatchIndex: pairs of places, −1 for groups that took no part; at most `limit`
   * matches.
   */
  readonly findAll: (text: string, limit: number) => readonly (readonly number[])[];
}

/** Characters of a pattern beyond which it is not compiled. */
const maxLength = 16_384;

/** What the steps of one call may cost: reading a character costs 1, and something for each instruction. */
const budget = 1_000_000;

/** What a search costs beside. */
const matchCost = 40;

/** The pattern of a text, one of those used lately; throws a BuiltinError when it is none. */
export const patternOf: (text: string) => Pattern = recent(100, compile);

function compile(text: string): Pattern {
  if (text.length > maxLength) throw new LimitError(`pattern of more than ${maxLength} characters`);
  const { compiled, nameOf } = parse(text);
  const cost = 1 + compiled.programSize() / 8;
  const groupNames = Array.from({ length: compiled.groupCount() + 1 }, () => "");
  for (const [name, index] of Object.entries(compiled.namedGroups())) groupNames[index] = nameOf(name);
  return {
    groupNames,
    matches: (subject) => compiled.test(metered(subject, cost)),
    findAll: (subject, limit) => findAll(compiled, subject, cost, limit),
  };
}

interface Parsed {
  readonly compiled: RE2JS;
  /** The name that a group has in the pattern. */
  readonly nameOf: (name: string) => string;
}

function parse(text: string): Parsed {
  try {
    return { compiled: RE2JS.compile(text), nameOf: (name) => name };
  } catch (error) {
    if (!(error instanceof RE2JSException)) throw error;
    const renamed = error.message.includes("duplicate capture group name") ? distinct(text) : undefined;
    if (renamed === undefined) throw new BuiltinError(error.message);
    return { ...parse(renamed.text), nameOf: (name) => renamed.names.get(name) ?? name };
  }
}

/** Escapes, literals, classes of characters and groups' names: only the last are what they look like. */
const namesOfGroups = /\\Q.*?(?:\\E|$)|\\.|\[\^?\]?(?:\[:.*?:\]|\\.|[^\]\\])*\]|\(\?P?<(\w+)>/gs;

/**
 * The pattern with another name for each group, for Go lets several have the same; undefined when it has no
 * names.
 */
function distinct(text: string): { readonly text: string; readonly names: Map<string, string> } | undefined {
  const names = new Map<string, string>();
  const renamed = text.replace(namesOfGroups, (found: string, name: string | undefined) => {
    if (name === undefined) return found;
    const other = `group${names.size}of${text.length}`;
    names.set(other, name);
    return `(?P<${other}>`;
  });
  return names.size === 0 || /group\d+of\d/.test(text) ? undefined : { text: renamed, names };
}

/** A text which the engine can read only so often. */
function metered(text: string, cost: number): string {
  if (text.length * cost * shortCalls < budget) return text;
  return new MeteredText(text, cost) as unknown as string;
}

/** Texts so much shorter than the budget are not metered: one search reads them no more than so often. */
const shortCalls = 64;

/** The engine takes objects of String too, and reads them by charCodeAt. */
class MeteredText extends String {
  #left = budget;
  readonly #cost: number;
  readonly #text: string;

  constructor(text: string, cost: number) {
    super(text);
    this.#text = text;
    this.#cost = cost;
  }

  charge(cost: number): void {
    this.#left -= cost;
    if (this.#left < 0) throw new LimitError("regular expression takes too long");
  }

  override charCodeAt(index: number): number {
    this.charge(this.#cost);
    return this.#text.charCodeAt(index);
  }
}

/** As Go: no empty match right behind a match. */
function findAll(compiled: RE2JS, text: string, cost: number, limit: number): readonly (readonly number[])[] {
  const found: (readonly number[])[] = [];
  // Each match is a search of its own, so all are metered together.
  const subject = new MeteredText(text, cost);
  const matcher = compiled.matcher(subject as unknown as string);
  const groups = compiled.groupCount() + 1;
  let last = -1;
  for (let at = 0; at <= text.length && (limit < 0 || found.length < limit) && matcher.find(at); ) {
    subject.charge(matchCost);
    const [start, end] = [matcher.start(), matcher.end()];
    if (end !== at) at = end;
    else at += (text.codePointAt(at) ?? 0) > 0xffff ? 2 : 1;
    if (start !== end || start !== last) found.push(places(matcher, groups));
    last = end;
  }
  return found;
}

interface Places {
  start(group: number): number;
  end(group: number): number;
}

function places(matcher: Places, groups: number): readonly number[] {
  return Array.from({ length: groups }, (_, group) => [matcher.start(group), matcher.end(group)]).flat();
}
