import type { RequestChanges } from "./outcome.js";

/** Different ways in which requests with one token are changed: mostly one, by where the token stood. */
const maxRemembered = 4;

/**
 * Gives equal changes of one token (or of all who show none) as the same object, so that what is made of them behind
 * (edits, encoded answers) can be remembered too.
 */
export function createSameChanges(): (of: object, changes: RequestChanges) => RequestChanges {
  const remembered = new WeakMap<object, RequestChanges[]>();
  return (of, changes) => {
    const seen = remembered.get(of) ?? [];
    const same = seen.find((one) => isSame(one, changes));
    if (same !== undefined || seen.length >= maxRemembered) return same ?? changes;
    const lasting = { ...changes, isLasting: true };
    remembered.set(of, [...seen, lasting]);
    return lasting;
  };
}

function isSame(one: RequestChanges, other: RequestChanges): boolean {
  return (
    areSame(one.headersToRemove, other.headersToRemove) &&
    areSame(one.paramsToRemove, other.paramsToRemove) &&
    one.headersToSet.length === other.headersToSet.length &&
    one.headersToSet.every((line, i) => areSame(line, other.headersToSet[i] ?? []))
  );
}

function areSame(one: readonly string[], other: readonly string[]): boolean {
  return one.length === other.length && one.every((text, i) => text === other[i]);
}
