import {
  codes,
  type Finding,
  finding,
  type Path,
  show,
  showMisplaced,
  showNamed,
} from "../diagnostics/index.js";

/**
 * Readers for parsers written by hand, where a schema would be too slow or its messages too vague. Each reads
 * one field of a mapping. An absent field is undefined without a finding; a wrong one is undefined with a
 * finding, and null is wrong, as for Kubernetes. Paths are only built when there is something to say.
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

/** A mapping below `owner`; with `known`, every other key is an unknown field. */
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

/** A list, its items unread. */
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

/** A string, also an empty one. */
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

/** Fields whose content, in whatever shape it stands there, is key material. */
const secretFields: ReadonlySet<string | number> = new Set(["jwks", "keys"]);

/** `ports[1]` is number `80`, expected a string. Of what may be a secret only the type is told. */
export function wrongType(value: unknown, at: Path, expected: string): Finding {
  if (value === undefined)
    return finding(codes.missingField, at, `${nameOf(at)} is missing, expected ${expected}`);
  const isSecret = at.some((part) => secretFields.has(part));
  const shown = isSecret ? typeName(value) : showMisplaced(value);
  return finding(codes.wrongType, at, `${nameOf(at)} is ${shown}, expected ${expected}`);
}

function typeName(value: unknown): string {
  if (typeof value === "object") return showMisplaced(value);
  return typeof value === "string" ? "a text" : `a ${typeof value}`;
}

/**
 * The unknown field with the one that was probably meant, or, when `known` are few, with all that there are.
 */
export function unknownField(key: string, at: Path, known?: Iterable<string>): Finding {
  const plain = (name: string): string => name.replace(/[_-]/g, "").toLowerCase();
  const all = [...(known ?? [])];
  const meant = all.find((name) => plain(name) === plain(key));
  let hint = "";
  if (meant !== undefined) hint = `, did you mean \`${meant}\``;
  else if (known !== undefined && all.length === 0) hint = ", expected none";
  else if (all.length > 0 && all.length <= 6)
    hint = `, expected ${all.map((name) => `\`${name}\``).join(", ")}`;
  return finding(codes.unknownField, [...at, key], `${showNamed("unknown field", key)}${hint}`);
}

/** The last field of a path with the indexes behind it, in backticks. */
export function nameOf(at: Path): string {
  const start = at.findLastIndex((part) => typeof part === "string");
  const [name = "document", ...indexes] = at.slice(Math.max(start, 0));
  return show(`${name}${indexes.map((i) => `[${i}]`).join("")}`);
}
