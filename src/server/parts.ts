export { createBuilder } from "./builder.js";
export { createCounters, openStore } from "./counters.js";
export { createKeys } from "./keys.js";
export { loadProtos } from "./protos.js";
export { createRegoPorts } from "./rego.js";
