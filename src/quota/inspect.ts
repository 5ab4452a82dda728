import { GatehouseError } from "../diagnostics/index.js";
import { chargeOfValues, generalCharge } from "./charges.js";
import type { CompiledQuota } from "./compile-quota.js";
import type { Charge } from "./store.js";

/**
 * The charge of one unit that a request with these values of the dimensions, by name, would make: for who looks at a
 * counter or resets it. Undefined: an override lifts the limit. Throws `bad_request` unless each dimension has a value.
 */
export function chargeFor(
  compiled: CompiledQuota,
  dimensionValues: ReadonlyMap<string, string>,
): Charge | undefined {
  const names = compiled.quota.dimensions.map(({ name }) => name);
  const unknown = [...dimensionValues.keys()].find((name) => !names.includes(name));
  const missing = names.find((name) => !dimensionValues.has(name));
  const expected = names.length === 0 ? "none" : names.map((name) => `\`${name}\``).join(", ");
  if (unknown !== undefined) {
    const message = `quota ${compiled.id} has no dimension \`${unknown}\`, expected ${expected}`;
    throw new GatehouseError("bad_request", message);
  }
  if (missing !== undefined) {
    const message = `no value for dimension \`${missing}\` of quota ${compiled.id}, expected one for ${expected}`;
    throw new GatehouseError("bad_request", message);
  }
  const values = names.map((name) => dimensionValues.get(name) ?? "");
  return chargeOfValues(compiled, values, 1)?.charge;
}

/** The charge of one unit that a request makes for which an expression cannot be evaluated. */
export function generalChargeOf(compiled: CompiledQuota): Charge {
  return generalCharge(compiled, 1, compiled.quota.dryRun);
}
