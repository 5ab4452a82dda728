import { stringify } from "yaml";
import type { CorpusSet } from "./corpus-case.js";

/** How the server learns the destination workload: from its Mesh, or from each request. */
export type WorkloadFrom = "mesh" | "context";

export interface ConfigDocumentsOptions {
  /** Name of the Mesh, by which the config can be told from others. */
  readonly meshName: string;
  readonly workloadFrom: WorkloadFrom;
  /** Where the providers are served, on 127.0.0.1. */
  readonly providerPort: number;
}

/** The set as one YAML text: its Mesh, then its request authentications, then its policies. */
export function configDocuments(set: CorpusSet, options: ConfigDocumentsOptions): string {
  const { policies, request_authentications: authentications = [] } = set;
  return [stringify(mesh(set, options)), ...authentications, ...policies].join("\n---\n");
}

function mesh(set: CorpusSet, { meshName, workloadFrom, providerPort }: ConfigDocumentsOptions): object {
  const { namespace, labels = {}, type, services } = set.workload;
  return {
    apiVersion: "gatehouse.dev/v1alpha1",
    kind: "Mesh",
    metadata: { name: meshName },
    spec: {
      rootNamespace: set.root_namespace,
      trustDomain: set.trust_domain,
      trustDomainAliases: set.trust_domain_aliases ?? [],
      extensionProviders: (set.extension_providers ?? []).map(({ name, bad }) =>
        bad === true ? { name } : { name, envoyExtAuthzGrpc: { service: "127.0.0.1", port: providerPort } },
      ),
      ...(workloadFrom === "context"
        ? {}
        : {
            xff: {
              useRemoteAddress: set.use_remote_address ?? false,
              numTrustedHops: set.xff_num_trusted_hops ?? 0,
            },
            defaultWorkload: {
              namespace,
              labels,
              ...(type === undefined ? {} : { type }),
              ...(services === undefined ? {} : { services }),
            },
          }),
    },
  };
}
