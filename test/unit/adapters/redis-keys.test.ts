import fc from "fast-check";
import { expect, test } from "vitest";
import { createRedisKeys } from "../../../src/adapters/redis-keys.js";
import { aCharge } from "../../support/counter-store-subject.js";

/** What Redis Cluster hashes of a key. */
function hashed(key: string): string {
  return /^[^{]*\{([^}]+)\}/.exec(key)?.[1] ?? key;
}

const text = fc.oneof(
  fc.constantFrom("", "{", "}", "{}", "%", "%7d", "a", "id:", "q:", ":"),
  fc.string({ maxLength: 5 }),
);

test("names what Quotas keep with the prefix, the group as hash tag and the key", () => {
  const keys = createRedisKeys("gatehouse:", false);
  const one = aCharge({ group: "shop", key: "quota:1" });
  expect(keys.quota(one)).toBe("gatehouse:q:{shop}quota:1");
  expect(keys.reset(one)).toBe("gatehouse:reset:{shop}quota:1");
  expect(keys.id(one, "x")).toMatch(/^gatehouse:id:\{shop\}[0-9a-f]{64}:quota:1$/);
});

test("names counters of the rate limit service as they are, and with their group only in a cluster", () => {
  const counter = { group: "mesh", key: "mesh_user_{x}_1795296000" };
  expect(createRedisKeys("gatehouse:", false).rateLimit(counter)).toBe("mesh_user_{x}_1795296000");
  expect(createRedisKeys("gatehouse:", true).rateLimit(counter)).toBe("{mesh}mesh_user_{x}_1795296000");
});

test("gives all keys of one group one slot in a cluster, whatever their names", () => {
  const keys = createRedisKeys("gatehouse:", true);
  fc.assert(
    fc.property(text, text, text, text, (group, one, other, id) => {
      const [a, b] = [aCharge({ group, key: one }), aCharge({ group, key: other })];
      const tags = [keys.quota(a), keys.id(b, id), keys.reset(b), keys.rateLimit(a), keys.rateLimit(b)].map(
        hashed,
      );
      expect(new Set(tags).size).toBe(1);
    }),
  );
});

test("gives different counters and ids different names", () => {
  const keys = createRedisKeys("gatehouse:", true);
  fc.assert(
    fc.property(text, text, text, text, (group, one, otherGroup, other) => {
      fc.pre(group !== otherGroup || one !== other);
      const [a, b] = [aCharge({ group, key: one }), aCharge({ group: otherGroup, key: other })];
      const names = [a, b].flatMap((charge) => [
        keys.quota(charge),
        keys.id(charge, "1"),
        keys.id(charge, "2"),
        keys.reset(charge),
      ]);
      expect(new Set(names).size).toBe(8);
    }),
  );
});
