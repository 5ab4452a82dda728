import type { Provider } from "../engine/index.js";
import type { CheckResponse__Output } from "../proto/index.js";
import { createGrpcProvider, type GrpcProviderOptions } from "./ext-authz-grpc.js";
import { createHttpProvider, type HttpProviderOptions } from "./ext-authz-http.js";
import { createHttpClient } from "./http.js";
import { createEgress, type EgressOptions } from "./http-egress.js";

/** An entry of `Mesh.spec.extensionProviders` that names an authorizer outside. */
export type ProviderOptions = GrpcProviderOptions | HttpProviderOptions;

/** What providers share. */
export interface ProviderWiring {
  /** Of the loaded protos; throws for bytes that are no CheckResponse. */
  readonly decodeCheckResponse: (bytes: Buffer) => CheckResponse__Output;
  readonly egress?: EgressOptions;
}

/** Asked until it is closed; afterwards every question is a failure of the provider. */
export type ClosableProvider = Provider & {
  /** Gives the questions under way `graceMs` (0 by default), then ends them and closes every connection. */
  readonly close: (graceMs?: number) => Promise<void>;
};

/**
 * An authorizer of its own connections, which are made with the first question. Throws for bad egress
 * options.
 */
export function createProvider(options: ProviderOptions, wiring: ProviderWiring): ClosableProvider {
  const { egress, decodeCheckResponse } = wiring;
  const { ask, close } =
    options.protocol === "grpc"
      ? createGrpcProvider(options, { decodeCheckResponse, egress: createEgress(egress) })
      : createHttpProvider(options, createHttpClient(egress === undefined ? {} : { egress }));
  return Object.assign(ask, { close });
}
