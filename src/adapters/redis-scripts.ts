import { createHash } from "node:crypto";
import type { Charge } from "../quota/index.js";
import { countingLua, letters } from "./redis-lua.js";

/** A Lua script, and the name under which a server keeps it. */
export interface Script {
  readonly source: string;
  readonly sha: string;
}

const allLetters = Object.values(letters).join("");

/** Makes each script once. */
function onePerText(source: (text: string) => string): (text: string) => Script {
  const made = new Map<string, Script>();
  return (text) => {
    let found = made.get(text);
    if (found === undefined) {
      found = script(source(text));
      made.set(text, found);
    }
    return found;
  };
}

/** Charges all or none: the script for these. */
export function scriptFor(charges: readonly Charge[]): Script {
  const [first] = charges;
  if (first !== undefined && charges.length === 1 && first.id === undefined) {
    return soloChargeScript(letters[first.algorithm]);
  }
  return chargeScript([...new Set(charges.map(({ algorithm }) => letters[algorithm]))].sort().join(""));
}

function script(source: string): Script {
  return { source, sha: createHash("sha1").update(source).digest("hex") };
}

/**
 * Adds hits to counters. KEYS: one for each addition. ARGV: "1" where keys that are over stop the others,
 * then for each addition its hits, its seconds to live and its limit. Gives the values, as texts where a
 * reply's integer cannot hold them, or "overflow" where one would have passed 2^63 - 1, which Redis refuses.
 */
export const addScript: Script = script(`
local call, pcall = redis.call, redis.pcall
local stops, over = ARGV[1] == '1', {}
if stops then
  stops = false
  for i, key in ipairs(KEYS) do
    local at = 3 * i - 1
    if tonumber(call('GET', key) or '0') + tonumber(ARGV[at]) > tonumber(ARGV[at + 2]) then
      over[i] = true
      stops = true
    end
  end
end
local values, overflows = {}, false
for i, key in ipairs(KEYS) do
  local at = 3 * i - 1
  local hits = ARGV[at]
  local gives = string.sub(hits, 1, 1) == '-'
  if hits == '0' or (stops and not over[i]) or (gives and call('EXISTS', key) == 0) then
    values[i] = call('GET', key) or 0
  else
    local after = pcall('INCRBY', key, hits)
    if type(after) == 'table' then
      if not string.find(after.err, 'overflow', 1, true) then return after end
      overflows = true
      values[i] = 0
    else
      if after < 0 then
        call('SET', key, '0')
        after = 0
      end
      call('EXPIRE', key, ARGV[at + 1])
      values[i] = after < 9007199254740992 and after or string.format('%.17g', after)
    end
  end
end
if overflows then return 'overflow' end
return values
`);

/** Values of counters that `addScript` made. */
export const readScript: Script = script(`
local values = {}
for i, key in ipairs(KEYS) do values[i] = redis.call('GET', key) end
return values
`);

/**
 * Charges, looks and refunds have the same shape. KEYS: one for each charge, then for each charge with an id
 * the key of the id and the key of when its counter was reset. ARGV: a time in milliseconds, "" for the
 * server's own, then for each charge `chargeWords` of them: letter of the algorithm, limit, window, burst,
 * cost, "1" if on trial, "1" if with an id.
 */
export const chargeWords = 7;

const nowLua = `
local now = tonumber(ARGV[1])
if not now then
  local time = redis.call('TIME')
  now = time[1] * 1000 + floor(time[2] / 1000)
end
`;

const readLua = `${countingLua(allLetters)}${nowLua}
local charges, count, nextKey = {}, floor(#ARGV / ${chargeWords}), floor(#ARGV / ${chargeWords}) + 1
for i = 1, count do
  local at = (i - 1) * ${chargeWords} + 1
  local charge = {
    key = KEYS[i], letter = ARGV[at + 1], limit = tonumber(ARGV[at + 2]), window = tonumber(ARGV[at + 3]),
    burst = tonumber(ARGV[at + 4]), cost = tonumber(ARGV[at + 5]),
  }
  if ARGV[at + 7] == '1' then
    charge.id = KEYS[nextKey]
    local charged, reset = redis.call('GET', charge.id), redis.call('GET', KEYS[nextKey + 1])
    charge.isKnown = charged and tonumber(charged) > tonumber(reset or '-1')
    nextKey = nextKey + 2
  end
  charge.state = redis.call('GET', charge.key)
  charges[i] = charge
end
`;

/**
 * All or none. Gives whether, the time, and four numbers for each charge, of which the first is 2 where its
 * id was charged before. An id is remembered for its window, a day at most. `wanted`: the letters of the
 * charges, each once, sorted.
 */
