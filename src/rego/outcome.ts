import type { Value } from "../builtins/index.js";

/** Why an evaluation has no answer. */
export type FailureReason =
  /** Its time is over. */
  | "timeout"
  /** Its memory is full. */
  | "memory"
  /** Two rules gave different values for one thing, as OPA's `eval_conflict_error`. */
  | "conflict"
  /** OPA's runtime or a builtin gave up, or ran out of stack. */
  | "abort"
  /** The host's fault. */
  | "internal";

/** What an evaluation gives. */
export type EvaluationOutcome =
  | { readonly kind: "value"; readonly value: Value }
  | { readonly kind: "undefined" }
  | { readonly kind: "failed"; readonly reason: FailureReason; readonly message: string };

/** Thrown through the module to end an evaluation. */
export class EvaluationStop extends Error {
  readonly reason: FailureReason;

  constructor(reason: FailureReason, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "EvaluationStop";
    this.reason = reason;
  }
}

/** What `opa_abort` was told, as a reason. */
export function stopOfAbort(message: string): EvaluationStop {
  if (message === "opa_malloc: failed") return new EvaluationStop("memory", "the policy's memory is full");
  const conflict = /: (?:var assignment|object insert) conflict$/.test(message);
  return new EvaluationStop(conflict ? "conflict" : "abort", message);
}
