import { breaksLine } from "../attributes/index.js";
import type { Vocabulary } from "../expressions/index.js";
import { compileCondition, compileValue } from "./condition.js";
import type { HeaderLines } from "./header-lines.js";
import type { HeaderRule } from "./policy.js";
import type { MessageInput } from "./vocabulary.js";

/** A header rule ready to act. */
export interface CompiledHeaderRule {
  /** `headers[2]`. */
  readonly name: string;
  /** Reads the body, so that it acts when the body is there. */
  readonly isLate: boolean;
  readonly attributes: readonly string[];
  /** Whether it changed something. `input` sees the headers as the rules before left them. Never throws. */
  readonly act: (input: MessageInput, headers: HeaderLines) => boolean;
}

/**
 * Rules of a policy that parsed without errors, in their order. What cannot be evaluated falls to the safe
 * side: a `when` without a value lets the rule act, and a `set` whose value is none, or could not stand in a
 * header, removes the header, so that nothing that the client wrote passes for ours; an `append` then
 * appends nothing.
 */
export function compileHeaderRules(
  rules: readonly HeaderRule[],
  vocabulary: Vocabulary<MessageInput>,
): readonly CompiledHeaderRule[] {
  return rules.map((rule, i) => compileHeaderRule(rule, `headers[${i}]`, vocabulary));
}

function compileHeaderRule(
  { operation, name, value, when }: HeaderRule,
  ruleName: string,
  vocabulary: Vocabulary<MessageInput>,
): CompiledHeaderRule {
  const applies = compileCondition(when, vocabulary, true);
  const given = value === undefined ? undefined : compileValue(value, "scalar", vocabulary);
  const attributes = [...applies.attributes, ...(given?.attributes ?? [])];
  return {
    name: ruleName,
    isLate: attributes.includes("request.body"),
    attributes,
    act: (input, headers) => {
      if (!applies.holds(input)) return false;
      const text = given?.ask(input);
      const isUsable = text !== undefined && !breaksLine(text);
      if (operation !== "append") {
        return isUsable && operation === "set" ? headers.set(name, text) : headers.remove(name);
      }
      if (isUsable) headers.append(name, text);
      return isUsable;
    },
  };
}
