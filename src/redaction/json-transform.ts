import { Buffer } from "node:buffer";
import { createCover } from "./json-cover.js";
import { createNumbers } from "./json-numbers.js";
import { createOutlet } from "./json-outlet.js";
import {
  beforeValue,
  behindDocument,
  behindValue,
  createPlace,
  inNumber,
  type SkimLimits,
} from "./json-place.js";
import type { JsonPlan } from "./json-plan.js";
import { createTextScan } from "./json-scan.js";
import { skim } from "./json-skim.js";
import { createStrings } from "./json-strings.js";
import { createStructure } from "./json-structure.js";
import type { JsonRedactor } from "./redactor.js";
import { RedactionError } from "./transform.js";
import { createUtf8Stream } from "./utf8-stream.js";

const nothing: Buffer = Buffer.alloc(0);

/**
 * Redacts one JSON document (RFC 8259, in UTF-8, with or without a byte order mark): reads bytes as they
 * come, gives untouched ones on as they were, white space and escapes too. An empty body passes. Rules that
 * are not `active` do nothing; without the list all act. Refuses as malformed what is no JSON, deeper than
 * the plan says, or no UTF-8.
 */
export function createJsonRedactor(
  plan: JsonPlan,
  active?: readonly boolean[],
  findings: Map<string, number> = new Map(),
): JsonRedactor {
  const { paths, scanners } = plan;
  const utf8 = createUtf8Stream();
  /** Bytes of the document before this chunk. */
  let before = 0;
  let letsGo = false;
  let isOver = false;

  const fail = (at: number): never => {
    throw new RedactionError("malformed", `unexpected byte at ${before + at} of the json`);
  };
  const out = createOutlet();
  const place = createPlace(paths, plan.maxDepth);
  const cover = createCover(plan, active, { place, out, findings });
  const scan = scanners === undefined ? undefined : createTextScan(scanners, findings);
  const strings = createStrings(cover, scan, { place, out, fail });
  const numbers = createNumbers(cover, scan, { place, out, fail });
  const isFirst = (at: number): boolean => before + at === 0;
  const structure = createStructure({ place, out, cover, strings, numbers, isFirst, fail });

  const limits: SkimLimits = { floor: 0, sieve: undefined, isMet: false };
  const sieve = scanners?.sieve?.();
  let isSifted = false;

  /** Whether the quick reader may try, and as far as it may go. */
  const canSkim = (): boolean => {
    if (place.state > behindValue || out.isMarked) return false;
    if (cover.isCovered) {
      if (cover.isCanonical || place.depth <= cover.depth) return false;
      limits.floor = cover.depth;
      limits.sieve = undefined;
      return true;
    }
    if (place.depth === 0 || cover.rule >= 0 || (scan !== undefined && sieve === undefined)) return false;
    if (sieve !== undefined && !isSifted) {
      sieve.begin(out.text());
      isSifted = true;
    }
    limits.floor = 0;
    limits.sieve = sieve;
    return true;
  };
  const read = (chunk: Buffer): void => {
    for (let at = 0; at < chunk.length; ) {
      if (letsGo && !out.isClosed) break;
      if (canSkim()) {
        at = skim(place, chunk, at, limits);
        if (limits.isMet) {
          limits.isMet = false;
          cover.arrive(place.child, at);
        }
        if (at === chunk.length) break;
      }
      const byte = chunk[at];
      const isSpace = byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09;
      if (isSpace && place.state <= behindDocument) at++;
      else at = structure.readOn(chunk, at);
    }
    if (letsGo && !out.isClosed) leaveOff();
  };
  const leaveOff = (): void => {
    isOver = true;
    out.keep();
  };
  /** INVARIANT: a finding that refuses is counted. */
  const counted = (work: () => void): void => {
    try {
      work();
    } catch (error) {
      scan?.end();
      throw error;
    }
  };
  const isComplete = (): boolean =>
    place.state === behindDocument || (before === 0 && place.state === beforeValue);

  return {
    push(bytes) {
      if (isOver) return bytes;
      const chunk = utf8.push(bytes);
      out.begin(chunk);
      counted(() => read(chunk));
      if (isSifted) {
        // Or its text would stay in memory.
        sieve?.begin("");
        isSifted = false;
      }
      if (utf8.isBroken && !isOver) fail(chunk.length);
      before += chunk.length;
      const passed = out.finish();
      return isOver ? Buffer.concat([passed, utf8.rest]) : passed;
    },
    end() {
      if (isOver) return nothing;
      out.begin(nothing);
      if (letsGo && !out.isClosed) {
        leaveOff();
        return Buffer.concat([out.finish(), utf8.rest]);
      }
      if (place.state === inNumber && place.depth === 0) counted(() => numbers.end(0));
      if (utf8.rest.length > 0 || !isComplete()) {
        throw new RedactionError("malformed", "the json is cut off");
      }
      return out.finish();
    },
    letGo() {
      letsGo = true;
    },
    cut() {
      if (out.isMarked) out.drop(0);
      if (!cover.isCovered && cover.writer !== undefined) {
        out.put(cover.writer.end());
        scan?.end();
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
      return out.heldBytes + utf8.rest.length + strings.heldBytes + numbers.heldBytes;
    },
  };
}
