import type { ByteString } from "../attributes/index.js";

/** How often something was changed or found, by the name of its rule. */
export type Findings = ReadonlyMap<string, number>;

/**
 * A body on its way through. What comes out together is the same however the body was cut into chunks. Holds back no more
 * than its rules say (`heldBytes`). Synchronous.
 */
export interface BodyTransform {
  /** The next bytes of the body; gives those that may go on now. Throws a RedactionError, after which it is over. */
  push(chunk: Uint8Array): Uint8Array;
  /** The body is over: gives what was held back. Throws a RedactionError. */
  end(): Uint8Array;
  /** So far; a rule that refuses is in it too. */
  readonly findings: Findings;
  /** Bytes that it keeps now, for limits and metrics. */
  readonly heldBytes: number;
}

/** The same for text inside of something else, such as a JSON string's content: one character a byte of UTF-8. */
export interface TextScanner {
  push(text: ByteString): ByteString;
  end(): ByteString;
  readonly findings: Findings;
}

/** Why a body cannot go on. */
export type RedactionFault =
  /** A rule whose action is `deny` found something; `rule` names it. */
  | "detected"
  /** The body is not what its rules are for: no JSON, an event that is none. */
  | "malformed"
  /** Something would have to be held that is longer than the rules allow. */
  | "too_long";

/** The only error of transforms, whatever the bytes are. Its message never shows a part of the body. */
export class RedactionError extends Error {
  override readonly name = "RedactionError";
  readonly fault: RedactionFault;
  /** The rule's name, empty where none is to blame. */
  readonly rule: string;

  constructor(fault: RedactionFault, message: string, rule = "") {
    super(message);
    this.fault = fault;
    this.rule = rule;
  }
}
