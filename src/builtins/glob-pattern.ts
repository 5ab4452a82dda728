import { BuiltinError } from "./builtin.js";
import { LimitError } from "./limit.js";

/** A node of a glob's tree (github.com/gobwas/glob). */
export type GlobNode =
  | { readonly kind: "text"; readonly codes: readonly number[] }
  /** `?`, `*` and `**`; only the last matches delimiters. */
  | { readonly kind: "one" | "many" | "all" }
  | { readonly kind: "class"; readonly not: boolean; readonly ranges: readonly (readonly [number, number])[] }
  | { readonly kind: "any of"; readonly choices: readonly (readonly GlobNode[])[] };

/** What is read of a glob so far. */
interface Reader {
  readonly chars: readonly string[];
  at: number;
  depth: number;
}

/** Braces nested deeper are refused. */
const maxDepth = 100;

/** The tree of a glob; throws a BuiltinError when it is none. */
export function globNodes(pattern: string): readonly GlobNode[] {
  return sequence({ chars: Array.from(pattern), at: 0, depth: 0 });
}

function sequence(reader: Reader): readonly GlobNode[] {
  const nodes: GlobNode[] = [];
  for (;;) {
    const char = reader.chars[reader.at];
    if (char === undefined || (reader.depth > 0 && (char === "," || char === "}"))) return nodes;
    nodes.push(node(reader, char));
  }
}

function node(reader: Reader, char: string): GlobNode {
  switch (char) {
    case "{":
      return choices(reader);
    case "[":
      return characterClass(reader);
    case "?":
      reader.at++;
      return { kind: "one" };
    case "*":
      reader.at += reader.chars[reader.at + 1] === "*" ? 2 : 1;
      return { kind: reader.chars[reader.at - 2] === "*" && reader.at >= 2 ? "all" : "many" };
    default:
      return { kind: "text", codes: text(reader, reader.depth > 0 ? "?*[{}," : "?*[{") };
  }
}

/** Characters up to one of the given, which a backslash makes ordinary. */
function text(reader: Reader, breakers: string): readonly number[] {
  const codes: number[] = [];
  for (;;) {
    let char = reader.chars[reader.at];
    if (char === undefined || breakers.includes(char)) return codes;
    if (char === "\\") {
      reader.at++;
      char = reader.chars[reader.at];
      if (char === undefined) throw new BuiltinError("trailing backslash");
    }
    reader.at++;
    codes.push(char.codePointAt(0) ?? 0);
  }
}

function choices(reader: Reader): GlobNode {
  if (reader.depth === maxDepth) throw new LimitError("glob is nested too deep");
  const found: (readonly GlobNode[])[] = [];
  reader.depth++;
  do {
    reader.at++;
    found.push(sequence(reader));
  } while (reader.chars[reader.at] === ",");
  reader.depth--;
  if (reader.chars[reader.at] !== "}") throw new BuiltinError("unclosed {");
  reader.at++;
  return { kind: "any of", choices: found };
}

/** `[!a-z]` or `[abc]`; in the one a backslash is a character, in the other it makes one ordinary. */
function characterClass(reader: Reader): GlobNode {
  reader.at++;
  const not = reader.chars[reader.at] === "!";
  if (not) reader.at++;
  const { chars } = reader;
  if (chars[reader.at] !== undefined && chars[reader.at + 1] === "-") {
    const [low = "", , high = "", close] = chars.slice(reader.at, reader.at + 4);
    const [from, to] = [low.codePointAt(0) ?? 0, high.codePointAt(0) ?? -1];
    if (close !== "]" || to < from) throw new BuiltinError("no range of characters");
    reader.at += 4;
    return { kind: "class", not, ranges: [[from, to]] };
  }
  const codes = text(reader, "]");
  if (chars[reader.at] !== "]" || codes.length === 0) throw new BuiltinError("unclosed [");
  reader.at++;
  return { kind: "class", not, ranges: codes.map((code) => [code, code]) };
}
