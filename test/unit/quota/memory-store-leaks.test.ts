import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { describe, expect, it } from "vitest";
import { createMemoryStore } from "../../../src/quota/index.js";

const million = 1_000_000;

describe("a memory store that has seen a million keys", () => {
  it("is as small as before when they are over", () => {
    let now = Date.UTC(2026, 10, 21);
    const store = createMemoryStore({ now: () => now });
    const before = usedMb();
    for (let i = 0; i < million; i++) {
      store.charge([
        {
          algorithm: "tokenBucket",
          limit: 10,
          windowMs: 60_000 + i,
          burst: 10,
          key: `caller ${i}`,
          group: `${i % 7}`,
          cost: 1,
          isTrial: false,
          id: undefined,
        },
      ]);
    }
    expect(store.size).toBe(million);
    expect(usedMb() - before).toBeGreaterThan(50);
    now += 3_600_000;
    while (store.sweep());
    expect(store.size).toBe(0);
    expect(usedMb() - before).toBeLessThan(20);
  }, 180_000);
});

function usedMb(): number {
  setFlagsFromString("--expose-gc");
  const collect: () => void = runInNewContext("gc");
  collect();
  return process.memoryUsage().heapUsed / 2 ** 20;
}
