import type { Selector } from "../documents/index.js";
import type { DetectorRule, FieldRule, PathStep } from "../redaction/index.js";

/** What happens to a body that is longer than `maxBytes`. */
export type OnLimit = "deny" | "pass" | "truncate";

/**
 * How a body with a content-encoding is taken: decoded (gzip, deflate, br), or refused. Never read as it is.
 */
export type Encodings = "decode" | "deny";

/** What holds for every body that is looked at. */
export interface BodyLimits {
  /** Decoded bytes of the whole body. Undefined only of `streamed` delivery: any number. */
  readonly maxBytes: number | undefined;
  /** Without effect where `maxBytes` is undefined. */
  readonly onLimit: OnLimit;
  readonly encodings: Encodings;
  /** Decoded bytes per encoded byte, above which a body is refused as a bomb. */
  readonly maxRatio: number;
  /** Media types, `application/json`, `text/*`, `application/*+json`; empty: any. */
  readonly contentTypes: readonly string[];
  /** What happens to bodies of other types: 415 (request) or 502 (response), or they pass unread. */
  readonly otherContentTypes: "deny" | "pass";
}

/** How an answer in place of the message looks. */
export interface Refusal {
  readonly status: number;
  readonly body: string;
  readonly contentType: string;
}

/** One rule over a header, in the order of the list, as Mixer's route directives. */
export interface HeaderRule {
  readonly operation: "set" | "append" | "remove";
  /** Lower-case; of `remove` also `x-internal-*`. */
  readonly name: string;
  /** CEL that gives a text; of `remove` undefined. */
  readonly value: string | undefined;
  /** CEL; undefined: always. */
  readonly when: string | undefined;
}

/** One rule over a parsed body, in order. */
export type BodyRule =
  | { readonly kind: "deny"; readonly when: string; readonly refusal: Refusal }
  | {
      readonly kind: "set";
      readonly path: readonly PathStep[];
      readonly value: string;
      readonly when: string | undefined;
    }
  | { readonly kind: "remove"; readonly path: readonly PathStep[]; readonly when: string | undefined }
  /** `NAMESPACE/NAME` of a RegoPolicy: its `input.parsed_body` is the body. */
  | { readonly kind: "rego"; readonly policy: string };

/** How JSON has to be. */
export interface JsonLimits {
  readonly maxDepth: number;
  readonly duplicateKeys: "deny" | "keepLast";
  /** JSON text of a JSON Schema. */
  readonly schema: string | undefined;
}

/** Of the request. */
export interface RequestPart {
  readonly headers: readonly HeaderRule[];
  /** Undefined: the body is not looked at. */
  readonly body:
    | {
        readonly limits: BodyLimits;
        readonly json: JsonLimits | undefined;
        /** A FileDescriptorSet: gRPC bodies of its methods are parsed. */
        readonly protoDescriptor: Uint8Array | undefined;
        readonly rules: readonly BodyRule[];
      }
    | undefined;
}

/** A field rule with the condition under which it acts. */
export interface ConditionalField {
  readonly field: FieldRule;
  /** CEL over the request and the head of the response; undefined: always. */
  readonly when: string | undefined;
}

/** Of the response. */
export interface ResponsePart {
  /** CEL over the request and the head of the response; undefined: every response. */
  readonly match: string | undefined;
  readonly headers: readonly HeaderRule[];
  /** Another body for answers of these statuses, `[from, to]` inclusive; the first that fits. */
  readonly replaceErrors: readonly {
    readonly from: number;
    readonly to: number;
    readonly body: string;
    readonly contentType: string;
  }[];
  readonly body:
    | {
        /** `whole`: nothing is sent before all was seen, so a refusal is clean. `streamed`: as it comes. */
        readonly delivery: "whole" | "streamed";
        readonly limits: BodyLimits;
        readonly fields: readonly ConditionalField[];
        readonly detect: readonly DetectorRule[];
        /** `deny` only, of `whole` delivery only. */
        readonly rules: readonly BodyRule[];
        readonly json: JsonLimits | undefined;
      }
    | undefined;
}

/** What a response costs a Quota beyond what the request was charged: committed when it is over. */
export interface UsageRule {
  /** `NAMESPACE/NAME`; its own `cost` is the reserve. */
  readonly quota: string;
  /** Bytes of the response's body, or a number in it: JSON, or the last server-sent event that has it. */
  readonly units: { readonly kind: "bytes" } | { readonly kind: "field"; readonly path: readonly PathStep[] };
}

/** What stands in a file of its own. */
export type BodyPolicyFile = "requestSchema" | "protoDescriptor" | "responseSchema" | "hashKey";

/** A BodyPolicy document: plain data that survives a structured clone. */
export interface BodyPolicy {
  readonly namespace: string;
  readonly name: string;
  readonly selector: Selector | undefined;
  /** Acts only where an authorization policy or Rego names it as an obligation. */
  readonly obligationOnly: boolean;
  /** CEL over the request; undefined: every request. */
  readonly match: string | undefined;
  /** Nothing is refused or changed; what would have been is in the record. */
  readonly dryRun: boolean;
  readonly request: RequestPart | undefined;
  readonly response: ResponsePart | undefined;
  readonly usage: UsageRule | undefined;
  /** Of `hash` and `tokenise`; undefined where neither is used. */
  readonly hashKey: Uint8Array | undefined;
  /** What it names and does not hold, in the order of its references. */
  readonly files: readonly BodyPolicyFile[];
}
