import { readFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { isObject, parseValue, type Value, valueText } from "../../src/builtins/index.js";
import { createInputWriter } from "../../src/rego/input.js";

const corpus = join(import.meta.dirname, "corpus");

interface Case {
  readonly id: string;
  readonly plugin_config: Readonly<Record<string, unknown>>;
  readonly request_b64: string;
  readonly input_error?: string;
}

const lines = gunzipSync(readFileSync(join(corpus, "rego.jsonl.gz")))
  .toString()
  .trim()
  .split("\n");
const descriptors = readFileSync(join(corpus, "shop.pb"));

/** What OPA-Envoy made of the request, with the texts of its numbers. */
function recorded(line: string): Value | undefined {
  const root = parseValue(line);
  return isObject(root) ? root.get("input") : undefined;
}

const cases = lines.map((line) => ({ case: JSON.parse(line) as Case, line }));

function inputOf({
  plugin_config: config,
  request_b64,
}: Case): ReturnType<ReturnType<typeof createInputWriter>> {
  const write = createInputWriter({
    parseBody: config["skip-request-body-parse"] !== true,
    protoDescriptor: config["proto-descriptor"] === undefined ? undefined : descriptors,
  });
  return write(Buffer.from(request_b64, "base64"));
}

describe("the input made of a CheckRequest", () => {
  const [good, bad] = [
    cases.filter((each) => each.case.input_error === undefined),
    cases.filter((each) => each.case.input_error !== undefined),
  ];

  it("is there for all requests of the corpus, or refused", () => {
    expect([good.length, bad.length]).toEqual([470, 17]);
  });

  it.each(good)("is OPA-Envoy's, number texts included: $case.id", ({ case: each, line }) => {
    const made = inputOf(each);
    expect(made.ok ? valueText(parseValue(made.json)) : made.message).toBe(valueText(recorded(line) ?? null));
  });

  it.each(bad)("is refused as by OPA-Envoy: $case.id", ({ case: each }) => {
    expect(inputOf(each)).toMatchObject({ ok: false });
  });
});
