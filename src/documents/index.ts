export type { Parsed, ResourceDocument } from "./document.js";
export {
  asFields,
  type Fields,
  nameOf,
  readFields,
  readList,
  readText,
  readTexts,
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
export { readSelector, type Selector } from "./selector.js";
