import { type Compile, type Compiled, ofKind, type Run, type Scope } from "./compiled.js";
import { SourceError } from "./expression-error.js";
import type { Apply, FunctionEntry } from "./function-entry.js";
import { conversions } from "./functions-conversion.js";
import { networkFunctions } from "./functions-network.js";
import { textFunctions } from "./functions-text.js";
import { timeFunctions } from "./functions-time.js";
import type { Node } from "./syntax.js";
import { nearest } from "./vocabulary.js";

const all: readonly FunctionEntry[] = [
  ...conversions,
  ...textFunctions,
  ...timeFunctions,
  ...networkFunctions,
];
const functions: ReadonlyMap<string, FunctionEntry> = new Map(all.map((entry) => [entry.name, entry]));

/** Compiles `f(a, b)` or `a.f(b)`. */
export function compileCall(
  node: Node,
  name: string,
  receiver: Node | undefined,
  args: readonly Node[],
  scope: Scope,
  compile: Compile,
): Compiled {
  const entry = functions.get(name);
  if (entry === undefined) throw unknownFunction(name, node);
  if (entry.form === (receiver === undefined ? "method" : "function")) {
    const form = entry.form === "method" ? `x.${name}(…)` : `${name}(x, …)`;
    throw new SourceError(node.start, `\`${name}\` is written \`${form}\``);
  }
  const nodes = receiver === undefined ? args : [receiver, ...args];
  const { parameters, optional = 0, literals = [], result } = entry;
  if (nodes.length > parameters.length || nodes.length < parameters.length - optional)
    throw new SourceError(
      node.start,
      `\`${name}\` has ${args.length} arguments, expected ${expectedCount(entry, receiver)}`,
    );
  const parts = nodes.map((part) => compile(part, scope));
  for (const at of literals) {
    const part = nodes[at];
    if (part !== undefined && parts[at]?.literal === undefined)
      throw new SourceError(part.start, `\`${name}\` expects a literal here, so that it is decided once`);
  }
  const runs = parts.map((part, at) => ofKind(part, parameters[at] ?? [], nodes[at] ?? node, scope));
  return { type: result, run: applied(bind(entry, node, parts), runs) };
}

function bind({ name, bind }: FunctionEntry, node: Node, parts: readonly Compiled[]): Apply {
  try {
    return bind(parts.map((part) => part.literal));
  } catch (error) {
    throw new SourceError(node.start, `\`${name}\`: ${(error as Error).message}`);
  }
}

function applied(apply: Apply, [a, b, c]: readonly Run[]): Run {
  if (a === undefined) return (frame) => apply(frame, null, null, null);
  if (b === undefined) return (frame) => apply(frame, a(frame), null, null);
  if (c === undefined) return (frame) => apply(frame, a(frame), b(frame), null);
  return (frame) => apply(frame, a(frame), b(frame), c(frame));
}

function expectedCount({ parameters, optional = 0 }: FunctionEntry, receiver: Node | undefined): string {
  const most = parameters.length - (receiver === undefined ? 0 : 1);
  return optional === 0 ? String(most) : `${most - optional} to ${most}`;
}

function unknownFunction(name: string, node: Node): SourceError {
  const near = nearest(name, [...functions.keys(), "has", "all", "exists", "exists_one", "filter", "map"]);
  const hint = near === undefined ? "" : `, did you mean \`${near}\`?`;
  return new SourceError(node.start, `unknown function \`${name}\`${hint}`);
}
