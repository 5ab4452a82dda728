import { compileHas, compileIndex, compileMap, compileName } from "./access.js";
import { compileCall } from "./call.js";
import { type Compiled, literalOf, type Scope } from "./compiled.js";
import { compileComprehension, comprehensions } from "./comprehension.js";
import { SourceError } from "./expression-error.js";
import { compileLogic, compileNot, compileTernary } from "./logic.js";
import { compileBinary, compileList, compileMinus, wholeLiteral } from "./operators.js";
import { maxDepth, type Node } from "./syntax.js";
import { types } from "./type.js";

/** Compiles a part of an expression to a closure, with its type. Throws SourceError. */
export function compileNode(node: Node, outer: Scope): Compiled {
  if (outer.depth >= maxDepth) throw new SourceError(node.start, "is nested too deeply");
  const scope: Scope = { ...outer, depth: outer.depth + 1 };
  switch (node.op) {
    case "value":
      return compileLiteral(node);
    case "id":
    case ".":
      return compileName(node, scope, compileNode);
    case "[]":
      return compileIndex(node, scope, compileNode);
    case "list":
      return compileList(node, scope, compileNode);
    case "map":
      return compileMap(node, scope, compileNode);
    case "&&":
    case "||":
      return compileLogic(node, scope, compileNode);
    case "!_":
      return compileNot(node, scope, compileNode);
    case "-_":
      return compileMinus(node, scope, compileNode);
    case "?:":
      return compileTernary(node, scope, compileNode);
    case "call": {
      const [name, args] = node.args;
      if (name === "has") return compileHas(node, args, scope, compileNode);
      return compileCall(node, name, undefined, args, scope, compileNode);
    }
    case "rcall": {
      const [name, receiver, args] = node.args;
      if (comprehensions.has(name)) return compileComprehension(node, scope, compileNode);
      return compileCall(node, name, receiver, args, scope, compileNode);
    }
    case ".?":
    case "[?]":
      throw new SourceError(node.start, "optional access is not supported, expected `has(…) ? … : …`");
    default:
      return compileBinary(node, scope, compileNode);
  }
}

function compileLiteral(node: Extract<Node, { readonly op: "value" }>): Compiled {
  const value = node.args;
  switch (typeof value) {
    case "string":
      return literalOf(types.string, value);
    case "boolean":
      return literalOf(types.bool, value);
    case "number":
      return literalOf(types.double, value);
    case "bigint":
      return wholeLiteral(value, node);
    default:
      if (value === null) return literalOf(types.null, null);
      throw new SourceError(node.start, "unsigned integers and bytes are not supported");
  }
}
