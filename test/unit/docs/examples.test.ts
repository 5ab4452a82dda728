import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { createCatalog } from "../../../src/config/index.js";
import { formatDiagnostic } from "../../../src/diagnostics/index.js";

// Documents in the guides load as they stand there.

/** Blocks of YAML that are whole documents; those of Mixer are none of ours. */
function examplesOf(page: string): string[] {
  const text = readFileSync(new URL(`../../../docs/${page}`, import.meta.url), "utf8");
  const blocks = [...text.matchAll(/^```yaml\n((?:# [^\n]*\n)?apiVersion: .*?)^```$/gms)];
  return blocks.map(([, example = ""]) => example).filter((example) => !example.startsWith("# Mixer\n"));
}

/** Files that a guide writes to a folder of configuration. */
function filesOf(page: string, folder: string): string[] {
  const text = readFileSync(new URL(`../../../docs/${page}`, import.meta.url), "utf8");
  const written = new RegExp(`^cat > ${folder}/[\\w-]+\\.yaml <<'END'\n(.*?)^END$`, "gms");
  return [...text.matchAll(written)].map(([, file = ""]) => file);
}

async function load(text: string): Promise<{ readonly kinds: string[]; readonly findings: string[] }> {
  const catalog = createCatalog({ pause: async () => {} });
  const update = await catalog.update({ files: [{ path: "a.yaml", text }], diagnostics: [] });
  return {
    kinds: update.upserts.map(({ kind }) => kind).sort(),
    findings: update.diagnostics.map(formatDiagnostic),
  };
}

test("those of docs/telemetry.md load together, without a finding", async () => {
  expect(await load(examplesOf("telemetry.md").join("---\n"))).toEqual({
    kinds: ["Mesh", "Metric", "Telemetry"],
    findings: [],
  });
});

test("those of docs/logs.md load, each by itself, without a finding", async () => {
  const loaded = await Promise.all(examplesOf("logs.md").map(load));
  expect(loaded).toEqual([
    { kinds: ["Mesh"], findings: [] },
    { kinds: ["Mesh", "Telemetry"], findings: [] },
    { kinds: ["Mesh"], findings: [] },
  ]);
});

test("those of docs/from-mixer.md load, each by itself, without a finding", async () => {
  const loaded = await Promise.all(examplesOf("from-mixer.md").map(load));
  expect(loaded).toEqual([
    { kinds: ["Quota"], findings: [] },
    { kinds: ["Mesh", "Metric", "Telemetry"], findings: [] },
  ]);
});

test("those that docs/bodies.md has written to files load, without a finding", async () => {
  const loaded = await Promise.all(filesOf("bodies.md", "my-bodies").map(load));
  expect(loaded).toEqual([
    { kinds: ["BodyPolicy"], findings: [] },
    { kinds: ["BodyPolicy", "RequestAuthentication"], findings: [] },
    { kinds: ["BodyPolicy"], findings: [] },
  ]);
});

test("those of docs/bodies.md load, each by itself, without a finding", async () => {
  const loaded = await Promise.all(examplesOf("bodies.md").map(load));
  expect(loaded.flatMap(({ findings }) => findings)).toEqual([]);
  expect(loaded.map(({ kinds }) => kinds)).toEqual([
    ["BodyPolicy"],
    ["BodyPolicy", "BodyPolicy"],
    ["BodyPolicy"],
    ["AuthorizationPolicy", "BodyPolicy"],
    ["BodyPolicy", "Quota"],
  ]);
});
