export { type Attached, attachmentFields, readAttachment, type TargetRef } from "./attachment.js";
export type { Download, Parsed, Reference, ResourceDocument } from "./document.js";
export { durationMs, durationWithin, parseDurationMs } from "./duration.js";
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
export { parseHttpUrl } from "./http-url.js";
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
export { parseTimeMs } from "./time.js";
