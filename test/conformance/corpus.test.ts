import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import type { WorkloadFrom } from "./config-documents.js";
import { readCorpus } from "./corpus-case.js";
import { replay } from "./replay.js";

const own = (name: string): string => fileURLToPath(new URL(`corpus/${name}`, import.meta.url));
/** Beside the repository, where the project may not carry a copy of it. */
const shared = (name: string): string =>
  fileURLToPath(new URL(`../../../shared/corpus/istio-authz/${name}`, import.meta.url));

const corpora = [
  { name: "authz", file: own("authz.jsonl.gz"), atLeast: 6_400 },
  { name: "authn", file: own("authn.jsonl.gz"), atLeast: 3_170 },
  { name: "custom", file: own("custom.jsonl.gz"), atLeast: 430 },
  { name: "istio-testdata", file: shared("istio-testdata.jsonl.gz"), atLeast: 630, isElsewhere: true },
];

const sources: readonly [WorkloadFrom, string][] = [
  ["mesh", "the workload from the Mesh"],
  ["context", "the workload from the request"],
];

describe("the running server decides as Istio's own translation in a real Envoy", () => {
  for (const { name, file, atLeast, isElsewhere = false } of corpora) {
    for (const [workloadFrom, how] of sources) {
      // A fresh clone has nothing beside it; what lies in the repository is never passed over.
      const here = !isElsewhere || existsSync(file);
      const title = `corpus ${name}, ${how}${here ? "" : " (not run: ../shared is not here)"}`;
      test.skipIf(!here)(title, { timeout: 180_000 }, async () => {
        const { agreed, disagreed } = await replay(readCorpus(file), workloadFrom);
        expect(disagreed.map((one) => `${one.case.id}: ${one.points.join("; ")}`)).toEqual([]);
        expect(agreed).toBeGreaterThanOrEqual(atLeast);
      });
    }
  }
});
