export { addressText } from "./address-text.js";
export { checkExpression, compileExpression } from "./compile.js";
export type { Expression, ExpressionInput, ExpressionProblem, ExpressionType } from "./expression.js";
export { ExpressionError } from "./expression-error.js";
export { requestVocabulary } from "./request-vocabulary.js";
export { textOf } from "./text.js";
export { listOf, mapOf, type Type, types } from "./type.js";
export { type MapOperations, mapView, type Value } from "./value.js";
export { type Attribute, createVocabulary, type Vocabulary } from "./vocabulary.js";
