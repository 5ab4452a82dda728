import { type ConfigUpdate, createAssembler, createCatalog } from "../../src/config/index.js";
import type { Snapshot } from "../../src/engine/index.js";
import type { AuthorizationPolicy } from "../../src/istio/index.js";
import { authnOptions } from "../../test/support/authn.js";
import { benchConfig, type PolicyCounts } from "../policies.js";

const pause = async (): Promise<void> => {};

/** The snapshot that a server has of the benchmark's policies. */
export async function benchSnapshot(counts: PolicyCounts): Promise<Snapshot> {
  return createAssembler({ pause, providers: () => undefined, ...authnOptions }).apply(
    await readBenchConfig(counts),
  );
}

/** The benchmark's AuthorizationPolicies as data. */
export async function benchPolicies(counts: PolicyCounts): Promise<AuthorizationPolicy[]> {
  const { upserts } = await readBenchConfig(counts);
  return upserts
    .filter(({ kind }) => kind === "AuthorizationPolicy")
    .map(({ spec }) => spec as AuthorizationPolicy);
}

async function readBenchConfig(counts: PolicyCounts): Promise<ConfigUpdate> {
  const text = benchConfig(counts).join("---\n");
  const files = [{ path: "bench.yaml", text, root: "." }];
  const update = await createCatalog({ pause }).update({ files, diagnostics: [], roots: [] });
  if (!update.ok) throw new Error(`the benchmark's config is refused: ${JSON.stringify(update.diagnostics)}`);
  return update;
}
