import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { readYaml } from "../../../src/config/yaml.js";
import { locator, readNodes } from "../../../src/config/yaml-nodes.js";

/** What Kubernetes' own decoder makes of unquoted scalars. */
const scalars: readonly (readonly [string, unknown])[] = [
  ["y", true],
  ["N", false],
  ["yes", true],
  ["no", false],
  ["on", true],
  ["Off", false],
  ["oN", "oN"],
  ["True", true],
  ["tRUE", "tRUE"],
  ["~", null],
  ["null", null],
  ["Null", null],
  ["80", 80],
  ["0080", 80],
  ["010", 8],
  ["0o17", 15],
  ["0x1F", 31],
  ["0b101", 5],
  ["-0b11", -3],
  ["1_000", 1000],
  ["+12", 12],
  ["-7", -7],
  ["1.5", 1.5],
  ["1.", 1],
  [".5", 0.5],
  ["1e3", 1000],
  ["1e", "1e"],
  ["08", 8],
  ["1:30", "1:30"],
  ["2026-01-01", "2026-01-01"],
  ["2026-01-01T00:00:00Z", "2026-01-01T00:00:00Z"],
  ["10.0.0.1", "10.0.0.1"],
  ["10.0.0.0/8", "10.0.0.0/8"],
  ["1.2.3", "1.2.3"],
  ["-", null],
  ["a b", "a b"],
  [".inf", Number.POSITIVE_INFINITY],
  ["=", "="],
  ['"80"', "80"],
  ["'yes'", "yes"],
  ['""', ""],
];

describe("a document's scalars", () => {
  it.each(scalars.filter(([text]) => text !== "-"))("`%s` is read as Kubernetes reads it", (text, value) => {
    expect(readYaml(`a: ${text}\n`).value).toEqual({ a: value });
    expect(readNodes(`a: ${text}\n`).value).toEqual({ a: value });
  });

  it("are texts as keys, whatever they look like", () => {
    for (const read of [readYaml, readNodes]) {
      expect(read("80: a\ny: b\n0080: c\n'no': d\n").value).toEqual({ "80": "c", true: "b", no: "d" });
    }
  });
});

/** Documents in which readers are known to differ; the fast and the exact one must not. */
const traps: readonly string[] = [
  "a: |-\n  # text\n  b\n",
  "a:\n    b: |\n     # text\n    c: d\n",
  "- -\n\n- ",
  "a: |+\n\n\n  ",
  "\n\ufeffa: b\n",
  'a: "b\\\n\n c"\n',
  "",
  "# nothing\n",
  "a:\n",
  "a: {b: [1, 'x', \"y\"], c: }\n",
  "a: |\n  line 1\n   line 2\n\n  line 3\nb: >-\n  folded\n  text\n",
  "a: |+\n  keep\n\n",
  "a: 'it''s'\nb: \"tab\\tnl\\n\\u00e9\\x41\"\n",
  "a: plain\n  continued\n  here\n",
  "- a\n- - b\n  - c\n-\n  d: e\n",
  "a: b # comment\nc: d#no comment\n",
  'a: "x: y"\nb: x:y\n',
  "a:\n- b\n- c\n",
  "key with spaces: v\n",
  "a: [b, c, ]\n",
  "{a: b, 'c': 1}\n",
  '{"a": {"b": [true, null, 1.5e3, "\\ud83d\\ude00", "\\/"]}}',
  '{\n\t"a":\t"b"\n}',
  "a: *\n",
  "a: '*'\n",
  "a: &x 1\nb: *x\n",
  "a: !!str 80\n",
  "a: !!int '80'\n",
  "a: !foo b\n",
  "? a\n: b\n",
  "[a]: b\n",
  "{[a]: b}\n",
  "<<: {a: 1}\na: 2\n",
  "base: &b {x: 1, y: 2}\nd:\n  <<: *b\n  x: 3\n",
  "a: 1\na: 2\n",
  "a: {b: 1, b: 2}\n",
  "a: b: c\n",
  "a: [b\n",
  "a: 'b\n",
  'a: "\\q"\n',
  "\ta: b\n",
  "a:\n\tb: c\n",
  "a: @b\n",
  "a: `b`\n",
  "a: %b\n",
  "__proto__: {a: 1}\nconstructor: 2\n",
  "a: b\n c: d\n",
  "a: b\r\nc: d\r\n",
  "a: 'multi\n\n  line'\n",
  "a: -\n",
  "a: -b\n",
  "a: ?b\n",
  "a: :b\n",
  "a: b:\n",
  "a: ,b\n",
  "a: [,b]\n",
  "a: [b,,c]\n",
  "a: {b, c: d}\n",
  "a: \u0000\n",
  "a: \u0007\n",
  "a: é ü 😀\n",
  "a: \u00a0b\n",
  "a: \u2028b\n",
  "a: \u0085b\n",
  "'a': 1\n\"b\": 2\n",
  "a: 'x' y\n",
  "a: [x]y\n",
  "%YAML 1.1\n---\na: b\n",
  "a: |\n b\nc: >\n d\n",
  "a: |2\n   b\n",
  "a:    \n  b: c\n",
  "a: ''\n",
  ": b\n",
  "~: b\n",
  "null: b\n",
  "a: [\n  b,\n  c\n]\n",
  "a:\n  - b\n c: d\n",
  "- a\nb: c\n",
  "a: #c\n  b\n",
  "a\n",
  "a: 1 # x\n# y\n",
  "\n  >\r\n#",
  "--- |\n#\n",
];

