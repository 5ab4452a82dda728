export { type Assembled, type Assembler, createAssembler, meshOf } from "./assembler.js";
export type { BodyPorts } from "./bodies.js";
export { type Catalog, createCatalog } from "./catalog.js";
export type { ExtensionProvider } from "./extension-provider.js";
export { lineOf } from "./line.js";
export type { Egress, Mesh } from "./mesh.js";
export { trustDomainsOf } from "./planning.js";
export type { QuotaPorts } from "./quotas.js";
export { RATE_LIMIT_KIND } from "./rate-limit-files.js";
export type {
  Downloaded,
  DownloadReference,
  FileReference,
  ReferencedFile,
  References,
} from "./references.js";
export type { ConfigFiles, ConfigUpdate, Origin, RegoFolder, Resource, SourceFile } from "./resource.js";
export { sinksOfMesh, type TelemetryInForce, type TelemetryPorts } from "./telemetry.js";
