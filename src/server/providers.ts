import { isIP } from "node:net";
import { type ClosableProvider, createProvider, type ProviderOptions } from "../adapters/index.js";
import type { Egress, ExtensionProvider, Mesh } from "../config/index.js";
import type { Provider, Verdict } from "../engine/index.js";
import type { Metrics, ProviderResult } from "../telemetry/index.js";
import { loadProtos } from "./protos.js";

/** The authorizers outside that CUSTOM policies name, each with its own connections. */
export interface ProviderPool {
  /** The one for an entry of the Mesh; undefined when the entry names none that can be asked. */
  provide(entry: ExtensionProvider, egress: Egress): Provider | undefined;
  /** Ends those that none of the meshes needs any more; questions under way are answered first. */
  retain(meshes: readonly Pick<Mesh, "extensionProviders" | "egress">[]): void;
  close(): Promise<void>;
}

/** Longer than the timeout of a provider that names none. */
const GRACE_MS = 10_000;

/**
 * Keeps one provider for each distinct entry, so that a reload does not cut connections that it does not
 * touch.
 */
export function createProviderPool(metrics: Pick<Metrics, "providerAsked">): ProviderPool {
  const open = new Map<string, { readonly provider: ClosableProvider; readonly counted: Provider }>();
  return {
    provide(entry, egress) {
      const key = keyOf(entry, egress);
      const known = open.get(key);
      if (known !== undefined) return known.counted;
      const options = toOptions(entry);
      if (options === undefined) return undefined;
      const provider = createProvider(options, {
        decodeCheckResponse: loadProtos().check.responseDeserialize,
        egress,
      });
      const counted: Provider = async (request) => {
        const asked = performance.now();
        const verdict = await provider(request);
        metrics.providerAsked(entry.name, resultOf(verdict), (performance.now() - asked) / 1000);
        return verdict;
      };
      open.set(key, { provider, counted });
      return counted;
    },
    retain(meshes) {
      const keys = new Set(
        meshes.flatMap(({ extensionProviders, egress }) =>
          extensionProviders.map((entry) => keyOf(entry, egress)),
        ),
      );
      for (const [key, { provider }] of open) {
        if (keys.has(key)) continue;
        open.delete(key);
        void provider.close(GRACE_MS);
      }
    },
    async close() {
      const all = [...open.values()];
      open.clear();
      await Promise.all(all.map(({ provider }) => provider.close()));
    },
  };
}

/** A provider serves one entry under one set of egress rules. */
function keyOf(entry: ExtensionProvider, egress: Egress): string {
  return JSON.stringify([entry, egress]);
}

function resultOf({ allowed, failed, failedOpen }: Verdict): ProviderResult {
  if (failedOpen) return "failed_open";
  if (failed) return "failed";
  return allowed ? "allowed" : "denied";
}

const DEFAULT_STATUS_ON_ERROR = 403;

/** An entry in the adapter's words. */
function toOptions({
  name,
  envoyExtAuthzGrpc,
  envoyExtAuthzHttp,
}: ExtensionProvider): ProviderOptions | undefined {
  const either = envoyExtAuthzGrpc ?? envoyExtAuthzHttp;
  if (either === undefined) return undefined;
  const base = {
    name,
    host: hostOf(either.service),
    port: either.port,
    timeoutMs: either.timeout,
    failOpen: either.failOpen,
    statusOnError: Number(either.statusOnError ?? DEFAULT_STATUS_ON_ERROR),
  };
  if (envoyExtAuthzHttp === undefined) return { protocol: "grpc", ...base };
  const http = envoyExtAuthzHttp;
  return {
    protocol: "http",
    ...base,
    pathPrefix: http.pathPrefix,
    includeRequestBody: http.includeRequestBodyInCheck,
    includeRequestHeaders:
      http.includeRequestHeadersInCheck.length > 0
        ? http.includeRequestHeadersInCheck
        : http.includeHeadersInCheck,
    additionalHeaders: Object.entries(http.includeAdditionalHeadersInCheck),
    headersToUpstreamOnAllow: http.headersToUpstreamOnAllow,
    headersToDownstreamOnAllow: http.headersToDownstreamOnAllow,
    headersToDownstreamOnDeny: http.headersToDownstreamOnDeny,
  };
}

/** `NAMESPACE/HOST` is HOST: the namespace only tells Istio which of two services of one name is meant. */
function hostOf(service: string): string {
  const host = service.slice(service.indexOf("/") + 1);
  return host.startsWith("[") && isIP(host.slice(1, -1)) === 6 ? host.slice(1, -1) : host;
}
