export { splitData } from "./data.js";
export { createEvaluator, type Evaluator, type EvaluatorOptions, type EvaluatorPorts } from "./evaluator.js";
export { missingBuiltins, replacedNatives } from "./natives.js";
export type { EvaluationOutcome, FailureReason } from "./outcome.js";
export { toProgram } from "./to-program.js";
