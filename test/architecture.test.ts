import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { describe, expect, it } from "vitest";
import { type Modules, readModuleTable, type SourceText, violations } from "./support/architecture.js";

const root = join(import.meta.dirname, "..");

function sourcesUnder(folder: string): SourceText[] {
  return readdirSync(join(root, folder), { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".ts") && !name.includes("generated"))
    .map((name) => {
      const path = join(folder, name);
      return { path: relative("src", path), text: readFileSync(join(root, path), "utf8") };
    });
}

const modules = readModuleTable(readFileSync(join(root, "docs", "architecture.md"), "utf8"));

describe("the module table in docs/architecture.md", () => {
  it("has a row for every folder of src", () => {
    const folders = readdirSync(join(root, "src"), { withFileTypes: true }).filter((entry) =>
      entry.isDirectory(),
    );
    expect(folders.map((entry) => entry.name).filter((name) => !modules.has(name))).toEqual([]);
  });

  it("has no row for a folder that does not exist", () => {
    const folders = new Set(readdirSync(join(root, "src")));
    expect([...modules.keys()].filter((name) => !folders.has(name))).toEqual([]);
  });

  it("lists a module only after those that it may import, so that there is no cycle", () => {
    const seen = new Set<string>();
    for (const [name, { mayImport }] of modules) {
      expect([...mayImport].filter((other) => !seen.has(other))).toEqual([]);
      seen.add(name);
    }
  });

  it("is kept by every file of src", () => {
    expect(violations(sourcesUnder("src"), modules)).toEqual([]);
  });
});

describe("the architecture check", () => {
  const table = `
| module | what it is | may import | Node |
|---|---|---|---|
| low | first | – | pure |
| mid | second | low | pure |
| outside | third | every module above | |
| server | fourth | every module above | |
`;
  const sample: Modules = readModuleTable(table);
  const check = (path: string, text: string, others: SourceText[] = []): string[] =>
    violations([{ path, text }, ...others], sample);

  it("accepts imports that the table allows", () => {
    expect(
      check("mid/a.ts", 'import { x } from "../low/index.js";\nimport { createHash } from "node:crypto";'),
    ).toEqual([]);
  });

  it.each([
    ["an arrow that is not in the table", "low/a.ts", 'import { x } from "../mid/index.js";'],
    ["an arrow in a type import", "low/a.ts", 'import type { X } from "../mid/index.js";'],
    ["an arrow in a re-export", "low/a.ts", 'export { x } from "../mid/index.js";'],
    ["an arrow in a re-export of everything", "low/a.ts", 'export * from "../mid/index.js";'],
    ["an arrow in a dynamic import", "low/a.ts", 'const x = await import("../mid/index.js");'],
    ["an arrow in an import for its effect", "low/a.ts", 'import "../mid/index.js";'],
    ["an arrow over several lines", "low/a.ts", 'import {\n  x,\n  y,\n} from "../mid/index.js";'],
    ["an import deeper than the index", "mid/a.ts", 'import { x } from "../low/inner.js";'],
    [
      "an import deeper than the index from a subfolder",
      "mid/sub/a.ts",
      'import { x } from "../../low/inner.js";',
    ],
    ["a path out of src", "mid/a.ts", 'import { x } from "../../test/support/x.js";'],
    ["I/O in a pure module", "low/a.ts", 'import { readFileSync } from "node:fs";'],
    ["Node's old spelling in a pure module", "low/a.ts", 'import { readFileSync } from "fs";'],
    ["the environment in a pure module", "low/a.ts", "const x = process.env;"],
    ["the clock in a pure module", "low/a.ts", "const t = Date.now();"],
    ["randomness in a pure module", "low/a.ts", "const r = Math.random();"],
    ["a folder that has no row", "rogue/a.ts", "export const x: number = 1;"],
    ["a file in no module", "loose.ts", "export const x: number = 1;"],
    ["reading the environment outside cli/main.ts", "server/a.ts", 'const x = process.env["HOME"];'],
  ])("finds %s", (_what, path, text) => {
    expect(check(path, text)).toHaveLength(1);
  });

  it("finds an adapter that is constructed outside server and cli", () => {
    const withAdapters = readModuleTable(
      table.replaceAll("outside", "adapters").replace("server |", "config |"),
    );
    const text = 'import { createStore } from "../adapters/index.js";';
    expect(violations([{ path: "config/a.ts", text }], withAdapters)).toHaveLength(1);
    expect(
      violations([{ path: "config/a.ts", text: text.replace("import", "import type") }], withAdapters),
    ).toEqual([]);
  });

  it("finds a cycle of files inside a module", () => {
    const a = { path: "low/a.ts", text: 'import { b } from "./b.js";' };
    const b = { path: "low/b.ts", text: 'import { a } from "./a.js";' };
    expect(violations([a, b], sample)).toEqual(["low/a.ts → low/b.ts → low/a.ts: files import each other"]);
  });

  it("is not misled by comments and texts", () => {
    expect(
      check(
        "low/a.ts",
        '// import { x } from "../mid/index.js";\nconst t = \'the words import x from "y"\';',
      ),
    ).toEqual([]);
  });

  it("knows where it looks", () => {
    expect(dirname(sourcesUnder("src/server")[0]?.path ?? "")).toMatch(/^server/);
  });
});
