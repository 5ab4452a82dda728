export { type Code, codes, type Severity } from "./codes.js";
export {
  type Diagnostic,
  type Finding,
  fileDiagnostic,
  finding,
  formatDiagnostic,
  type Path,
} from "./diagnostic.js";
export { GatehouseError } from "./errors.js";
export { show } from "./show.js";
