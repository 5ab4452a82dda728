import type { ByteString } from "../attributes/index.js";
import type { Scanners } from "./json-plan.js";
import { ownText } from "./json-string.js";
import type { TextScanner } from "./transform.js";

/** Shows the texts of a document to scanners, one after the other. */
export interface TextScan {
  /** For a text that comes in pieces. */
  begin(): TextScanner;
  /** Behind it, or where it breaks off: takes what was found. */
  end(): void;
  /** What becomes of a text. */
  whole(text: ByteString): ByteString;
  /** Of a text that may come again. */
  key(text: ByteString): ByteString;
}

/** Short keys that are known to be clean: most come again and again. */
const maxCleanKeys = 64;
const maxCleanLength = 64;

/** Adds to `findings`. */
export function createTextScan(scanners: Scanners, findings: Map<string, number>): TextScan {
  let scanner: TextScanner | undefined;
  let cleanKeys: Set<ByteString> | undefined;

  const begin = (): TextScanner => {
    scanner ??= scanners.scanner();
    return scanner;
  };
  // A scanner that has found nothing serves again: making one costs more than a short text.
  const end = (): void => {
    if (scanner === undefined || scanner.findings.size === 0) return;
    for (const [name, times] of scanner.findings) findings.set(name, (findings.get(name) ?? 0) + times);
    scanner = undefined;
  };
  const whole = (text: ByteString): ByteString => {
    const scan = begin();
    const first = scan.push(text);
    const last = scan.end();
    end();
    return last === "" ? first : first + last;
  };

  return {
    begin,
    end,
    whole,
    key(text) {
      if (cleanKeys?.has(text)) return text;
      const clean = whole(text);
      if (clean === text && text.length <= maxCleanLength) {
        cleanKeys ??= new Set();
        if (cleanKeys.size < maxCleanKeys) cleanKeys.add(ownText(text));
      }
      return clean;
    },
  };
}
