import { expect, test } from "vitest";
import { type Breaker, createBreaker } from "../../../src/adapters/redis-breaker.js";

function aBreaker(): {
  breaker: Breaker;
  seen: string[];
  pass: (ms: number) => void;
  fail: (times: number) => void;
} {
  let now = 0;
  const seen: string[] = [];
  const breaker = createBreaker({ now: () => now, onChange: (state) => seen.push(state) });
  return {
    breaker,
    seen,
    pass: (ms) => {
      now += ms;
    },
    fail: (times) => {
      for (let i = 0; i < times; i++) breaker.failed();
    },
  };
}

test("opens after five failures in a row, for half a second", () => {
  const { breaker, pass, fail } = aBreaker();
  fail(4);
  breaker.passed();
  fail(4);
  expect(breaker.tryPass()).toBe(true);
  fail(1);
  expect(breaker.tryPass()).toBe(false);
  pass(499);
  expect(breaker.tryPass()).toBe(false);
  pass(1);
  expect(breaker.tryPass()).toBe(true);
});

test("lets one question through as a probe, and closes when it passes", () => {
  const { breaker, seen, pass, fail } = aBreaker();
  fail(5);
  pass(500);
  expect([breaker.tryPass(), breaker.tryPass(), breaker.tryPass()]).toEqual([true, false, false]);
  breaker.passed();
  expect([breaker.tryPass(), breaker.tryPass()]).toEqual([true, true]);
  expect(seen).toEqual(["open", "probing", "closed"]);
});

test("doubles the pause with each probe that fails, up to five seconds, until one passes", () => {
  const { breaker, pass, fail } = aBreaker();
  fail(5);
  const pauses: number[] = [];
  for (let i = 0; i < 6; i++) {
    let ms = 0;
    while (!breaker.tryPass()) {
      pass(100);
      ms += 100;
    }
    pauses.push(ms);
    breaker.failed();
  }
  expect(pauses).toEqual([500, 1_000, 2_000, 4_000, 5_000, 5_000]);
  pass(5_000);
  breaker.tryPass();
  breaker.passed();
  fail(5);
  pass(500);
  expect(breaker.tryPass()).toBe(true);
});

test("is not closed by answers to questions from before it opened", () => {
  const { breaker, fail } = aBreaker();
  fail(5);
  breaker.passed();
  expect(breaker.state()).toBe("open");
});
