import { Buffer } from "node:buffer";
import { compileJsonSchema } from "../builtins/index.js";
import { grpcCode, type Reason } from "../engine/index.js";
import {
  type BodyDecoder,
  compileDetectors,
  compileJson,
  createBodyDecoder,
  createEventsRedactor,
  createJsonRedactor,
  createLinesRedactor,
  DecodeError,
  type Findings,
  RedactionError,
  type Redactor,
  readEncodings,
} from "../redaction/index.js";
import { integrityFields, lengthAndIntegrity } from "./changed-headers.js";
import { compileAnswer, compileCondition } from "./condition.js";
import { compileContentTypes, hasReadableCharset, mediaTypeOf } from "./content-types.js";
import { noHeaderEdits } from "./header-lines.js";
import { defaultJson } from "./parse-limits.js";
import type { BodyLimits, ResponsePart } from "./policy.js";
import { refusalOf } from "./refusals.js";
import { contentKindOf, parseContent } from "./request-content.js";
import { type ResponseReader, readerOf } from "./response-content.js";
import type { BodyFlow, BodyRefusal, FlowStep, HeaderEdits, LastStep, ResponseHead } from "./run.js";
import { type MessageInput, responseBodyVocabulary, responseVocabulary } from "./vocabulary.js";

/** A flow with what it found. */
export interface ResponseBodyFlow extends BodyFlow {
  /** By rule, so far. */
  readonly findings: Findings;
  /** Not everything was looked at. */
  readonly unscanned: boolean;
  /**
   * What it keeps now: of `streamed` delivery a few KiB at most, but for what a chunk grows to when it is
   * decoded.
   */
  readonly heldBytes: number;
  /** Frees what it holds, also in the midst of a body; at any time, more than once. */
  close(): void;
}

/** What a flow begins with. */
export interface ResponseContext {
  readonly input: MessageInput;
  readonly head: ResponseHead;
}

type ResponseBody = NonNullable<ResponsePart["body"]>;

/** Asks rules over a whole decoded body. */
type Judge = (body: Uint8Array, type: string, input: MessageInput) => BodyRefusal | undefined;

/** Encoded bytes. */
const decodedAtOnce = 16_384;

const noBytes: Uint8Array = new Uint8Array();
const noFindings: Findings = new Map();

/**
 * A refusal of a response. It is the upstream's answer that is at fault and not the caller, so that all are
 * 502 (500 where we are) and INTERNAL: 403 would tell the caller to come with other rights, UNAVAILABLE to
 * come again.
 */
function responseRefusal(reason: Reason, policy: string): BodyRefusal {
  const httpStatus = reason === "internal_error" ? 500 : 502;
  const body = "the response was withheld";
  return { httpStatus, code: grpcCode.internal, reason, policy, body, contentType: "text/plain" };
}

/**
 * Compiles the body rules of a response. What is given for a response: undefined where nothing of its body is
 * looked at, a refusal where its head is enough for one. A part of a body (206) cannot be redacted and is
 * refused where the whole would be looked at. Without a content type the body has to be what the rules are
 * for.
 */
