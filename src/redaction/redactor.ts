import type { BodyTransform } from "./transform.js";

/** A transform that can leave off. */
export interface Redactor extends BodyTransform {
  /**
   * Looks at nothing more from here on, but ends what it is replacing now. What it held back comes with the
   * next call.
   */
  letGo(): void;
  /**
   * In place of `end` where the body is cut off here: what may still go on. Incomplete keys, numbers and
   * characters do not.
   */
  cut(): Uint8Array;
}

/** Of JSON documents one after the other. */
export interface JsonRedactor extends Redactor {
  /** Only white space came since the last `next`. */
  readonly isBlank: boolean;
  /** After `end`, or while it is blank: another document. */
  next(): void;
}
