import fc from "fast-check";
import { Redis } from "ioredis";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { countingLua, letters } from "../../src/adapters/redis-lua.js";
import { countings } from "../../src/quota/counting.js";
import type { Algorithm } from "../../src/quota/index.js";
import { type RedisServer, startRedis } from "../support/redis-server.js";

let server: RedisServer;
let redis: Redis;
beforeAll(async () => {
  server = await startRedis();
  redis = new Redis(server.url);
});
afterAll(async () => {
  redis.disconnect();
  await server.stop();
});

interface Action {
  readonly gives: boolean;
  readonly isOwed: boolean;
  readonly limit: number;
  readonly burst: number;
  readonly cost: number;
  /** Of `gives`: the time of the charge, -1 where nobody knows it. */
  readonly now: number;
}

/** Runs the actions one after the other on one counter and gives the numbers of each. */
async function inLua(
  algorithm: Algorithm,
  windowMs: number,
  actions: readonly Action[],
): Promise<readonly number[][]> {
  const letter = letters[algorithm];
  const source = `${countingLua(letter)}
local state, out, window = nil, {}, tonumber(ARGV[1])
for at = 2, #ARGV, 6 do
  local limit, burst = tonumber(ARGV[at + 1]), tonumber(ARGV[at + 2])
  local cost, now = tonumber(ARGV[at + 3]), tonumber(ARGV[at + 4])
  if ARGV[at] == 'give' then
    if state then state = giveBack.${letter}(state, window, cost, now) end
    out[#out + 1] = state or ''
  else
    local allowed, remaining, reset, retry, after =
      take.${letter}(state, limit, window, burst, cost, now, ARGV[at + 5] == 'owed')
    state = after
    out[#out + 1] = format('%.17g %.17g %.17g %.17g ', allowed and 1 or 0, remaining, reset, retry) .. after
  end
end
return out`;
  const args = actions.flatMap(({ gives, isOwed, limit, burst, cost, now }) => [
    gives ? "give" : "take",
    limit,
    burst,
    cost,
    now,
    isOwed ? "owed" : "",
  ]);
  const lines = (await redis.eval(source, 0, windowMs, ...args)) as string[];
  return lines.map((line) => line.split(" ").filter(Boolean).map(Number));
}

function inPlainSteps(algorithm: Algorithm, windowMs: number, actions: readonly Action[]): number[][] {
  const counting = countings[algorithm];
  let state: unknown;
  return actions.map(({ gives, now, ...rest }) => {
    const demand = { algorithm, windowMs, ...rest };
    if (gives) {
      if (state !== undefined) state = counting.giveBack(state, demand, now);
      // What is empty is not kept in Redis.
      if (held(state) === 0) state = undefined;
      return numbersOf(state);
    }
    const step = counting.take(state, demand, now);
    state = step.state;
    return [Number(step.allowed), step.remaining, step.resetMs, step.retryMs, ...numbersOf(state)];
  });
}

function numbersOf(state: unknown): number[] {
  if (state === undefined) return [];
  if (Array.isArray(state)) return state.flatMap(({ expiresAt, units }) => [expiresAt, units]);
  const { start, count, previous, debt, atMs } = state as Record<string, number | undefined>;
  return [start, count, previous, debt, atMs].filter((number) => number !== undefined);
}

function held(state: unknown): number {
  if (state === undefined) return 0;
  if (Array.isArray(state)) return state.length;
  const { count = 0, previous = 0, debt = 0 } = state as Record<string, number | undefined>;
  return count + previous + debt;
}

const most = 2 ** 32 - 1;
const units = fc.oneof(fc.nat(12), fc.nat(1_000), fc.integer({ min: 0, max: most }), fc.constant(most));
const windows = fc.oneof(
  fc.constantFrom(1, 63, 64, 65, 1_000, 60_000, 86_400_000, 36_525 * 86_400_000),
  fc.integer({ min: 1, max: 10_000_000 }),
);

describe.each(Object.keys(letters) as Algorithm[])("the script that counts by %s", (algorithm) => {
  test("computes what the plain steps compute, whatever the clock does", async () => {
    const action = fc.record({
      gives: fc.boolean(),
      isOwed: fc.boolean(),
      limit: units,
      burst: units,
      cost: units,
      // In parts of the window.
      step: fc.oneof(
        fc.double({ min: 0, max: 0.3, noNaN: true }),
        fc.double({ min: -3, max: 3, noNaN: true }),
      ),
    });
    const property = fc.asyncProperty(
      windows,
      fc.integer({ min: 1_700_000_000_000, max: 1_900_000_000_000 }),
      units,
      fc.array(action, { minLength: 1, maxLength: 60 }),
      async (windowMs, start, usual, drawn) => {
        let now = start;
        const actions = drawn.map(({ gives, isOwed, limit, burst, cost, step }, i): Action => {
          now = Math.max(1, Math.round(now + step * windowMs));
          // The limit seldom changes, and a bucket has a burst of its own.
          const allowance = i % 7 === 6 ? { limit, burst } : { limit: usual, burst: usual };
          const isGift = gives && i % 3 === 2;
          const at = isGift && i % 2 === 1 ? -1 : now;
          return {
            gives: isGift,
            isOwed: isOwed && i % 5 === 4,
            ...allowance,
            cost: i % 4 === 0 ? 1 : cost,
            now: at,
          };
        });
        expect(await inLua(algorithm, windowMs, actions)).toEqual(inPlainSteps(algorithm, windowMs, actions));
      },
    );
    await fc.assert(property, { numRuns: 200 });
  });
});
