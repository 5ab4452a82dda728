import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Allowance } from "../../../src/quota/index.js";
import { generalKey, keyOf, keyPart, keyPrefix } from "../../../src/quota/quota-key.js";

const perMinute: Allowance = { algorithm: "fixedWindow", limit: 100, windowMs: 60_000, burst: 100 };
const prefix = keyPrefix("shop", "per-user", perMinute);

/** Texts that try to look like parts of keys, like each other, or like nothing. */
const hostile = fc.oneof(
  fc.string({ unit: "binary" }),
  fc.string({
    unit: fc.constantFrom("1", ":", "#", "*", "/", "_", "a", "\ud800", "\udfff", "\ufffd", "é", "\0"),
  }),
  fc.string({ unit: fc.constantFrom("a", "1:"), minLength: 60, maxLength: 140 }),
  fc.constantFrom("", "0:", "1:a", "#", "*"),
  fc.string().map((text) => keyPart(text)),
);
const tuple = fc.array(hostile, { maxLength: 4 });

/** As it stands in Redis, where halves of characters are all one. */
const onTheWire = (key: string): string => Buffer.from(key, "utf8").toString("hex");

describe("the key of a counter", () => {
  it("is never shared by two different tuples, on the wire neither", () => {
    fc.assert(
      fc.property(tuple, tuple, (one, other) => {
        fc.pre(JSON.stringify(one) !== JSON.stringify(other));
        expect(onTheWire(keyOf(prefix, one))).not.toBe(onTheWire(keyOf(prefix, other)));
      }),
      { numRuns: 3000 },
    );
  });

  it("is that of the same tuple each time", () => {
    fc.assert(fc.property(tuple, (values) => keyOf(prefix, values) === keyOf(prefix, [...values])));
  });

  it("is never the general one, whatever the values say", () => {
    fc.assert(
      fc.property(tuple, (values) => {
        expect(onTheWire(keyOf(prefix, values))).not.toBe(onTheWire(generalKey(prefix)));
      }),
    );
    expect(keyOf(prefix, [])).not.toBe(generalKey(prefix));
    expect(keyOf(prefix, ["*"])).not.toBe(generalKey(prefix));
  });

  it("tells separators within values from those between them", () => {
    const tuples = [["a", "b"], ["a:b"], ["ab"], ["a", "", "b"], ["", "ab"], ["1:a1:b"], ["a1:b"]];
    expect(new Set(tuples.map((values) => keyOf(prefix, values))).size).toBe(tuples.length);
  });

  it("stays short and apart for values of a megabyte", () => {
    const long = "x".repeat(1_000_000);
    const keys = [long, `${long}x`, `${long.slice(1)}y`].map((value) => keyOf(prefix, [value]));
    expect(new Set(keys).size).toBe(3);
    for (const key of keys) expect(key.length).toBeLessThan(120);
  });

  it("tells a long value from the short one that looks like its hash", () => {
    const hashed = keyPart("x".repeat(500));
    expect(keyPart(hashed)).not.toBe(hashed);
  });

  it("tells halves of characters from each other and from what they become in UTF-8", () => {
    const keys = ["\ud800", "\ud801", "\udc00", "\ufffd"].map((value) => onTheWire(keyOf(prefix, [value])));
    expect(new Set(keys).size).toBe(4);
  });

  it("is another one for another namespace, name, algorithm or window", () => {
    const others = [
      keyPrefix("sho", "pper-user", perMinute),
      keyPrefix("shop", "per-use", perMinute),
      keyPrefix("shop", "per-user", { ...perMinute, algorithm: "slidingWindow" }),
      keyPrefix("shop", "per-user", { ...perMinute, algorithm: "tokenBucket" }),
      keyPrefix("shop", "per-user", { ...perMinute, algorithm: "concurrency" }),
      keyPrefix("shop", "per-user", { ...perMinute, windowMs: 6000 }),
    ];
    const keys = [prefix, ...others].map((start) => keyOf(start, ["0"]));
    expect(new Set(keys).size).toBe(keys.length);
  });

  it("stays when only the limit changes, so that what was used stays used", () => {
    expect(keyPrefix("shop", "per-user", { ...perMinute, limit: 5, burst: 2 })).toBe(prefix);
  });
});
