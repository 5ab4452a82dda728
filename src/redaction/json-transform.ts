import { Buffer } from "node:buffer";
import type { ByteString } from "../attributes/index.js";
import type { PathState } from "./json-automaton.js";
import { beginNumber, integerText, isWholeNumber, type NumberPart, nextPart } from "./json-number.js";
import { createOutlet } from "./json-outlet.js";
import {
  beforeColon,
  beforeItemOrEnd,
  beforeKey,
  beforeKeyOrEnd,
  beforeValue,
  behindDocument,
  behindValue,
  createPlace,
  enter,
  inLiteral,
  inNumber,
  inString,
  leave,
  maxKey,
  maxNumber,
  type SkimLimits,
} from "./json-place.js";
import type { JsonPlan } from "./json-plan.js";
import { skim } from "./json-skim.js";
import { encodeString } from "./json-string.js";
import { createStringReader, endOfPlain } from "./json-string-reader.js";
import { scanWriter, type ValueAction, type ValueWriter } from "./json-value.js";
import { type BodyTransform, RedactionError, type TextScanner } from "./transform.js";
import { createUtf8Stream } from "./utf8-stream.js";

/** A transform that can leave off. */
export interface Redactor extends BodyTransform {
  /**
   * Looks at nothing more from here on, but ends what it is replacing now. What it held back comes with the next call.
   */
  letGo(): void;
  /** In place of `end` where the body is cut off here: what may still go on. Incomplete keys, numbers and characters do not. */
  cut(): Uint8Array;
}

/** Of JSON documents one after the other. */
export interface JsonRedactor extends Redactor {
  /** Only white space came since the last `next`. */
  readonly isBlank: boolean;
  /** After `end`, or while it is blank: another document. */
  next(): void;
}

/** Short keys that are known to be clean: most come again and again. */
const maxCleanKeys = 64;

const nothing: Buffer = Buffer.alloc(0);

/**
 * Redacts one JSON document (RFC 8259, in UTF-8, with or without a byte order mark): reads bytes as they come, gives
 * untouched ones on as they were, white space and escapes too. An empty body passes. Rules that are not `active` do
 * nothing; without the list all act. Refuses as malformed what is no JSON, deeper than the plan says, or no UTF-8.
 */
