import { compileCondition } from "./condition.js";
import type { BodyPolicy, UsageRule } from "./policy.js";
import { type CompiledRequestPart, compileRequestPart } from "./request-part.js";
import { type CompiledResponsePart, compileResponsePart } from "./response-part.js";
import { headVocabulary, type MessageInput } from "./vocabulary.js";

/** A BodyPolicy ready to act. */
export interface CompiledBodyPolicy {
  /** `NAMESPACE/NAME`. */
  readonly name: string;
  readonly obligationOnly: boolean;
  readonly dryRun: boolean;
  /** What cannot be evaluated applies. */
  readonly matches: (input: MessageInput) => boolean;
  readonly request: CompiledRequestPart | undefined;
  readonly response: CompiledResponsePart | undefined;
  readonly usage: UsageRule | undefined;
  /** Some expression, or a RegoPolicy, reads the verified token. */
  readonly readsIdentity: boolean;
}

/** Compiles a policy that parsed and was completed without errors. */
export function compileBodyPolicy(policy: BodyPolicy): CompiledBodyPolicy {
  const matches = compileCondition(policy.match, headVocabulary, true);
  const request = policy.request === undefined ? undefined : compileRequestPart(policy.request);
  const response = compileResponsePart(policy);
  const attributes = [...matches.attributes, ...(request?.attributes ?? []), ...(response?.attributes ?? [])];
  return {
    name: `${policy.namespace}/${policy.name}`,
    obligationOnly: policy.obligationOnly,
    dryRun: policy.dryRun,
    matches: matches.holds,
    request,
    response,
    usage: policy.usage,
    readsIdentity:
      request?.asksRego === true || attributes.some((attribute) => attribute.startsWith("request.auth")),
  };
}

/**
 * Names of RegoPolicies that a policy asks, with the place of each: whether they are there only all
 * documents together tell.
 */
export function regoPoliciesOf({ request }: BodyPolicy): readonly {
  readonly policy: string;
  readonly path: readonly (string | number)[];
}[] {
  return (request?.body?.rules ?? []).flatMap((rule, i) =>
    rule.kind === "rego"
      ? [{ policy: rule.policy, path: ["spec", "request", "body", "rules", i, "rego"] }]
      : [],
  );
}