/** The value, or that there is none; NaN is equal to itself. */
function outcome(reading: { value: unknown; problems: readonly { code: { severity: string } }[] }): unknown {
  return reading.problems.some(({ code }) => code.severity === "error") ? "refused" : reading.value;
}

describe("the fast reader and the one that knows positions", () => {
  it.each(traps)("agree on %j", (text) => {
    expect(outcome(readYaml(text))).toEqual(outcome(readNodes(text)));
  });

  it("differ only where indentation inside brackets and quotes is loose, which Kubernetes accepts", () => {
    expect(readYaml("a: [\nb\n]\n").value).toEqual({ a: ["b"] });
    expect(readYaml("a: {\nb: c\n}\n").value).toEqual({ a: { b: "c" } });
    expect(readYaml('a: "x\ny"\n').value).toEqual({ a: "x y" });
  });

  it.each(["-\n  -\n- c: d\n", "- - #\n- c: d\n", "- # -\n  -\n- c: d\n"])(
    "read an empty item at a list's end as one: %j",
    (text) => {
      expect(readYaml(text).value).toEqual([[null], { c: "d" }]);
    },
  );

  it("never read different values out of whatever is put together from YAML's own signs", {
    timeout: 30_000,
  }, () => {
    let accepted = 0;
    const piece = fc.constantFrom(
      "a",
      "b: ",
      "- ",
      "\n",
      "\n  ",
      "\n    ",
      ": ",
      "[",
      "]",
      "{",
      "}",
      ", ",
      "'",
      '"',
      "|",
      ">",
      "#",
      " ",
      "80",
      "yes",
      "~",
      "\\",
      "*",
      "c:",
      "\t",
      "\r\n",
      "-",
      "?",
      "|\n  x",
      "..",
      "é",
      "0x1",
      "a: b",
      "\n- c: d",
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 12 }), (pieces) => {
        const text = pieces.join("");
        const exact = outcome(readNodes(text));
        const fast = outcome(readYaml(text));
        if (exact === "refused" || fast === "refused") return;
        accepted++;
        expect(fast).toEqual(exact);
      }),
      { numRuns: 5000 },
    );
    expect(accepted).toBeGreaterThan(1000);
  });

  it("agree on DEL and C1 controls in quotes, which JSON has unescaped", () => {
    const text = JSON.stringify({ value: "a\u007fb\u0085c\u009f" });
    expect(readNodes(text)).toEqual(readYaml(text));
    expect(readYaml(text)).toEqual({ value: { value: "a\u007fb\u0085c\u009f" }, problems: [] });
  });

  it("agree on any JSON", () => {
    fc.assert(
      fc.property(fc.jsonValue({ noUnicodeString: false }), (value) => {
        const text = JSON.stringify({ value });
        expect(outcome(readYaml(text))).toEqual(outcome(readNodes(text)));
        expect(outcome(readYaml(text))).toEqual(JSON.parse(text));
      }),
    );
  });
});

