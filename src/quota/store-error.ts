import { GatehouseError } from "../diagnostics/index.js";

/**
 * Why a store did not count: `unavailable` (no connection, an error of the server, the breaker is open), `timeout`,
 * `full` (no room for a further counter), `overflow` (a counter would pass 2^63 - 1).
 */
export type StoreFault = "unavailable" | "timeout" | "full" | "overflow";

/** A counter store could not do what it was asked. */
export class StoreError extends GatehouseError {
  readonly fault: StoreFault;

  constructor(fault: StoreFault, message: string, options?: ErrorOptions) {
    super("store", message, options);
    this.name = "StoreError";
    this.fault = fault;
  }
}
