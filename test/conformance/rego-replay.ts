import { copyFileSync, existsSync } from "node:fs";
import { basename, join } from "node:path";
import type { CheckResponse__Output } from "../../src/proto/index.js";
import { type GatehouseUnderTest, startGatehouse } from "./gatehouse.js";
import { disagreements, type RegoCase } from "./rego-case.js";

/** What came of a replay. */
export interface RegoReport {
  readonly agreed: number;
  readonly disagreed: readonly { readonly id: string; readonly points: readonly string[] }[];
  /** OPA's own versions differ there. */
  readonly sensitive: number;
}

/** Replays cases over gRPC: each policy is loaded in turn into one running server, by editing its configuration. */
export async function replayRego(cases: readonly RegoCase[], corpusFolder: string): Promise<RegoReport> {
  const counted = cases.filter((one) => one.opa_version_sensitive !== true);
  const policies = new Map<string, RegoCase[]>();
  for (const one of counted) {
    const key = JSON.stringify([one.module_id, one.module, one.data, one.entrypoint, one.plugin_config]);
    policies.set(key, [...(policies.get(key) ?? []), one]);
  }
  const gatehouse = await startGatehouse();
  const disagreed: { id: string; points: readonly string[] }[] = [];
  try {
    for (const [i, group] of [...policies.values()].entries()) {
      const [first] = group;
      if (first === undefined) continue;
      const mesh = `set-${i}`;
      const descriptor = first.plugin_config["proto-descriptor"];
      if (typeof descriptor === "string") {
        const named = join(corpusFolder, descriptor);
        const file = existsSync(named) ? named : join(corpusFolder, basename(descriptor));
        copyFileSync(file, join(gatehouse.folder, basename(descriptor)));
      }
      const errors = await gatehouse.load(documentsOf(first, mesh), mesh);
      if (errors.length > 0) {
        const points = errors.map(({ message }) => `refused: ${message}`);
        disagreed.push(...group.map(({ id }) => ({ id, points })));
        continue;
      }
      for (const one of group) {
        const answer = await answerTo(gatehouse, one);
        const points = disagreements(one, answer);
        if (points.length > 0) disagreed.push({ id: one.id, points });
      }
    }
  } finally {
    await gatehouse.stop();
  }
  return { agreed: counted.length - disagreed.length, disagreed, sensitive: cases.length - counted.length };
}

function answerTo(
  gatehouse: GatehouseUnderTest,
  { request_b64 }: RegoCase,
): Promise<CheckResponse__Output | undefined> {
  return gatehouse.check(Buffer.from(request_b64, "base64")).catch(() => undefined);
}

/** OPA-Envoy's own configuration as a RegoPolicy for the whole mesh. */
function documentsOf({ module, data, entrypoint, plugin_config: plugin }: RegoCase, mesh: string): string {
  const descriptor = plugin["proto-descriptor"];
  const query = plugin["query"];
  const spec = {
    modules: { "policy.rego": module },
    ...(data !== null && { data }),
    ...(typeof query === "string" ? { query } : { entrypoint }),
    ...(plugin["dry-run"] === true && { dryRun: true }),
    ...(plugin["skip-request-body-parse"] === true && { parseBody: false }),
    ...(typeof descriptor === "string" && { protoDescriptor: basename(descriptor) }),
  };
  const documents = [
    { apiVersion: "gatehouse.dev/v1alpha1", kind: "Mesh", metadata: { name: mesh } },
    {
      apiVersion: "gatehouse.dev/v1alpha1",
      kind: "RegoPolicy",
      metadata: { name: "p", namespace: "istio-system" },
      spec,
    },
  ];
  return documents.map((document) => JSON.stringify(document)).join("\n---\n");
}
