import { Buffer } from "node:buffer";
import { compilePaths, type PathState } from "./json-automaton.js";
import type { PathStep } from "./rules.js";

/**
 * How JSON texts follow each other in a body: one alone, one in each line, or one in each server-sent event.
 */
export type Framing = "json" | "ndjson" | "events";

/** Reads a number out of a body as it comes, however it is cut; keeps a few bytes. Never throws. */
export interface NumberReader {
  push(chunk: Uint8Array): void;
  /** The body is over. */
  end(): void;
  /** The last number so far that stood at the path, complete; undefined: none did. */
  readonly value: number | undefined;
}

/**
 * Makes readers of the number at a path. Where several values stand at it, in one JSON text or in several,
 * the last that is a number counts: token counts come in the last event, and all before have none, or `null`.
 * Nothing is checked that need not be: in a body that is no JSON there may be a number all the same.
 */
export function compileNumberReader(path: readonly PathStep[]): (framing: Framing) => NumberReader {
  const automaton = compilePaths([{ name: "", path, action: { kind: "hash" } }]);
  return (framing) => {
    const lexer = createLexer(automaton);
    if (framing === "events") return createEvents(lexer);
    return {
      push(chunk) {
        if (framing === "json") return lexer.feed(chunk, 0, chunk.length);
        let from = 0;
        for (let at = chunk.indexOf(lineFeed); at >= 0; at = chunk.indexOf(lineFeed, from)) {
          lexer.feed(chunk, from, at);
          lexer.restart();
          from = at + 1;
        }
        lexer.feed(chunk, from, chunk.length);
      },
      end: lexer.restart,
      get value() {
        return lexer.value();
      },
    };
  };
}

/** Of one JSON text after the other. */
interface Lexer {
  feed(bytes: Uint8Array, from: number, to: number): void;
  /** A text is over, and another one begins. */
  restart(): void;
  value(): number | undefined;
}

type Automaton = ReturnType<typeof compilePaths>;

/** A container that is open and may hold the number. */
interface Level {
  readonly state: PathState;
  /** Of the item that comes; -1 in an object. */
  index: number;
}

/** Deeper ones are not looked into. */
const maxDepth = 256;
/** Digits of a number, beyond what any double needs. */
const maxDigits = 64;
const validNumber = /^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?$/;

const lineFeed = 0x0a;
const carriageReturn = 0x0d;
const quote = 0x22;
const backslash = 0x5c;

const between = 0;
const inText = 1;
const inNumber = 2;
/** The text is over. */
const done = 3;

