import type { JsonValue } from "../attributes/index.js";
import { codes, type Finding, finding, type Path, show } from "../diagnostics/index.js";
import type { FormatValue } from "./access-settings.js";
import type { LogFormat } from "./format-of.js";
import { compileMasks, defaultMasks, type Masks } from "./mask.js";
import type { Read } from "./operator.js";
import { operators, withoutSource } from "./operators.js";

/** One piece of a format: a text as it stands, or what an operator reads. */
export type Piece = string | Read;

/** Something about one operator of a format. */
interface FormatNote {
  readonly kind: "bad" | "withoutSource";
  /** Lower case, no final stop. */
  readonly message: string;
}

/** `%NAME%`, `%NAME(ARGUMENT)%`, `%NAME(ARGUMENT):LENGTH%`, as Envoy's parser reads them. */
const operator = /%([A-Z][A-Z0-9_]*)(?:\((.*?)\))?(?::([0-9]+))?%/sy;

/** Cuts a text into pieces; `note` hears what is wrong or has no source, and such a piece is not known. */
export function parseFormat(text: string, masks: Masks, note: (note: FormatNote) => void): Piece[] {
  const pieces: Piece[] = [];
  let literal = "";
  const flush = (): void => {
    if (literal !== "") pieces.push(literal);
    literal = "";
  };
  for (let at = 0; at < text.length; ) {
    const percent = text.indexOf("%", at);
    if (percent < 0) {
      literal += text.slice(at);
      break;
    }
    literal += text.slice(at, percent);
    if (text[percent + 1] === "%") {
      literal += "%";
      at = percent + 2;
      continue;
    }
    operator.lastIndex = percent;
    const match = operator.exec(text);
    if (match === null) {
      const excerpt = show(text.slice(percent, percent + 40));
      note({
        kind: "bad",
        message: `${excerpt} is no command operator, expected \`%NAME%\`, or \`%%\` for a percent sign`,
      });
      literal += text.slice(percent);
      break;
    }
    flush();
    pieces.push(readOf(match, masks, note));
    at = percent + match[0].length;
  }
  flush();
  return pieces;
}

const unknown: Read = () => undefined;

function readOf(
  [whole, name = "", argument, length]: RegExpExecArray,
  masks: Masks,
  note: (note: FormatNote) => void,
): Read {
  const make = operators.get(name);
  if (make === undefined) {
    if (withoutSource.has(name)) {
      note({
        kind: "withoutSource",
        message: `${show(whole)} has no source in Envoy's access log service, it is not known here`,
      });
    } else note({ kind: "bad", message: `unknown command operator ${show(whole)}` });
    return unknown;
  }
  const read = make(argument, masks);
  if (typeof read !== "function") {
    note({ kind: "bad", message: `${show(whole)} cannot be read, expected ${read.expected}` });
    return unknown;
  }
  if (length === undefined) return read;
  const max = Number(length);
  return (report) => {
    const value = read(report);
    return typeof value === "string" && value.length > max ? value.slice(0, max) : value;
  };
}

/** What is wrong with a format, or has no source; `path` is where it stands. */
export function checkFormat({ text, labels }: LogFormat, path: Path): Finding[] {
  const out: Finding[] = [];
  const masks = compileMasks(defaultMasks, []);
  const check = (source: string, at: Path): void => {
    parseFormat(source, masks, ({ kind, message }) => {
      out.push(finding(kind === "bad" ? codes.badLogFormat : codes.operatorWithoutSource, at, message));
    });
  };
  const visit = (value: FormatValue, at: Path): void => {
    if (typeof value === "string") check(value, at);
    else if (Array.isArray(value)) for (const [i, part] of value.entries()) visit(part, [...at, i]);
    else if (typeof value === "object" && value !== null) {
      for (const [name, part] of Object.entries(value)) visit(part, [...at, name]);
    }
  };
  const isPlainText = path.at(-1) === "accessLogFormat";
  if (text !== undefined) check(text, isPlainText ? path : [...path, "text"]);
  if (isPlainText) for (const value of Object.values(labels)) visit(value, []);
  else visit(labels, [...path, "labels"]);
  return isPlainText ? out.map((one) => ({ ...one, path })) : out;
}

/** A value as it stands in a text; `-` is what Envoy writes for what is not known. */
export function textOf(value: JsonValue | undefined, absent: string): string {
  if (value === undefined || value === null) return absent;
  if (typeof value === "string") return clean(value);
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const control = /[\x00-\x1f\x7f-\x9f\u2028\u2029]/;
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const controls = /[\x00-\x1f\x7f-\x9f\u2028\u2029]/g;

/** A line break would be a line that nobody wrote, an escape would move a terminal's cursor. */
function clean(text: string): string {
  if (!control.test(text)) return text;
  return text.replace(controls, (found) => `\\u${found.charCodeAt(0).toString(16).padStart(4, "0")}`);
}
