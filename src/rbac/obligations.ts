import type { CompiledRule } from "./filter.js";

/** What holds for a request that some of the rules match. */
export interface Obliging {
  /** `NAMESPACE/NAME` of BodyPolicies; sorted, each once, at least one. */
  readonly obligations: readonly string[];
  /** Of one policy. */
  readonly rules: readonly CompiledRule[];
}

/** Nothing is asked for. */
export const noObligations: readonly string[] = [];

/** Names in one list; more are hardly meant, and all of them are in the record of each request. */
export const maxObligations = 32;

/** What resources and namespaces can be called. */
const resourceName = /^(?=.{1,253}$)[a-z0-9](?:[-a-z0-9]*[a-z0-9])?(?:\.[a-z0-9](?:[-a-z0-9]*[a-z0-9])?)*$/;
const namespaceName = /^(?=.{1,63}$)[a-z0-9](?:[-a-z0-9]*[a-z0-9])?$/;

/**
 * A BodyPolicy as `NAMESPACE/NAME`; where `text` leaves the namespace out it is the given one. Undefined: nothing is
 * called so.
 */
export function obligationOf(text: string, namespace: string): string | undefined {
  const slash = text.indexOf("/");
  if (slash >= 0 && !namespaceName.test(text.slice(0, slash))) return undefined;
  if (!resourceName.test(text.slice(slash + 1))) return undefined;
  return slash < 0 ? `${namespace}/${text}` : text;
}

/** Sorted, each once. */
export function sortObligations(names: readonly string[]): readonly string[] {
  return names.length === 0 ? noObligations : [...new Set(names)].sort();
}

/** All of both, which are sorted; the result too. */
export function joinObligations(one: readonly string[], other: readonly string[]): readonly string[] {
  if (other.length === 0) return one;
  return one.length === 0 ? other : sortObligations([...one, ...other]);
}
