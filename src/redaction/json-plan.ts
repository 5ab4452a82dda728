import { compilePaths, type PathAutomaton } from "./json-automaton.js";
import { compileAction, type ValueAction } from "./json-value.js";
import type { FieldRule } from "./rules.js";
import type { Sieve } from "./sieve.js";
import type { TextScanner } from "./transform.js";

/** Where scanners come from. */
export interface Scanners {
  /** It is shown one text after the other: after `end`, where it has found nothing, it has to be as new. */
  scanner(): TextScanner;
  /** Where a scanner would find nothing and change nothing; without it all is shown to one. */
  sieve?(): Sieve | undefined;
}

/** What is done with JSON documents, ready to run. Immutable; many bodies share it. */
export interface JsonPlan {
  readonly paths: PathAutomaton;
  readonly names: readonly string[];
  readonly actions: readonly ValueAction[];
  /** Looks at every string, key and number that no field rule replaces. */
  readonly scanners: Scanners | undefined;
  readonly maxDepth: number;
}

/** What goes with the rules. */
export interface JsonOptions {
  /** HMAC key of `hash` and `tokenise`: needed where a rule has one of them. */
  readonly key?: Uint8Array | undefined;
  readonly scanners?: Scanners | undefined;
  /** Levels of arrays and objects; deeper is malformed. 512, as deep as the usual readers go. */
  readonly maxDepth?: number | undefined;
}

/** Where two rules fit one value, the first in the list acts. */
export function compileJson(rules: readonly FieldRule[], options: JsonOptions = {}): JsonPlan {
  return {
    paths: compilePaths(rules),
    names: rules.map((rule) => rule.name),
    actions: rules.map((rule) => compileAction(rule, options.key)),
    scanners: options.scanners,
    maxDepth: options.maxDepth ?? 512,
  };
}
