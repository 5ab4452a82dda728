/** Why a module cannot be made safe to run. */
export type WasmErrorCode =
  /** Not a wasm binary, or one that is cut off or contradicts itself. */
  | "malformed"
  /** A valid binary with something that the pass does not know, so that it could not meter it. */
  | "unsupported"
  /** Not what OPA's compiler makes: functions have no names, or those that must be there are not. */
  | "not-opa";

/** A module that is refused. */
export class WasmError extends Error {
  readonly code: WasmErrorCode;

  constructor(code: WasmErrorCode, message: string) {
    super(message);
    this.name = "WasmError";
    this.code = code;
  }
}
