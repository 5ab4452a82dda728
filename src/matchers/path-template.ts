import type { ByteString } from "../attributes/index.js";
import type { Predicate } from "./logic.js";
import { compileRegex } from "./regex.js";

/** RFC 3986 pchar without the star. */
const plain = "a-zA-Z0-9\\-._~%!$&'()+,;:@=";

/** A literal segment of a template as parsers take it: a star in it, which repeats, they refuse. */
export const templateLiteral: RegExp = new RegExp(`^[${plain}]+$`);

/** Envoy's limit on `path_template`, in characters. */
export const maxTemplateLength = 256;

/** Characters that Envoy 1.40 lets stand in a literal and `*` stand for; `**` adds the slash. */
const pchar = `${plain}*`;
const literal = new RegExp(`^[${pchar}]+$`);
const variable = /^([^{}]*)\{([A-Za-z][A-Za-z0-9_]{0,15})(?:=([^{}]+))?\}([^{}]*)$/;

/** Envoy's limit on the variables of a template. */
const maxVariables = 5;

/** What is between two slashes, as the source of a regular expression, and what is in it. */
interface Segment {
  readonly source: string;
  /** The wildcards in order. */
  readonly globs: readonly ("*" | "**")[];
  readonly variable: string | undefined;
  /** A bare wildcard with text behind it, which Envoy takes in the last segment only. */
  readonly suffixed: boolean;
  /** A star behind text stands in it. */
  readonly repeats: boolean;
}

/**
 * Envoy's `uri_template` path match: `*` stands for one non-empty segment or its start, `**` for any rest,
 * both also inside `{name=…}`; `{name}` is `{name=*}`. A star behind text is no wildcard: in Envoy 1.40 it
 * repeats what is before it, as in a regular expression. Applied to the path without its query.
 *
 * Throws for what Envoy does not load (it ends while it starts), and for a star that repeats nothing, with
 * which Envoy's matcher never matches: a trap under DENY.
 */
export function compilePathTemplate(template: string): Predicate<ByteString> {
  const segments = template.startsWith("/") ? template.slice(1).split(slashOutsideBraces) : undefined;
  if (segments === undefined) throw refused(template, "must start with `/`");
  if (template.length > maxTemplateLength)
    throw refused(template, `is longer than ${maxTemplateLength} characters`);
  const last = segments.length - 1;
  const parsed = segments.map((text, at) => {
    if (text === "" && at === last) return empty;
    const segment = parseSegment(text);
    if (segment === undefined || (segment.suffixed && at < last))
      throw refused(template, `has segment \`${text}\`, expected literals, \`*\`, \`**\` and \`{name=…}\``);
    return segment;
  });
  const globs = parsed.flatMap((segment) => segment.globs);
  const rest = globs.indexOf("**");
  if (rest >= 0 && rest < globs.length - 1) throw refused(template, "has a wildcard behind `**`");
  const names = parsed.flatMap((segment) => segment.variable ?? []);
  if (names.length > maxVariables) throw refused(template, `has more than ${maxVariables} variables`);
  if (new Set(names).size < names.length) throw refused(template, "names a variable twice");
  const source = `/${parsed.map((segment) => segment.source).join("/")}`;
  if (parsed.some((segment) => segment.repeats)) return repeating(template, source);
  // One `**` at most and one class per segment: no two neighbours can trade characters, so backtracking stays
  // linear.
  const regex = new RegExp(`^${source}$`);
  return (path) => regex.test(path);
}

function repeating(template: string, source: string): Predicate<ByteString> {
  try {
    return compileRegex(source);
  } catch {
    throw refused(template, "has a `*` that repeats nothing");
  }
}

const slashOutsideBraces = /\/(?![^{}]*\})/;
const empty: Segment = { source: "", globs: [], variable: undefined, suffixed: false, repeats: false };

function refused(template: string, what: string): Error {
  return new Error(`path template \`${template}\` ${what}`);
}

/** Undefined for what is no segment. */
function parseSegment(text: string): Segment | undefined {
  const [, before = "", name, match = "*", after = ""] = variable.exec(text) ?? [];
  if (name !== undefined && !before.startsWith("*")) {
    const parts = match.split("/").map(parsePart);
    if (!isWhole(parts) || !isText(before) || !isText(after)) return undefined;
    if (before !== "" && parts.length > 1) return undefined;
    const inside = parts.map((part) => part.source).join("/");
    return {
      source: `${escaped(before)}(?:${inside})${escaped(after)}`,
      globs: parts.flatMap((part) => part.globs),
      variable: name,
      suffixed: false,
      repeats: `${before}${after}`.includes("*") || parts.some((part) => part.repeats),
    };
  }
  const [, glob = "", suffix = ""] = /^(\*{0,2})(.*)$/.exec(text) ?? [];
  if (glob === "" || suffix === "") return parsePart(text);
  const wildcard = parsePart(glob);
  if (wildcard === undefined || !literal.test(suffix)) return undefined;
  const source = wildcard.source + escaped(suffix);
  return { ...wildcard, source, suffixed: true, repeats: suffix.includes("*") };
}

/** A whole wildcard or a literal that starts with none. */
function parsePart(text: string): Segment | undefined {
  if (text === "*") return { ...empty, source: `[${pchar}]+`, globs: ["*"] };
  if (text === "**") return { ...empty, source: `[${pchar}/]*`, globs: ["**"] };
  if (!literal.test(text) || text.startsWith("*")) return undefined;
  return { ...empty, source: escaped(text), repeats: text.includes("*") };
}

function isWhole(parts: (Segment | undefined)[]): parts is Segment[] {
  return !parts.includes(undefined);
}

function isText(text: string): boolean {
  return text === "" || literal.test(text);
}

/** As Envoy does it: all but the star. */
function escaped(text: string): string {
  return text.replace(/[.$()+]/g, "\\$&");
}
