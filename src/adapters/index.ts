export { createDirectorySource, type DirectorySource } from "./directory-source.js";
export type { GrpcProviderOptions } from "./ext-authz-grpc.js";
export type { HttpProviderOptions } from "./ext-authz-http.js";
export type { EgressOptions } from "./http-egress.js";
export {
  type ClosableProvider,
  createProvider,
  type ProviderOptions,
} from "./providers.js";
