import { RE2JS } from "re2js";
import { toBytes } from "../attributes/index.js";

/** Instructions that a pattern's program may have: each state of its automaton is made of some of them. */
const mostInstructions = 500;

/** One instruction of RE2's program. */
export type Instruction =
  /** Either way, the first preferred. */
  | { readonly kind: "either"; readonly first: number; readonly second: number }
  /** On without a byte, where all conditions of `empty` hold. */
  | { readonly kind: "go"; readonly to: number; readonly empty: number }
  /** On by one byte for which `takes` is 1. */
  | { readonly kind: "byte"; readonly to: number; readonly takes: Uint8Array }
  | { readonly kind: "match" }
  | { readonly kind: "fail" };

/** Conditions between two bytes. */
export const empty = {
  beginLine: 1,
  endLine: 2,
  beginText: 4,
  endText: 8,
  wordBorder: 16,
  noWordBorder: 32,
} as const;

export interface Program {
  readonly start: number;
  readonly instructions: readonly Instruction[];
}

/** What is read of re2js's own program; its declarations leave it open. */
interface RawInstruction {
  readonly op: number;
  readonly out: number;
  readonly arg: number;
  matchRune(rune: number): boolean;
}

/** A pattern's program over bytes. Throws an error that says why there is none. */
export function programOf(pattern: string): Program {
  const prog = compiled(inBytes(pattern)).re2Input.prog as {
    readonly inst: readonly RawInstruction[];
    readonly start: number;
  };
  if (prog.inst.length > mostInstructions)
    throw new Error(`its program has ${prog.inst.length} instructions, expected at most ${mostInstructions}`);
  return { start: prog.start, instructions: prog.inst.map(instructionOf) };
}

function compiled(pattern: string): RE2JS {
  try {
    return RE2JS.compile(toBytes(pattern));
  } catch (error) {
    const why =
      error instanceof Error ? error.message.replace(/^error parsing regexp: /, "") : "no RE2 syntax";
    throw new Error(`expected RE2 syntax: ${why.replace(/\s+/g, " ").slice(0, 120)}`);
  }
}

function instructionOf(raw: RawInstruction): Instruction {
  switch (raw.op) {
    case 1:
    case 2:
      return { kind: "either", first: raw.out, second: raw.arg };
    case 3:
    case 7:
      return { kind: "go", to: raw.out, empty: 0 };
    case 4:
      return { kind: "go", to: raw.out, empty: raw.arg };
    case 5:
      return { kind: "fail" };
    case 6:
      return { kind: "match" };
    case 8:
    case 9:
    case 10:
    case 11:
      return {
        kind: "byte",
        to: raw.out,
        takes: Uint8Array.from({ length: 256 }, (_, byte) => (raw.matchRune(byte) ? 1 : 0)),
      };
    default:
      throw new Error("it looks behind itself, which RE2 does not");
  }
}

/** A literal passage, an escape with its argument, a class's name, flags, or one character. */
const token = /\\Q.*?(?:\\E|$)|\\x\{([0-9A-Fa-f]*)\}|\\([0-7]{2,3})|\\.|\[:\^?\w+:\]|\(\?[A-Za-z-]+[:)]|./gsu;

/**
 * The pattern with each character beyond ASCII as a group, since it is more than one byte. Throws for what
 * cannot be read byte by byte.
 */
function inBytes(pattern: string): string {
  let inClass = false;
  let classStart = 0;
  let folds = false;
  let beyond = false;
  const grouped = pattern.replace(token, (text: string, hex?: string, octal?: string, at = 0) => {
    const code = Number.parseInt(hex ?? octal ?? "0", hex === undefined ? 8 : 16);
    if (code > 0xff)
      throw new Error(`\`${text}\` is no byte, expected at most \`\\xff\`, or the character itself`);
    if (/^\\[pPC]$/.test(text)) throw new Error(`\`${text}\` is not for bytes, expected classes of ASCII`);
    const wide = /[^\0-\x7f]/.test(text);
    beyond ||= wide || code > 0x7f;
    if (inClass) {
      if (wide)
        throw new Error(`\`${text}\` in a class is more than one byte, expected alternatives: \`(?:ä|ö)\``);
      // The first `]` of a class stands for itself.
      inClass = text !== "]" || at === classStart;
      return text;
    }
    folds ||= /^\(\?[A-Za-z]*i/.test(text);
    inClass = text === "[";
    classStart = pattern.charAt(at + 1) === "^" ? at + 2 : at + 1;
    return wide && !text.startsWith("\\") ? `(?:${text})` : text;
  });
  if (folds && beyond) throw new Error("`(?i)` folds letters of ASCII only, expected no others beside it");
  return grouped;
}
