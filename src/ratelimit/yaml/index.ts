export { YamlError } from "./cursor.js";
export { type MappingNode, type Place, parseFirstDocument, type ScalarNode, type YamlNode } from "./nodes.js";
export { isMergeKey, isPlainNull, type Resolved, resolveScalar } from "./resolve.js";
