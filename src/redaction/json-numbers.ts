import type { Buffer } from "node:buffer";
import type { Cover } from "./json-cover.js";
import { beginNumber, integerText, isWholeNumber, type NumberPart, nextPart } from "./json-number.js";
import type { Outlet } from "./json-outlet.js";
import { inNumber, maxNumber, type Place } from "./json-place.js";
import type { TextScan } from "./json-scan.js";
import { encodeString, ownText } from "./json-string.js";
import { RedactionError } from "./transform.js";

/** Reads the numbers of a document, and shows them to whoever acts on them. */
export interface Numbers {
  /** At its first byte, a digit or minus; gives where to read on. */
  begin(chunk: Buffer, at: number): number;
  readOn(chunk: Buffer, at: number): number;
  /** Behind its last byte. */
  end(at: number): void;
  readonly heldBytes: number;
}

/** Of one body. `fail` is told where what is no number stands. */
export function createNumbers(
  cover: Cover,
  scan: TextScan | undefined,
  { place, out, fail }: { readonly place: Place; readonly out: Outlet; readonly fail: (at: number) => never },
): Numbers {
  let part: NumberPart = 0;
  /** Of a number that is scanned. */
  let scanned: string | undefined;

  const end = (at: number): void => {
    if (!isWholeNumber(part)) fail(at);
    if (scanned !== undefined && scan !== undefined) {
      const asInteger = integerText(scanned);
      let clean = scan.whole(scanned);
      if (clean === scanned) clean = asInteger === undefined ? clean : scan.whole(asInteger);
      if (clean === scanned || clean === asInteger) out.keep();
      else out.replace(0, `"${encodeString(clean)}"`, at);
      scanned = undefined;
    }
    cover.endValue(at);
  };
  /** `next`: its first byte that is not yet in `part`. */
  const read = (chunk: Buffer, from: number, next: number): number => {
    let at = next;
    for (; at < chunk.length; at++) {
      const to = nextPart(part, chunk[at] as number);
      if (to < 0) break;
      part = to as NumberPart;
    }
    if (cover.writer !== undefined || scanned !== undefined) {
      const slice = out.slice(from, at);
      const text = at === chunk.length ? ownText(slice) : slice;
      if (scanned === undefined) cover.tell(text, text);
      else scanned += text;
      if (scanned !== undefined && scanned.length > maxNumber) {
        throw new RedactionError("too_long", "a number of the json is too long to be looked at");
      }
    }
    if (at < chunk.length) end(at);
    return at;
  };

  return {
    begin(chunk, at) {
      cover.beginValue(at, true);
      place.state = inNumber;
      part = beginNumber(chunk[at] as number);
      if (!cover.isCovered && scan !== undefined) {
        out.mark(at);
        scanned = "";
      }
      return read(chunk, at, at + 1);
    },
    readOn: (chunk, at) => read(chunk, at, at),
    end,
    get heldBytes() {
      return scanned?.length ?? 0;
    },
  };
}
