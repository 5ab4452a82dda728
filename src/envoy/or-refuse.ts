import { GatehouseError } from "../diagnostics/index.js";

/** What `read` gives; throws a GatehouseError `bad_request` that names the part where it throws. */
export function orRefuse<T>(what: string, read: () => T): T {
  try {
    return read();
  } catch (cause) {
    throw new GatehouseError("bad_request", `${what} cannot be read`, { cause });
  }
}
