/** Codes of errors: things that should not happen, for the operator. */
export type ErrorCode =
  | "bad_address"
  | "bad_flag"
  | "bad_request"
  | "listen"
  | "tls"
  | "worker"
  | "timeout"
  | "provider"
  | "source"
  | "http"
  | "store"
  | "sink";

/** The one base of all errors that we throw; `cause` says what lies below. */
export class GatehouseError extends Error {
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "GatehouseError";
    this.code = code;
  }
}
