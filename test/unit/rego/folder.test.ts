import { describe, expect, it } from "vitest";
import { parseValue } from "../../../src/builtins/index.js";
import { formatDiagnostic } from "../../../src/diagnostics/index.js";
import { joinData, readFolder, readJson } from "../../../src/rego/folder.js";

const read = (files: Record<string, string>, prefix = "rego") => readFolder(Object.entries(files), prefix);

const dataOf = (files: Record<string, string>): string => {
  const { content, findings } = read(files);
  expect(findings).toEqual([]);
  return content.data;
};

const faults = (files: Record<string, string>): string[] =>
  read(files).findings.map(({ code: { code, severity }, message, place }) =>
    formatDiagnostic({ code, severity, message, file: "", line: 0, column: 0, ...place } as never),
  );

describe("the files of a folder", () => {
  it("are modules, tests and data by their names", () => {
    const { content, findings } = read({
      "a.rego": "package a",
      "sub/a.rego": "package sub.a",
      "a_test.rego": "package a_test",
      "sub/b_test.rego": "package b_test",
      "data.json": "{}",
    });
    expect(findings).toEqual([]);
    expect(content).toEqual({
      modules: { "rego/a.rego": "package a", "rego/sub/a.rego": "package sub.a" },
      tests: { "rego/a_test.rego": "package a_test", "rego/sub/b_test.rego": "package b_test" },
      data: "{}",
    });
  });

  it.each([
    ["", "a.rego"],
    ["rego", "rego/a.rego"],
    ["./rego/", "./rego/a.rego"],
    ["/etc/rego//", "/etc/rego/a.rego"],
    ["/", "//a.rego"],
  ])("are named below the folder `%s`", (prefix, name) => {
    expect(Object.keys(read({ "a.rego": "package a" }, prefix).content.modules)).toEqual([name]);
  });
});

describe("data files", () => {
  it("stand under their folders, whatever their own names", () => {
    const data = dataOf({
      "data.json": '{"root": 1}',
      "roles.yaml": "roles: {eve: [admin]}",
      "a/b/x.yml": "deep: true",
      "a/data.json": '{"one": {"two": 2}}',
    });
    expect(JSON.parse(data)).toEqual({
      root: 1,
      roles: { eve: ["admin"] },
      a: { one: { two: 2 }, b: { deep: true } },
    });
  });

  it("may be anything below the root, as in OPA", () => {
    expect(JSON.parse(dataOf({ "a/list.json": "[1, 2]", "b/text.yaml": "hello" }))).toEqual({
      a: [1, 2],
      b: "hello",
    });
  });

  it.each([
    ["a list", "[1]"],
    ["a single value", "1"],
    ["a single value", "null"],
  ])("are mappings at the root, not %s", (what, text) => {
    expect(faults({ "data.json": text })).toEqual([
      `rego/data.json:1:1: error GH0604 data file \`rego/data.json\`: expected a mapping, found ${what}`,
    ]);
  });

  it("keep numbers as written", () => {
    expect(dataOf({ "data.json": '{"a": 12345678901234567890, "b": 1.50}' })).toContain(
      "12345678901234567890",
    );
    expect(dataOf({ "data.yaml": "a: 12345678901234567890" })).toBe('{"a":12345678901234567890}');
  });

  it("in YAML are read as OPA reads them", () => {
    const data = dataOf({ "data.yaml": "a: yes\nb: 2026-01-01\nc: 0o17\nd: &x [1]\ne: *x\n1: one\n" });
    expect(JSON.parse(data)).toEqual({ a: "yes", b: "2026-01-01", c: 15, d: [1], e: [1], "1": "one" });
  });

  it.each([
    ["JSON", "data.json", "{"],
    ["JSON", "data.json", ""],
    ["JSON", "data.json", '{"a": 01}'],
    ["YAML", "data.yaml", "a: [1"],
    ["YAML", "data.yml", "a: *nothing"],
  ])("that are no %s are named", (format, name, text) => {
    expect(faults({ [name]: text })).toEqual([
      `rego/${name}:1:1: error GH0604 data file \`rego/${name}\`: not valid ${format}`,
    ]);
  });

  it("in YAML may say nothing", () => {
    expect(dataOf({ "data.yaml": "# later\n", "other.json": '{"a": 1}' })).toBe('{"a":1}');
  });

  it("in YAML may be longer than what a policy may read while it decides", () => {
    const name = "x".repeat(300);
    const rows = Array.from({ length: 1_000 }, (_, i) => `  - {id: ${i}, name: ${name}}`).join("\n");
    expect(JSON.parse(dataOf({ "data.yaml": `rows:\n${rows}\n` })).rows).toHaveLength(1_000);
  }, 30_000);

  it("in YAML are not blown up by aliases", () => {
    const levels = Array.from({ length: 12 }, (_, i) => `l${i + 1}: &l${i + 1} [${Array(9).fill(`*l${i}`)}]`);
    expect(faults({ "data.yaml": `l0: &l0 [x]\n${levels.join("\n")}\n` })).toEqual([
      "rego/data.yaml:1:1: error GH0604 data file `rego/data.yaml`: not valid YAML",
    ]);
  }, 30_000);

  it("that give one path two values are an error of the later one", () => {
    expect(faults({ "a.json": '{"x": {"y": 1}}', "x/b.json": '{"y": 1}' })).toEqual([
      "rego/x/b.json:1:1: error GH0604 data file `rego/x/b.json`: `data.x.y` is given twice, expected one value",
    ]);
  });

  it("keep names that objects of JavaScript have", () => {
    expect(dataOf({ "data.json": '{"__proto__": {"a": 1}, "constructor": 2}' })).toContain(
      '"__proto__":{"a":1}',
    );
  });
});

describe("base documents", () => {
  it("are joined where both are objects", () => {
    const joined = joinData(readJson('{"a": {"b": 1}}'), readJson('{"a": {"c": 2}, "d": 3}'));
    expect(joined).toEqual(parseValue('{"a": {"b": 1, "c": 2}, "d": 3}'));
  });

  it("of two kinds for one path are refused, also null", () => {
    expect(() => joinData(readJson('{"a": null}'), readJson('{"a": {"b": 1}}'))).toThrow(
      "`data.a` is given twice",
    );
  });
});
