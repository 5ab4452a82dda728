import { Buffer } from "node:buffer";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { compileNumberReader, type Framing, type PathStep } from "../../../src/redaction/index.js";

/** `a.b[0].*..c` without what a real reader of paths refuses. */
function path(text: string): PathStep[] {
  return text
    .split(" ")
    .filter(Boolean)
    .map((step): PathStep => {
      if (step === "*") return { kind: "all" };
      if (step === "..") return { kind: "descend" };
      return /^\d+$/.test(step) ? { kind: "item", index: Number(step) } : { kind: "member", name: step };
    });
}

/** Read in pieces of so many bytes. */
function read(
  steps: string,
  text: string,
  {
    framing = "json",
    size = text.length || 1,
    ends = true,
  }: { framing?: Framing; size?: number; ends?: boolean } = {},
): number | undefined {
  const reader = compileNumberReader(path(steps))(framing);
  const bytes = Buffer.from(text);
  for (let at = 0; at < bytes.length; at += size) reader.push(bytes.subarray(at, at + size));
  if (ends) reader.end();
  return reader.value;
}

const usage = JSON.stringify({
  id: "x",
  "usage\n": 1,
  choices: [{ text: 'usage":{"total_tokens":99}', usage: { total_tokens: 3 } }, 7, [[8]]],
  other: { usage: { total_tokens: 5 } },
  usage: { prompt_tokens: 11, total_tokens: 42, details: { total_tokens: 6 } },
});

describe("the number at a path of a JSON body", () => {
  it.each([
    ["usage total_tokens", 42],
    ["usage prompt_tokens", 11],
    ["usage details total_tokens", 6],
    ["choices 0 usage total_tokens", 3],
    ["choices 1", 7],
    ["choices * usage total_tokens", 3],
    ["choices 2 0 0", 8],
    [".. total_tokens", 6],
    ["other .. total_tokens", 5],
    ["usage", undefined],
    ["total_tokens", undefined],
    ["usage total", undefined],
    ["choices 3", undefined],
    ["usage *", 42],
  ])("at %s is found: %s", (steps, value) => {
    expect(read(steps, usage)).toBe(value);
  });

  it("is the same however the body is cut", () => {
    for (const steps of ["usage total_tokens", "choices 1", ".. total_tokens", "usage\n"]) {
      for (let size = 1; size < 12; size++) expect(read(steps, usage, { size })).toBe(read(steps, usage));
    }
  });

  it("may be the whole document", () => {
    expect(read("", " -12.5e1 ")).toBe(-125);
    expect(read("", "7")).toBe(7);
    expect(read("", '"7" 8')).toBeUndefined();
  });

  it.each([
    '{"n":"1"}',
    '{"n":null}',
    '{"n":true}',
    '{"n":[1]}',
    '{"n":{"n":1}}',
    '{"n":01}',
    '{"n":1.}',
    "",
    "{",
  ])("is not found where %s has no number", (text) => {
    expect(read("n", text)).toBeUndefined();
  });

  it("has its name in whatever spelling", () => {
    expect(read("usäge", '{"us\\u00e4ge":4}')).toBe(4);
    expect(read("usäge", '{"usäge":4}')).toBe(4);
    expect(read('a"b\\', '{"a\\"b\\\\":4}')).toBe(4);
    expect(read("__proto__", '{"__proto__":4}')).toBe(4);
    expect(read("", '{"":4}')).toBeUndefined();
  });

  it("is not one that the end of a broken body cuts off", () => {
    expect(read("n", '{"n":12', { ends: false })).toBeUndefined();
    expect(read("n", '{"n":12}', { ends: false })).toBe(12);
  });

  it("is found behind what is nested a million deep, and by paths that match everywhere", () => {
    const deep = "[".repeat(1_000_000) + "]".repeat(1_000_000);
    expect(read("n", `{"a":${deep},"n":1}`)).toBe(1);
    expect(read(".. n", `{"a":${deep},"n":1}`)).toBe(1);
  });

  it("is that of JSON.parse in any document", () => {
    const key = fc.constantFrom("a", "b", "ü", "", 'q"', "long name");
    const { value } = fc.letrec((tie) => ({
      value: fc.oneof(
        { maxDepth: 4 },
        fc.oneof(
          fc.integer(),
          fc.double({ noNaN: true, noDefaultInfinity: true }),
          fc.string(),
          fc.constant(null),
        ),
        fc.array(tie("value"), { maxLength: 3 }),
        fc.dictionary(key, tie("value"), { maxKeys: 4 }),
      ),
    }));
    const step = fc.oneof(
      key.map((name): PathStep => ({ kind: "member", name })),
      fc.nat(2).map((index): PathStep => ({ kind: "item", index })),
    );
    const property = fc.property(
      value,
      fc.array(step, { maxLength: 4 }),
      fc.integer({ min: 1, max: 9 }),
      (json, steps, size) => {
        let expected: unknown = json;
        for (const one of steps) {
          const name = one.kind === "item" ? one.index : one.kind === "member" ? one.name : "";
          const fits = Array.isArray(expected) === (one.kind === "item");
          const isHolder = typeof expected === "object" && expected !== null && fits;
          expected =
            isHolder && Object.hasOwn(expected as object, name) ? (expected as never)[name] : undefined;
        }
        const reader = compileNumberReader(steps)("json");
        const bytes = Buffer.from(JSON.stringify(json));
        for (let at = 0; at < bytes.length; at += size) reader.push(bytes.subarray(at, at + size));
        reader.end();
        expect(reader.value ?? "none").toBe(typeof expected === "number" ? expected + 0 : "none");
      },
    );
    fc.assert(property, { numRuns: 1_000 });
  });

  it("never throws, whatever the bytes are", () => {
    const framings = fc.constantFrom<Framing>("json", "ndjson", "events");
    const piece = fc.oneof(
      fc.uint8Array(),
      fc.constantFrom('{"', "data:", "\n", '":', "[", "}", "\\", "1e").map(Buffer.from),
    );
    fc.assert(
      fc.property(framings, fc.array(piece), (framing, pieces) => {
        const reader = compileNumberReader(path(".. a *"))(framing);
        for (const bytes of pieces) reader.push(bytes);
        reader.end();
        expect(["number", "undefined"]).toContain(typeof reader.value);
      }),
    );
  });
});

