import { compileJsonSchema } from "../builtins/index.js";
import { compileDescriptors, type Descriptors } from "../content/index.js";
import type { PathStep } from "../redaction/index.js";
import { type Answer, compileAnswer, compileCondition, compileValue } from "./condition.js";
import { compileContentTypes } from "./content-types.js";
import { type CompiledHeaderRule, compileHeaderRules } from "./header-rules.js";
import type { JsonChange } from "./json-rewrite.js";
import { maxMessageDepth } from "./parse-body-policy.js";
import { defaultJson } from "./parse-limits.js";
import type { BodyLimits, BodyRule, JsonLimits, Refusal, RequestPart } from "./policy.js";
import { type MessageInput, requestBodyVocabulary } from "./vocabulary.js";

/** A rule over a request's body, ready to be asked. */
export type CompiledBodyRule = {
  /** `rules[1]`. */
  readonly name: string;
  /** Has no say over a request without a body. */
  readonly readsBody: boolean;
} & (
  | { readonly kind: "deny"; readonly ask: (input: MessageInput) => Answer; readonly refusal: Refusal }
  | {
      readonly kind: "change";
      readonly path: readonly PathStep[];
      readonly applies: (input: MessageInput) => boolean;
      /** Undefined: what is to be put has no value, so the request is refused. */
      readonly changeFor: (input: MessageInput) => JsonChange | undefined;
    }
  | { readonly kind: "rego"; readonly policy: string }
);

/** The body part of a request, ready to act. */
export interface CompiledRequestBody {
  readonly limits: BodyLimits & { readonly maxBytes: number };
  readonly takes: (type: string) => boolean;
  readonly json: JsonLimits;
  /** `json` is written: what is taken has to be JSON. */
  readonly isJsonWanted: boolean;
  readonly hasForm: ((document: string) => boolean) | undefined;
  readonly descriptors: Descriptors | undefined;
  readonly rules: readonly CompiledBodyRule[];
  /** Somebody reads the content, so that it is parsed. */
  readonly isParsed: boolean;
}

/** The request part of a policy, ready to act. */
export interface CompiledRequestPart {
  readonly headers: readonly CompiledHeaderRule[];
  readonly body: CompiledRequestBody | undefined;
  /** Every attribute that some expression reads. */
  readonly attributes: readonly string[];
  readonly asksRego: boolean;
}

/** Compiles the request part of a policy that parsed without errors. */
export function compileRequestPart({ headers, body }: RequestPart): CompiledRequestPart {
  const headerRules = compileHeaderRules(headers, requestBodyVocabulary);
  const fromHeaders = headerRules.flatMap(({ attributes }) => attributes);
  if (body === undefined) {
    return { headers: headerRules, body: undefined, attributes: fromHeaders, asksRego: false };
  }
  const compiled = body.rules.map(compileRule);
  const { limits, json, protoDescriptor } = body;
  const attributes = [...fromHeaders, ...compiled.flatMap((rule) => rule.attributes)];
  const rules = compiled.map(({ rule }) => rule);
  return {
    headers: headerRules,
    attributes,
    asksRego: rules.some(({ kind }) => kind === "rego"),
    body: {
      limits: { ...limits, maxBytes: limits.maxBytes ?? 0 },
      takes: compileContentTypes(limits.contentTypes),
      json: json ?? defaultJson,
      isJsonWanted: json !== undefined,
      hasForm: json?.schema === undefined ? undefined : compileJsonSchema(json.schema),
      descriptors:
        protoDescriptor === undefined ? undefined : compileDescriptors(protoDescriptor, maxMessageDepth),
      rules,
      isParsed:
        json !== undefined ||
        attributes.includes("request.body") ||
        rules.some(({ kind }) => kind === "change"),
    },
  };
}

interface Compiled {
  readonly rule: CompiledBodyRule;
  readonly attributes: readonly string[];
}

function compileRule(rule: BodyRule, i: number): Compiled {
  const name = `rules[${i}]`;
  const vocabulary = requestBodyVocabulary;
  switch (rule.kind) {
    case "deny": {
      const { ask, attributes } = compileAnswer(rule.when, vocabulary);
      const readsBody = attributes.includes("request.body");
      return { rule: { kind: "deny", name, readsBody, ask, refusal: rule.refusal }, attributes };
    }
    case "set": {
      const when = compileCondition(rule.when, vocabulary, true);
      const value = compileValue(rule.value, "json", vocabulary);
      const changeFor = (input: MessageInput): JsonChange | undefined => {
        const text = value.ask(input);
        return text === undefined ? undefined : { kind: "set", value: text };
      };
      const attributes = [...when.attributes, ...value.attributes];
      const { path } = rule;
      return {
        rule: { kind: "change", name, readsBody: true, path, applies: when.holds, changeFor },
        attributes,
      };
    }
    case "remove": {
      const when = compileCondition(rule.when, vocabulary, true);
      const change: JsonChange = { kind: "remove" };
      const { path } = rule;
      return {
        rule: {
          kind: "change",
          name,
          readsBody: true,
          path,
          applies: when.holds,
          changeFor: () => change,
        },
        attributes: when.attributes,
      };
    }
    case "rego":
      return { rule: { kind: "rego", name, readsBody: false, policy: rule.policy }, attributes: [] };
  }
}
