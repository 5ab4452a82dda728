import { booleanAt, objectAt, stringAt } from "./arguments.js";
import { BuiltinError, type Builtins } from "./builtin.js";
import { isJson, readJson, writeJson } from "./json-text.js";
import { LimitError } from "./limit.js";
import type { Value } from "./value.js";

/** JSON texts (v1/topdown/encoding.go). */
export const json: Builtins = {
  "json.marshal": ([value = null]) => writeJson(value),
  "json.marshal_with_options": (args) => marshalWithOptions(args),
  "json.unmarshal": (args) => readJson(stringAt(args, 0)),
  "json.is_valid": ([text]) => typeof text === "string" && isJson(text),
};

/** A marshalled text that grows by its layout beyond this is an attack: each level of nesting repeats the indent. */
const maxLayoutUnits = 16_000_000;

function marshalWithOptions(args: readonly Value[]): string {
  let [prefix, indent] = ["", "\t"];
  let pretty: boolean | undefined;
  let implied = false;
  for (const [key, value] of objectAt(args, 1)) {
    if (key === "pretty") pretty = booleanAt([value], 0);
    else if (key === "prefix") prefix = stringAt([value], 0);
    else if (key === "indent") indent = stringAt([value], 0);
    else throw new BuiltinError(`operand 2 object contained unknown key ${writeJson(key)}`);
    implied ||= key !== "pretty";
  }
  const [value = null] = args;
  const compact = writeJson(value);
  if (!(pretty ?? implied)) return compact;
  if ((prefix.length + indent.length) * layoutLines(compact) > maxLayoutUnits) {
    throw new LimitError("indented text is too long");
  }
  return prefix + writeJson(value, { prefix, indent });
}

/** An upper bound of how often prefix or indent are written for a JSON text. */
function layoutLines(text: string): number {
  let [depth, lines] = [0, 1];
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code === 0x7b || code === 0x5b) lines += ++depth + 1;
    else if (code === 0x7d || code === 0x5d) lines += depth-- + 1;
    else if (code === 0x2c) lines += depth + 1;
  }
  return lines;
}