export function compileResponseBody(
  body: ResponseBody,
  { policy, hashKey }: { readonly policy: string; readonly hashKey: Uint8Array | undefined },
): (context: ResponseContext) => ResponseBodyFlow | BodyRefusal | undefined {
  const { limits, delivery } = body;
  const takes = compileContentTypes(limits.contentTypes);
  const conditions = body.fields.map(({ when }) => compileCondition(when, responseVocabulary, true).holds);
  const redactorOf = compileRedactor(body, hashKey);
  const judge = compileJudge(body, policy);
  const isLimitOnly = conditions.length + body.detect.length === 0 && judge === undefined;
  const refuse = (reason: Reason): BodyRefusal => responseRefusal(reason, policy);

  return ({ input, head }) => {
    if (!head.hasBody) return undefined;
    const type = mediaTypeOf(head.headers);
    // Its parts are of types that nobody has told.
    if (type === "multipart/byteranges") return refuse("body_type");
    if (!takes(type)) return limits.otherContentTypes === "deny" ? refuse("body_type") : undefined;
    const active = conditions.map((holds) => holds(input));
    const hasFields = active.includes(true);
    const reader = readerFor(type, body, hasFields);
    // INVARIANT: what has fields to hide and is no JSON does not pass, or the caller could choose by `accept`
    // to see them.
    if (hasFields && (reader === undefined || reader === "text") && limits.contentTypes.length === 0) {
      return refuse("body_type");
    }
    const redactor = redactorOf(reader, hasFields ? active : undefined);
    if (redactor === undefined && judge === undefined && !isLimitOnly) return undefined;
    if (head.code === 206 && !(isLimitOnly && limits.onLimit !== "truncate")) return refuse("body_type");
    if (redactor !== undefined && !hasReadableCharset(head.headers)) return refuse("body_type");
    const encodings = readEncodings(head.headers.get("content-encoding") ?? []);
    if (encodings === undefined) return refuse("body_encoding");
    if (encodings.length > 0 && limits.encodings === "deny") return refuse("body_encoding");
    const isPlain = encodings.length === 0;
    if (
      isPlain &&
      limits.onLimit === "deny" &&
      toldLength(head) > (limits.maxBytes ?? Number.POSITIVE_INFINITY)
    ) {
      return refuse("body_too_large");
    }
    const decoder = isPlain ? undefined : createBodyDecoder(encodings, limits.maxRatio);
    const judgeOf = judge === undefined ? undefined : (whole: Uint8Array) => judge(whole, type, input);
    return createFlow({ head, limits, delivery, refuse, decoder, redactor, judge: judgeOf });
  };
}

function toldLength({ headers }: ResponseHead): number {
  const [line = ""] = headers.get("content-length") ?? [];
  return /^\d+$/.test(line) ? Number(line) : 0;
}

/**
 * A type that is named in the policy, or none at all, is what its rules are for: JSON, where there are fields
 * to hide, and text otherwise. Undefined: binary.
 */
function readerFor(
  type: string,
  { limits, fields }: ResponseBody,
  hasFields: boolean,
): ResponseReader | undefined {
  const known = readerOf(type);
  const isNamed = type === "" || limits.contentTypes.length > 0;
  if (!isNamed || (known !== undefined && known !== "text")) return known;
  return hasFields || (known === undefined && fields.length > 0) ? "json" : "text";
}

/** Undefined where the rules do nothing with such a body. `active`: of fields; undefined: none is. */
function compileRedactor(
  { fields, detect, json }: ResponseBody,
  key: Uint8Array | undefined,
): (reader: ResponseReader | undefined, active: readonly boolean[] | undefined) => Redactor | undefined {
  const detectors = detect.length === 0 ? undefined : compileDetectors(detect);
  const rules = fields.map(({ field }) => field);
  const plan = compileJson(rules, { key, scanners: detectors, maxDepth: json?.maxDepth });
  const none = rules.map(() => false);
  return (reader, active) => {
    if (reader === undefined || (active === undefined && detectors === undefined)) return undefined;
    if (reader === "text") return detectors === undefined ? undefined : textRedactor(detectors);
    const findings = new Map<string, number>();
    const document = createJsonRedactor(plan, active ?? none, findings);
    if (reader === "json") return document;
    return reader === "lines"
      ? createLinesRedactor(document)
      : createEventsRedactor(document, detectors, findings);
  };
}

/** Text, which may be left anywhere. */
function textRedactor(detectors: ReturnType<typeof compileDetectors>): Redactor {
  const transform = detectors.transform();
  let last: Uint8Array | undefined;
  return {
    push(chunk) {
      if (last === undefined) return transform.push(chunk);
      const bytes = joined([last, chunk]);
      last = noBytes;
      return bytes;
    },
    end: () => last ?? transform.end(),
    letGo() {
      last ??= transform.end();
    },
    cut: transform.end,
    findings: transform.findings,
    get heldBytes() {
      return transform.heldBytes;
    },
  };
}

