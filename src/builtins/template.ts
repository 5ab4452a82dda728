import { objectAt, stringAt } from "./arguments.js";
import { BuiltinError, type Builtins } from "./builtin.js";
import { LimitError } from "./limit.js";
import { templateFunction } from "./template-functions.js";
import { type Node, type Operand, type Pipeline, parseTemplate } from "./template-parse.js";
import { type Item, isList, isMap, isTrue, itemsOf, itemText } from "./template-value.js";

/**
 * `strings.render_template` (v1/topdown/template.go): Go's text/template without templates inside of
 * templates (`define`, `template`, `block`) and without the functions `js` and `call`.
 */
export const template: Builtins = {
  "strings.render_template": (args) => render(stringAt(args, 0), itemsOf(objectAt(args, 1))),
};

/** Parts and commands that are run; loops go around no longer. */
const maxSteps = 100_000;

/** Characters of a result. */
const maxLength = 1 << 20;

interface Run {
  readonly output: string[];
  length: number;
  steps: number;
  /** Variables, the innermost last. */
  readonly variables: { readonly name: string; value: Item }[];
}

function render(text: string, variables: Item): string {
  const nodes = parseTemplate(text);
  const run: Run = { output: [], length: 0, steps: 0, variables: [{ name: "$", value: variables }] };
  walkAll(run, nodes, variables);
  return run.output.join("").replaceAll("<no value>", "<undefined>");
}

/** How a list of nodes ended. */
type Flow = "break" | "continue" | undefined;

function walkAll(run: Run, nodes: readonly Node[], dot: Item): Flow {
  for (const node of nodes) {
    const flow = walk(run, node, dot);
    if (flow !== undefined) return flow;
  }
  return undefined;
}

function walk(run: Run, node: Node, dot: Item): Flow {
  step(run);
  switch (node.kind) {
    case "text":
      write(run, node.text);
      return undefined;
    case "print": {
      const value = evaluate(run, node.pipeline, dot);
      if (node.pipeline.variables.length === 0) {
        write(run, value === undefined || value === null ? "<no value>" : itemText(value));
      }
      return undefined;
    }
    case "break":
    case "continue":
      return node.kind;
    default: {
      const depth = run.variables.length;
      const flow = node.kind === "range" ? loop(run, node, dot) : branch(run, node, dot);
      run.variables.length = depth;
      return flow;
    }
  }
}

function step(run: Run): void {
  if (++run.steps > maxSteps) throw new LimitError("template takes too long");
}

/** A step for so many characters that a function reads or writes. */
function weigh(run: Run, item: Item): void {
  if (typeof item === "string") run.steps += Math.floor(item.length / 64);
}

function write(run: Run, text: string): void {
  run.length += text.length;
  if (run.length > maxLength) throw new LimitError(`text of more than ${maxLength} characters`);
  run.output.push(text);
}

type Block = Node & { readonly pipeline: Pipeline; readonly body: readonly Node[] };

function branch(run: Run, node: Block & { readonly otherwise: readonly Node[] }, dot: Item): Flow {
  const value = evaluate(run, node.pipeline, dot);
  if (!isTrue(value)) return walkAll(run, node.otherwise, dot);
  return walkAll(run, node.body, node.kind === "with" ? value : dot);
}

function loop(run: Run, node: Block & { readonly otherwise: readonly Node[] }, dot: Item): Flow {
  const { variables, assigns } = node.pipeline;
  const declared = run.variables.length;
  const value = evaluate(run, node.pipeline, dot);
  const depth = run.variables.length;
  let isEmpty = true;
  for (const [key, item] of entriesOf(value, variables.length)) {
    isEmpty = false;
    step(run);
    const values = variables.length > 1 ? [key, item] : [item];
    for (const [i, name] of variables.entries())
      setVariable(run, name, values[i], assigns ? undefined : declared + i);
    const flow = walkAll(run, node.body, item);
    run.variables.length = depth;
    if (flow === "break") break;
  }
  return isEmpty ? walkAll(run, node.otherwise, dot) : undefined;
}

