export { parseAddress } from "./address.js";
export { startConfigThread } from "./config-thread.js";
export { defaults, type ServerOptions } from "./options.js";
export type { Protos } from "./protos.js";
export { InvalidConfigError, type RunningServer, startServer } from "./server.js";
export { packageVersion } from "./version.js";

/**
 * What a command needs that decides without a server. Loaded apart: the gRPC library and the compilers take
 * longer to load than all else, and `serve` loads them while the configuration is being read.
 */
export function loadParts(): Promise<typeof import("./parts.js")> {
  return import("./parts.js");
}
