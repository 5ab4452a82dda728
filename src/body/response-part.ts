import { Buffer } from "node:buffer";
import { compileCondition } from "./condition.js";
import { type CompiledHeaderRule, compileHeaderRules } from "./header-rules.js";
import type { BodyPolicy, Encodings } from "./policy.js";
import { compileResponseBody, type ResponseBodyFlow } from "./response-flow.js";
import type { BodyNeed, BodyRefusal, ResponseHead } from "./run.js";
import { type MessageInput, responseVocabulary } from "./vocabulary.js";

/** Another body for an error. */
export interface Replacement {
  readonly bytes: Uint8Array;
  readonly contentType: string;
}

/** The response part of a policy, ready to act. */
export interface CompiledResponsePart {
  readonly applies: (input: MessageInput) => boolean;
  readonly headers: readonly CompiledHeaderRule[];
  readonly replacementFor: (code: number) => Replacement | undefined;
  /** How the body is needed where the part applies. */
  readonly need: BodyNeed;
  /** What is done with encoded bodies; undefined: nobody looks at the body. */
  readonly encodings: Encodings | undefined;
  /** A flow, a refusal that the head alone tells, or nothing where there is nothing to do. */
  readonly begin:
    | ((context: {
        readonly input: MessageInput;
        readonly head: ResponseHead;
      }) => ResponseBodyFlow | BodyRefusal | undefined)
    | undefined;
  /** Every attribute that some expression reads. */
  readonly attributes: readonly string[];
}

/** Compiles the response part of a policy that parsed without errors. */
export function compileResponsePart({
  namespace,
  name,
  response,
  hashKey,
}: BodyPolicy): CompiledResponsePart | undefined {
  if (response === undefined) return undefined;
  const { match, headers, replaceErrors, body } = response;
  const matches = compileCondition(match, responseVocabulary, true);
  const headerRules = compileHeaderRules(headers, responseVocabulary);
  const replacements = replaceErrors.map(({ from, to, contentType, body: text }) => {
    return { from, to, replacement: { bytes: new Uint8Array(Buffer.from(text)), contentType } };
  });
  const policy = `${namespace}/${name}`;
  return {
    applies: matches.holds,
    headers: headerRules,
    replacementFor: (code) => replacements.find(({ from, to }) => code >= from && code <= to)?.replacement,
    need: body === undefined ? "none" : body.delivery,
    encodings: body?.limits.encodings,
    begin: body === undefined ? undefined : compileResponseBody(body, { policy, hashKey }),
    attributes: [
      ...matches.attributes,
      ...headerRules.flatMap(({ attributes }) => attributes),
      ...(body?.fields ?? []).flatMap(
        ({ when }) => compileCondition(when, responseVocabulary, true).attributes,
      ),
    ],
  };
}
