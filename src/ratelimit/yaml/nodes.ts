import { type Mark, startCursor, YamlError } from "./cursor.js";
import { decodeText } from "./text.js";
import { type Token, type Tokens, tokensOf } from "./tokens.js";

/** A document's tree as written: aliases are not followed, scalars not resolved, keys not compared. */
export type YamlNode = ScalarNode | ListNode | MappingNode | AliasNode;

/** Where a node begins, 1-based. */
export interface Place {
  readonly line: number;
  readonly column: number;
}

export interface ScalarNode extends Place {
  readonly kind: "scalar";
  readonly value: string;
  /** In full (`tag:yaml.org,2002:int`); empty without one. */
  readonly tag: string;
  /** Means what it looks like, unless it has a tag: it is not quoted. */
  readonly isImplicit: boolean;
}

export interface ListNode extends Place {
  readonly kind: "list";
  readonly items: YamlNode[];
}

export interface MappingNode extends Place {
  readonly kind: "mapping";
  readonly pairs: { readonly key: YamlNode; readonly value: YamlNode }[];
}

/** Stands for a node that may be one that holds it. */
export interface AliasNode extends Place {
  readonly kind: "alias";
  readonly name: string;
  readonly target: Exclude<YamlNode, AliasNode>;
}

/** yaml.v2 reads 10,000; nobody writes 200. The stack is what is protected. */
const MAX_DEPTH = 400;

interface Parser {
  readonly tokens: Tokens;
  readonly anchors: Map<string, Exclude<YamlNode, AliasNode>>;
  readonly prefixes: Map<string, string>;
  depth: number;
}

/**
 * Reads the first document of a file as gopkg.in/yaml.v2 does, which is YAML 1.1 with libyaml's grammar:
 * what it refuses is refused here and nothing else, up to a depth. What follows the document is not looked
 * at. Undefined: there is no document. Throws `YamlError` only.
 */
export function parseFirstDocument(bytes: Uint8Array): YamlNode | undefined {
  const { text, unreadable } = decodeText(bytes);
  const tokens = tokensOf(startCursor(text, unreadable));
  const parser: Parser = { tokens, anchors: new Map(), prefixes: new Map(), depth: 0 };
  if (tokens.peek().kind === "stream end") return undefined;
  const hasDirectives = readDirectives(parser);
  let root: YamlNode;
  if (tokens.peek().kind === "document start") {
    tokens.next();
    root = isOneOf(tokens.peek(), afterDocument) ? emptyNode(tokens.peek().mark) : parseNode(parser, "block");
  } else if (hasDirectives) throw problem("directive is not followed by ---", tokens.peek());
  else root = parseNode(parser, "block");
  // yaml.v2 looks one token further, which may be none.
  tokens.peek();
  return root;
}

const afterDocument = ["directive", "document start", "document end", "stream end"] as const;

function readDirectives({ tokens, prefixes }: Parser): boolean {
  let hasVersion = false;
  let token = tokens.peek();
  for (; token.kind === "directive"; token = tokens.peek()) {
    const { directive } = token;
    if (directive.kind === "version") {
      if (hasVersion) throw problem("second %YAML directive", token);
      if (directive.version !== "1.1") throw problem("YAML 1.1 expected", token);
      hasVersion = true;
    } else {
      if (prefixes.has(directive.handle)) throw problem("second %TAG directive of a handle", token);
      prefixes.set(directive.handle, directive.prefix);
    }
    tokens.next();
  }
  const hasAny = hasVersion || prefixes.size > 0;
  if (!prefixes.has("!")) prefixes.set("!", "!");
  if (!prefixes.has("!!")) prefixes.set("!!", "tag:yaml.org,2002:");
  return hasAny;
}

/** `indentless`: a list may begin in its parent's column. */
type Context = "block" | "indentless" | "flow";

function parseNode(parser: Parser, context: Context): YamlNode {
  const { tokens, anchors } = parser;
  const first = tokens.peek();
  if (first.kind === "alias") {
    tokens.next();
    const target = anchors.get(first.name);
    if (target === undefined) throw problem(`unknown anchor \`${first.name.slice(0, 40)}\``, first);
    return { kind: "alias", name: first.name, target, ...placeOf(first.mark) };
  }
  const { anchor, tag } = readProperties(parser);
  const place = placeOf(first.mark);
  const token = tokens.peek();
  const keep = <Node extends Exclude<YamlNode, AliasNode>>(node: Node): Node => {
    if (anchor !== undefined) anchors.set(anchor, node);
    return node;
  };
  if (token.kind === "scalar") {
    tokens.next();
    const isImplicit = tag === "!" || (tag === "" && token.isPlain);
    return keep({ kind: "scalar", value: token.value, tag, isImplicit, ...place });
  }
  if (++parser.depth > MAX_DEPTH) throw problem("nested too deeply", token);
  const node = parseCollection(parser, context, token, place, keep);
  parser.depth--;
  if (node !== undefined) return node;
  if (anchor === undefined && tag === "") throw problem("value expected", token);
  return keep({ kind: "scalar", value: "", tag, isImplicit: tag === "", ...place });
}

function parseCollection(
  parser: Parser,
  context: Context,
  token: Token,
  place: Place,
  keep: <Node extends ListNode | MappingNode>(node: Node) => Node,
): YamlNode | undefined {
  const list = (): ListNode => keep({ kind: "list", items: [], ...place });
  const mapping = (): MappingNode => keep({ kind: "mapping", pairs: [], ...place });
  if (context === "indentless" && token.kind === "-") return fillIndentlessList(parser, list());
  if (token.kind === "[") return fillFlowList(parser, list());
  if (token.kind === "{") return fillFlowMapping(parser, mapping());
  if (context === "flow") return undefined;
  if (token.kind === "block sequence") return fillBlockList(parser, list());
  if (token.kind === "block mapping") return fillBlockMapping(parser, mapping());
  return undefined;
}

