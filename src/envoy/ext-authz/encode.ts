import { Buffer } from "node:buffer";
import { type Decision, noEdits, noQuota } from "../../engine/index.js";
import type { CheckResponse } from "../../proto/index.js";
import type { Carried } from "../handover.js";
import { headersLength, writeHeaders, writeVarint } from "./encode-headers.js";
import { toCheckResponse } from "./response.js";

/** An encoded answer in which only what differs from request to request is still to be written. */
interface Template {
  /** Whose answer it is, with a placeholder as its id and placeholders as its numbers. */
  readonly decision: Decision;
  /** All but `ok_response` or `denied_response`. */
  readonly head: Uint8Array;
  /** Where in `head` the id stands. */
  readonly at: number;
  /** What goes over to ext_proc, with a placeholder as its MAC; and where that stands, -1 where it is not written. */
  readonly carried: Carried | undefined;
  readonly macAt: number;
  /** Of each quota, where in `head` its three numbers stand (8 bytes each), -1 where they are not said. */
  readonly numbers: readonly (readonly [cost: number, limit: number, remaining: number])[];
  /** The tag and the content of `ok_response` or `denied_response`, to which the quotas' headers are appended. */
  readonly tag: number;
  readonly body: Uint8Array;
}

/** By what says most of an answer; a few, since one rule may allow for workloads of which each has other quotas. */
type Templates = Map<unknown, Template[]>;

/** Distinct answers remembered: some for each rule that decides. */
const maxTemplates = 10_000;
/** For each identity, of which there are many: a caller mostly does the same things. */
const maxIdentityTemplates = 8;
/** Of one rule. */
const maxVariants = 4;

/** CheckResponse.denied_response and .ok_response: field number and wire type. */
const deniedTag = (2 << 3) | 2;
const okTag = (3 << 3) | 2;

/**
 * Encodes decisions. Most answers of one rule differ in the decision's id and in what quotas have left only, so the
 * rest of their bytes is made once (measured: a fifth of a Check's CPU time was the encoding of the record). Ids are
 * ASCII.
 */
export function createResponseEncoder(
  encode: (response: CheckResponse) => Uint8Array,
): (decision: Decision, carried?: Carried) => Uint8Array {
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

  function templateOf(decision: Decision, carried: Carried | undefined): Template | undefined {
    const templates = templatesOf(decision);
    const key = decision.rule ?? decision.reason;
    let variants = templates.get(key);
    if (variants === undefined) {
      const max = templates === anonymous ? maxTemplates : maxIdentityTemplates;
      if (templates.size >= max) templates.clear();
      variants = [];
      templates.set(key, variants);
    }
    for (const template of variants) {
      if (template.carried?.identity === carried?.identity && isSame(template.decision, decision))
        return template;
    }
    const made = makeTemplate(decision, carried, encode);
    if (made === undefined) return undefined;
    if (variants.length >= maxVariants) variants.shift();
    variants.push(made);
    return made;
  }

  return (decision, carried) => {
    const template = isPlain(decision, carried) ? templateOf(decision, carried) : undefined;
    return template === undefined
      ? encode(toCheckResponse(decision, carried))
      : fill(template, decision, carried);
  };
}

function makeTemplate(
  decision: Decision,
  carried: Carried | undefined,
  encode: (response: CheckResponse) => Uint8Array,
): Template | undefined {
  const decisionId = "\x01".repeat(decision.decisionId.length);
  const facts = decision.quota.facts.map((fact, i) => ({
    ...fact,
    cost: placeholder(3 * i),
    limit: placeholder(3 * i + 1),
    counter: { ...fact.counter, remaining: placeholder(3 * i + 2) },
  }));
  // A template outlives its request, so it must not keep the request's headers and body.
  const sample = { ...decision, decisionId, attributes: undefined, quota: { ...noQuota, facts } };
  const mac = "\x02".repeat(carried?.mac.length ?? 0);
  const sampleCarried = carried && { ...carried, mac };
  const { ok_response, denied_response, ...others } = toCheckResponse(sample, sampleCarried);
  const head = bufferOf(encode(others));
  const at = head.indexOf(decisionId);
  // A claim in a header may look like it: then nobody can tell which is which.
  if (at < 0 || head.indexOf(decisionId, at + 1) >= 0) return undefined;
  const macAt = mac === "" ? -1 : head.indexOf(mac);
  if (macAt >= 0 && head.indexOf(mac, macAt + 1) >= 0) return undefined;
  const isOk = ok_response !== undefined && ok_response !== null;
  const whole = bufferOf(encode(isOk ? { ok_response } : { denied_response: denied_response ?? null }));
  return {
    decision: sample,
    head,
    at,
    carried: sampleCarried,
    macAt,
    numbers: facts.map(({ cost, limit, counter }) => [
      placeOf(head, cost),
      placeOf(head, limit),
      placeOf(head, counter.remaining),
    ]),
    tag: isOk ? okTag : deniedTag,
    body: contentOf(whole),
  };
}

