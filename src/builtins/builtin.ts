import type { Value } from "./value.js";

/**
 * What one evaluation of a policy has in common: a builtin called twice in it gives the same answer twice. Made anew
 * for each evaluation.
 */
export interface Evaluation {
  /** Nanoseconds since the epoch, read once. */
  readonly nowNs: bigint;
  /** Uniform in [0, 1), fresh at each call; builtins remember what they made of it in `memory`. */
  readonly random: () => number;
  /** So many bytes of randomness, fresh at each call. */
  readonly randomBytes: (count: number) => Uint8Array;
  /** What `opa.runtime().env` shows. */
  readonly environment: ReadonlyMap<string, string>;
  /** What builtins remember until the evaluation's end, by keys of their own. */
  readonly memory: Map<string, Value>;
}

/**
 * A builtin function of Rego, implemented outside of the wasm module. Synchronous; gives undefined, or throws a
 * {@link BuiltinError}, where OPA's reports an error: the expression is undefined then. Never waits, and takes no
 * more than a few milliseconds whatever its arguments are. It gets as many arguments as it is declared with in OPA.
 */
export type Builtin = (args: readonly Value[], evaluation: Evaluation) => Value | undefined;

/** Builtins by OPA's name, `io.jwt.decode`. */
export type Builtins = Readonly<Record<string, Builtin>>;

/** A call that OPA reports as an error; makes the expression undefined, and never ends an evaluation. */
export class BuiltinError extends Error {
  constructor(message: string) {
    super(message);
    this.name = "BuiltinError";
  }
}
