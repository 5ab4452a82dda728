export { type Builder, createBuilder } from "./builder.js";
export { loadProtos, type Protos } from "./protos.js";
