import type { Buffer } from "node:buffer";
import { ContentError } from "./error.js";

/** Of the objects that are open: their keys so far; undefined for arrays. */
type Keys = string[] | Set<string> | undefined;

/** Keys up to which comparing each is faster than hashing. */
const fewKeys = 8;

/**
 * Whether JSON can stay as it is: false when a key comes twice or has escapes, or a string has an escaped surrogate.
 * Throws `bad_json` for what is no JSON, `too_deep`. `latin1` is the same bytes as a string. Keeps its own stack.
 */
export function checkJson(bytes: Buffer, latin1: string, maxDepth: number): boolean {
  const stack: Keys[] = [];
  let clean = true;
  let at = 0;

  const fail = (): never => {
    throw new ContentError(
      "bad_json",
      at >= bytes.length ? "json is cut off" : `unexpected character at ${at} of json`,
    );
  };
  const skip = (): number => {
    for (;;) {
      const code = bytes[at];
      if (code === undefined) return -1;
      if (code !== 0x20 && code !== 0x0a && code !== 0x0d && code !== 0x09) return code;
      at++;
    }
  };
  const string = (): boolean => {
    let plain = true;
    for (at++; ; at++) {
      const code = bytes[at] ?? fail();
      if (code === 0x22) break;
      if (code < 0x20) fail();
      if (code !== 0x5c) continue;
      plain = false;
      const escaped = bytes[++at] ?? fail();
      if (escaped === 0x75) {
        for (let digit = 1; digit <= 4; digit++) if (!isHex(bytes[at + digit] ?? fail())) fail();
        // D800 to DFFF
        if (((bytes[at + 1] as number) | 0x20) === 0x64 && (bytes[at + 2] as number) > 0x37) clean = false;
        at += 4;
      } else if (!isEscape(escaped)) fail();
    }
    at++;
    return plain;
  };
  const key = (): void => {
    if (skip() !== 0x22) fail();
    const start = at;
    const plain = string();
    if (!plain || !addKey(stack, latin1.slice(start, at))) clean = false;
    if (skip() !== 0x3a) fail();
    at++;
  };
  const digits = (): void => {
    const start = at;
    while (isDigit(bytes[at])) at++;
    if (at === start) fail();
  };
  const number = (): void => {
    if (bytes[at] === 0x2d) at++;
    if (bytes[at] === 0x30) at++;
    else digits();
    if (bytes[at] === 0x2e) {
      at++;
      digits();
    }
    if (bytes[at] === 0x65 || bytes[at] === 0x45) {
      at++;
      if (bytes[at] === 0x2b || bytes[at] === 0x2d) at++;
      digits();
    }
  };
  const open = (keys: Keys): void => {
    if (stack.push(keys) > maxDepth)
      throw new ContentError("too_deep", `json is nested deeper than ${maxDepth} levels`);
    at++;
  };

  for (;;) {
    const code = skip();
    if (code === 0x22) string();
    else if (code === 0x7b) {
      open([]);
      if (skip() !== 0x7d) {
        key();
        continue;
      }
    } else if (code === 0x5b) {
      open(undefined);
      if (skip() !== 0x5d) continue;
    } else if (code === 0x2d || isDigit(code)) number();
    else at += literalAt(latin1, at) || fail();
    // Behind a value, or before the end of an empty object or array.
    for (;;) {
      const next = skip();
      if (stack.length === 0) {
        if (next === -1) return clean;
        fail();
      }
      const isObject = stack[stack.length - 1] !== undefined;
      if (next === (isObject ? 0x7d : 0x5d)) {
        at++;
        stack.pop();
        continue;
      }
      if (next !== 0x2c) fail();
      at++;
      if (isObject) key();
      break;
    }
  }
}

/** Adds a key to the innermost object; false when it is there already. */
function addKey(stack: Keys[], key: string): boolean {
  const keys = stack[stack.length - 1];
  if (keys === undefined) return false;
  if (!Array.isArray(keys)) {
    const before = keys.size;
    return keys.add(key).size > before;
  }
  for (const other of keys) if (other === key) return false;
  if (keys.push(key) > fewKeys) stack[stack.length - 1] = new Set(keys);
  return true;
}

function literalAt(text: string, at: number): number {
  if (text.startsWith("true", at) || text.startsWith("null", at)) return 4;
  return text.startsWith("false", at) ? 5 : 0;
}

function isDigit(code: number | undefined): boolean {
  return code !== undefined && code >= 0x30 && code <= 0x39;
}

function isHex(code: number): boolean {
  return isDigit(code) || ((code | 0x20) >= 0x61 && (code | 0x20) <= 0x66);
}

/** One of `"\/bfnrt`. */
function isEscape(code: number): boolean {
  return (
    code === 0x22 ||
    code === 0x5c ||
    code === 0x2f ||
    code === 0x62 ||
    code === 0x66 ||
    code === 0x6e ||
    code === 0x72 ||
    code === 0x74
  );
}
