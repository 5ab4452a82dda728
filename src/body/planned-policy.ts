import type { CompiledBodyPolicy } from "./compile-body-policy.js";
import type { CompiledUsage } from "./usage.js";

/** A policy with what its usage is measured by. */
export interface PlannedPolicy extends Omit<CompiledBodyPolicy, "usage"> {
  readonly usage: CompiledUsage | undefined;
}
