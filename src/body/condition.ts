import { toBytes } from "../attributes/index.js";
import { compileExpression, type Vocabulary } from "../expressions/index.js";
import type { MessageInput } from "./vocabulary.js";

/** What a condition says: `unknown` where the expression has no value, an absent claim for example. */
export type Answer = boolean | "unknown";

/** A condition as it is asked. Neither throws nor waits. */
export type Condition = (input: MessageInput) => Answer;

const always: Condition = () => true;

/** A condition of a policy that parsed without errors; undefined holds always. Compiled once, at load. */
export function compileAnswer(
  source: string | undefined,
  vocabulary: Vocabulary<MessageInput>,
): { readonly ask: Condition; readonly attributes: readonly string[] } {
  if (source === undefined) return { ask: always, attributes: [] };
  const { evaluate, attributes } = compileExpression(source, "bool", vocabulary);
  const ask: Condition = (input) => {
    try {
      return evaluate(input);
    } catch {
      return "unknown";
    }
  };
  return { ask, attributes };
}

/** The same with what holds where nobody knows. */
export function compileCondition(
  source: string | undefined,
  vocabulary: Vocabulary<MessageInput>,
  whenUnknown: boolean,
): { readonly holds: (input: MessageInput) => boolean; readonly attributes: readonly string[] } {
  const { ask, attributes } = compileAnswer(source, vocabulary);
  const holds = (input: MessageInput): boolean => {
    const answer = ask(input);
    return answer === "unknown" ? whenUnknown : answer;
  };
  return { holds, attributes };
}

/** An expression that gives a text or JSON; undefined where it has no value. Compiled once, at load. */
export function compileValue(
  source: string,
  type: "scalar" | "json",
  vocabulary: Vocabulary<MessageInput>,
): {
  readonly ask: (input: MessageInput) => string | undefined;
  readonly attributes: readonly string[];
} {
  const { evaluate, attributes } = compileExpression(source, type, vocabulary);
  const ask = (input: MessageInput): string | undefined => {
    try {
      const value = evaluate(input);
      return type === "scalar" ? toBytes(value) : value;
    } catch {
      return undefined;
    }
  };
  return { ask, attributes };
}
