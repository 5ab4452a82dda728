/** Built-in detectors. */
export const detectorNames = ["paymentCard", "iban", "email", "secretToken", "privateKey"] as const;
export type DetectorName = (typeof detectorNames)[number];

/** What is looked for in text, and what is done where it is found. Plain data. */
export interface DetectorRule {
  /** Unique within a policy; stands in records and metrics. */
  readonly name: string;
  readonly what:
    | { readonly detector: DetectorName }
    /** RE2. `maxLength`: bytes of the longest match, 1 to 4096: so much is held back. */
    | { readonly pattern: string; readonly maxLength: number };
  readonly action: "redact" | "deny";
  /** Stands in place of what was found. */
  readonly replacement: string;
}

/** One step of a path into JSON: a member, an item, all of both, or everything below. */
export type PathStep =
  | { readonly kind: "member"; readonly name: string }
  | { readonly kind: "item"; readonly index: number }
  | { readonly kind: "all" }
  /** `..name` or `..*`: the step that follows matches at every depth. */
  | { readonly kind: "descend" };

/** What becomes of the value at a path. */
export type FieldAction =
  | { readonly kind: "remove" }
  /** Of a string or number as text all but the characters at its ends becomes `character`; anything else becomes `replacement`. */
  | {
      readonly kind: "mask";
      readonly keepFirst: number;
      readonly keepLast: number;
      readonly character: string;
      /** Stands in place of the whole value; undefined: characters are masked. */
      readonly replacement: string | undefined;
    }
  /** Hex HMAC-SHA-256 of the value's own text, shortened to 32 digits: the same value gives the same hash. */
  | { readonly kind: "hash" }
  /** `tok_` and the hash with the rule's path in it, base64url: values of different fields cannot be joined. */
  | { readonly kind: "tokenise" };

/** What is done with JSON fields. Plain data. */
export interface FieldRule {
  readonly name: string;
  /** `$.customer.card`, `$.items[*].sku`, `$..ssn`, as steps; empty: the whole document. */
  readonly path: readonly PathStep[];
  readonly action: FieldAction;
}
