import { stringAt } from "./arguments.js";
import { BuiltinError, type Builtins } from "./builtin.js";
import { readJson, writeJson } from "./json-text.js";
import { LimitError } from "./limit.js";
import { readYaml } from "./yaml-read.js";
import { writeYaml } from "./yaml-write.js";

/** YAML texts (v1/topdown/encoding.go, internal/yaml). */
export const yaml: Builtins = {
  "yaml.marshal": ([value = null]) => writeYaml(readJson(writeJson(value))),
  "yaml.unmarshal": (args) => readYaml(stringAt(args, 0)),
  "yaml.is_valid": ([text]) => typeof text === "string" && isYaml(text),
};

function isYaml(text: string): boolean {
  try {
    readYaml(text);
    return true;
  } catch (error) {
    if (error instanceof BuiltinError && !(error instanceof LimitError)) return false;
    throw error;
  }
}