export function createJsonRedactor(
  plan: JsonPlan,
  active?: readonly boolean[],
  findings: Map<string, number> = new Map(),
): JsonRedactor {
  const { paths, actions, scanners } = plan;
  const utf8 = createUtf8Stream();
  const out = createOutlet();
  let chunk = nothing;
  /** Bytes of the document before this chunk. */
  let before = 0;
  let letsGo = false;
  let isOver = false;

  const place = createPlace(paths, plan.maxDepth);
  const limits: SkimLimits = { floor: 0, sieve: undefined, isMet: false };
  const sieve = scanners?.sieve?.();
  let isSifted = false;

  // The value that comes or is read.
  let rule = -1;
  /** It is being replaced or removed; the depth it stands at. */
  let isCovered = false;
  let coverDepth = 0;
  /** Of what is replaced, or of a string that is scanned. */
  let writer: ValueWriter | undefined;
  /** The writer gets canonical JSON, not a text. */
  let isCanonical = false;

  // The string, number or literal that is read.
  let isKey = false;
  /** Of a key that is looked at. */
  let keyText: string | undefined;
  let keyOffset = 0;
  let part: NumberPart = 0;
  let numberText: string | undefined;
  let literal = "";
  let literalAt = 0;
  let scanner: TextScanner | undefined;
  let cleanKeys: Set<ByteString> | undefined;

  const fail = (at: number): never => {
    throw new RedactionError("malformed", `unexpected byte at ${before + at} of the json`);
  };
  const count = (name: string, times: number): void => {
    findings.set(name, (findings.get(name) ?? 0) + times);
  };

  const beginScan = (): TextScanner => {
    scanner ??= (scanners as NonNullable<typeof scanners>).scanner();
    return scanner;
  };
  /** A scanner that has found nothing serves again: making one costs more than a short text. */
  const endScan = (): void => {
    if (scanner === undefined || scanner.findings.size === 0) return;
    for (const [name, times] of scanner.findings) count(name, times);
    scanner = undefined;
  };
  const scanWhole = (text: ByteString): ByteString => {
    const scan = beginScan();
    const first = scan.push(text);
    const last = scan.end();
    endScan();
    return last === "" ? first : first + last;
  };

  const scanKey = (text: ByteString): ByteString => {
    if (cleanKeys?.has(text)) return text;
    const clean = scanWhole(text);
    if (clean === text && text.length <= 64) {
      cleanKeys ??= new Set();
      // A copy: the slice would keep all of its chunk in memory.
      if (cleanKeys.size < maxCleanKeys) cleanKeys.add(Buffer.from(text, "latin1").toString("latin1"));
    }
    return clean;
  };

  /** The rule that acts on a value there, -1 when none does. */
  const ruleAt = (at: PathState): number => {
    for (const candidate of at.accepts) {
      if (active === undefined || active[candidate] === true) return candidate;
    }
    return -1;
  };
  // An index of -1 would be a property name to the engine: a tenth of the speed.
  const actionOf = (at: number): ValueAction | undefined => (at < 0 ? undefined : actions[at]);
  const cover = (at: number, by: ValueWriter | undefined, canonical: boolean): void => {
    out.close(at);
    isCovered = true;
    coverDepth = place.depth;
    writer = by;
    isCanonical = canonical;
  };
  /** The value to come stands there in the paths: it is removed, or what leads to it goes on. */
  const arrive = (to: PathState, at: number): void => {
    place.child = to;
    rule = ruleAt(to);
    const action = actionOf(rule);
    if (action !== undefined) count(plan.names[rule] as string, 1);
    if (action?.isRemove === true) {
      if (out.isMarked) out.drop(at);
      cover(at, place.depth === 0 ? action.whole() : undefined, false);
    } else {
      out.keep();
      place.hasKept = true;
    }
  };
  /** At the first byte of a value. */
  const beginValue = (at: number, hasText: boolean): void => {
    if (isCovered) return;
    if (place.depth === 0) arrive(paths.root, at);
    else if (!place.isObject) arrive(paths.item(place.path, place.index), at);
    const action = actionOf(rule);
    if (action === undefined || isCovered) return;
    if (hasText) cover(at, action.text(), false);
    else cover(at, action.whole(), action.readsWhole);
  };
  /** Behind the last byte of a value. */
  const endValue = (at: number): void => {
    if (isCovered && place.depth === coverDepth) {
      if (writer !== undefined) out.put(writer.end());
      writer = undefined;
      isCovered = false;
      isCanonical = false;
      out.open(at);
    }
    rule = -1;
    place.state = place.depth === 0 ? behindDocument : behindValue;
  };
  const tell = (text: ByteString, raw: ByteString): void => {
    if (writer !== undefined) out.put(writer.push(text, raw));
  };
  const punctuate = (mark: string): void => {
    if (isCanonical) tell(mark, mark);
  };

  const open = (at: number, object: boolean): void => {
    beginValue(at, false);
    if (place.depth >= plan.maxDepth) {
      throw new RedactionError("malformed", `json is nested deeper than ${plan.maxDepth} levels`);
    }
    punctuate(object ? "{" : "[");
    enter(place, object, isCovered ? paths.dead : place.child);
  };
  const close = (at: number): void => {
    punctuate(place.isObject ? "}" : "]");
    leave(place);
    endValue(at + 1);
  };
  const separate = (at: number): void => {
    punctuate(",");
    place.index++;
    place.state = place.isObject ? beforeKey : beforeValue;
    if (isCovered || !place.path.removesChildren) return;
    // The comma goes on with what follows it, so that none is left before a value that is removed.
    if (place.hasKept) out.mark(at);
    else {
      out.close(at);
      out.open(at + 1);
    }
  };

  /** A piece of a string that has escapes or leaves the chunk. */
  const piece = (text: ByteString, raw: ByteString): void => {
    if (keyText === undefined) tell(isCanonical ? encodeString(text) : text, raw);
    else {
      keyText += text;
      if (scanners !== undefined && keyText.length > maxKey) {
        throw new RedactionError("too_long", "a key of the json is too long to be looked at");
      }
    }
  };
  const strings = createStringReader(piece);
  /** At the opening quote; gives where to read on. */
  const beginString = (at: number, asKey: boolean): number => {
    isKey = asKey;
    if (rule >= 0 && !asKey && !isCovered && place.isObject && place.depth > 0) {
      const to = endOfPlain(chunk, at + 1);
      if (chunk[to] === 0x22) {
        out.close(at);
        out.put((actionOf(rule) as ValueAction).textOf(out.text().slice(at + 1, to)));
        out.open(to + 1);
        endValue(to + 1);
        return to + 1;
      }
    }
    if (!asKey) beginValue(at, true);
    else if (!isCovered && (place.path.removesChildren || scanners !== undefined)) {
      if (!out.isMarked) out.mark(at);
      keyOffset = out.offset(at);
    }
    const from = at + 1;
    const to = endOfPlain(chunk, from);
    if (chunk[to] === 0x22) {
      wholeString(from, to);
      return to + 1;
    }
    place.state = inString;
    keyText = asKey && !isCovered && (scanners !== undefined || place.path.readsNames) ? "" : undefined;
    if (isCanonical) tell('"', '"');
    else if (!asKey && !isCovered && scanners !== undefined) {
      out.close(from);
      writer = scanWriter(beginScan());
    }
    strings.begin(keyText !== undefined || writer !== undefined);
    return from;
  };
  /** A string without escapes that does not leave the chunk. */
  const wholeString = (from: number, to: number): void => {
    if (isCovered && writer !== undefined) {
      const text = out.text().slice(from, to);
      if (isCanonical) tell(`"${text}"`, text);
      else if (!isKey) tell(text, text);
    }
    if (isKey) {
      const name = !isCovered && place.path.readsNames ? paths.nameOfBytes(chunk, from, to) : -1;
      const isScanned = !isCovered && scanners !== undefined;
      endKey(name, isScanned ? out.text().slice(from, to) : undefined, to + 1);
      return;
    }
    if (!isCovered && scanners !== undefined && to > from) {
      const text = out.text().slice(from, to);
      const clean = scanWhole(text);
      if (clean !== text) {
        out.close(from);
        out.put(encodeString(clean));
        out.open(to);
      }
    }
    endValue(to + 1);
  };
  const endString = (at: number): void => {
    if (isCanonical) tell('"', '"');
    if (isKey) {
      const name = keyText === undefined ? -1 : paths.nameOfText(keyText);
      endKey(name, scanners === undefined ? undefined : keyText, at + 1);
      keyText = undefined;
      return;
    }
    if (!isCovered && writer !== undefined) {
      out.put(writer.end());
      writer = undefined;
      endScan();
      out.open(at);
    }
    endValue(at + 1);
  };
  /** Behind its closing quote; `text` where it is scanned. */
  const endKey = (name: number, text: ByteString | undefined, at: number): void => {
    place.state = beforeColon;
    if (isCovered) return;
    const to = paths.member(place.path, name);
    if (text !== undefined && actionOf(ruleAt(to))?.isRemove !== true) {
      const clean = scanKey(text);
      if (clean !== text) out.replace(keyOffset, `"${encodeString(clean)}"`, at);
    }
    arrive(to, at);
  };

  const startNumber = (at: number): void => {
    beginValue(at, true);
    place.state = inNumber;
    part = beginNumber(chunk[at] as number);
    if (isCovered || scanners === undefined) return;
    out.mark(at);
    numberText = "";
  };
  /** Reads on in a number that begins or goes on at `from`; `next`: its first byte that is not yet in `part`. */
  const readNumber = (from: number, next: number): number => {
    let at = next;
    for (; at < chunk.length; at++) {
      const to = nextPart(part, chunk[at] as number);
      if (to < 0) break;
      part = to as NumberPart;
    }
    if (writer !== undefined || numberText !== undefined) {
      const text = out.text().slice(from, at);
      if (numberText === undefined) tell(text, text);
      else numberText += text;
      if (numberText !== undefined && numberText.length > maxNumber) {
        throw new RedactionError("too_long", "a number of the json is too long to be looked at");
      }
    }
    if (at < chunk.length) endNumber(at);
    return at;
  };
  const endNumber = (at: number): void => {
    if (!isWholeNumber(part)) fail(at);
    if (numberText !== undefined) {
      const asInteger = integerText(numberText);
      let clean = scanWhole(numberText);
      if (clean === numberText) clean = asInteger === undefined ? clean : scanWhole(asInteger);
      if (clean === numberText || clean === asInteger) out.keep();
      else out.replace(0, `"${encodeString(clean)}"`, at);
      numberText = undefined;
    }
    endValue(at);
  };

  const startLiteral = (at: number, text: string): void => {
    beginValue(at, false);
    place.state = inLiteral;
    literal = text;
    literalAt = 1;
  };
  const readLiteral = (from: number): number => {
    let at = from;
    while (at < chunk.length && literalAt < literal.length) {
      if (chunk[at] !== literal.charCodeAt(literalAt)) fail(at);
      literalAt++;
      at++;
    }
    if (literalAt === literal.length) {
      punctuate(literal);
      endValue(at);
    }
    return at;
  };

  /** At the first byte of a value, or the end of an empty array; gives where to read on. */
  const readValue = (at: number, byte: number): number => {
    switch (byte) {
      case 0x22:
        return beginString(at, false);
      case 0x7b:
        open(at, true);
        return at + 1;
      case 0x5b:
        open(at, false);
        return at + 1;
      case 0x5d:
        if (place.state !== beforeItemOrEnd) fail(at);
        close(at);
        return at + 1;
      case 0x74:
        startLiteral(at, "true");
        return readLiteral(at + 1);
      case 0x66:
        startLiteral(at, "false");
        return readLiteral(at + 1);
      case 0x6e:
        startLiteral(at, "null");
        return readLiteral(at + 1);
      case 0xef:
        // A byte order mark is passed on.
        if (before + at > 0 || chunk[1] !== 0xbb || chunk[2] !== 0xbf) fail(at);
        return 3;
    }
    if (byte !== 0x2d && !(byte >= 0x30 && byte <= 0x39)) fail(at);
    startNumber(at);
    return readNumber(at, at + 1);
  };
  /** At a byte that is no white space, or inside of something. */
  const readOn = (at: number, byte: number): number => {
    switch (place.state) {
      case inString: {
        const end = strings.read(chunk, at);
        if (end === chunk.length) return end;
        if (chunk[end] !== 0x22) fail(end);
        endString(end);
        return end + 1;
      }
      case inNumber:
        return readNumber(at, at);
      case inLiteral:
        return readLiteral(at);
      case beforeColon:
        if (byte !== 0x3a) fail(at);
        punctuate(":");
        place.state = beforeValue;
        return at + 1;
      case behindValue:
        if (byte === 0x2c) separate(at);
        else if (byte === (place.isObject ? 0x7d : 0x5d)) close(at);
        else fail(at);
        return at + 1;
      case beforeKeyOrEnd:
        if (byte !== 0x7d) break;
        close(at);
        return at + 1;
      case behindDocument:
        return fail(at);
      default:
    }
    // A key.
    return byte === 0x22 ? beginString(at, true) : fail(at);
  };
  /** Whether the quick reader may try, and as far as it may go. */
  const canSkim = (): boolean => {
    if (place.state > behindValue || out.isMarked) return false;
    if (isCovered) {
      if (isCanonical || place.depth <= coverDepth) return false;
      limits.floor = coverDepth;
      limits.sieve = undefined;
      return true;
    }
    if (place.depth === 0 || rule >= 0 || (scanners !== undefined && sieve === undefined)) return false;
    if (sieve !== undefined && !isSifted) {
      sieve.begin(out.text());
      isSifted = true;
    }
    limits.floor = 0;
    limits.sieve = sieve;
    return true;
  };
  const read = (): void => {
    for (let at = 0; at < chunk.length; ) {
      if (letsGo && !out.isClosed) {
        letGo();
        return;
      }
      if (canSkim()) {
        at = skim(place, chunk, at, limits);
        if (limits.isMet) {
          limits.isMet = false;
          arrive(place.child, at);
        }
        if (at === chunk.length) break;
      }
      const byte = chunk[at] as number;
      if (place.state <= behindDocument && (byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09))
        at++;
      else if (place.state <= beforeItemOrEnd) at = readValue(at, byte);
      else at = readOn(at, byte);
    }
    if (letsGo && !out.isClosed) letGo();
  };
  const letGo = (): void => {
    isOver = true;
    out.keep();
  };
  const nothingMore = (): boolean =>
    place.state === behindDocument || (before === 0 && place.state === beforeValue);

  return {
    push(bytes) {
      if (isOver) return bytes;
      chunk = utf8.push(bytes);
      out.begin(chunk);
      isSifted = false;
      try {
        read();
      } catch (error) {
        endScan();
        throw error;
      }
      if (utf8.isBroken && !isOver) fail(chunk.length);
      before += chunk.length;
      const passed = out.finish();
      return isOver ? Buffer.concat([passed, utf8.rest]) : passed;
    },
    end() {
      if (isOver) return nothing;
      chunk = nothing;
      out.begin(chunk);
      if (letsGo && !out.isClosed) {
        out.keep();
        isOver = true;
        return Buffer.concat([out.finish(), utf8.rest]);
      }
      try {
        if (place.state === inNumber && place.depth === 0) endNumber(0);
      } catch (error) {
        endScan();
        throw error;
      }
      if (utf8.rest.length > 0 || !nothingMore()) {
        throw new RedactionError("malformed", "the json is cut off");
      }
      return out.finish();
    },
    letGo() {
      letsGo = true;
    },
    cut() {
      if (out.isMarked) out.drop(0);
      if (!isCovered && writer !== undefined) {
        out.put(writer.end());
        endScan();
      }
      return out.finish();
    },
    get isBlank() {
      return place.state === beforeValue && place.depth === 0 && utf8.rest.length === 0;
    },
    next() {
      place.state = beforeValue;
      before = 0;
      place.hasKept = false;
    },
    findings,
    get heldBytes() {
      const texts = (keyText?.length ?? 0) + (numberText?.length ?? 0);
      return out.heldBytes + utf8.rest.length + texts;
    },
  };
}
