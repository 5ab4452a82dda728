import { createHmac } from "node:crypto";
import fc from "fast-check";
import { isWellFormed, wellFormed } from "../../../src/attributes/index.js";
import { type FieldRule, formatPath, type PathStep } from "../../../src/redaction/index.js";

/** A JSON value that loses nothing: numbers by their text, members in order, twice where they are. */
export type Tree =
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "raw"; readonly text: string }
  | { readonly kind: "list"; readonly items: readonly Tree[] }
  | { readonly kind: "object"; readonly members: readonly (readonly [string, Tree])[] };

/** Reads valid JSON by the dullest way there is. */
export function readTree(text: string): Tree {
  let at = 0;
  const space = (): void => {
    while (" \n\r\t".includes(text[at] ?? "x")) at++;
  };
  const expect = (char: string): void => {
    if (text[at] !== char) throw new Error(`expected ${char} at ${at} of ${text}`);
    at++;
  };
  const string = (): string => {
    const [token = ""] = /^"(?:[^"\\]|\\.)*"/s.exec(text.slice(at)) ?? [];
    at += token.length;
    return wellFormed(JSON.parse(token) as string);
  };
  const value = (): Tree => {
    space();
    const char = text[at];
    if (char === '"') return { kind: "text", text: string() };
    if (char === "[" || char === "{") {
      at++;
      const items: Tree[] = [];
      const members: [string, Tree][] = [];
      const close = char === "[" ? "]" : "}";
      space();
      while (text[at] !== close) {
        if (items.length + members.length > 0) expect(",");
        space();
        if (char === "[") items.push(value());
        else {
          const key = string();
          space();
          expect(":");
          members.push([key, value()]);
        }
        space();
      }
      at++;
      return char === "[" ? { kind: "list", items } : { kind: "object", members };
    }
    const [token = ""] = /^[-+.\w]+/.exec(text.slice(at)) ?? [];
    JSON.parse(token);
    at += token.length;
    return { kind: "raw", text: token };
  };
  const tree = value();
  space();
  if (at !== text.length) throw new Error(`more at ${at} of ${text}`);
  return tree;
}

/** Canonical JSON: no white space, strings with as few escapes as there can be. */
export function canonical(tree: Tree): string {
  if (tree.kind === "text") return JSON.stringify(tree.text);
  if (tree.kind === "raw") return tree.text;
  if (tree.kind === "list") return `[${tree.items.map(canonical).join()}]`;
  return `{${tree.members.map(([key, value]) => `${JSON.stringify(key)}:${canonical(value)}`).join()}}`;
}

/** What the rules make of a document, by recursion over its tree; undefined: removed. */
export function redact(
  tree: Tree,
  rules: readonly FieldRule[],
  key: Uint8Array,
  paths: readonly (readonly PathStep[])[] = rules.map((rule) => rule.path),
  at: readonly (string | number)[] = [],
): Tree | undefined {
  for (const [index, rule] of rules.entries()) {
    if (fits(paths[index] as readonly PathStep[], at)) return replaced(tree, rule, key);
  }
  if (tree.kind === "list") {
    const items = tree.items.map((item, index) => redact(item, rules, key, paths, [...at, index]));
    return { kind: "list", items: items.filter((item) => item !== undefined) };
  }
  if (tree.kind === "object") {
    const members = tree.members.flatMap(([name, value]) => {
      const to = redact(value, rules, key, paths, [...at, name]);
      return to === undefined ? [] : [[name, to] as const];
    });
    return { kind: "object", members };
  }
  return tree;
}

function fits(steps: readonly PathStep[], at: readonly (string | number)[]): boolean {
  const [step, ...rest] = steps;
  if (step === undefined) return at.length === 0;
  if (step.kind === "descend") {
    return at.some((_, depth) => fits(rest, at.slice(depth)));
  }
  const [first, ...below] = at;
  if (first === undefined) return false;
  const takes = step.kind === "all" || (step.kind === "member" ? first === step.name : first === step.index);
  return takes && fits(rest, below);
}

function replaced(tree: Tree, rule: FieldRule, key: Uint8Array): Tree | undefined {
  const text = tree.kind === "text" ? tree.text : tree.kind === "raw" ? tree.text : undefined;
  const hasText = tree.kind === "text" || (tree.kind === "raw" && /^[-\d]/.test(tree.text));
  const { action } = rule;
  const own = text ?? canonical(tree);
  switch (action.kind) {
    case "remove":
      return undefined;
    case "hash":
      return { kind: "text", text: createHmac("sha256", key).update(own).digest("hex").slice(0, 32) };
    case "tokenise": {
      const mac = createHmac("sha256", key)
        .update(`${formatPath(rule.path)}\0${own}`)
        .digest();
      return { kind: "text", text: `tok_${mac.subarray(0, 16).toString("base64url")}` };
    }
    case "mask": {
      if (action.replacement !== undefined) return { kind: "text", text: action.replacement };
      if (!hasText) return { kind: "text", text: action.character.repeat(4) };
      const all = [...own];
      const kept = action.keepFirst + action.keepLast;
      if (2 * kept > all.length) return { kind: "text", text: action.character.repeat(all.length) };
      const first = all.slice(0, action.keepFirst).join("");
      const last = all.slice(all.length - action.keepLast).join("");
      return { kind: "text", text: first + action.character.repeat(all.length - kept) + last };
    }
  }
}

