import type { Buffer } from "node:buffer";
import type { ByteString } from "../attributes/index.js";
import type { Cover } from "./json-cover.js";
import type { Outlet } from "./json-outlet.js";
import { beforeColon, inString, maxKey, type Place } from "./json-place.js";
import type { TextScan } from "./json-scan.js";
import { encodeString, ownText } from "./json-string.js";
import { createStringReader } from "./json-string-reader.js";
import { endOfPlain } from "./json-token.js";
import { scanWriter } from "./json-value.js";
import { RedactionError } from "./transform.js";

/** Reads the strings and keys of a document, and shows them to whoever acts on them. */
export interface Strings {
  /** At the opening quote; gives where to read on. */
  begin(chunk: Buffer, at: number, asKey: boolean): number;
  readOn(chunk: Buffer, at: number): number;
  readonly heldBytes: number;
}

/** Of one body. `fail` is told where a byte is that may not be in a string. */
export function createStrings(
  cover: Cover,
  scan: TextScan | undefined,
  { place, out, fail }: { readonly place: Place; readonly out: Outlet; readonly fail: (at: number) => never },
): Strings {
  const { paths } = place;
  let isKey = false;
  /** Of a key that is looked at. */
  let keyText: string | undefined;
  let keyOffset = 0;

  const reader = createStringReader((text, raw) => {
    if (keyText === undefined) {
      cover.tell(cover.isCanonical ? encodeString(text) : text, raw);
      return;
    }
    keyText += text;
    if (scan !== undefined && keyText.length > maxKey) {
      throw new RedactionError("too_long", "a key of the json is too long to be looked at");
    }
  });

  /** Behind the closing quote; `text` where it is scanned. */
  const endKey = (name: number, text: ByteString | undefined, at: number): void => {
    place.state = beforeColon;
    if (cover.isCovered) {
      place.child = paths.dead;
      return;
    }
    const to = paths.member(place.path, name);
    if (text !== undefined && scan !== undefined && cover.actionAt(to)?.isRemove !== true) {
      const clean = scan.key(text);
      if (clean !== text) out.replace(keyOffset, `"${encodeString(clean)}"`, at);
    }
    cover.arrive(to, at);
  };
  const wholeKey = (chunk: Buffer, from: number, to: number): void => {
    const isSeen = !cover.isCovered;
    const name = isSeen && place.path.readsNames ? paths.nameOfBytes(chunk, from, to) : -1;
    endKey(name, isSeen && scan !== undefined ? out.slice(from, to) : undefined, to + 1);
  };
  /** Without escapes, and all in the chunk. */
  const whole = (chunk: Buffer, from: number, to: number): void => {
    if (cover.isCovered && cover.writer !== undefined) {
      const text = out.slice(from, to);
      // What is not hashed at once must not keep the chunk.
      if (cover.isCanonical) cover.tell(`"${ownText(text)}"`, "");
      else if (!isKey) cover.tell(text, text);
    }
    if (isKey) {
      wholeKey(chunk, from, to);
      return;
    }
    if (!cover.isCovered && scan !== undefined && to > from) {
      const text = out.slice(from, to);
      const clean = scan.whole(text);
      if (clean !== text) {
        out.close(from);
        out.put(encodeString(clean));
        out.open(to);
      }
    }
    cover.endValue(to + 1);
  };
  /** At the closing quote of one that `reader` has read. */
  const end = (at: number): void => {
    if (cover.isCanonical) cover.tell('"', '"');
    if (isKey) {
      const name = keyText === undefined ? -1 : paths.nameOfText(keyText);
      endKey(name, scan === undefined ? undefined : keyText, at + 1);
      keyText = undefined;
      return;
    }
    if (!cover.isCovered && cover.writer !== undefined) {
      out.put(cover.writer.end());
      cover.writer = undefined;
      scan?.end();
      out.open(at);
    }
    cover.endValue(at + 1);
  };

  return {
    begin(chunk, at, asKey) {
      const from = at + 1;
      const to = endOfPlain(chunk, from);
      const isWhole = to < chunk.length && chunk[to] === 0x22;
      isKey = asKey;
      if (asKey) {
        if (!cover.isCovered && (place.path.removesChildren || scan !== undefined)) {
          if (!out.isMarked) out.mark(at);
          keyOffset = out.offset(at);
        }
      } else if (isWhole && cover.rule >= 0 && !cover.isCovered && place.isObject && place.depth > 0) {
        cover.replaceText(from, to);
        return to + 1;
      } else cover.beginValue(at, true);
      if (isWhole) {
        whole(chunk, from, to);
        return to + 1;
      }
      place.state = inString;
      keyText = asKey && !cover.isCovered && (scan !== undefined || place.path.readsNames) ? "" : undefined;
      if (cover.isCanonical) cover.tell('"', '"');
      else if (!asKey && !cover.isCovered && scan !== undefined) {
        out.close(from);
        cover.writer = scanWriter(scan.begin());
      }
      reader.begin(keyText !== undefined || cover.writer !== undefined);
      return from;
    },
    readOn(chunk, at) {
      const closing = reader.read(chunk, at);
      if (closing === chunk.length) return closing;
      if (chunk[closing] !== 0x22 || !reader.isInText) fail(closing);
      end(closing);
      return closing + 1;
    },
    get heldBytes() {
      return keyText?.length ?? 0;
    },
  };
}
