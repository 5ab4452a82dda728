import { compileExpression, type Expression, ExpressionError } from "../expressions/index.js";
import type { DecisionLogSettings } from "./decision-settings.js";
import { type DecisionInput, decisionVocabulary } from "./decision-vocabulary.js";

/** Whose expression had no value for a decision. */
export type RulePlace = "filter" | "drop" | "sample" | "mask";

/** Takes note of an expression that had no value. */
export type RuleFailed = (place: RulePlace) => void;

/** Asks an expression; `otherwise` holds where it has no value. */
export type Asked = (input: DecisionInput) => boolean;

/** An expression over decisions that never throws. */
export function compileRule(
  source: string,
  { place, otherwise, failed }: { place: RulePlace; otherwise: boolean; failed: RuleFailed },
): Asked {
  const expression: Expression<boolean, DecisionInput> = compileExpression(
    source,
    "bool",
    decisionVocabulary,
  );
  return (input) => {
    try {
      return expression.evaluate(input);
    } catch (error) {
      if (!(error instanceof ExpressionError)) throw error;
      failed(place);
      return otherwise;
    }
  };
}

/** Whether a decision is written at all: neither dropped nor left out by sampling. */
export function compileKeep(
  { drop, sample, keepDenied }: Pick<DecisionLogSettings, "drop" | "sample" | "keepDenied">,
  failed: RuleFailed,
): Asked {
  if (drop.length === 0 && sample.length === 0) return () => true;
  const drops = drop.map((source) => compileRule(source, { place: "drop", otherwise: false, failed }));
  const samples = sample.map(({ match, percent }) => ({
    matches:
      match === undefined ? () => true : compileRule(match, { place: "sample", otherwise: false, failed }),
    percent,
  }));
  return (input) => {
    const { decision } = input;
    if (keepDenied && !decision.allowed) return true;
    if (drops.some((drops) => drops(input))) return false;
    const rule = samples.find(({ matches }) => matches(input));
    return rule === undefined || shareOf(decision.decisionId) < rule.percent;
  };
}

/**
 * Where a decision stands between 0 and 100: the same in every process and at every sink, so that those who sample it
 * agree. FNV-1a of its id, which is random and nothing that a client chooses.
 */
export function shareOf(decisionId: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < decisionId.length; i += 1) {
    hash = Math.imul(hash ^ decisionId.charCodeAt(i), 0x01000193);
  }
  // The last bytes would otherwise hardly reach the highest bits.
  hash = Math.imul(hash ^ (hash >>> 15), 0x2c1b3c6d);
  hash ^= hash >>> 13;
  return ((hash >>> 0) / 2 ** 32) * 100;
}
