import { BuiltinError } from "./builtin.js";
import { LimitError } from "./limit.js";
import { numberText } from "./number.js";
import { isArray, isNumber, isObject, type Value } from "./value.js";
import { goFloat, resolvePlain } from "./yaml-scalar.js";

/** A longer text is refused: each level of nesting indents all that is in it. */
const maxUnits = 4_000_000;

/**
 * Writes a value as go-yaml v3 does with two spaces of indentation. The value is as JSON has it: no sets, keys are
 * strings. Throws a BuiltinError for text that YAML cannot hold.
 */
export function writeYaml(value: Value): string {
  const out: Out = { pieces: [], units: 0 };
  write(out, value, 0, "root");
  put(out, "\n");
  return out.pieces.join("");
}

interface Out {
  readonly pieces: string[];
  units: number;
}

function put(out: Out, text: string): void {
  out.pieces.push(text);
  out.units += text.length;
  if (out.units > maxUnits) throw new LimitError("yaml text is too long");
}

/** Where a node stands: collections go on behind `- `, and begin a new line behind `key:`. */
type Place = "root" | "item" | "member";

/** Writes a node behind what leads to it, up to the end of its last line. */
function write(out: Out, value: Value, indent: number, place: Place): void {
  const size = isObject(value) ? value.size : isArray(value) ? value.length : 0;
  const newLine = `\n${" ".repeat(indent)}`;
  if (size > 0) put(out, place === "member" ? newLine : place === "item" ? " " : "");
  else if (place !== "root") put(out, " ");
  if (isObject(value) && size > 0) {
    const members = [...value].sort(([a], [b]) => compareKeys(String(a), String(b)));
    for (const [i, [key, member]] of members.entries()) {
      if (i > 0) put(out, newLine);
      writeMember(out, String(key), member, indent);
    }
  } else if (isArray(value) && size > 0) {
    for (const [i, item] of value.entries()) {
      put(out, i > 0 ? `${newLine}-` : "-");
      write(out, item, indent + 2, "item");
    }
  } else put(out, leaf(value, indent, place));
}

function leaf(value: Value, indent: number, place: Place): string {
  if (isObject(value)) return "{}";
  if (isArray(value)) return "[]";
  if (typeof value === "string") return scalar(value, indent, place === "root");
  return isNumber(value) ? scalarNumber(numberText(value)) : String(value);
}

function writeMember(out: Out, key: string, member: Value, indent: number): void {
  const text = simpleKey(key);
  if (text !== undefined) {
    put(out, `${text}:`);
    write(out, member, indent + 2, "member");
    return;
  }
  // Behind a long key or one of several lines the value stands on a line of its own.
  put(out, `? ${scalar(key, indent + 2, false)}\n${" ".repeat(indent)}:`);
  write(out, member, indent + 2, "item");
}

/** As the reader reads a JSON number: integers of 64 bits, floats, and text for what is neither. */
function scalarNumber(text: string): string {
  const found = resolvePlain(text);
  if (found.tag === "int") return String(found.value);
  if (found.tag === "str") return scalar(found.value, 0, false);
  return found.tag === "float" ? goFloat(found.value) : text;
}

const lineBreak = /[\r\n]/;

/** What go-yaml does not write as it is: all but a tab has to be escaped. */
const special = /[^\t\n\x20-\x7e\xa0-\ud7ff\ue000-\ufefe\uff00-\ufffd]/;

/** The text of a key that stands before its colon; undefined when it has to be introduced by `?`. */
function simpleKey(key: string): string | undefined {
  if (Buffer.byteLength(key) > 128 || lineBreak.test(key)) return undefined;
  const text = styled(key);
  return text === "" ? "''" : text;
}

function scalar(text: string, indent: number, root: boolean): string {
  checkPrintable(text);
  if (text.includes("\n")) return blockAllowed(text) ? literal(text, root ? 2 : indent) : doubleQuoted(text);
  return styled(text);
}

function styled(text: string): string {
  checkPrintable(text);
  if (text === "" || resolvePlain(text).tag !== "str" || isOld(text)) return doubleQuoted(text);
  if (plainAllowed(text)) return text;
  return singleQuotedAllowed(text) ? `'${text.replaceAll("'", "''")}'` : doubleQuoted(text);
}

/** What a reader of YAML 1.1 would take for something else. */
function isOld(text: string): boolean {
  return (
    /^(?:y|Y|yes|Yes|YES|on|On|ON|n|N|no|No|NO|off|Off|OFF)$/.test(text) ||
    /^[-+]?\d[\d_]*(?::[0-5]?\d)+(?:\.[\d_]*)?$/.test(text) ||
    isTimestamp(text)
  );
}