function compileJudge({ rules, json, limits }: ResponseBody, policy: string): Judge | undefined {
  const denials = rules.flatMap((rule) => {
    if (rule.kind !== "deny") return [];
    return [{ ...compileAnswer(rule.when, responseBodyVocabulary), refusal: rule.refusal }];
  });
  if (denials.length === 0 && json === undefined) return undefined;
  const isJudged = denials.some(({ attributes }) => attributes.includes("response.body"));
  const isParsed = json !== undefined || isJudged;
  const hasForm = json?.schema === undefined ? undefined : compileJsonSchema(json.schema);
  return (body, type, input) => {
    let value: MessageInput["responseBody"];
    const { request } = input.attributes;
    if (isParsed && request !== undefined && (body.length > 0 || json !== undefined)) {
      const kind = contentKindOf(type, json !== undefined);
      const content = parseContent(
        body,
        { kind, json: json ?? defaultJson, hasForm, descriptors: undefined },
        request,
      );
      if (content.fault !== undefined) return responseRefusal(content.fault, policy);
      value = content.value;
      // JSON under another name would get past `has(response.body.x)`, and a caller may choose the name by
      // `accept`.
      if (value === undefined && isJudged && limits.contentTypes.length === 0) {
        return responseRefusal("body_type", policy);
      }
    }
    for (const { ask, refusal } of denials) {
      const answer = ask({ ...input, responseBody: value });
      if (answer === false) continue;
      return refusalOf(refusal, answer === "unknown" ? "policy_failed" : "denied_by_policy", policy);
    }
    return undefined;
  };
}

interface FlowOptions {
  readonly head: ResponseHead;
  readonly limits: BodyLimits;
  readonly delivery: ResponseBody["delivery"];
  readonly refuse: (reason: Reason) => BodyRefusal;
  readonly decoder: BodyDecoder | undefined;
  readonly redactor: Redactor | undefined;
  readonly judge: ((whole: Uint8Array) => BodyRefusal | undefined) | undefined;
}

