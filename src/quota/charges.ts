import type { CompiledQuota, KeyedAllowance } from "./compile-quota.js";
import type { QuotaObserver, QuotaRequest } from "./outcome.js";
import { keyOf, keyPart } from "./quota-key.js";
import type { Charge } from "./store.js";

/** Most units of one charge, and most that an allowance can have. */
export const MAX_UNITS = 0xffff_ffff;

/** A charge with the allowance that it is of. */
export interface KeyedCharge {
  readonly keyed: KeyedAllowance;
  readonly charge: Charge;
}

/**
 * What a request costs a quota; undefined: the quota does not count it. Where `match`, a dimension or `cost` cannot be
 * evaluated, the quota applies with its most general key, and a cost that nobody can tell is 1: a failure never makes
 * a request free. More units than any limit has never pass.
 */
export function chargeOfRequest(
  compiled: CompiledQuota,
  request: QuotaRequest,
  observer: QuotaObserver,
  isTrial: boolean,
): KeyedCharge | undefined {
  const applies = isMatch(compiled, request, observer);
  if (applies === false) return undefined;
  const values = applies === undefined ? undefined : valuesOf(compiled, request, observer);
  const keyed = values === undefined ? compiled.own : compiled.allowanceOf(values);
  if (keyed === undefined) return undefined;
  const cost = typeof compiled.cost === "number" ? compiled.cost : costOf(compiled, request, observer);
  if (values === undefined || cost === undefined) {
    return { keyed: compiled.own, charge: generalCharge(compiled, cost ?? 1, isTrial) };
  }
  // An id of one caller must not make the charge of another one free, so only a key of its own has ids. Where nothing
  // is charged there is nothing to remember, or ids would fill the store for free.
  const id = compiled.chargeId === undefined || cost === 0 ? undefined : idOf(compiled, request, observer);
  const charge = chargeOf(
    compiled,
    keyed,
    keyOf(keyed.prefix, values, compiled.areSecret),
    cost,
    isTrial,
    id,
  );
  return { keyed, charge: fitting(charge) };
}

/**
 * What these values of the dimensions, in order, are charged; undefined: they are not limited. Units that no charge can
 * have never pass.
 */
export function chargeOfValues(
  compiled: CompiledQuota,
  values: readonly string[],
  units: number,
): KeyedCharge | undefined {
  const keyed = compiled.allowanceOf(values);
  if (keyed === undefined) return undefined;
  const key = keyOf(keyed.prefix, values, compiled.areSecret);
  const charge = chargeOf(compiled, keyed, key, units, compiled.quota.dryRun, undefined);
  return { keyed, charge: fitting(charge) };
}

/** The charge of requests for which an expression cannot be evaluated: of the Quota's own allowance, never an override's. */
export function generalCharge(compiled: CompiledQuota, units: number, isTrial: boolean): Charge {
  return fitting(chargeOf(compiled, compiled.own, compiled.generalKey, units, isTrial, undefined));
}

/** Both charges as one: of one key. */
export function addCharges(one: Charge, other: Charge): Charge {
  const cost = one.cost + other.cost;
  return fitting({ ...one, cost });
}

/** A charge as a store can be told it: units that no charge can have become some that no allowance has room for. */
function fitting(charge: Charge): Charge {
  const { cost, limit, burst } = charge;
  if (Number.isInteger(cost) && cost >= 0 && cost <= MAX_UNITS) return charge;
  const below = MAX_UNITS - 1;
  return { ...charge, cost: MAX_UNITS, limit: Math.min(limit, below), burst: Math.min(burst, below) };
}

function chargeOf(
  { quota }: CompiledQuota,
  { allowance }: KeyedAllowance,
  key: string,
  cost: number,
  isTrial: boolean,
  id: string | undefined,
): Charge {
  return {
    algorithm: allowance.algorithm,
    limit: allowance.limit,
    windowMs: allowance.windowMs,
    burst: allowance.burst,
    key,
    group: quota.namespace,
    cost,
    isTrial,
    id,
  };
}

/** Undefined: nobody could tell. */
function isMatch(
  { match, id }: CompiledQuota,
  request: QuotaRequest,
  observer: QuotaObserver,
): boolean | undefined {
  if (match === undefined) return true;
  try {
    return match.evaluate(request);
  } catch {
    observer.expressionFailed(id, "match");
    return undefined;
  }
}

const noValues: readonly string[] = [];

function valuesOf(
  { dimensions, id }: CompiledQuota,
  request: QuotaRequest,
  observer: QuotaObserver,
): readonly string[] | undefined {
  if (dimensions.length === 0) return noValues;
  try {
    const values: string[] = [];
    for (const dimension of dimensions) values.push(dimension.evaluate(request));
    return values;
  } catch {
    observer.expressionFailed(id, "dimensions");
    return undefined;
  }
}

function costOf(
  { cost, id }: CompiledQuota,
  request: QuotaRequest,
  observer: QuotaObserver,
): number | undefined {
  if (typeof cost === "number") return cost;
  try {
    const units = cost.evaluate(request);
    if (Number.isInteger(units) && units >= 0) return units;
  } catch {
    // Said below, like a number that is no cost.
  }
  observer.expressionFailed(id, "cost");
  return undefined;
}

/** An empty text is no id: it would be everybody's. */
function idOf(
  { chargeId, id }: CompiledQuota,
  request: QuotaRequest,
  observer: QuotaObserver,
): string | undefined {
  try {
    const text = chargeId?.evaluate(request);
    return text === undefined || text === "" ? undefined : keyPart(text);
  } catch {
    observer.expressionFailed(id, "charge_id");
    return undefined;
  }
}