const names = ["a", "b", "ssn", "é", "\u{1f600}", "a b", "__proto__", "", "x'y"];

/** Any text, with what needs escapes and what does not. */
export const someText: fc.Arbitrary<string> = fc
  .array(fc.constantFrom(...'ab1 "\\/\n\u0001é\u2028\u{1f600}4'), { maxLength: 12 })
  .map((chars) => chars.join(""));

const someNumber = fc.constantFrom("0", "-0", "12", "-3.50", "1e3", "12345678901234567890", "4.2E-7");

export const someTree: fc.Arbitrary<Tree> = fc.letrec<{ tree: Tree }>((tie) => ({
  tree: fc.oneof(
    { maxDepth: 5, depthIdentifier: "tree" },
    someText.map((text) => ({ kind: "text" as const, text })),
    fc
      .oneof(someNumber, fc.constantFrom("true", "false", "null"))
      .map((text) => ({ kind: "raw" as const, text })),
    fc
      .array(tie("tree"), { maxLength: 4, depthIdentifier: "tree" })
      .map((items) => ({ kind: "list" as const, items })),
    fc
      .array(fc.tuple(fc.constantFrom(...names), tie("tree")), { maxLength: 5, depthIdentifier: "tree" })
      .map((members) => ({ kind: "object" as const, members })),
  ),
})).tree;

/** Writes a tree with white space and escapes that change from place to place. */
export function writeTree(tree: Tree, dice: () => number): string {
  const space = (): string => ["", "", "", " ", "\n  ", "\t\r\n"][dice() % 6] as string;
  const string = (text: string): string => {
    let out = "";
    for (const unit of text.split("")) {
      const code = unit.charCodeAt(0).toString(16).padStart(4, "0");
      const isHalf = /[\ud800-\udfff]/.test(unit);
      out += dice() % 5 === 0 ? `\\u${code}` : isHalf ? unit : JSON.stringify(unit).slice(1, -1);
    }
    // Halves of a pair are both escaped or both not.
    return /[\ud800-\udfff]/.test(text) && !isWellFormed(out) ? JSON.stringify(text) : `"${out}"`;
  };
  const value = (node: Tree): string => {
    if (node.kind === "text") return string(node.text);
    if (node.kind === "raw") return node.text;
    const parts =
      node.kind === "list"
        ? node.items.map((item) => space() + value(item) + space())
        : node.members.map(
            ([key, item]) => `${space()}${string(key)}${space()}:${space()}${value(item)}${space()}`,
          );
    const inside = parts.length === 0 ? space() : parts.join(",");
    return node.kind === "list" ? `[${inside}]` : `{${inside}}`;
  };
  return space() + value(tree) + space();
}

const someStep: fc.Arbitrary<readonly PathStep[]> = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom(...names).map((name) => [{ kind: "member", name } as const]) },
  { weight: 1, arbitrary: fc.nat(3).map((index) => [{ kind: "item", index } as const]) },
  { weight: 2, arbitrary: fc.constant([{ kind: "all" } as const]) },
  {
    weight: 2,
    arbitrary: fc
      .constantFrom(...names)
      .map((name) => [{ kind: "descend" }, { kind: "member", name }] as const),
  },
  { weight: 1, arbitrary: fc.constant([{ kind: "descend" }, { kind: "all" }] as const) },
  { weight: 1, arbitrary: fc.nat(3).map((index) => [{ kind: "descend" }, { kind: "item", index }] as const) },
);

export const someRules: fc.Arbitrary<readonly FieldRule[]> = fc
  .array(
    fc.record({
      path: fc.array(someStep, { minLength: 1, maxLength: 4 }).map((steps) => steps.flat()),
      action: fc.oneof(
        fc.constant({ kind: "remove" } as const),
        fc.constant({ kind: "hash" } as const),
        fc.constant({ kind: "tokenise" } as const),
        fc.record({
          kind: fc.constant("mask" as const),
          keepFirst: fc.nat(3),
          keepLast: fc.nat(4),
          character: fc.constantFrom("*", "•", '"'),
          replacement: fc.constantFrom(undefined, undefined, 'g"one'),
        }),
      ),
    }),
    { minLength: 1, maxLength: 4 },
  )
  .map((rules) => rules.map((rule, index) => ({ name: `rule${index}`, ...rule })));