describe("the number in lines and events", () => {
  const events = [
    ": a comment",
    "event: chunk",
    'data: {"usage":null,"choices":[{"delta":"data: {\\"usage\\":{\\"total_tokens\\":1}}"}]}',
    "",
    'data:{"usage":',
    'data: {"total_tokens":17}}',
    'id: {"usage":{"total_tokens":5}}',
    "",
    'data: {"usage":null}',
    "",
    "data: [DONE]",
    "",
    "",
  ];

  it.each(["\n", "\r\n", "\r"])("is that of the last event that has one, lines ending in %j", (end) => {
    const text = events.join(end);
    for (let size = 1; size < 30; size++) {
      expect(read("usage total_tokens", text, { framing: "events", size })).toBe(17);
    }
  });

  it("is that of an event that is complete but for its empty line, when the body is cut off", () => {
    const text = 'data: {"usage":{"total_tokens":9}}\n';
    expect(read("usage total_tokens", text, { framing: "events", ends: false })).toBe(9);
  });

  it("is that of the last line that has one, and a broken line breaks no other", () => {
    const text = '{"n":1}\n{"n":2\n{"n":"x"}\n\n{"a":[{"n":5\n{"n":3}\n{"m":4}\n';
    for (let size = 1; size < 20; size++) expect(read("n", text, { framing: "ndjson", size })).toBe(3);
  });

  it("is not looked for behind the end of a JSON text", () => {
    expect(read("n", '{"n":1}{"n":2}')).toBe(1);
  });
});
