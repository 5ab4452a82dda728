import { Buffer } from "node:buffer";
import type { JsonRedactor, Redactor } from "./redactor.js";

const lineFeed: Buffer = Buffer.from("\n");

/**
 * One JSON document in each line, as `document` redacts it; blank lines pass. A line need not be held,
 * however long.
 */
export function createLinesRedactor(document: JsonRedactor): Redactor {
  const endLine = (parts: Uint8Array[]): void => {
    if (!document.isBlank) parts.push(document.end());
    document.next();
  };
  return {
    push(chunk) {
      const parts: Uint8Array[] = [];
      let from = 0;
      for (let at = chunk.indexOf(0x0a); at >= 0; at = chunk.indexOf(0x0a, from)) {
        if (at > from) parts.push(document.push(chunk.subarray(from, at)));
        endLine(parts);
        parts.push(lineFeed);
        from = at + 1;
      }
      if (from === 0) return document.push(chunk);
      if (from < chunk.length) parts.push(document.push(chunk.subarray(from)));
      return Buffer.concat(parts);
    },
    end() {
      const parts: Uint8Array[] = [];
      endLine(parts);
      return Buffer.concat(parts);
    },
    letGo: document.letGo,
    cut: document.cut,
    get findings() {
      return document.findings;
    },
    get heldBytes() {
      return document.heldBytes;
    },
  };
}
