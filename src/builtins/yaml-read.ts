import {
  type Alias,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  type Node,
  type Scalar as ParsedScalar,
  parseAllDocuments,
  visit,
} from "yaml";
import { BuiltinError } from "./builtin.js";
import { LimitError } from "./limit.js";
import { integer, numberOf } from "./number.js";
import { objectOf, type Value } from "./value.js";
import { keyText, resolvePlain, resolveTagged, type Scalar } from "./yaml-scalar.js";

/** How much is read. */
export interface YamlLimits {
  /** Of the text: UTF-16 code units. */
  readonly units: number;
  /** That a document may have once its aliases are written out. */
  readonly nodes: number;
}

/** More than this would hold up everybody else: the parser takes about 1 ms per KiB. */
const inRequest: YamlLimits = { units: 32 * 1024, nodes: 20_000 };

/**
 * Reads a YAML text as OPA does (internal/yaml over go-yaml v3): the first document, as JSON has it. Of equal keys the
 * last counts; `<<` merges; keys that are no strings become their text. Throws a BuiltinError for anything else, also
 * when a later document is no YAML.
 */
export function readYaml(text: string, { units, nodes }: YamlLimits = inRequest): Value {
  if (text.length > units) throw new LimitError(`yaml text is longer than ${units}`);
  if (forbidden.test(text)) throw new BuiltinError("control characters are not allowed");
  const lines = text.replace(/\r\n?/g, "\n");
  checkMarkers(lines);
  checkNesting(lines);
  const [first] = documentsOf(lines);
  return first === undefined
    ? null
    : valueIn(first, { anchors: anchorsOf(first), open: new Set(), left: nodes });
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: what YAML does not allow, and what 1.1 had as line breaks
const forbidden = /[\0-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029\ufffe\uffff]|[\ud800-\udfff]/u;

/** Columns up to which a line may begin, and brackets that may be open at once. */
const maxColumns = 200;

/**
 * Refuses what might be nested too deeply, before the parser recurses into it: near the end of the stack Node does
 * not throw but dies (V8 cannot compile a regular expression there). Each level of blocks takes a column; brackets
 * are counted wherever they stand, in texts too.
 */
function checkNesting(text: string): void {
  const tooDeep = (): never => {
    throw new LimitError("yaml text is nested too deeply");
  };
  if (deepLine.test(text)) tooDeep();
  let open = 0;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code === 0x5b || code === 0x7b) open++;
    else if ((code === 0x5d || code === 0x7d) && open > 0) open--;
    if (open > maxColumns) tooDeep();
  }
}

const deepLine = new RegExp(`^[ \\t?:-]{${maxColumns}}`, "m");

