export { type Code, codes, type Severity } from "./codes.js";
export {
  type Diagnostic,
  type Finding,
  fileDiagnostic,
  finding,
  formatDiagnostic,
  hasErrors,
  type Path,
  type TextPlace,
} from "./diagnostic.js";
export { GatehouseError } from "./errors.js";
export { show, showMisplaced, showNamed } from "./show.js";
