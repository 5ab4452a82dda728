import { BuiltinError } from "./builtin.js";
import { type Ast, ast } from "./graphql-ast.js";
import { type Token, tokensOf } from "./graphql-lexer.js";
import { LimitError } from "./limit.js";

const maxDepth = 200;

/** A place in the tokens of a text, and what every part of the grammar needs of it. */
export interface Parser {
  /** The next token; comments before it are gathered. */
  readonly peek: () => Token;
  readonly next: () => Token;
  /** The comments before the token that was peeked last, until that is taken. */
  readonly comment: () => Ast | undefined;
  /** Takes a token of this kind if there is one. */
  readonly skip: (kind: Token["kind"]) => boolean;
  /** Takes a token of this kind; gives the comments before it. */
  readonly expect: (kind: Token["kind"]) => Ast | undefined;
  readonly keyword: (word: string) => Ast | undefined;
  readonly name: () => string;
  /** One or more of something in brackets; nothing when there is no opening one. Gives the last comments too. */
  readonly some: (open: Token["kind"], close: Token["kind"], item: () => Ast) => Some;
  /** Refuses what is nested too deeply. */
  readonly nested: <T>(inner: () => T) => T;
}

/** What stood in brackets, and the comments before the closing one. */
export interface Some {
  readonly items: readonly Ast[];
  readonly comment: Ast | undefined;
}

/** Throws a BuiltinError for a token that does not fit. */
export function unexpected(token: Token): never {
  throw new BuiltinError(`unexpected ${token.kind} ${token.value} in graphql text`);
}

export function parserOf(text: string, maxTokens: number): Parser {
  const tokens = tokensOf(text, maxTokens);
  let at = 0;
  let peeked = false;
  let comment: Ast | undefined;
  let depth = 0;
  const current = (): Token => tokens[at] ?? { kind: "end", value: "" };
  const peek = (): Token => {
    if (!peeked) {
      peeked = true;
      const list: Ast[] = [];
      for (; current().kind === "comment"; at++) list.push(ast("Comment", { Value: current().value }));
      if (list.length > 0) comment = ast("CommentGroup", { List: list });
    }
    return current();
  };
  const next = (): Token => {
    const token = peek();
    peeked = false;
    comment = undefined;
    at++;
    return token;
  };
  const skip = (kind: Token["kind"]): boolean => {
    if (peek().kind !== kind) return false;
    next();
    return true;
  };
  const expect = (kind: Token["kind"]): Ast | undefined => {
    const token = peek();
    const before = comment;
    if (token.kind !== kind) unexpected(token);
    next();
    return before;
  };
  return {
    peek,
    next,
    comment: () => comment,
    skip,
    expect,
    keyword: (word) => (peek().value === word ? expect("name") : unexpected(peek())),
    name: () => {
      const { value } = peek();
      expect("name");
      return value;
    },
    some: (open, close, item) => {
      if (!skip(open)) return { items: [], comment: undefined };
      const items: Ast[] = [];
      do items.push(item());
      while (peek().kind !== close);
      const last = comment;
      next();
      return { items, comment: last };
    },
    nested: (inner) => {
      if (++depth > maxDepth) throw new LimitError("graphql text is nested too deeply");
      const value = inner();
      depth--;
      return value;
    },
  };
}

/** gqlparser's numbers of the kinds of values. */
export const kinds = {
  variable: 0,
  int: 1,
  float: 2,
  string: 3,
  block: 4,
  boolean: 5,
  null: 6,
  enum: 7,
  list: 8,
  object: 9,
} as const;

export function parseValueLiteral(p: Parser, constant: boolean): Ast {
  return p.nested(() => {
    const { kind, value } = p.peek();
    const comment = p.comment();
    switch (kind) {
      case "[": {
        const items = many(p, "[", "]", () => ast("Child", { Value: parseValueLiteral(p, constant) }));
        return ast("Value", { Children: items, Kind: kinds.list, Comment: comment });
      }
      case "{": {
        const items = many(p, "{", "}", () => parseObjectField(p, constant));
        return ast("Value", { Children: items, Kind: kinds.object, Comment: comment });
      }
      case "$":
        if (constant) unexpected(p.peek());
        return ast("Value", { Raw: parseVariable(p), Kind: kinds.variable });
      case "int":
      case "float":
      case "string":
      case "block":
        p.next();
        return ast("Value", { Raw: value, Kind: kinds[kind] });
      case "name": {
        p.next();
        const word = value === "true" || value === "false" ? "boolean" : value === "null" ? "null" : "enum";
        return ast("Value", { Raw: value, Kind: kinds[word] });
      }
      default:
        return unexpected(p.peek());
    }
  });
}

function many(p: Parser, open: Token["kind"], close: Token["kind"], item: () => Ast): readonly Ast[] {
  const items: Ast[] = [];
  p.expect(open);
  while (p.peek().kind !== close) items.push(item());
  p.next();
  return items;
}

function parseObjectField(p: Parser, constant: boolean): Ast {
  p.peek();
  const comment = p.comment();
  const name = p.name();
  p.expect(":");
  return ast("Child", { Name: name, Value: parseValueLiteral(p, constant), Comment: comment });
}

export function parseVariable(p: Parser): string {
  p.expect("$");
  return p.name();
}

export function parseDirectives(p: Parser, constant: boolean): readonly Ast[] {
  const directives: Ast[] = [];
  while (p.peek().kind === "@") {
    p.expect("@");
    const name = p.name();
    directives.push(ast("Directive", { Name: name, Arguments: parseArguments(p, constant) }));
  }
  return directives;
}

export function parseArguments(p: Parser, constant: boolean): readonly Ast[] {
  return p.some("(", ")", () => {
    p.peek();
    const comment = p.comment();
    const name = p.name();
    p.expect(":");
    return ast("Argument", { Name: name, Value: parseValueLiteral(p, constant), Comment: comment });
  }).items;
}

export function parseType(p: Parser): Ast {
  return p.nested(() => {
    if (!p.skip("[")) return ast("Type", { NamedType: p.name(), NonNull: p.skip("!") });
    const elem = parseType(p);
    p.expect("]");
    return ast("Type", { Elem: elem, NonNull: p.skip("!") });
  });
}