function* entriesOf(value: Item, variables: number): Generator<readonly [Item, Item]> {
  if (typeof value === "bigint") {
    if (variables > 1) throw new BuiltinError("an integer gives no pairs");
    for (let i = 0n; i < value; i++) yield [undefined, i];
  } else if (isList(value)) {
    for (const [i, item] of value.entries()) yield [BigInt(i), item];
  } else if (isMap(value)) {
    yield* value;
  } else if (value !== undefined && value !== null) {
    throw new BuiltinError("range over what is no list");
  }
}

function setVariable(run: Run, name: string, value: Item, at?: number): void {
  const variable = at === undefined ? variableOf(run, name) : run.variables[at];
  if (variable !== undefined) variable.value = value;
}

function variableOf(run: Run, name: string): { value: Item } {
  const variable = run.variables.findLast((it) => it.name === name);
  if (variable === undefined) throw new BuiltinError(`undefined variable ${name}`);
  return variable;
}

/** The value of a pipeline, which its variables get too. */
function evaluate(run: Run, { commands, variables, assigns }: Pipeline, dot: Item): Item {
  let value: Item;
  for (const [i, operands] of commands.entries()) {
    value = runCommand(run, operands, dot, i > 0 ? [value] : []);
  }
  // Go takes the null out of its interface here, after which it is a value that there is not.
  if (value === null) value = undefined;
  for (const name of variables) {
    if (assigns) setVariable(run, name, value);
    else run.variables.push({ name, value });
  }
  return value;
}

function runCommand(run: Run, operands: readonly Operand[], dot: Item, piped: readonly Item[]): Item {
  step(run);
  const [first, ...rest] = operands;
  if (first === undefined) return undefined;
  if (first.base.kind === "function") return call(run, first.base.name, rest, dot, piped);
  if (first.base.kind === "nil" || rest.length > 0 || piped.length > 0)
    throw new BuiltinError("argument for what is no function");
  return valueOfOperand(run, first, dot);
}

function call(run: Run, name: string, operands: readonly Operand[], dot: Item, piped: readonly Item[]): Item {
  if (name === "and" || name === "or") return shortCircuit(run, name, operands, dot, piped);
  const args = [...operands.map((operand) => valueOfOperand(run, operand, dot)), ...piped];
  for (const arg of args) weigh(run, arg);
  const found = templateFunction(name);
  if (found === undefined) throw new BuiltinError(`function ${name} not defined`);
  const result = found(args);
  weigh(run, result);
  return result;
}

/** The first argument that decides; the others are not evaluated. */
function shortCircuit(
  run: Run,
  name: "and" | "or",
  operands: readonly Operand[],
  dot: Item,
  piped: readonly Item[],
): Item {
  if (operands.length + piped.length === 0) throw new BuiltinError(`wrong number of args for ${name}`);
  let value: Item;
  for (const operand of operands) {
    value = valueOfOperand(run, operand, dot);
    if (isTrue(value) === (name === "or")) return value;
  }
  return piped.length > 0 ? piped[0] : value;
}

function valueOfOperand(run: Run, { base, fields }: Operand, dot: Item): Item {
  return fields.reduce(fieldOf, baseOf(run, base, dot));
}

function baseOf(run: Run, base: Operand["base"], dot: Item): Item {
  switch (base.kind) {
    case "dot":
      return dot;
    case "nil":
      return null;
    case "constant":
    case "int":
    case "float":
      return base.value;
    case "variable":
      return variableOf(run, base.name).value;
    case "function":
      return call(run, base.name, [], dot, []);
    case "pipeline":
      return evaluate(run, base.pipeline, dot);
  }
}

/** What is missing has no fields either; null and all other values have none to ask for. */
function fieldOf(item: Item, name: string): Item {
  if (item === undefined) return undefined;
  if (isMap(item)) return item.get(name);
  throw new BuiltinError(`can't evaluate field ${name}`);
}