/** As go-yaml recognises one (RFC 3339 with short fields, or only a date). */
function isTimestamp(text: string): boolean {
  const found =
    /^(\d{4})-(\d\d?)-(\d\d?)(?:[Tt](\d\d?):(\d\d?):(\d\d?)(?:[.,]\d+)?(?:Z|[-+]\d\d:\d\d)| (\d\d?):(\d\d?):(\d\d?)(?:[.,]\d+)?)?$/.exec(
      text,
    );
  if (found === null) return false;
  const [year, month, day, ...time] = found.slice(1).map((part) => Number(part ?? "0"));
  const days = new Date(Date.UTC(year ?? 0, month ?? 0, 0)).getUTCDate();
  const [hour = 0, minute = 0, second = 0, hour2 = 0, minute2 = 0, second2 = 0] = time;
  return (
    month !== undefined &&
    day !== undefined &&
    month >= 1 &&
    month <= 12 &&
    day >= 1 &&
    day <= days &&
    Math.max(hour, hour2) < 24 &&
    Math.max(minute, minute2, second, second2) < 60
  );
}

function plainAllowed(text: string): boolean {
  if (/^(?:---|\.\.\.)/.test(text) || /^[#,[\]{}&*!|>'"%@`]/.test(text)) return false;
  if (/^[?:-](?:[ \t]|$)/.test(text) || /:(?:[ \t]|$)/.test(text) || /\s#/.test(text)) return false;
  return !/^ | $/.test(text) && singleQuotedAllowed(text) && !lineBreak.test(text);
}

function singleQuotedAllowed(text: string): boolean {
  return !/[\r\n] | [\r\n]|\t/.test(text) && !special.test(text);
}

function blockAllowed(text: string): boolean {
  return !/ $| [\r\n]/.test(text) && !special.test(text);
}

function literal(text: string, indent: number): string {
  const hint = /^[ \n]/.test(text) ? "2" : "";
  const chomp = !text.endsWith("\n") ? "-" : /^.$|\n.$/s.test(text) ? "+" : "";
  const lines = text.split(/(?<=\n)/);
  const body = lines.map((line) => (line === "\n" ? line : " ".repeat(indent) + line)).join("");
  return `|${hint}${chomp}\n${body.endsWith("\n") ? body.slice(0, -1) : body}`;
}

const escapes: ReadonlyMap<string, string> = new Map([
  ["\0", "0"],
  ["\x07", "a"],
  ["\b", "b"],
  ["\t", "t"],
  ["\n", "n"],
  ["\v", "v"],
  ["\f", "f"],
  ["\r", "r"],
  ["\x1b", "e"],
  ['"', '"'],
  ["\\", "\\"],
]);

function doubleQuoted(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are the ones that are escaped
  const escaped = text.replace(/[\0-\x1f"\\\ufeff]|[\u{10000}-\u{10ffff}]/gu, (char) => {
    const short = escapes.get(char);
    if (short !== undefined) return `\\${short}`;
    const code = codeOf(char);
    const hex = code.toString(16).toUpperCase();
    if (code <= 0xff) return `\\x${hex.padStart(2, "0")}`;
    return code <= 0xffff ? `\\u${hex.padStart(4, "0")}` : `\\U${hex.padStart(8, "0")}`;
  });
  return `"${escaped}"`;
}

/**
 * OPA writes JSON and reads that as YAML, where these characters may not stand unescaped, or are line breaks that
 * would be folded.
 */
function checkPrintable(text: string): void {
  if (/[\x7f-\x9f\u2028\u2029\ufffe\uffff]/.test(text)) {
    throw new BuiltinError("control characters are not allowed");
  }
}

/** go-yaml's order of keys: letters after other characters, numbers in a text by their size. */
function compareKeys(left: string, right: string): number {
  const [a, b] = [[...left], [...right]];
  let digits = false;
  for (let i = 0; i < a.length && i < b.length; i++) {
    const [x = "", y = ""] = [a[i], b[i]];
    if (x === y) {
      digits = isDigit(x);
      continue;
    }
    const [xLetter, yLetter] = [isLetter(x), isLetter(y)];
    if (xLetter && yLetter) return codeOf(x) - codeOf(y);
    if (xLetter || yLetter) return (digits ? xLetter : yLetter) ? -1 : 1;
    return compareDigits(a, b, i) || codeOf(x) - codeOf(y);
  }
  return a.length - b.length;
}

function compareDigits(a: readonly string[], b: readonly string[], at: number): number {
  let start = 0n;
  if (a[at] === "0" || b[at] === "0") {
    for (let j = at - 1; j >= 0 && isDigit(a[j] ?? ""); j--) if (a[j] !== "0") start = 1n;
  }
  const [x, y] = [a, b].map((chars) => {
    let end = at;
    while (isDigit(chars[end] ?? "")) end++;
    return { end, value: wrapped(start, chars.slice(at, end)) };
  });
  if (x === undefined || y === undefined || x.value === y.value) return (x?.end ?? 0) - (y?.end ?? 0);
  return x.value < y.value ? -1 : 1;
}

/** Counted in 64 bits, as there. */
function wrapped(start: bigint, digits: readonly string[]): bigint {
  return digits.reduce((sum, digit) => BigInt.asIntN(64, sum * 10n + BigInt(codeOf(digit) - 0x30)), start);
}

function isDigit(char: string): boolean {
  return /^\p{Nd}$/u.test(char);
}

function isLetter(char: string): boolean {
  return /^\p{L}$/u.test(char);
}

function codeOf(char: string): number {
  return char.codePointAt(0) ?? 0;
}
