export {
  type BodyDecoder,
  createBodyDecoder,
  DecodeError,
  type DecodeFault,
  readEncodings,
} from "./decode-body.js";
export { type CompiledDetectors, compileDetectors, type HoldingScanner } from "./detectors.js";
export { createEventsRedactor } from "./events.js";
export { formatPath, type PathResult, parsePath } from "./json-path.js";
export { compileJson, type JsonOptions, type JsonPlan, type Scanners } from "./json-plan.js";
export { createJsonRedactor } from "./json-transform.js";
export { createLinesRedactor } from "./ndjson.js";
export { compileNumberReader, type Framing, type NumberReader } from "./number-reader.js";
export { checkPattern } from "./pattern.js";
export type { JsonRedactor, Redactor } from "./redactor.js";
export {
  type DetectorName,
  type DetectorRule,
  detectorNames,
  type FieldAction,
  type FieldRule,
  type PathStep,
} from "./rules.js";
export {
  type BodyTransform,
  type Findings,
  RedactionError,
  type RedactionFault,
  type TextScanner,
} from "./transform.js";