/** What go-yaml is stricter about than YAML 1.2: only version 1.1, and behind `...` a document begins with `---`. */
function checkMarkers(text: string): void {
  const version = /^%YAML[ \t]+(\S+)/m.exec(text)?.[1];
  if (version !== undefined && version !== "1.1") throw new BuiltinError("found incompatible YAML document");
  if (/^%(?!YAML[ \t]|TAG[ \t])/m.test(text)) throw new BuiltinError("found unknown directive name");
  if (!/^\.\.\.(?:\s|$)/m.test(text)) return;
  const unmarked = /^\.\.\.[ \t]*(?:#.*)?(?:\n[ \t]*(?:#.*)?)*\n(?!---|\.\.\.|%|[ \t]*(?:#|$))/m;
  if (/^\s*\.\.\.(?:\s|$)/.test(text) || unmarked.test(text)) {
    throw new BuiltinError("did not find expected <document start>");
  }
}

function documentsOf(text: string): readonly Node[] {
  try {
    const documents = parseAllDocuments(text, {
      schema: "failsafe",
      uniqueKeys: false,
      merge: false,
      prettyErrors: false,
      logLevel: "silent",
      stringKeys: false,
      keepSourceTokens: true,
    });
    const nodes: Node[] = [];
    for (const document of Array.isArray(documents) ? documents : []) {
      const [error] = document.errors;
      if (error !== undefined) throw new BuiltinError(error.message);
      if (document.contents === null) continue;
      nodes.push(document.contents);
      visit(document.contents, { Scalar: (_, scalar) => checkScalar(scalar, text) });
    }
    return nodes;
  } catch (cause) {
    throw new BuiltinError(cause instanceof Error ? cause.message : "invalid yaml");
  }
}

/** Escapes that go-yaml does not know; and a block that ends with the text has no line break that is not there. */
function checkScalar(scalar: ParsedScalar, text: string): void {
  if (scalar.type === "QUOTE_DOUBLE" && scalar.srcToken !== undefined && "source" in scalar.srcToken) {
    const escapes = scalar.srcToken.source.match(/\\(?:u.{4}|.)/gs) ?? [];
    if (escapes.some((found) => found === "\\/" || /^\\u[dD][89a-fA-F]/.test(found))) {
      throw new BuiltinError("found unknown escape character");
    }
  }
  const end = scalar.range?.[1] ?? 0;
  const block = scalar.type === "BLOCK_LITERAL" || scalar.type === "BLOCK_FOLDED";
  if (block && end >= text.length && !text.endsWith("\n") && scalar.source?.endsWith("\n") === true) {
    scalar.source = scalar.source.slice(0, -1);
  }
}

/** Each alias stands for the node that had its anchor last before it. */
function anchorsOf(document: Node): ReadonlyMap<Alias, Node> {
  const last = new Map<string, Node>();
  const anchors = new Map<Alias, Node>();
  visit(document, {
    Node: (_, node) => {
      if (!isAlias(node)) {
        if (node.anchor !== undefined) last.set(node.anchor, node);
        return;
      }
      const found = last.get(node.source);
      if (found === undefined) throw new BuiltinError(`unknown anchor '${node.source}' referenced`);
      anchors.set(node, found);
    },
  });
  return anchors;
}

interface Reading {
  readonly anchors: ReadonlyMap<Alias, Node>;
  /** What is being read through an alias: inside of itself it would not end. */
  readonly open: Set<Node>;
  /** Nodes that may still be read. */
  left: number;
}

/** Aliases of aliases. */
const maxAliases = 100;

type Member = readonly [string, Value];

function valueIn(node: unknown, reading: Reading): Value {
  if (--reading.left < 0) throw new LimitError("document contains excessive aliasing");
  if (isAlias(node)) return aliased(node, reading, (target) => valueIn(target, reading));
  if (isScalar(node)) return scalarValue(scalarOf(node));
  if (isSeq(node)) return node.items.map((item) => valueIn(item, reading));
  if (isMap(node)) return objectOf(membersOf(node, reading));
  return null;
}

function aliased<T>(alias: Alias, reading: Reading, read: (target: Node) => T): T {
  const target = reading.anchors.get(alias);
  if (reading.open.size > maxAliases) throw new LimitError("yaml aliases are nested too deeply");
  if (target === undefined || reading.open.has(target)) {
    throw new BuiltinError(`anchor '${alias.source}' value contains itself`);
  }
  reading.open.add(target);
  const value = read(target);
  reading.open.delete(target);
  return value;
}

/** The members of a mapping; of equal keys the last one counts, merged ones come first. */
function membersOf(node: Node, reading: Reading): readonly Member[] {
  if (!isMap(node)) return [];
  const own: Member[] = [];
  const merged: Member[] = [];
  for (const { key, value } of node.items) {
    if (isMerge(key)) merged.unshift(...mergedMembers(value, reading));
    else own.push([memberKey(key, reading), valueIn(value, reading)]);
  }
  return [...merged, ...own];
}

/** Of several mappings that are merged the first that has a key counts. */
function mergedMembers(value: unknown, reading: Reading, nested = false): readonly Member[] {
  if (--reading.left < 0) throw new LimitError("document contains excessive aliasing");
  if (isAlias(value)) {
    return aliased(value, reading, (target) => {
      if (!isMap(target)) throw wantMap();
      return membersOf(target, reading);
    });
  }
  if (isMap(value)) return membersOf(value, reading);
  if (!isSeq(value) || nested) throw wantMap();
  return value.items
    .map((item) => mergedMembers(item, reading, true))
    .reverse()
    .flat();
}

function wantMap(): BuiltinError {
  return new BuiltinError("map merge requires map or sequence of maps as the value");
}

function isMerge(key: unknown): boolean {
  if (!isScalar(key) || key.source !== "<<") return false;
  return key.tag === undefined ? key.type === "PLAIN" : shortTag(key.tag) === "merge";
}

function memberKey(key: unknown, reading: Reading): string {
  const scalar = isAlias(key) ? reading.anchors.get(key) : key;
  const text = isScalar(scalar) ? keyText(scalarOf(scalar)) : undefined;
  if (text === undefined) throw new BuiltinError("unsupported map key");
  return text;
}

interface ScalarNode {
  readonly tag?: string;
  readonly type?: string | null;
  readonly source?: string;
  readonly value: unknown;
}

function scalarOf(node: ScalarNode): Scalar {
  const text = node.source ?? (typeof node.value === "string" ? node.value : "");
  if (node.tag !== undefined && node.tag !== "!") return resolveTagged(shortTag(node.tag), text);
  const plain = node.type === "PLAIN" || node.type === undefined || node.type === null;
  return plain ? resolvePlain(text) : { tag: "str", value: text };
}

function shortTag(tag: string): string {
  return tag.startsWith("tag:yaml.org,2002:") ? tag.slice("tag:yaml.org,2002:".length) : tag;
}

function scalarValue(scalar: Scalar): Value {
  switch (scalar.tag) {
    case "null":
      return null;
    case "int":
      return integer(scalar.value);
    case "float":
      if (!Number.isFinite(scalar.value)) throw new BuiltinError("json has no such number");
      return numberOf(Object.is(scalar.value, -0) ? "-0" : String(scalar.value));
    default:
      return scalar.value;
  }
}
