import { codes } from "./codes.js";
import { type Finding, finding, type Path } from "./diagnostic.js";

/**
 * Readers for parsers written by hand, where a schema would be too slow or its messages too vague. Each reads one field
 * of a mapping. An absent field is undefined without a finding; a wrong one is undefined with a finding, and null is
 * wrong, as for Kubernetes. Paths are only built when there is something to say.
 */
export type Fields = Readonly<Record<string, unknown>>;

/** The mapping at `at` itself; with `known`, every other key is an unknown field. */
export function asFields(
  value: unknown,
  at: Path,
  out: Finding[],
  known?: ReadonlySet<string>,
): Fields | undefined {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    out.push(wrongType(value, at, "a mapping"));
    return undefined;
  }
  if (known !== undefined) {
    for (const key of Object.keys(value)) {
      if (!known.has(key)) out.push(unknownField(key, at, known));
    }
  }
  return value as Fields;
}

export function readFields(
  owner: Fields,
  key: string,
  at: Path,
  out: Finding[],
  known?: ReadonlySet<string>,
): Fields | undefined {
  const value = owner[key];
  return value === undefined ? undefined : asFields(value, [...at, key], out, known);
}

export function readList(
  owner: Fields,
  key: string,
  at: Path,
  out: Finding[],
): readonly unknown[] | undefined {
  const value = owner[key];
  if (value === undefined) return undefined;
  if (Array.isArray(value)) return value;
  out.push(wrongType(value, [...at, key], "a list"));
  return undefined;
}

export function readText(owner: Fields, key: string, at: Path, out: Finding[]): string | undefined {
  const value = owner[key];
  if (value === undefined || typeof value === "string") return value;
  out.push(wrongType(value, [...at, key], "a string"));
  return undefined;
}

/** A list of strings; items that are none are left out, each with a finding. */
export function readTexts(
  owner: Fields,
  key: string,
  at: Path,
  out: Finding[],
): readonly string[] | undefined {
  const list = readList(owner, key, at, out);
  if (list === undefined || list.every((item): item is string => typeof item === "string")) return list;
  const texts: string[] = [];
  list.forEach((item, i) => {
    if (typeof item === "string") texts.push(item);
    else out.push(wrongType(item, [...at, key, i], "a string"));
  });
  return texts;
}

/** `ports[1]` is number `80`, expected a string. */
export function wrongType(value: unknown, at: Path, expected: string): Finding {
  if (value === undefined)
    return finding(codes.missingField, at, `${nameOf(at)} is missing, expected ${expected}`);
  return finding(codes.wrongType, at, `${nameOf(at)} is ${show(value)}, expected ${expected}`);
}

/** The unknown field and, when it is near, the field that was probably meant. */
export function unknownField(key: string, at: Path, known: Iterable<string>): Finding {
  const plain = (name: string): string => name.replace(/[_-]/g, "").toLowerCase();
  const meant = [...known].find((name) => plain(name) === plain(key));
  const all = [...known];
  const expected =
    meant !== undefined
      ? `, did you mean \`${meant}\``
      : all.length <= 6
        ? `, expected ${all.map((name) => `\`${name}\``).join(", ")}`
        : "";
  return finding(codes.unknownField, [...at, key], `unknown field \`${key.slice(0, 80)}\`${expected}`);
}

/** The last field of a path with the indexes behind it, in backticks. */
export function nameOf(at: Path): string {
  const start = at.findLastIndex((part) => typeof part === "string");
  const [name = "document", ...indexes] = at.slice(Math.max(start, 0));
  return `\`${name}${indexes.map((i) => `[${i}]`).join("")}\``;
}

/** User input as messages show it: in backticks with its type unless it is a string, short, on one line. */
export function show(value: unknown): string {
  if (typeof value === "string") return `\`${oneLine(value)}\``;
  if (value === null) return "null";
  const type = Array.isArray(value) ? "list" : typeof value === "object" ? "mapping" : typeof value;
  return `${type} \`${oneLine(JSON.stringify(value) ?? "")}\``;
}

/** Control characters escaped, cut at 80 characters, no backtick that could end the quotation. */
function oneLine(text: string): string {
  const cut = text.length > 80 ? `${text.slice(0, 80)}…` : text;
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
  return cut.replace(/[\u0000-\u001f\u007f]/g, (c) => JSON.stringify(c).slice(1, -1)).replaceAll("`", "'");
}
