import { GatehouseError } from "../diagnostics/index.js";

/** Why there is no answer, beside the time: it may not be asked, it said too much, or the connection failed. */
export type HttpFailureReason = "egress" | "too_large" | "connect";

/** An exchange that failed; its message holds no text of the answer. */
export class HttpFailure extends GatehouseError {
  readonly reason: HttpFailureReason;

  constructor(reason: HttpFailureReason, message: string) {
    super("http", message);
    this.name = "HttpFailure";
    this.reason = reason;
  }
}

/** Why an exchange failed, by the error that it was rejected with. */
export function failureReason(error: unknown): HttpFailureReason | "timeout" {
  if (error instanceof HttpFailure) return error.reason;
  return error instanceof GatehouseError && error.code === "timeout" ? "timeout" : "connect";
}
