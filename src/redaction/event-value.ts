import { Buffer } from "node:buffer";
import type { ByteString } from "../attributes/index.js";
import type { Scanners } from "./json-plan.js";
import type { JsonRedactor } from "./redactor.js";
import { RedactionError, type TextScanner } from "./transform.js";

/** The data of one event after the other, its lines joined by line feeds. */
export interface EventValue {
  push(text: ByteString): ByteString;
  /** The event is over. */
  end(): ByteString;
  /** See Redactor. */
  cut(): ByteString;
  readonly heldBytes: number;
}

/** What data is, by how it begins. `whole`: only its end tells. */
type Kind = "json" | "text" | "whole" | undefined;

/** Bytes of data that are held until it is known what it is. */
const maxHeld = 65_536;

/**
 * Data that begins like a JSON object or array is one, and malformed otherwise. A string or number is JSON if
 * all of it is. Anything else, `[DONE]` too, is text: `scanners` look at it, field rules do not.
 */
export function createEventValue(
  document: JsonRedactor,
  scanners: Scanners | undefined,
  findings: Map<string, number>,
): EventValue {
  let kind: Kind;
  let held = "";
  /** Its beginning without white space that tells nothing, as long as the kind is not known: a few bytes. */
  let beginning = "";
  let scanner: TextScanner | undefined;

  const give = (text: ByteString): ByteString => {
    if (kind === "json") return Buffer.from(document.push(Buffer.from(text, "latin1"))).toString("latin1");
    if (scanners === undefined) return text;
    scanner ??= scanners.scanner();
    return scanner.push(text);
  };
  const endScan = (): void => {
    for (const [name, times] of scanner?.findings ?? [])
      findings.set(name, (findings.get(name) ?? 0) + times);
    scanner = undefined;
  };
  /** INVARIANT: a finding that refuses is counted. */
  const counted = (work: () => ByteString): ByteString => {
    try {
      return work();
    } catch (error) {
      endScan();
      throw error;
    }
  };
  const release = (): ByteString => {
    const text = held;
    held = "";
    return give(text);
  };

  return {
    push: (text) =>
      counted(() => {
        if (kind === "json" || kind === "text") return give(text);
        held += text;
        if (kind === undefined) {
          beginning = (beginning + text).replace(idle, "$1");
          kind = kindOf(beginning);
          if (kind !== undefined) beginning = "";
        }
        if (held.length > maxHeld) {
          if (/^\s*"/.test(held))
            throw new RedactionError("too_long", "the data of an event is too long to be held");
          kind = "text";
        }
        return kind === "json" || kind === "text" ? release() : "";
      }),
    end: () =>
      counted(() => {
        if (kind === undefined || kind === "whole") kind = isJson(held) ? "json" : "text";
        let out = held === "" ? "" : release();
        if (kind === "json") {
          out += Buffer.from(document.end()).toString("latin1");
          document.next();
        } else if (scanner !== undefined) out += scanner.end();
        endScan();
        kind = undefined;
        beginning = "";
        return out;
      }),
    cut: () =>
      counted(() => {
        const out = kind === "json" ? Buffer.from(document.cut()).toString("latin1") : (scanner?.end() ?? "");
        endScan();
        return out;
      }),
    get heldBytes() {
      return held.length + document.heldBytes;
    },
  };
}

/** White space before anything, and behind the bracket that comes first. */
const idle = /^[\t\n\r ]*(\[?)[\t\n\r ]*/;

const begins =
  /^[\t\n\r ]*(?:(?<open>\{)|\[[\t\n\r ]*(?:(?<item>[{["\]\d-])|(?<word>[a-z]{0,5}))|(?<whole>["\d-]))?/;

function kindOf(text: ByteString): Kind {
  const found = begins.exec(text);
  const { open, item, word, whole } = found?.groups ?? {};
  if (open !== undefined || item !== undefined) return "json";
  if (whole !== undefined) return "whole";
  const isOpen = found?.[0].length === text.length;
  if (word === undefined) return isOpen ? undefined : "text";
  if (/^(?:true|false|null)/.test(word)) return "json";
  return isOpen && word.length < 5 ? undefined : "text";
}

function isJson(text: ByteString): boolean {
  try {
    JSON.parse(Buffer.from(text, "latin1").toString());
    return true;
  } catch {
    return false;
  }
}
