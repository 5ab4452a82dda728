import {
  type Charge,
  type ChargeResult,
  type CounterState,
  type CounterStore,
  StoreError,
} from "../quota/index.js";
import {
  clockOf,
  createRedisClient,
  type Question,
  type RedisOperation,
  type RedisPorts,
} from "./redis-client.js";
import { allAtOnce, byGroup, chargeGroups, gather, type Reservation } from "./redis-groups.js";
import { createRedisKeys } from "./redis-keys.js";
import { letters } from "./redis-lua.js";
import { type RedisStoreOptions, readRedisOptions } from "./redis-options.js";
import { createRefusals } from "./redis-refusals.js";
import {
  addScript,
  debitScriptFor,
  lookScript,
  readScript,
  refundScript,
  resetScript,
  type Script,
  scriptFor,
} from "./redis-scripts.js";

/**
 * Counters in Redis (from 5 on) or Valkey, shared by all that use it. Connects in the background; throws
 * `bad_flag` for options that cannot be used.
 *
 * Each call is one round trip, one script that runs alone, by the time of Redis' own clock. In a cluster that
 * holds within a group: charges of several groups are reserved group by group, in the order of their first
 * charge, by the clock of the first one's node, and given back where a later group refuses or fails; charges
 * on trial follow when all others have passed. Somebody else may meanwhile be refused for units that come
 * back. Each round trip has the timeout to itself.
 *
 * Fails with StoreError: `unavailable` at once without a connection, for an error of Redis and while the
 * breaker is open, `timeout`, `full` where Redis has no memory left. Whatever was sent then may have been
 * counted; nothing is sent twice.
 */
export function createRedisStore(options: RedisStoreOptions, ports: RedisPorts): CounterStore {
  const target = readRedisOptions(options);
  const now = clockOf(ports);
  const client = createRedisClient(target, ports);
  const keys = createRedisKeys(target.keyPrefix, target.isCluster);
  const refusals = createRefusals(now);
  const partsOf = target.isCluster ? byGroup : allAtOnce;

  const question = (
    operation: RedisOperation,
    charges: readonly Charge[],
    atMs: number | undefined,
  ): Question => {
    const names = charges.map(keys.quota);
    const args: (string | number)[] = [atMs ?? ""];
    for (const charge of charges) {
      const { algorithm, limit, windowMs, burst, cost, isTrial, id } = charge;
      args.push(letters[algorithm], limit, windowMs, burst, cost, isTrial ? 1 : 0, id === undefined ? 0 : 1);
      if (id !== undefined) names.push(keys.id(charge, id), keys.reset(charge));
    }
    return { operation, keys: names, args };
  };
  const numbers = async (script: Script, asked: Question): Promise<readonly number[]> =>
    (await client.run(script, asked)) as readonly number[];

  const reserve = async (charges: readonly Charge[], atMs?: number): Promise<Reservation> => {
    const reply = await numbers(scriptFor(charges), question("charge", charges, atMs));
    const result = { allowed: reply[0] === 1, counters: statesOf(reply, 2), atMs: reply[1] ?? 0 };
    return { result, isRepeated: (i) => reply[2 + 4 * i] === 2 };
  };
  const refund = async (charges: readonly Charge[], atMs: number): Promise<void> => {
    for (const { key } of charges) refusals.forget(key);
    const give = (part: readonly Charge[]): Promise<unknown> =>
      client.run(refundScript, question("refund", part, atMs));
    await Promise.all(partsOf(charges).map(({ items }) => give(items)));
  };
  const look = (charges: readonly Charge[]): Promise<readonly CounterState[]> =>
    gather(partsOf(charges), async (part) =>
      statesOf(await numbers(lookScript, question("look", part, undefined)), 0),
    );

  const charge = async (charges: readonly Charge[]): Promise<ChargeResult> => {
    const askedAt = now();
    const parts = partsOf(charges);
    const result =
      parts.length > 1
        ? await chargeGroups(charges, { reserve, refund, look })
        : (await reserve(charges)).result;
    refusals.keep(charges, result, askedAt);
    return result;
  };

  return {
    charge(charges) {
      const known = refusals.find(charges);
      if (known === undefined) return charge(charges);
      ports.observer?.refusedLocally();
      return known;
    },
    refund,
    debit: (charges) =>
      gather(partsOf(charges), async (part) => {
        const owed = part.map((one) => (one.id === undefined ? one : { ...one, id: undefined }));
        return statesOf(await numbers(debitScriptFor(owed), question("debit", owed, undefined)), 0);
      }),
    look,
    async add({ group, additions, stopsWhenOver }) {
      if (additions.length === 0) return [];
      const args: (string | number)[] = [stopsWhenOver ? 1 : 0];
      for (const { hits, ttlSeconds, limit } of additions) args.push(String(hits), ttlSeconds, limit);
      const names = additions.map(({ key }) => keys.rateLimit({ group, key }));
      const reply = await client.run(addScript, { operation: "add", keys: names, args });
      if (reply === "overflow") throw new StoreError("overflow", "a counter would pass 2^63 - 1");
      return (reply as readonly (number | string)[]).map(Number);
    },
    read: (counters) =>
      gather(partsOf(counters), async (part) => {
        const asked: Question = { operation: "read", keys: part.map(keys.rateLimit), args: [] };
        const values = (await client.run(readScript, asked)) as readonly (string | null)[];
        return values.map((value) => (value === null ? undefined : Number(value)));
      }),
    async reset(counters) {
      for (const { key } of counters) refusals.forget(key);
      const counts = await gather(partsOf(counters), async (part) => {
        const names = part.flatMap((counter) => [
          keys.quota(counter),
          keys.rateLimit(counter),
          keys.reset(counter),
        ]);
        const reply = await client.run(resetScript, { operation: "reset", keys: names, args: [] });
        return [reply as number];
      });
      return counts.reduce((sum, count) => sum + count, 0);
    },
    close: client.close,
  };
}

function statesOf(reply: readonly number[], from: number): CounterState[] {
  const states: CounterState[] = [];
  for (let i = from; i + 3 < reply.length; i += 4) {
    states.push({
      allowed: reply[i] !== 0,
      remaining: reply[i + 1] ?? 0,
      resetMs: reply[i + 2] ?? 0,
      retryMs: reply[i + 3] ?? 0,
    });
  }
  return states;
}
