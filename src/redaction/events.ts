import { Buffer } from "node:buffer";
import type { ByteString } from "../attributes/index.js";
import { createEventLines } from "./event-lines.js";
import { createEventValue } from "./event-value.js";
import type { Scanners } from "./json-plan.js";
import type { JsonRedactor, Redactor } from "./redactor.js";
import { RedactionError, type TextScanner } from "./transform.js";

/** Bytes of other lines between the data lines of one event that are held. */
const maxGap = 65_536;

/** Bytes that are read at once: what is held of a piece keeps all of it in memory. */
const maxPiece = 16_384;

const defaultBreak = "\ndata: ";
const lastTerminator = /(?:\r\n|\r|\n)$/;

/**
 * Server-sent events: the data of each, its lines joined, is redacted as JSON by `document` or as text by
 * `scanners`, which look at comments and other fields too, line by line. No event is held: its data goes on
 * as it is redacted. `findings`: those of `document`.
 */
export function createEventsRedactor(
  document: JsonRedactor,
  scanners: Scanners | undefined,
  findings: Map<string, number>,
): Redactor {
  const value = createEventValue(document, scanners, findings);
  let out = "";
  let letsGo = false;
  let isOver = false;
  /** The event has had data. */
  let hasData = false;
  let isData = false;
  /** What stands behind the last data line: its end, and other lines. */
  let gap = "";
  /** What stood between data lines, for the line feeds that the value has not given back yet. */
  let breaks: { readonly gap: ByteString; readonly prefix: ByteString; times: number }[] = [];
  /** Of those the first that was not given back. */
  let nextAt = 0;
  let breakBytes = 0;
  let scanner: TextScanner | undefined;

  /** Puts the value's line feeds back into lines. */
  const put = (text: ByteString): void => {
    if (!text.includes("\n") && !text.includes("\r")) {
      out += text;
      return;
    }
    const [first = "", ...rest] = text.split(/[\r\n]/);
    out += first;
    for (const line of rest) out += nextBreak() + line;
  };
  const nextBreak = (): ByteString => {
    const first = breaks[nextAt];
    if (first === undefined) return defaultBreak;
    if (--first.times === 0) {
      breakBytes -= first.gap.length + first.prefix.length;
      if (++nextAt === breaks.length) forgetBreaks();
    }
    return first.gap + first.prefix;
  };
  const forgetBreaks = (): void => {
    breaks = [];
    nextAt = 0;
  };
  const addBreak = (prefix: ByteString): void => {
    const last = breaks.at(-1);
    if (last !== undefined && last.gap === gap && last.prefix === prefix) last.times++;
    else {
      breaks.push({ gap, prefix, times: 1 });
      breakBytes += gap.length + prefix.length;
    }
    gap = "";
    bound();
  };
  const bound = (): void => {
    if (gap.length + breakBytes > maxGap) {
      throw new RedactionError("too_long", "the lines of an event are too long to be held");
    }
  };
  /** Outside of the data: at once, or behind it. */
  const putOther = (text: ByteString): void => {
    if (!hasData) out += text;
    else {
      gap += text;
      bound();
    }
  };
  const endScan = (): void => {
    for (const [name, times] of scanner?.findings ?? [])
      findings.set(name, (findings.get(name) ?? 0) + times);
    scanner = undefined;
  };
  const endOther = (): void => {
    if (scanner !== undefined) putOther(oneLine(scanner.end()));
    endScan();
  };
  const endData = (): void => {
    if (!hasData) return;
    put(value.end());
    // Lines between data that are no data stay, where the data between them has gone.
    for (const { gap: between, times } of breaks.slice(nextAt))
      out += between.replace(lastTerminator, "").repeat(times);
    out += gap;
    forgetBreaks();
    breakBytes = 0;
    gap = "";
    hasData = false;
  };
  const lines = createEventLines({
    data(prefix) {
      isData = true;
      if (hasData) {
        addBreak(prefix);
        put(value.push("\n"));
      } else out += prefix;
      hasData = true;
    },
    other() {
      isData = false;
      scanner = scanners?.scanner();
    },
    piece(text) {
      if (isData) put(value.push(text));
      else putOther(scanner === undefined ? text : oneLine(scanner.push(text)));
    },
    endLine(terminator) {
      if (!isData) endOther();
      putOther(terminator);
    },
    lateLineFeed: () => putOther("\n"),
    blank(terminator) {
      endData();
      out += terminator;
      if (letsGo) isOver = true;
    },
  });
  const taken = (): Uint8Array => {
    const bytes = Buffer.from(out, "latin1");
    out = "";
    return bytes;
  };
  const guarded = (work: () => void): Uint8Array => {
    try {
      work();
    } catch (error) {
      endScan();
      throw error;
    }
    return taken();
  };

  return {
    push(chunk) {
      if (isOver) return chunk;
      const bytes = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
      return guarded(() => {
        for (let at = 0; at < bytes.length; at += maxPiece) {
          const text = bytes.toString("latin1", at, Math.min(at + maxPiece, bytes.length));
          // Where it leaves off it looks for the end of the event, line by line, and the rest passes.
          for (const line of letsGo ? text.split(/(?<=[\r\n])/) : [text]) {
            if (isOver) out += line;
            else lines.push(line);
          }
        }
      });
    },
    end() {
      if (isOver) return taken();
      return guarded(() => {
        lines.end();
        if (!isData) endOther();
        endData();
      });
    },
    letGo() {
      letsGo = true;
      if (hasData || scanner !== undefined) return;
      isOver = true;
      out += lines.take();
    },
    cut: () =>
      guarded(() => {
        if (!hasData) endOther();
        else put(value.cut());
      }),
    findings,
    get heldBytes() {
      return out.length + gap.length + breakBytes + lines.heldBytes + value.heldBytes;
    },
  };
}

/** A replacement with line ends would make lines of its own. */
function oneLine(text: ByteString): ByteString {
  return text.replace(/[\r\n]/g, " ");
}
