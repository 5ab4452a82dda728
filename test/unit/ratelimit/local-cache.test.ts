import { describe, expect, it } from "vitest";
import { createLocalCache } from "../../../src/ratelimit/index.js";

describe("the local cache", () => {
  it("knows a key until its time is over", () => {
    const cache = createLocalCache(1);
    cache.add("k", 1000);
    expect([cache.has("k", 999), cache.has("k", 1000), cache.has("k", 999)]).toEqual([true, false, false]);
  });

  it("lets the oldest key go when it is full, and never holds more than its bytes", () => {
    const cache = createLocalCache(1024 * 1024);
    const key = (index: number) => `${index}`.padStart(1000, "0");
    for (let index = 0; index < 2000; index += 1) {
      cache.add(key(index), 1000);
    }
    const held = Array.from({ length: 2000 }, (_, index) => cache.has(key(index), 0));
    expect(held[0]).toBe(false);
    expect(held[1999]).toBe(true);
    expect(held.lastIndexOf(false)).toBe(held.indexOf(true) - 1);
    expect(held.filter(Boolean).length * 2000).toBeLessThanOrEqual(1024 * 1024);
  });

  it("has room for 512 KiB however little is asked for", () => {
    const cache = createLocalCache(1);
    for (let index = 0; index < 1000; index += 1) {
      cache.add(`key ${index}`, 1000);
    }
    expect(cache.has("key 0", 0)).toBe(true);
  });

  it("does not keep a key that would push out all others", () => {
    const cache = createLocalCache(1);
    cache.add("short", 1000);
    cache.add("x".repeat(10_000_000), 1000);
    expect([cache.has("short", 0), cache.has("x".repeat(10_000_000), 0)]).toEqual([true, false]);
  });

  it("has its room again after a key was deleted or added twice", () => {
    const cache = createLocalCache(1);
    cache.add("first", 1000);
    for (let index = 0; index < 100_000; index += 1) {
      cache.add("again", 1000);
      cache.add(`gone ${index}`, 1000);
      cache.delete(`gone ${index}`);
    }
    expect([cache.has("first", 0), cache.has("again", 0)]).toEqual([true, true]);
  });
});
