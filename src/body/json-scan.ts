import { Buffer } from "node:buffer";
import { wellFormed } from "../attributes/index.js";

/**
 * Reads JSON that is known to be valid (RFC 8259) by position, one character a byte. Nothing is checked:
 * whoever calls has asked `decodeJson` before.
 */

/** The first place that is no white space. */
export function skipSpace(text: string, from: number): number {
  let at = from;
  for (;;) {
    const code = text.charCodeAt(at);
    if (code !== 0x20 && code !== 0x0a && code !== 0x0d && code !== 0x09) return at;
    at++;
  }
}

/** Behind the string that begins at `from`. */
export function endOfString(text: string, from: number): number {
  for (let at = from + 1; ; at++) {
    const code = text.charCodeAt(at);
    if (code === 0x22) return at + 1;
    if (code === 0x5c) at++;
  }
}

/** Behind the value that begins at `from`. Keeps no stack. */
export function endOfValue(text: string, from: number): number {
  let depth = 0;
  let at = from;
  do {
    const code = text.charCodeAt(at);
    if (code === 0x22) at = endOfString(text, at);
    else if (code === 0x7b || code === 0x5b) {
      depth++;
      at++;
    } else if (code === 0x7d || code === 0x5d) {
      depth--;
      at++;
    } else if (depth > 0) at++;
    else at = endOfScalar(text, at);
  } while (depth > 0);
  return at;
}

function endOfScalar(text: string, from: number): number {
  let at = from;
  for (; at < text.length; at++) {
    const code = text.charCodeAt(at);
    // White space, comma, closing bracket.
    if (code <= 0x20 || code === 0x2c || code === 0x7d || code === 0x5d) break;
  }
  return at;
}

/** Whether a token is the text that it stands for: ASCII without escapes. */
function isPlain(token: string): boolean {
  for (let at = 0; at < token.length; at++) {
    const code = token.charCodeAt(at);
    if (code === 0x5c || code > 0x7f) return false;
  }
  return true;
}

/** The text of a string token, quotes and all; different spellings of one name give the same. */
export function textOfToken(token: string): string {
  if (isPlain(token)) return token.slice(1, -1);
  const text = JSON.parse(Buffer.from(token, "latin1").toString()) as string;
  // Half a character is no text: whoever reads it makes it U+FFFD, so two of them are one name.
  return wellFormed(text);
}

/** Whether some object has a name twice, in whatever spelling. Keeps its own stack; linear in the length. */
export function hasDuplicateKeys(text: string): boolean {
  const stack: (Set<string> | undefined)[] = [];
  let keys: Set<string> | undefined;
  let isKey = false;
  for (let at = 0; at < text.length; ) {
    switch (text.charCodeAt(at)) {
      case 0x7b:
        stack.push(keys);
        keys = new Set();
        isKey = true;
        at++;
        break;
      case 0x5b:
        stack.push(keys);
        keys = undefined;
        isKey = false;
        at++;
        break;
      case 0x7d:
      case 0x5d:
        keys = stack.pop();
        isKey = false;
        at++;
        break;
      case 0x2c:
        isKey = keys !== undefined;
        at++;
        break;
      case 0x22: {
        const end = endOfString(text, at);
        if (isKey && keys !== undefined) {
          const before = keys.size;
          if (keys.add(textOfToken(text.slice(at, end))).size === before) return true;
        }
        isKey = false;
        at = end;
        break;
      }
      default:
        at++;
    }
  }
  return false;
}
