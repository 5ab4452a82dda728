export { type Builtin, BuiltinError, type Builtins, type Evaluation } from "./builtin.js";
export { bytesOf, textOf } from "./bytes.js";
export { compileJsonSchema } from "./json-schema.js";
export { LimitError } from "./limit.js";
export { type ExactNumber, numberOf, numberText } from "./number.js";
export { builtins } from "./pack.js";
export { jsonText, parseValue, valueText } from "./text.js";
export {
  isArray,
  isNumber,
  isObject,
  isSet,
  objectOf,
  type RegoObject,
  type RegoSet,
  setOf,
  typeOf,
  type Value,
} from "./value.js";
export { readYaml } from "./yaml-read.js";
