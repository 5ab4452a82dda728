export { WasmError, type WasmErrorCode } from "./error.js";
export { memoryPages } from "./module.js";
export { type PrepareOptions, prepareWasm, type Redirect } from "./prepare.js";
