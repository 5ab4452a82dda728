export {
  type Assembler,
  type AssemblerOptions,
  createAssembler,
  meshOf,
} from "./assembler.js";
export { type Catalog, createCatalog } from "./catalog.js";
export type {
  EnvoyExtAuthzGrpc,
  EnvoyExtAuthzHttp,
  ExtensionProvider,
  IncludeRequestBody,
} from "./extension-provider.js";
export type { Mesh } from "./mesh.js";
export type { ConfigFiles, ConfigUpdate, Origin, Resource, SourceFile } from "./resource.js";