function createFlow({
  head,
  limits,
  delivery,
  refuse,
  decoder,
  redactor,
  judge,
}: FlowOptions): ResponseBodyFlow {
  const { maxBytes = Number.POSITIVE_INFINITY, onLimit } = limits;
  const changes = redactor !== undefined || (onLimit === "truncate" && limits.maxBytes !== undefined);
  /** What goes on when all was seen, and what rules are asked about. */
  let ready: Uint8Array[] = [];
  let seen: Uint8Array[] = [];
  let readyBytes = 0;
  let seenBytes = 0;
  /** Decoded bytes so far. */
  let total = 0;
  let isHolding = delivery === "whole";
  let isCut = false;
  let unscanned = false;
  let refused: BodyRefusal | undefined;

  const refuseWith = (refusal: BodyRefusal): { readonly kind: "refuse"; readonly refusal: BodyRefusal } => {
    refused ??= refusal;
    ready = [];
    seen = [];
    readyBytes = 0;
    seenBytes = 0;
    decoder?.close();
    return { kind: "refuse", refusal: refused };
  };
  const faultOf = (error: unknown): { readonly kind: "refuse"; readonly refusal: BodyRefusal } => {
    if (error instanceof DecodeError) return refuseWith(refuse("body_encoding"));
    if (!(error instanceof RedactionError)) return refuseWith(refuse("internal_error"));
    if (error.fault === "detected") return refuseWith(refuse("sensitive_data"));
    return refuseWith(refuse(error.fault === "malformed" ? "body_malformed" : "body_too_large"));
  };
  const look = (bytes: Uint8Array): Uint8Array => {
    if (judge !== undefined && !unscanned && bytes.length > 0) {
      seen.push(bytes);
      seenBytes += bytes.length;
    }
    return redactor === undefined ? bytes : redactor.push(bytes);
  };
  /** Decoded bytes in, redacted bytes out; undefined: too many. */
  const process = (bytes: Uint8Array): Uint8Array | undefined => {
    if (isCut) return noBytes;
    const room = maxBytes - total;
    total += bytes.length;
    if (unscanned || bytes.length <= room) return look(bytes);
    // Rules that need all of it cannot be asked about a part.
    if (onLimit === "deny" || (onLimit === "truncate" && judge !== undefined)) return undefined;
    const first = look(bytes.subarray(0, room));
    if (onLimit === "pass") {
      unscanned = true;
      seen = [];
      seenBytes = 0;
      redactor?.letGo();
      return joined([first, look(bytes.subarray(room))]);
    }
    isCut = true;
    decoder?.close();
    return joined([first, redactor?.cut() ?? noBytes]);
  };
  const release = (bytes: Uint8Array): Uint8Array => {
    if (isHolding && !unscanned) {
      ready.push(bytes);
      readyBytes += bytes.length;
      return noBytes;
    }
    isHolding = false;
    if (ready.length === 0) return bytes;
    const all = joined([...ready, bytes]);
    ready = [];
    readyBytes = 0;
    return all;
  };
  const stepOf = (came: Uint8Array, decoded: Uint8Array): FlowStep => {
    const out = process(decoded);
    if (out === undefined) return refuseWith(refuse("body_too_large"));
    // An encoding can go on for ever without giving a byte.
    if (!changes && isHolding && !unscanned && readyBytes + came.length > roomForEncoded(maxBytes)) {
      if (onLimit === "deny") return refuseWith(refuse("body_too_large"));
      unscanned = true;
      seen = [];
      seenBytes = 0;
    }
    return { kind: "go", bytes: release(changes ? out : came) };
  };
  /** Piece by piece, so that a limit stops it before much was decoded. */
  const decodeAndStep = async (from: BodyDecoder, chunk: Uint8Array): Promise<FlowStep> => {
    const parts: Uint8Array[] = [];
    for (let at = 0; at < chunk.length && !isCut; at += decodedAtOnce) {
      const piece = chunk.subarray(at, at + decodedAtOnce);
      const step = stepOf(piece, await from.push(piece));
      if (step.kind === "refuse") return step;
      parts.push(step.bytes);
    }
    return { kind: "go", bytes: joined(parts) };
  };
  const lastStepOf = (decoded: Uint8Array): LastStep => {
    const out = process(decoded);
    if (out === undefined) return refuseWith(refuse("body_too_large"));
    const rest = isCut || redactor === undefined ? noBytes : redactor.end();
    if (judge !== undefined && !unscanned) {
      const refusal = judge(joined(seen));
      if (refusal !== undefined) return refuseWith(refusal);
    }
    const parts = changes ? [...ready, out, rest] : ready;
    ready = [];
    seen = [];
    return { kind: "go", bytes: joined(parts), edits: noHeaderEdits };
  };
  const guarded = <Step>(work: () => Step): Step | ReturnType<typeof faultOf> => {
    try {
      return work();
    } catch (error) {
      return faultOf(error);
    }
  };

  return {
    need: delivery,
    headEdits: changes ? editsOf(head, decoder !== undefined) : noHeaderEdits,
    ...(changes && { untrueTrailers: integrityFields }),
    push(chunk) {
      if (refused !== undefined) return { kind: "refuse", refusal: refused };
      if (isCut) return { kind: "go", bytes: noBytes };
      if (decoder === undefined) return guarded(() => stepOf(chunk, chunk));
      return decodeAndStep(decoder, chunk).catch(faultOf);
    },
    end() {
      if (refused !== undefined) return { kind: "refuse", refusal: refused };
      if (decoder === undefined || isCut) return guarded(() => lastStepOf(noBytes));
      return decoder.end().then((decoded) => guarded(() => lastStepOf(decoded)), faultOf);
    },
    get findings() {
      return redactor?.findings ?? noFindings;
    },
    get unscanned() {
      return unscanned;
    },
    get heldBytes() {
      return readyBytes + seenBytes + (redactor?.heldBytes ?? 0);
    },
    close() {
      // INVARIANT: what is left is not taken for what is over.
      refuseWith(refuse("internal_error"));
    },
  };
}

/** What an encoding adds to a body that cannot be compressed is no fault. */
function roomForEncoded(maxBytes: number): number {
  return maxBytes + maxBytes / 64 + 1024;
}

function editsOf({ headers }: ResponseHead, isDecoded: boolean): HeaderEdits {
  const remove: string[] = lengthAndIntegrity.filter((name) => headers.has(name));
  if (isDecoded) remove.push("content-encoding");
  return { remove, set: [] };
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  const some = parts.filter(({ length }) => length > 0);
  const [first = noBytes] = some;
  return some.length > 1 ? Buffer.concat(some) : first;
}