/** Anchor and tag, each at most once, in either order. */
function readProperties({ tokens, prefixes }: Parser): { anchor: string | undefined; tag: string } {
  let anchor: string | undefined;
  let tag: string | undefined;
  for (let token = tokens.peek(); ; token = tokens.peek()) {
    if (token.kind === "anchor" && anchor === undefined) anchor = token.name;
    else if (token.kind === "tag" && tag === undefined) {
      const { handle, suffix } = token.tag;
      const prefix = handle === "" ? "" : prefixes.get(handle);
      if (prefix === undefined) throw problem("unknown tag handle", token);
      tag = prefix + suffix;
    } else return { anchor, tag: tag ?? "" };
    tokens.next();
  }
}

function fillBlockList(parser: Parser, list: ListNode): ListNode {
  const { tokens } = parser;
  tokens.next();
  while (tokens.peek().kind === "-") {
    const { mark } = tokens.next();
    list.items.push(nodeUnless(parser, ["-", "block end"], "block", afterSign(mark)));
  }
  if (tokens.peek().kind !== "block end") throw problem("`-` expected", tokens.peek());
  tokens.next();
  return list;
}

function fillIndentlessList(parser: Parser, list: ListNode): ListNode {
  const { tokens } = parser;
  while (tokens.peek().kind === "-") {
    const { mark } = tokens.next();
    list.items.push(nodeUnless(parser, ["-", "key", "value", "block end"], "block", afterSign(mark)));
  }
  return list;
}

function fillBlockMapping(parser: Parser, mapping: MappingNode): MappingNode {
  const { tokens } = parser;
  const ends = ["key", "value", "block end"] as const;
  tokens.next();
  while (tokens.peek().kind === "key") {
    const { mark } = tokens.next();
    const key = nodeUnless(parser, ends, "indentless", mark);
    const next = tokens.peek();
    let value: YamlNode = emptyNode(next.mark);
    if (next.kind === "value") {
      tokens.next();
      value = nodeUnless(parser, ends, "indentless", afterSign(next.mark));
    }
    mapping.pairs.push({ key, value });
  }
  if (tokens.peek().kind !== "block end") throw problem("key expected", tokens.peek());
  tokens.next();
  return mapping;
}

function fillFlowList(parser: Parser, list: ListNode): ListNode {
  const { tokens } = parser;
  tokens.next();
  for (let isFirst = true; tokens.peek().kind !== "]"; isFirst = false) {
    if (!isFirst) {
      if (tokens.peek().kind !== ",") throw problem("`,` or `]` expected", tokens.peek());
      tokens.next();
    }
    const token = tokens.peek();
    if (token.kind === "]") break;
    list.items.push(token.kind === "key" ? parsePair(parser) : parseNode(parser, "flow"));
  }
  tokens.next();
  return list;
}

/** `[a: b]`: a mapping of one pair without braces. */
function parsePair(parser: Parser): MappingNode {
  const { tokens } = parser;
  const place = placeOf(tokens.next().mark);
  const token = tokens.peek();
  let key: YamlNode = emptyNode(token.mark);
  // libyaml loses the token behind a key that is not there.
  if (isOneOf(token, ["value", ",", "]"])) tokens.next();
  else key = parseNode(parser, "flow");
  return { kind: "mapping", pairs: [{ key, value: flowValue(parser, "]") }], ...place };
}

function fillFlowMapping(parser: Parser, mapping: MappingNode): MappingNode {
  const { tokens } = parser;
  tokens.next();
  for (let isFirst = true; tokens.peek().kind !== "}"; isFirst = false) {
    if (!isFirst) {
      if (tokens.peek().kind !== ",") throw problem("`,` or `}` expected", tokens.peek());
      tokens.next();
    }
    const token = tokens.peek();
    if (token.kind === "}") break;
    if (token.kind === "key") {
      tokens.next();
      const key = nodeUnless(parser, ["value", ",", "}"], "flow", tokens.peek().mark);
      mapping.pairs.push({ key, value: flowValue(parser, "}") });
    } else {
      const key = parseNode(parser, "flow");
      mapping.pairs.push({ key, value: emptyNode(tokens.peek().mark) });
    }
  }
  tokens.next();
  return mapping;
}

function flowValue(parser: Parser, end: "]" | "}"): YamlNode {
  const { tokens } = parser;
  const { kind, mark } = tokens.peek();
  if (kind !== "value") return emptyNode(mark);
  tokens.next();
  return nodeUnless(parser, [",", end], "flow", mark);
}

/** The next node, or an empty one at `mark` where one of these tokens follows instead. */
function nodeUnless(parser: Parser, ends: readonly Token["kind"][], context: Context, mark: Mark): YamlNode {
  return isOneOf(parser.tokens.peek(), ends) ? emptyNode(mark) : parseNode(parser, context);
}

function isOneOf(token: Token, kinds: readonly Token["kind"][]): boolean {
  return kinds.includes(token.kind);
}

function emptyNode(mark: Mark): ScalarNode {
  return { kind: "scalar", value: "", tag: "", isImplicit: true, ...placeOf(mark) };
}

function afterSign(mark: Mark): Mark {
  return { ...mark, column: mark.column + 1 };
}

function placeOf({ line, column }: Mark): Place {
  return { line: line + 1, column: column + 1 };
}

function problem(message: string, { mark }: Token): YamlError {
  return new YamlError(message, mark);
}