/** The template with the decision's own id, numbers and headers. */
function fill(
  { head, at, macAt, numbers, tag, body }: Template,
  { decisionId, quota }: Decision,
  carried: Carried | undefined,
): Uint8Array {
  const added = quota.headers.length === 0 ? 0 : headersLength(quota.headers);
  const bytes = Buffer.allocUnsafe(head.length + 6 + body.length + added);
  bytes.set(head);
  bytes.write(decisionId, at, "latin1");
  if (macAt >= 0 && carried !== undefined) bytes.write(carried.mac, macAt, "latin1");
  for (let i = 0; i < numbers.length; i++) {
    const [cost, limit, remaining] = numbers[i] ?? [-1, -1, -1];
    const fact = quota.facts[i];
    if (fact === undefined) continue;
    if (cost >= 0) bytes.writeDoubleLE(fact.cost, cost);
    if (limit >= 0) bytes.writeDoubleLE(fact.limit, limit);
    if (remaining >= 0) bytes.writeDoubleLE(fact.counter.remaining, remaining);
  }
  let end = head.length;
  bytes[end++] = tag;
  end = writeVarint(bytes, end, body.length + added);
  bytes.set(body, end);
  end += body.length;
  if (added > 0) end = writeHeaders(bytes, end, { headers: quota.headers, isOk: tag === okTag });
  return bytes.subarray(0, end);
}

function bufferOf(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
}

/** What stands behind the tag and the length of a message's only field. */
function contentOf(message: Buffer): Buffer {
  if (message.length === 0) return message;
  let start = 1;
  while (((message[start] ?? 0) & 0x80) !== 0) start += 1;
  return message.subarray(start + 1);
}

/** Numbers that no limit has, each with bytes of its own. */
function placeholder(index: number): number {
  return -1.234567890123e-300 * (index + 1);
}

function placeOf(head: Buffer, number: number): number {
  const bytes = Buffer.allocUnsafe(8);
  bytes.writeDoubleLE(number);
  return head.indexOf(bytes);
}

/** Nothing in the answer comes from a provider, or from the request but by a remembered token. */
function isPlain({ edits, metadata, dryRun, stage, authn }: Decision, carried: Carried | undefined): boolean {
  if (carried !== undefined && carried.identity.length > 1) return false;
  if (metadata !== undefined || dryRun.length > 0 || stage === "custom") return false;
  if (edits !== noEdits && edits.isLasting !== true) return false;
  return authn === undefined || (authn.method === "jwt" && authn.refused.length === 0);
}

/** All that such an answer shows is the same, but for the id, whose length is, and for what quotas counted. */
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
    one.decisionId.length === other.decisionId.length &&
    haveSame(one.obligations, other.obligations) &&
    haveSameQuotas(one.quota.facts, other.quota.facts)
  );
}

function haveSame(one: readonly string[], other: readonly string[]): boolean {
  return one === other || (one.length === other.length && one.every((name, i) => name === other[i]));
}

function haveSameQuotas(one: Decision["quota"]["facts"], other: Decision["quota"]["facts"]): boolean {
  if (one.length !== other.length) return false;
  for (let i = 0; i < one.length; i++) {
    if (one[i]?.quota !== other[i]?.quota) return false;
  }
  return true;
}
