/**
 * A compiled policy as it is stored and sent to the processes that evaluate it: plain data. Made off the serving
 * thread; see {@link createEvaluator} for what runs it.
 */
export interface Program {
  /** Names the content of `wasm`. */
  readonly hash: string;
  /** Prepared (metered, deviating natives replaced): not what OPA's compiler made, but what is instantiated. */
  readonly wasm: Uint8Array;
  /** Which of the module's entrypoints answers. */
  readonly entrypoint: number;
  /** Names of the host's builtins that the module calls. */
  readonly builtins: readonly string[];
}

/** A base document in pieces that are parsed one at a time, so that a large one does not hold up requests. */
export interface DataPiece {
  /** Keys that lead to it; empty: the whole document. Pieces come in order, a later one goes into an earlier. */
  readonly path: readonly string[];
  /** JSON. */
  readonly json: string;
}

/** What an evaluation is bounded by. */
export interface EvaluationLimits {
  /** Milliseconds of the serving thread. */
  readonly timeoutMs: number;
  /** Bytes of wasm memory, data included. */
  readonly memoryBytes: number;
}
