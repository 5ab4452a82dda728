import { existsSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { readRegoCorpus } from "./rego-case.js";
import { replayRego } from "./rego-replay.js";

const own = join(import.meta.dirname, "corpus");
/** The corpora beside the project, when they are there, may have more. */
const shared = join(import.meta.dirname, "..", "..", "..", "shared", "corpus", "rego");

describe("what OPA-Envoy answered is what Gatehouse answers over gRPC", () => {
  const found = join(shared, "public.jsonl.gz");
  const file = existsSync(found) ? found : join(own, "rego.jsonl.gz");

  it("for every policy and request of the corpus", { timeout: 300_000 }, async () => {
    const cases = readRegoCorpus(file);
    const { agreed, disagreed, sensitive } = await replayRego(cases, own);
    expect(disagreed).toEqual([]);
    expect(agreed + sensitive).toBe(cases.length);
    expect(agreed).toBeGreaterThanOrEqual(487);
  });
});