function createLexer(automaton: Automaton): Lexer {
  // A name of six bytes for each of its own, in escapes.
  const maxName = 6 * automaton.maxNameBytes;
  let found: number | undefined;
  let levels: Level[] = [];
  let mode = between;
  /** Of the value that comes. */
  let state = automaton.root;
  /** Containers that are open within one that holds nothing of interest. */
  let skipped = 0;
  let isEscaped = false;
  let expectsName = false;
  /** A name, as one character a byte, while it may be one of the path's; else undefined. */
  let name: string | undefined;
  let digits = "";

  const restart = (): void => {
    if (mode === inNumber) takeNumber();
    levels = [];
    mode = between;
    state = automaton.root;
    skipped = 0;
    isEscaped = false;
    expectsName = false;
    name = undefined;
    digits = "";
  };

  const takeNumber = (): void => {
    if (validNumber.test(digits)) found = Number(digits);
    digits = "";
    mode = levels.length === 0 ? done : between;
  };

  const open = (isArray: boolean): void => {
    if (state.isDead || levels.length >= maxDepth) {
      skipped = 1;
      return;
    }
    levels.push({ state, index: isArray ? 0 : -1 });
    expectsName = !isArray;
    state = isArray ? automaton.item(state, 0) : automaton.dead;
  };

  const close = (): void => {
    levels.pop();
    endContainer();
  };

  const endContainer = (): void => {
    state = automaton.dead;
    expectsName = false;
    if (levels.length === 0) mode = done;
  };

  /** Goes past what holds nothing of interest, in its own variables for speed. Behind it, or `to`. */
  const skip = (bytes: Uint8Array, from: number, to: number): number => {
    let at = from;
    let depth = skipped;
    while (at < to && depth > 0) {
      const byte = bytes[at++] as number;
      if (byte === quote) {
        let escapes = false;
        let inside = true;
        for (; inside && at < to; at++) {
          const next = bytes[at];
          if (escapes) escapes = false;
          else if (next === backslash) escapes = true;
          else if (next === quote) inside = false;
        }
        if (!inside) continue;
        mode = inText;
        isEscaped = escapes;
        break;
      }
      // Brackets and braces differ in one bit.
      if ((byte | 0x20) === 0x7b) depth++;
      else if ((byte | 0x20) === 0x7d) depth--;
    }
    skipped = depth;
    if (depth === 0) endContainer();
    return at;
  };

  const comma = (): void => {
    const level = levels[levels.length - 1];
    if (level === undefined) return;
    expectsName = level.index < 0;
    state = expectsName ? automaton.dead : automaton.item(level.state, ++level.index);
  };

  const endName = (number: number): void => {
    expectsName = false;
    name = undefined;
    const level = levels[levels.length - 1];
    if (level !== undefined) state = automaton.member(level.state, number);
  };

  const numberOf = (raw: string): number => {
    if (!raw.includes("\\")) return automaton.nameOfText(raw);
    try {
      const text = JSON.parse(`"${Buffer.from(raw, "latin1").toString()}"`) as string;
      return automaton.nameOfText(Buffer.from(text).toString("latin1"));
    } catch {
      return -1;
    }
  };

  /** Behind the text, or `to`. */
  const readText = (bytes: Uint8Array, from: number, to: number): number => {
    let at = from;
    let hasEscape = isEscaped;
    for (; at < to; at++) {
      const byte = bytes[at] as number;
      if (isEscaped) isEscaped = false;
      else if (byte === backslash) {
        isEscaped = true;
        hasEscape = true;
      } else if (byte === quote) break;
    }
    const isName = expectsName && skipped === 0;
    if (isName && name === "" && at < to && !hasEscape) {
      endName(automaton.nameOfBytes(bytes, from, at));
    } else if (isName) {
      if (name !== undefined) {
        const piece = Buffer.from(bytes.buffer, bytes.byteOffset + from, at - from);
        name = name.length + piece.length > maxName ? undefined : name + piece.toString("latin1");
      }
      if (at < to) endName(name === undefined ? -1 : numberOf(name));
    }
    if (at === to) return to;
    mode = levels.length === 0 && skipped === 0 ? done : between;
    return at + 1;
  };

  const feed = (bytes: Uint8Array, from: number, to: number): void => {
    let at = from;
    while (at < to && mode !== done) {
      if (mode === inText) {
        at = readText(bytes, at, to);
        continue;
      }
      if (skipped > 0) {
        at = skip(bytes, at, to);
        continue;
      }
      const byte = bytes[at] as number;
      if (mode === inNumber) {
        if (isOfNumber(byte)) {
          if (digits.length <= maxDigits) digits += String.fromCharCode(byte);
          at++;
          continue;
        }
        takeNumber();
        continue;
      }
      at++;
      if (byte === quote) {
        mode = inText;
        name = "";
      } else if (byte === 0x7b || byte === 0x5b) open(byte === 0x5b);
      else if (byte === 0x7d || byte === 0x5d) close();
      else if (byte === 0x2c) comma();
      else if (isOfNumber(byte) && state.accepts.length > 0) {
        mode = inNumber;
        digits = String.fromCharCode(byte);
      }
    }
  };
  return { feed, restart, value: () => found };
}

/** Digits, `+`, `-`, `.`, `e` and `E`. */
function isOfNumber(byte: number): boolean {
  if (byte >= 0x30 && byte <= 0x39) return true;
  return byte === 0x2b || byte === 0x2d || byte === 0x2e || byte === 0x45 || byte === 0x65;
}

/** `data:` of the event stream format (WHATWG HTML, server-sent events). */
const dataField = Buffer.from("data:");
const space = Buffer.from(" ");

/** Gives the lines of data of each event to the lexer. */
function createEvents(lexer: Lexer): NumberReader {
  /** Bytes of `data:` that the line has begun with; -1: it begins with something else. */
  let matched = 0;
  let isBlank = true;
  let endedByReturn = false;

  const endLine = (): void => {
    // An empty line ends the event; a line end within its data is white space.
    if (isBlank) lexer.restart();
    else if (matched === dataField.length) lexer.feed(space, 0, 1);
    matched = 0;
    isBlank = true;
  };

  const readLine = (chunk: Uint8Array, from: number, to: number): void => {
    let at = from;
    if (at < to) isBlank = false;
    for (; at < to && matched >= 0 && matched < dataField.length; at++) {
      matched = chunk[at] === dataField[matched] ? matched + 1 : -1;
    }
    if (matched === dataField.length) lexer.feed(chunk, at, to);
  };

  return {
    push(chunk) {
      let from = 0;
      if (endedByReturn && chunk[0] === lineFeed) from = 1;
      if (chunk.length > 0) endedByReturn = false;
      let feed = chunk.indexOf(lineFeed, from);
      let back = chunk.indexOf(carriageReturn, from);
      while (feed >= 0 || back >= 0) {
        const isReturn = back >= 0 && (feed < 0 || back < feed);
        const at = isReturn ? back : feed;
        readLine(chunk, from, at);
        endLine();
        from = at + 1;
        if (isReturn && feed === from) from++;
        else if (isReturn && from === chunk.length) endedByReturn = true;
        if (feed >= 0 && feed < from) feed = chunk.indexOf(lineFeed, from);
        if (back >= 0 && back < from) back = chunk.indexOf(carriageReturn, from);
      }
      readLine(chunk, from, chunk.length);
    },
    end: lexer.restart,
    get value() {
      return lexer.value();
    },
  };
}
