import {
  type Document,
  type ErrorCode,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  parseDocument,
  visit,
  type YAMLParseError,
} from "yaml";
import { type Path, show } from "../diagnostics/index.js";
import { placesInJson, type Repeated, repeatedInJson } from "./envoy-document-json.js";

/** What a document may repeat by aliases. */
const MAX_ALIASES = 1000;

/** A configuration of Envoy as data, with places for people. */
export interface EnvoyDocument {
  /** Undefined when there is a problem. */
  readonly value: unknown;
  /** What is wrong with the text as YAML or JSON, without the text itself. */
  readonly problem: string | undefined;
  /** What stands there and Envoy does not read; it loads the rest without a word (measured). */
  readonly unread: readonly Unread[];
  /** The 1-based line of a field, or of the nearest one around it. */
  readonly lineOf: (path: Path) => number;
}

/** Something that Envoy passes over. */
export interface Unread {
  readonly message: string;
  /** From 1. */
  readonly line: number;
}

/** Reads JSON (a config dump, which may be long), else YAML as Envoy does: version 1.1, one document. */
export function readEnvoyDocument(written: string): EnvoyDocument {
  const text = written.replace(/^\uFEFF/, "");
  if (/^\s*[{[]/.test(text)) {
    try {
      const value: unknown = JSON.parse(text);
      const unread = repeatedInJson(text).map(unreadKey);
      return { value, problem: undefined, unread, lineOf: placesInJson(text) };
    } catch {
      // YAML's flow style begins like JSON.
    }
  }
  const lines = new LineCounter();
  const document = parseDocument(text, {
    version: "1.1",
    merge: true,
    uniqueKeys: false,
    prettyErrors: false,
    // What is silent does not tell of further documents.
    logLevel: "error",
    lineCounter: lines,
  });
  const lineAt = (offset: number): number => Math.max(lines.linePos(offset).line, 1);
  const further = document.errors.find(({ code }) => code === "MULTIPLE_DOCS");
  const [error] = document.errors.filter((one) => one !== further);
  if (error !== undefined) {
    const offset = Math.min(error.pos[0], Math.max(text.trimEnd().length - 1, 0));
    const problem = `no YAML or JSON: ${reasonOf(error, text)}`;
    return { value: undefined, problem, unread: [], lineOf: () => lineAt(offset) };
  }
  try {
    const value: unknown = document.toJS({ maxAliasCount: MAX_ALIASES });
    const unread = repeatedInYaml(document, lineAt).map(unreadKey);
    if (further !== undefined) {
      const message = "a second document begins here, and Envoy reads the first only, expected one document";
      unread.push({ message, line: lineAt(further.pos[0]) });
    }
    return { value, problem: undefined, unread, lineOf: (path) => lineAt(offsetInYaml(document, path)) };
  } catch {
    const problem = "too many aliases, or one without an anchor";
    return { value: undefined, problem, unread: [], lineOf: () => 1 };
  }
}

function unreadKey({ key, first, second }: Repeated): Unread {
  const message = `${show(key)} stands twice in one mapping, first on line ${first}, and Envoy takes the last, expected it once`;
  return { message, line: second };
}

function repeatedInYaml(document: Document, lineAt: (offset: number) => number): readonly Repeated[] {
  const found: Repeated[] = [];
  visit(document, {
    Map: (_, { items }) => {
      const seen = new Map<string, number>();
      for (const { key } of items) {
        if (!isScalar(key)) continue;
        const name = String(key.value);
        const line = lineAt(key.range?.[0] ?? 0);
        const first = seen.get(name);
        if (first !== undefined) found.push({ key: name, first, second: line });
        seen.set(name, line);
      }
    },
  });
  return found;
}

/** In words of ours, as the parser's repeat the text. */
function reasonOf({ code, pos }: YAMLParseError, text: string): string {
  if (pos[0] >= text.trimEnd().length) return "unexpected end";
  return reasons[code] ?? "something unexpected";
}

const reasons: Partial<Readonly<Record<ErrorCode, string>>> = {
  ALIAS_PROPS: "an alias with a tag or an anchor of its own",
  BAD_ALIAS: "an alias or anchor with a bad name",
  BAD_DQ_ESCAPE: "an unknown escape in double quotes",
  BAD_INDENT: "wrong indentation",
  BAD_SCALAR_START: "a text that begins with a reserved character, expected quotes around it",
  BLOCK_AS_IMPLICIT_KEY: "a mapping or list inside of a line, perhaps a text with `: ` that needs quotes",
  BLOCK_IN_FLOW: "lines with indentation inside of brackets",
  MISSING_CHAR: "a missing bracket, comma, colon or quote",
  MULTILINE_IMPLICIT_KEY: "a key over several lines, perhaps a missing colon or comma",
  TAB_AS_INDENT: "a tab as indentation",
  TAG_RESOLVE_FAILED: "an unknown tag",
};

function offsetInYaml(document: Document, path: Path): number {
  let node: unknown = document.contents;
  let offset = 0;
  for (const step of path) {
    if (isAlias(node)) node = node.resolve(document);
    if (isMap(node)) {
      const pair = node.items.findLast(({ key }) => isScalar(key) && String(key.value) === String(step));
      if (pair === undefined) break;
      offset = (isScalar(pair.key) ? pair.key.range?.[0] : undefined) ?? offset;
      node = pair.value;
    } else if (isSeq(node) && typeof step === "number" && step < node.items.length) {
      node = node.items[step];
      offset = (isMap(node) || isSeq(node) || isScalar(node) ? node.range?.[0] : undefined) ?? offset;
    } else break;
  }
  return offset;
}
