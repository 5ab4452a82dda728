export { checkExpression, compileExpression } from "./compile.js";
export type { Expression, ExpressionInput, ExpressionProblem, ExpressionType } from "./expression.js";
export { ExpressionError } from "./expression-error.js";
export { requestVocabulary } from "./request-vocabulary.js";
export { listOf, mapOf, type Type, types } from "./type.js";
export { type Attribute, createVocabulary, type Vocabulary } from "./vocabulary.js";
