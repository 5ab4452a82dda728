export { type Code, codes, type Severity } from "./codes.js";
export { type Diagnostic, type Finding, finding, formatDiagnostic, type Path } from "./diagnostic.js";
export type { Parsed, ResourceDocument } from "./document.js";
export { type ErrorCode, GatehouseError } from "./errors.js";
export {
  asFields,
  type Fields,
  nameOf,
  readFields,
  readList,
  readText,
  readTexts,
  show,
  unknownField,
  wrongType,
} from "./fields.js";
export {
  fieldOf,
  type Message,
  messageEnum,
  messageFlag,
  messageList,
  messageText,
  messageTexts,
  pathOf,
  readInteger,
  readMessage,
} from "./message.js";
export { parseWith } from "./schema.js";
