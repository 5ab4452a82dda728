import { Buffer } from "node:buffer";
import { type ByteString, toBytes } from "../attributes/index.js";
import { paymentCard } from "./card.js";
import type { Detector, Found } from "./detector.js";
import { email } from "./email.js";
import { iban } from "./iban.js";
import { ownPattern } from "./pattern.js";
import { privateKey } from "./private-key.js";
import type { DetectorName, DetectorRule } from "./rules.js";
import { secretToken } from "./secret-token.js";
import { createSieve, type Sieve } from "./sieve.js";
import { type BodyTransform, RedactionError, type TextScanner } from "./transform.js";

const builtIn: Readonly<Record<DetectorName, Detector>> = {
  paymentCard,
  iban,
  email,
  secretToken,
  privateKey,
};

/** Rules over texts. */
export interface CompiledDetectors {
  /** Bytes that a scanner holds at the most. */
  readonly mostHeld: number;
  /** For one text that is a byte string; see TextScanner. */
  scanner(): HoldingScanner;
  /** Where its scanners would find nothing; undefined: a rule has nothing that is quick to look for. */
  sieve(): Sieve | undefined;
  /**
   * For one body that is text in UTF-8 or any other form in which ASCII is itself; what is no UTF-8 stays as
   * it is. What begins as UTF-16 does, or as gzip, is malformed: it would be read as noise.
   */
  transform(): BodyTransform;
}

/** A scanner that says how much it holds. */
export interface HoldingScanner extends TextScanner {
  readonly heldBytes: number;
}

interface CompiledRule {
  readonly name: string;
  readonly detector: Detector;
  readonly denies: boolean;
  readonly replacement: ByteString;
}

/**
 * Compiles rules over texts. The leftmost match goes first, of several at one start the longest, then the
 * rule that stands first; matches do not overlap. Throws for a pattern with which `checkPattern` finds
 * fault.
 */
export function compileDetectors(rules: readonly DetectorRule[]): CompiledDetectors {
  const compiled = rules.map(
    ({ name, what, action, replacement }): CompiledRule => ({
      name,
      detector: "detector" in what ? builtIn[what.detector] : ownPattern(what.pattern, what.maxLength),
      denies: action === "deny",
      replacement: toBytes(replacement),
    }),
  );
  const reach = Math.max(0, ...compiled.map(({ detector }) => detector.reach));
  const hints = compiled.map(({ detector }) => detector.hint);
  return {
    mostHeld: reach + patience(reach),
    scanner: () => scannerOf(compiled),
    sieve: () => (hints.includes(undefined) ? undefined : createSieve(hints as string[])),
    transform: () => transformOf(scannerOf(compiled)),
  };
}

/** Bytes up to which what is held is looked at again with each that comes. */
const always = 256;

/**
 * Bytes that have to come before what is held is looked at again: if it is long a part of it, so that a body
 * that comes byte by byte costs no more than some readings.
 */
function patience(held: number): number {
  return held <= always ? 1 : held >> 3;
}

function scannerOf(rules: readonly CompiledRule[]): HoldingScanner {
  const findings = new Map<string, number>();
  const founds = rules.map((): Found => ({ start: -1, length: 0 }));
  /** What is held, and in front of it the byte before, if there was one. */
  let kept = "";
  let behind = 0;
  let awaited = 0;

  /** The index of the rule whose match is next, or at whose start more text is needed; −1: none. */
  function next(text: ByteString, from: number, final: boolean): number {
    let chosen = -1;
    let start = text.length;
    let length = 0;
    for (let n = 0; n < rules.length; n++) {
      const found = founds[n] as Found;
      if (found.start < from) (rules[n] as CompiledRule).detector.find(text, from, final, found);
      if (found.start > start || found.start === text.length) continue;
      if (
        found.start === start &&
        chosen >= 0 &&
        (length === 0 || (found.length !== 0 && found.length <= length))
      )
        continue;
      chosen = n;
      ({ start, length } = found);
    }
    return chosen;
  }

  function take(text: ByteString, final: boolean): ByteString {
    for (const found of founds) found.start = -1;
    let out = "";
    let from = behind;
    for (;;) {
      const n = next(text, from, final);
      const found = founds[n];
      const rule = rules[n];
      if (found === undefined || rule === undefined || found.length === 0) {
        const end = found?.start ?? text.length;
        behind = end > 0 ? 1 : 0;
        kept = apart(text, end - behind);
        awaited = kept.length + patience(text.length - end);
        return from === 0 && end === text.length ? text : out + text.slice(from, end);
      }
      findings.set(rule.name, (findings.get(rule.name) ?? 0) + 1);
      if (rule.denies) throw new RedactionError("detected", "the body has what a rule refuses", rule.name);
      out += text.slice(from, found.start) + rule.replacement;
      from = found.start + found.length;
    }
  }

  return {
    findings,
    get heldBytes() {
      return kept.length - behind;
    },
    push: (text) => {
      if (text === "") return "";
      kept += text;
      if (kept.length < awaited) return "";
      return take(kept === text ? text : inOnePiece(kept), false);
    },
    end: () => {
      const out = take(kept, true);
      kept = "";
      behind = 0;
      return out;
    },
  };
}

/** The rest of a text, which does not keep all of the text in memory if it is a small part of it. */
function apart(text: ByteString, from: number): ByteString {
  const rest = text.slice(from);
  if (text.length < 256 || text.length <= 4 * rest.length) return rest;
  return Buffer.from(rest, "latin1").toString("latin1");
}

/** The same text as one array of bytes: what was put together, or cut out, is slow to read byte by byte. */
function inOnePiece(text: ByteString): ByteString {
  return text.length < 64 ? text : Buffer.from(text, "latin1").toString("latin1");
}

/** Byte order marks of UTF-16, which count more than any charset (WHATWG Encoding, section 6), and the magic of gzip. */
const unreadable: ReadonlySet<number> = new Set([0xfffe, 0xfeff, 0x1f8b]);

function transformOf(scanner: HoldingScanner): BodyTransform {
  const { findings } = scanner;
  /** The first byte, as long as there is no second. */
  let first = -1;
  let hasBegun = false;
  const begin = (chunk: Uint8Array): void => {
    const all = first < 0 ? chunk : Uint8Array.of(first, ...chunk.subarray(0, 1));
    const [one = -1, two = -1] = all;
    first = one;
    hasBegun = two >= 0;
    if (hasBegun && unreadable.has(one * 256 + two))
      throw new RedactionError("malformed", "the body is no text");
  };
  return {
    findings,
    get heldBytes() {
      return scanner.heldBytes;
    },
    push: (chunk) => {
      if (!hasBegun) begin(chunk);
      const had = scanner.heldBytes;
      const before = findingCount();
      const text = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength).toString("latin1");
      const out = scanner.push(text);
      // Nothing held before or now and nothing found: the chunk itself.
      if (had === 0 && scanner.heldBytes === 0 && before === findingCount()) return chunk;
      return Buffer.from(out, "latin1");
    },
    end: () => Buffer.from(scanner.end(), "latin1"),
  };

  function findingCount(): number {
    let sum = 0;
    for (const count of findings.values()) sum += count;
    return sum;
  }
}
