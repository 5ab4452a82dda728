import { readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { findClashes, parseRateLimitFile, readRateLimitSettings } from "../../../src/ratelimit/index.js";

interface Row {
  readonly id: string;
  readonly files: Readonly<Record<string, string | { readonly base64: string }>>;
  readonly env: Readonly<Record<string, string>>;
  readonly accepted: boolean;
}

interface Recorded extends Omit<Row, "accepted"> {
  readonly initial_load: unknown;
  readonly steps: readonly {
    readonly op?: string;
    readonly files?: Row["files"];
    readonly result?: unknown;
  }[];
}

const corpus = new URL("../../conformance/corpus/ratelimit/", import.meta.url);

function rows<T>(text: string): readonly T[] {
  return text
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as T);
}

/** Loads a set of files as the peer does: all of them or none. */
function isAccepted(files: Row["files"], env: Row["env"]): boolean {
  const { settings, problems } = readRateLimitSettings(env);
  expect(problems).toEqual([]);
  const names = Object.keys(files).filter((name) => !(settings.ignoresDotFiles && name.startsWith(".")));
  const parsed = names.map((name) => {
    const content = files[name] ?? "";
    return parseRateLimitFile(typeof content === "string" ? content : Buffer.from(content.base64, "base64"));
  });
  const specs = parsed.flatMap(({ spec }, index) =>
    spec === undefined ? [] : [{ name: names[index] ?? "", file: spec }],
  );
  return specs.length === names.length && findClashes(specs, settings).length === 0;
}

describe("config files that envoyproxy/ratelimit was given", () => {
  const odd = rows<Row>(readFileSync(new URL("invalid-configs.public.jsonl", corpus), "utf8"));
  it.each(odd.map((row) => [row.id, row] as const))("%s has the peer's verdict", (_, row) => {
    expect(isAccepted(row.files, row.env)).toBe(row.accepted);
  });

  const recorded = rows<Recorded>(gunzipSync(readFileSync(new URL("public.jsonl.gz", corpus))).toString());
  it.each(recorded.map((row) => [row.id, row] as const))("%s loads as it did there", (_, row) => {
    expect(isAccepted(row.files, row.env)).toBe(row.initial_load === "ok");
    for (const step of row.steps) {
      if (step.op === "reload" && step.files !== undefined) {
        expect(isAccepted(step.files, row.env)).toBe(step.result === "ok");
      }
    }
  });
});
