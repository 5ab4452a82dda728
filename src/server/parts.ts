export { createBuilder } from "./builder.js";
export { loadProtos } from "./protos.js";
