import { Buffer } from "node:buffer";
import { type Decision, noEdits } from "../../engine/index.js";
import type { CheckResponse } from "../../proto/index.js";
import { toCheckResponse } from "./response.js";

/** An encoded answer in which only the decision's id is still to be written. */
interface Template {
  /** Whose answer it is, with a placeholder as its id. */
  readonly decision: Decision;
  readonly bytes: Uint8Array;
  /** Where the id stands. */
  readonly at: number;
}

/** By what says most of an answer, and then by what the AUDIT filter said. */
type Templates = Map<unknown, (Template | undefined)[]>;

/** Distinct answers remembered: some for each rule that decides. */
const maxTemplates = 10_000;
/** For each identity, of which there are many: a caller mostly does the same things. */
const maxIdentityTemplates = 8;

/**
 * Encodes decisions. Most answers of one rule differ in the decision's id only, so their bytes are made once
 * (measured: a fifth of a Check's CPU time was the encoding of the record). Ids are ASCII.
 */
export function createResponseEncoder(
  encode: (response: CheckResponse) => Uint8Array,
): (decision: Decision) => Uint8Array {
  const anonymous: Templates = new Map();
  /** By the identity, which is the same object as long as its token is remembered. */
  const identified = new WeakMap<object, Templates>();

  function templatesOf({ authn }: Decision): Templates {
    if (authn === undefined) return anonymous;
    let templates = identified.get(authn);
    if (templates === undefined) {
      templates = new Map();
      identified.set(authn, templates);
    }
    return templates;
  }

  function templateOf(decision: Decision): Template | undefined {
    const templates = templatesOf(decision);
    const key = decision.rule ?? decision.reason;
    const audit = decision.audit === undefined ? 0 : decision.audit ? 1 : 2;
    let known = templates.get(key);
    if (known === undefined) {
      const max = templates === anonymous ? maxTemplates : maxIdentityTemplates;
      if (templates.size >= max) templates.clear();
      known = [undefined, undefined, undefined];
      templates.set(key, known);
    }
    const template = known[audit];
    if (template !== undefined && isSame(template.decision, decision)) return template;
    known[audit] = makeTemplate(decision);
    return known[audit];
  }

  function makeTemplate(decision: Decision): Template | undefined {
    const decisionId = "\x01".repeat(decision.decisionId.length);
    // A template outlives its request, so it must not keep the request's headers and body.
    const sample = { ...decision, decisionId, attributes: undefined };
    const bytes = encode(toCheckResponse(sample));
    const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
    const at = buffer.indexOf(decisionId);
    // A claim in a header may look like it: then nobody can tell which is which.
    const isPlace = at >= 0 && buffer.indexOf(decisionId, at + 1) < 0;
    return isPlace ? { decision: sample, bytes, at } : undefined;
  }

  return (decision) => {
    const template = isPlain(decision) ? templateOf(decision) : undefined;
    if (template === undefined) return encode(toCheckResponse(decision));
    const bytes = Buffer.allocUnsafe(template.bytes.length);
    bytes.set(template.bytes);
    bytes.write(decision.decisionId, template.at, "latin1");
    return bytes;
  };
}

/** Nothing in the answer comes from a provider, or from the request but by a remembered token. */
function isPlain({ edits, metadata, dryRun, stage, authn }: Decision): boolean {
  if (metadata !== undefined || dryRun.length > 0 || stage === "custom") return false;
  if (edits !== noEdits && edits.isLasting !== true) return false;
  return authn === undefined || (authn.method === "jwt" && authn.refused.length === 0);
}

/** All that such an answer shows is the same, but for the id, whose length is. */
function isSame(one: Decision, other: Decision): boolean {
  return (
    one.generation === other.generation &&
    one.allowed === other.allowed &&
    one.code === other.code &&
    one.httpStatus === other.httpStatus &&
    one.stage === other.stage &&
    one.reason === other.reason &&
    one.rule === other.rule &&
    one.body === other.body &&
    one.audit === other.audit &&
    one.edits === other.edits &&
    one.failedOpen === other.failedOpen &&
    one.decisionId.length === other.decisionId.length
  );
}
