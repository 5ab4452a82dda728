import type { CounterStore } from "../../src/quota/index.js";

/** A store that can do nothing but add, with its counters in sight. Nothing ever expires. */
export function createAdditionsStore(): CounterStore & { readonly counters: ReadonlyMap<string, number> } {
  const counters = new Map<string, number>();
  const unused = () => {
    throw new Error("not a store for this");
  };
  return {
    counters,
    add: ({ additions, stopsWhenOver }) => {
      const over = additions.map(({ key, hits, limit }) => (counters.get(key) ?? 0) + Number(hits) > limit);
      const stops = stopsWhenOver && over.includes(true);
      return additions.map(({ key, hits }, index) => {
        const added = stops && over[index] !== true ? 0 : Number(hits);
        const after = Math.max(0, (counters.get(key) ?? 0) + added);
        counters.set(key, after);
        return after;
      });
    },
    charge: unused,
    refund: unused,
    debit: unused,
    look: unused,
    read: unused,
    reset: unused,
    close: async () => {},
  };
}
