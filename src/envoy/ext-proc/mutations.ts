import type { HeaderEdits } from "../../body/index.js";
import type { HeaderMutation, HeaderPut } from "./message.js";

/** What one and then another change come to. Envoy removes before it puts. */
export function join(
  one: HeaderMutation | undefined,
  other: HeaderEdits | undefined,
): HeaderMutation | undefined {
  if (other === undefined || isNothing(other)) return one;
  if (one === undefined || isNothing(one)) return other;
  const removed = new Set(other.remove);
  const kept: readonly HeaderPut[] = one.set.filter(({ name }) => !removed.has(name));
  return { remove: [...new Set([...one.remove, ...other.remove])], set: [...kept, ...other.set] };
}

/**
 * The change with the body's new length, which Envoy holds a buffered body to: a change of content-length by somebody
 * else is left out. `length` undefined: as it was, or nobody said it.
 */
export function withLength(
  mutation: HeaderMutation | undefined,
  length: number | undefined,
): HeaderMutation | undefined {
  const remove = mutation?.remove.filter((name) => name !== contentLength) ?? [];
  const set = mutation?.set.filter(({ name }) => name !== contentLength) ?? [];
  if (length !== undefined) {
    set.push({ name: contentLength, value: String(length), action: "OVERWRITE_IF_EXISTS_OR_ADD" });
  }
  return remove.length === 0 && set.length === 0 ? undefined : { remove, set };
}

/** Whether the header content-length is taken away. */
export function removesLength(mutation: HeaderMutation | undefined): boolean {
  return mutation?.remove.includes(contentLength) === true;
}

const contentLength = "content-length";

function isNothing({ remove, set }: HeaderMutation): boolean {
  return remove.length === 0 && set.length === 0;
}