const chargeScript: (wanted: string) => Script = onePerText(
  (wanted) => `${countingLua(wanted)}${nowLua}
local count, nextKey, ok = floor(#ARGV / ${chargeWords}), floor(#ARGV / ${chargeWords}) + 1, true
local states, afters, repeated, idKeys, chargedAt, reply = {}, {}, {}, {}, {}, { 1, now }
for i = 1, count do
  local at, put = (i - 1) * ${chargeWords} + 1, 4 * i - 1
  local cost = tonumber(ARGV[at + 5])
  if ARGV[at + 7] == '1' then
    idKeys[i] = KEYS[nextKey]
    local charged = redis.call('GET', idKeys[i])
    local reset = tonumber(redis.call('GET', KEYS[nextKey + 1]) or '-1')
    repeated[i] = charged and tonumber(charged) > reset
    if repeated[i] then cost = 0 end
    chargedAt[i] = max(now, reset + 1)
    nextKey = nextKey + 2
  end
  states[i] = redis.call('GET', KEYS[i])
  local allowed, remaining, reset, retry, after = take[ARGV[at + 1]](
    states[i], tonumber(ARGV[at + 2]), tonumber(ARGV[at + 3]), tonumber(ARGV[at + 4]), cost, now)
  afters[i] = cost > 0 and after
  reply[put] = repeated[i] and 2 or allowed and 1 or 0
  reply[put + 1] = remaining
  reply[put + 2] = reset
  reply[put + 3] = repeated[i] and 0 or retry
  if reply[put] == 0 and ARGV[at + 6] == '0' then ok = false end
end
if not ok then
  reply[1] = 0
  for i = 1, count do
    local at, put = (i - 1) * ${chargeWords} + 1, 4 * i - 1
    if reply[put] == 1 then
      local _, remaining, reset = take[ARGV[at + 1]](
        states[i], tonumber(ARGV[at + 2]), tonumber(ARGV[at + 3]), tonumber(ARGV[at + 4]), 0, now)
      reply[put + 1] = remaining
      reply[put + 2] = reset
    end
  end
  return reply
end
for i = 1, count do
  local put = 4 * i - 1
  if reply[put] == 1 then
    if afters[i] then redis.call('SET', KEYS[i], afters[i], 'PX', format('%d', max(1, reply[put + 2]))) end
    if idKeys[i] then
      local window = tonumber(ARGV[(i - 1) * ${chargeWords} + 4])
      redis.call('SET', idKeys[i], format('%d', chargedAt[i]), 'PX', format('%d', min(window, 86400000)))
    end
  end
end
return reply
`,
);

/** The same for a single charge without an id, in a third of the time. */
const soloChargeScript: (letter: string) => Script = onePerText(
  (letter) => `${countingLua(letter)}${nowLua}
local key, cost = KEYS[1], tonumber(ARGV[6])
local state = redis.call('GET', key)
local limit, window, burst = tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])
local allowed, remaining, reset, retry, after = take.${letter}(state, limit, window, burst, cost, now)
if allowed and cost > 0 then redis.call('SET', key, after, 'PX', format('%d', max(1, reset))) end
return { (allowed or ARGV[7] == '1') and 1 or 0, now, allowed and 1 or 0, remaining, reset, retry }
`,
);

/** The script for these, see `debitScript`. */
export function debitScriptFor(charges: readonly Charge[]): Script {
  return debitScript([...new Set(charges.map(({ algorithm }) => letters[algorithm]))].sort().join(""));
}

/** Counts what was used already. Gives four numbers for each, of which the first says whether it could have passed. */
const debitScript: (wanted: string) => Script = onePerText(
  (wanted) => `${countingLua(wanted)}${nowLua}
local reply = {}
for i, key in ipairs(KEYS) do
  local at, put = (i - 1) * ${chargeWords} + 1, 4 * i - 3
  local cost = tonumber(ARGV[at + 5])
  local state = redis.call('GET', key)
  local function try(owed)
    return take[ARGV[at + 1]](
      state, tonumber(ARGV[at + 2]), tonumber(ARGV[at + 3]), tonumber(ARGV[at + 4]), cost, now, owed)
  end
  local fits, _, _, retry = try(false)
  local counts, remaining, reset, _, after = try(true)
  if counts and cost > 0 then redis.call('SET', key, after, 'PX', format('%d', max(1, reset))) end
  reply[put] = fits and 1 or 0
  reply[put + 1] = remaining
  reply[put + 2] = reset
  reply[put + 3] = retry
end
return reply
`,
);

/** As the next charge would find them. Gives four numbers for each. */
export const lookScript: Script = script(`${readLua}
local reply = {}
for i, charge in ipairs(charges) do
  local function try(cost)
    return take[charge.letter](charge.state, charge.limit, charge.window, charge.burst, cost, now)
  end
  local allowed, _, _, retry = try(charge.cost)
  local _, remaining, reset = try(0)
  local put = 4 * i - 3
  reply[put] = (charge.isKnown or allowed) and 1 or 0
  reply[put + 1] = remaining
  reply[put + 2] = reset
  reply[put + 3] = charge.isKnown and 0 or retry
end
return reply
`);

/** Gives back what was charged at ARGV[1]. */
export const refundScript: Script = script(`${readLua}
for i, charge in ipairs(charges) do
  if charge.state and (charge.isKnown or not charge.id) then
    local state = giveBack[charge.letter](charge.state, charge.window, charge.cost, now)
    local ttl = redis.call('PTTL', charge.key)
    if not state then
      redis.call('DEL', charge.key)
    elseif ttl > 0 then
      redis.call('SET', charge.key, state, 'PX', ttl)
    end
  end
  if charge.isKnown then redis.call('DEL', charge.id) end
end
return 0
`);

/**
 * Forgets counters. KEYS: three for each: as Quotas call it, as the rate limit service does, and where the
 * time of the reset is kept, for a day, by which older ids of charges are void. Gives how many counters there
 * were.
 */
export const resetScript: Script = script(`
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local count = 0
for i = 1, #KEYS, 3 do
  count = count + redis.call('DEL', KEYS[i], KEYS[i + 1])
  redis.call('SET', KEYS[i + 2], string.format('%d', now), 'PX', '86400000')
end
return count
`);