describe("a document with a fault", () => {
  it("says line and column", () => {
    const { value, problems } = readYaml("a: b\nc: [d\ne: f\n");
    expect(value).toBeUndefined();
    expect(problems[0]).toMatchObject({ code: { code: "GH0001" }, line: 3 });
  });

  it("that gives a key twice takes the last and warns at the second", () => {
    const { value, problems } = readYaml("a: 1\nb:\n  c: 1\n  c: 2\n");
    expect(value).toEqual({ a: 1, b: { c: 2 } });
    expect(problems).toMatchObject([{ code: { code: "GH0016" }, line: 4, column: 3 }]);
  });

  it("that multiplies itself through aliases is refused", () => {
    const levels = Array.from({ length: 9 }, (_, i) => {
      const above = i === 0 ? "lol" : `*a${i - 1}`;
      return `a${i}: &a${i} [${Array(9).fill(above).join(", ")}]`;
    });
    const { value, problems } = readYaml(levels.join("\n"));
    expect(value).toBeUndefined();
    expect(problems[0]?.message).toContain("too many aliases");
  });

  it("that repeats a small thing often by aliases is read", () => {
    const items = Array.from({ length: 511 }, () => "  - *rule\n").join("");
    const { value, problems } = readYaml(`rules:\n  - &rule {to: [{operation: {methods: [GET]}}]}\n${items}`);
    expect(problems).toEqual([]);
    expect((value as { rules: unknown[] }).rules).toHaveLength(512);
  });

  it("that repeats a large thing often by aliases is refused once", () => {
    const large = Array.from({ length: 1000 }, (_, i) => `k${i}`).join(", ");
    const { value, problems } = readYaml(`- &a [${large}]\n${"- *a\n".repeat(200)}`);
    expect(value).toBeUndefined();
    expect(problems).toHaveLength(1);
  });

  it("that contains itself is refused", () => {
    expect(readYaml("a: &a [*a]\n").value).toBeUndefined();
  });

  it("that is nested without end is refused", () => {
    const { value, problems } = readYaml(`a: ${"[".repeat(100_000)}`);
    expect(value).toBeUndefined();
    expect(problems[0]?.code.code).toBe("GH0001");
  });

  it("with a tag that would change a value's type is refused", () => {
    expect(readYaml("a: !!binary aGk=\n").problems[0]?.code.code).toBe("GH0001");
  });
});

describe("a path in a document", () => {
  const text = "spec:\n  rules:\n  - from: []\n    to: 5\n  labels: {a: b}\n  empty:\n";
  const locate = locator(text);

  it("leads to the value", () => {
    expect(locate(["spec", "rules", 0, "to"], "value")).toEqual({ line: 4, column: 9 });
  });

  it("leads to the key where the key is meant", () => {
    expect(locate(["spec", "rules", 0, "to"], "key")).toEqual({ line: 4, column: 5 });
    expect(locate(["spec", "labels", "a"], "key")).toEqual({ line: 5, column: 12 });
  });

  it("that is not there leads to its parent", () => {
    expect(locate(["spec", "rules", 0, "when", 3], "value")).toEqual({ line: 3, column: 5 });
    expect(locate(["metadata", "name"], "value")).toEqual({ line: 1, column: 1 });
  });

  it("to an empty value leads to its key", () => {
    expect(locate(["spec", "empty"], "value")).toEqual({ line: 6, column: 3 });
  });
});
