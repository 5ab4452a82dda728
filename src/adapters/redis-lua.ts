import type { Algorithm } from "../quota/index.js";

/** By which scripts know the ways of counting. */
export const letters: Readonly<Record<Algorithm, string>> = {
  fixedWindow: "f",
  slidingWindow: "s",
  tokenBucket: "t",
  concurrency: "c",
};

/** What the functions have in common. */
const commonLua = `
local floor, ceil, max, min, fmod, huge = math.floor, math.ceil, math.max, math.min, math.fmod, math.huge
local format, tonumber = string.format, tonumber
local take, giveBack = {}, {}

local function two(state)
  if not state then return 0, 0 end
  local a, b = string.match(state, '^(%S+) (%S+)$')
  return tonumber(a), tonumber(b)
end

local function windowStart(before, window, now)
  local aligned = now - fmod(now, window)
  if before > aligned and before - now <= window then return before end
  return aligned
end
`;

const fixedWindowLua = `
function take.f(state, limit, window, burst, cost, now, owed)
  local before, held = two(state)
  local start = windowStart(before, window, now)
  local count = before == start and held or 0
  local allowed = limit > 0 and (owed or count + cost <= limit)
  if allowed then count = count + cost end
  local reset = start + window - now
  return allowed, max(0, limit - count), reset, allowed and 0 or reset, format('%d %d', start, count)
end

function giveBack.f(state, window, cost, at)
  local start, count = two(state)
  if at >= start and at < start + window then count = max(0, count - cost) end
  if count > 0 then return format('%d %d', start, count) end
end
`;

const slidingWindowLua = `
local function three(state)
  if not state then return 0, 0, 0 end
  local a, b, c = string.match(state, '^(%S+) (%S+) (%S+)$')
  return tonumber(a), tonumber(b), tonumber(c)
end

function take.s(state, limit, window, burst, cost, now, owed)
  local last, counted, previous = three(state)
  local start = windowStart(last, window, now)
  local before = 0
  if last == start then
    before = counted
  elseif last + window == start then
    previous = counted
  else
    previous = 0
  end
  local elapsed = max(0, now - start)
  local carried = previous - floor(previous * elapsed / window)
  local allowed = limit > 0 and (owed or carried + before + cost <= limit)
  local count = allowed and before + cost or before
  local windows = count > 0 and 2 or previous > 0 and 1 or 0
  local reset = max(0, start - now + windows * window)
  local retry = 0
  if not allowed then
    local room = limit - cost
    local wait = huge
    if limit > 0 and room >= 0 then
      if before <= room then
        wait = ceil((previous - (room - before)) * window / previous)
      else
        wait = window + ceil((before - room) * window / before)
      end
    end
    retry = min(reset, start - now + wait)
  end
  return allowed, max(0, limit - carried - count), reset, retry, format('%d %d %d', start, count, previous)
end

function giveBack.s(state, window, cost, at)
  local start, count, previous = three(state)
  if at >= start and at < start + window then
    count = max(0, count - cost)
  elseif at < start and at >= start - window then
    previous = max(0, previous - cost)
  end
  if count > 0 or previous > 0 then return format('%d %d %d', start, count, previous) end
end
`;

const tokenBucketLua = `
local longest = 36525 * 86400000

function take.t(state, limit, window, burst, cost, now, owed)
  local debt, last = two(state)
  if not state then last = now end
  debt = max(0, debt - max(0, now - last) * limit)
  local at = last > now and last - now <= window and last or now
  local over = debt - (burst - cost) * window
  local allowed = limit > 0 and (owed or over <= 0)
  if allowed then debt = debt + cost * window end
  if limit == 0 then return false, 0, window, window, format('%.17g %d', debt, at) end
  local ahead = at - now
  local reset = min(longest, (debt > 0 and ahead or 0) + ceil(debt / limit))
  local retry = 0
  if not allowed then
    retry = cost <= burst and min(reset, ahead + ceil(over / limit)) or reset
  end
  return allowed, max(0, floor((burst * window - debt) / window)), reset, retry, format('%.17g %d', debt, at)
end

function giveBack.t(state, window, cost, at)
  local debt, last = two(state)
  debt = max(0, debt - cost * window)
  if debt > 0 then return format('%.17g %d', debt, last) end
end
`;

const concurrencyLua = `
local function numbers(state)
  local list = {}
  for word in string.gmatch(state or '', '%S+') do list[#list + 1] = tonumber(word) end
  return list
end

local function expiry(window, now)
  local slice = ceil(window / 64)
  return ceil((now + window) / slice) * slice
end

local function addLease(list, at, units)
  local i = #list - 1
  while i > 0 and list[i] > at do i = i - 2 end
  if i > 0 and list[i] == at then
    list[i + 1] = list[i + 1] + units
  else
    table.insert(list, i + 2, units)
    table.insert(list, i + 2, at)
  end
end

local function leases(list)
  local words = {}
  for i, number in ipairs(list) do words[i] = format('%d', number) end
  return table.concat(words, ' ')
end

function take.c(state, limit, window, burst, cost, now, owed)
  local held = numbers(state)
  local expires = expiry(window, now)
  local list, used, moved = {}, 0, 0
  for i = 1, #held, 2 do
    local at, units = held[i], held[i + 1]
    if at > expires + window then
      moved = moved + units
      used = used + units
    elseif at > now then
      list[#list + 1] = at
      list[#list + 1] = units
      used = used + units
    end
  end
  if moved > 0 then addLease(list, expires, moved) end
  local allowed = limit > 0 and (owed or used + cost <= limit)
  local retry = huge
  if allowed then
    retry = 0
    used = used + cost
    if cost > 0 then addLease(list, expires, cost) end
  elseif limit > 0 and cost <= limit then
    local left = used
    for i = 1, #list, 2 do
      left = left - list[i + 1]
      if left + cost <= limit then
        retry = list[i] - now
        break
      end
    end
  end
  local reset = #list > 0 and max(0, list[#list - 1] - now) or 0
  return allowed, max(0, limit - used), reset, min(reset, retry), leases(list)
end

function giveBack.c(state, window, cost, at)
  local held = numbers(state)
  local expires = expiry(window, at)
  local list = {}
  if at < 0 then
    for i = #held, 2, -2 do
      local out = min(cost, held[i])
      held[i] = held[i] - out
      cost = cost - out
    end
  end
  for i = 1, #held, 2 do
    local units = held[i + 1]
    if at >= 0 and held[i] == expires then units = units - cost end
    if units > 0 then
      list[#list + 1] = held[i]
      list[#list + 1] = units
    end
  end
  if #list > 0 then return leases(list) end
end
`;

const sources: Readonly<Record<string, string>> = {
  f: fixedWindowLua,
  s: slidingWindowLua,
  t: tokenBucketLua,
  c: concurrencyLua,
};

/**
 * Ways of counting as Lua functions: the formulas of `src/quota/` (fixed-window.ts, sliding-window.ts,
 * token-bucket.ts, concurrency.ts), in the same doubles. A state is whole numbers as text, a blank between
 * two.
 *
 * `take[letter](state, limit, window, burst, cost, now, owed)` gives allowed, remaining, reset, retry and the
 * state with the units in it; `giveBack[letter](state, window, cost, at)` gives the state without them, nil where
 * nothing is left. Only those of the letters that are asked for: Lua makes them anew in each run.
 */
export function countingLua(wanted: string): string {
  return commonLua + [...wanted].map((letter) => sources[letter] ?? "").join("");
}
