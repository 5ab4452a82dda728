import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, unlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createDirectorySource, type DirectorySource } from "../../../src/adapters/index.js";
import { type ConfigUpdate, createCatalog } from "../../../src/config/index.js";
import { formatDiagnostic } from "../../../src/diagnostics/index.js";
import type { RegoPolicy } from "../../../src/rego/index.js";
import { type FakeCompiler, fakeCompiler } from "../../unit/rego/fakes.js";

let folder: string;
const open: DirectorySource[] = [];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "gatehouse-rego-"));
  mkdirSync(join(folder, "conf/rego/sub"), { recursive: true });
});

afterEach(() => {
  for (const source of open.splice(0)) source.close();
  rmSync(folder, { recursive: true });
});

const at = (name: string): string => join(folder, name);
const put = (name: string, text: string): void => writeFileSync(at(name), text);

const document = (path = "rego"): string =>
  `apiVersion: gatehouse.dev/v1alpha1\nkind: RegoPolicy\nmetadata: {name: a}\nspec: {path: ${path}}\n`;

interface Watched {
  readonly compiler: FakeCompiler;
  readonly all: readonly ConfigUpdate[];
  /** Waits for an update, from the last one that was waited for on, that says so. */
  until(wanted: (update: ConfigUpdate) => boolean): Promise<ConfigUpdate>;
  /** Waits until the policy was compiled from these modules. */
  modules(wanted: Record<string, string>): Promise<void>;
}

/** A source and a catalog put together as the configuration's thread does. */
const follow = (paths: readonly string[], rego: readonly string[] = []): Watched => {
  const source = createDirectorySource({ paths, allowEmpty: false, rego });
  open.push(source);
  const compiler = fakeCompiler();
  const catalog = createCatalog({
    ports: { rego: compiler },
    references: { files: source.readNamed, variable: () => undefined, downloads: () => [] },
    pause: async () => {},
  });
  const all: ConfigUpdate[] = [];
  let seen = 0;
  source.watch(async (files) => {
    all.push(await catalog.update(files));
  });
  const until: Watched["until"] = async (wanted) => {
    const start = performance.now();
    for (;;) {
      const found = all.findIndex((update, i) => i >= seen && wanted(update));
      if (found >= 0) {
        seen = found + 1;
        return all[found] as ConfigUpdate;
      }
      if (performance.now() - start > 8000) throw new Error(`got ${JSON.stringify(all.slice(seen))}`);
      await sleep(5);
    }
  };
  return {
    compiler,
    all,
    until,
    async modules(wanted) {
      await until(({ ok, upserts }) => {
        const { modules = {} } = (upserts.find(({ kind }) => kind === "RegoPolicy")?.spec ??
          {}) as Partial<RegoPolicy>;
        return ok && JSON.stringify(modules) === JSON.stringify(wanted);
      });
    },
  };
};

const faults = async (...given: Parameters<typeof follow>): Promise<string[]> => {
  const { diagnostics } = await follow(...given).until(() => true);
  return diagnostics.map((one) => formatDiagnostic(one).replaceAll(folder, ""));
};

const dataOf = ({ upserts }: ConfigUpdate): string | undefined =>
  (upserts.find(({ kind }) => kind === "RegoPolicy")?.spec as RegoPolicy | undefined)?.data[0]?.json;

describe("a folder that a RegoPolicy names", () => {
  beforeEach(() => {
    put("conf/a.yaml", document());
    put("conf/rego/a.rego", "package a");
  });

  it("gives its modules, and each change to them is a change of the configuration", async () => {
    put("conf/rego/sub/b.rego", "package b");
    const { modules } = follow([at("conf")]);
    await modules({ "rego/a.rego": "package a", "rego/sub/b.rego": "package b" });
    put("conf/rego/a.rego", "package a # edited");
    await modules({ "rego/a.rego": "package a # edited", "rego/sub/b.rego": "package b" });
    put("conf/rego/c.rego", "package c");
    await modules({
      "rego/a.rego": "package a # edited",
      "rego/c.rego": "package c",
      "rego/sub/b.rego": "package b",
    });
    unlinkSync(at("conf/rego/sub/b.rego"));
    await modules({ "rego/a.rego": "package a # edited", "rego/c.rego": "package c" });
    mkdirSync(at("conf/rego/new"));
    await sleep(100);
    put("conf/rego/new/d.rego", "package d");
    await modules({
      "rego/a.rego": "package a # edited",
      "rego/c.rego": "package c",
      "rego/new/d.rego": "package d",
    });
  });

  it("is looked at without more: files that are none of it change nothing", async () => {
    const { modules, all } = follow([at("conf")]);
    put("conf/rego/notes.md", "# notes");
    put("conf/rego/.a.rego.swp", "package x");
    put("conf/rego/_later.json", "no json");
    symlinkSync("eve@host.123:4", at("conf/rego/.#a.rego"));
    symlinkSync("nowhere", at("conf/rego/lock"));
    await modules({ "rego/a.rego": "package a" });
    put("conf/rego/notes.md", "# more notes");
    await sleep(1500);
    expect(all).toHaveLength(1);
    expect(all[0]?.diagnostics).toEqual([]);
  });

  it("gives its data files, which are no documents although they lie under the configuration path", async () => {
    put("conf/rego/data.json", '{"a": 1}');
    put("conf/rego/sub/data.yaml", "b: 2");
    put("conf/rego/sub/list.json", '{"c": {"kind": "x"}}');
    const { until } = follow([at("conf")]);
    const update = await until(() => true);
    expect(update.diagnostics.map(formatDiagnostic)).toEqual([]);
    expect(JSON.parse(dataOf(update) ?? "")).toEqual({ a: 1, sub: { b: 2, c: { kind: "x" } } });
    expect(update.upserts).toHaveLength(1);
    put("conf/rego/data.json", '{"a": 3}');
    const next = await until(({ upserts }) => upserts.length > 0);
    expect(JSON.parse(dataOf(next) ?? "").a).toBe(3);
  });

  it("may hold documents of ours, which are no data of the policy", async () => {
    const other = document("rego").replace("name: a", "name: b").replace("path: rego", "path: .");
    put("conf/rego/other.yaml", other);
    const { until } = follow([at("conf")]);
    const update = await until(() => true);
    expect(update.diagnostics.map(formatDiagnostic)).toEqual([]);
    expect(update.upserts.map(({ name }) => name).sort()).toEqual(["a", "b"]);
    expect(dataOf(update)).not.toContain("apiVersion");
  });

  it("may be where the document itself lies", async () => {
    put("conf/rego/policy.yaml", document(".").replace("name: a", "name: b"));
    put("conf/a.yaml", "# nothing here");
    const { until } = follow([at("conf")]);
    const update = await until(() => true);
    expect(update.diagnostics.map(formatDiagnostic)).toEqual([]);
    expect((update.upserts[0]?.spec as RegoPolicy | undefined)?.modules).toEqual({ "./a.rego": "package a" });
    expect(dataOf(update)).toBe("{}");
  });

  it("is taken through a link, and a link within it too", async () => {
    renameSync(at("conf/rego"), at("conf/v1"));
    symlinkSync("v1", at("conf/rego"));
    symlinkSync("a.rego", at("conf/v1/link.rego"));
    const { modules } = follow([at("conf")]);
    await modules({ "rego/a.rego": "package a", "rego/link.rego": "package a" });
    renameSync(at("conf/v1/link.rego"), at("conf/v1/other.rego"));
    await modules({ "rego/a.rego": "package a", "rego/other.rego": "package a" });
    mkdirSync(at("conf/v2"));
    put("conf/v2/a.rego", "package a # v2");
    symlinkSync("v2", at("conf/next"));
    renameSync(at("conf/next"), at("conf/rego"));
    await modules({ "rego/a.rego": "package a # v2" });
  });

  it("is refused with a link that leads out of it", async () => {
    put("secret.rego", "package secret");
    symlinkSync("../../secret.rego", at("conf/rego/z.rego"));
    expect(await faults([at("conf")])).toEqual([
      "/conf/a.yaml:4:14: error GH0006 folder `rego` has `z.rego`, which leads out of it (RegoPolicy default/a)",
    ]);
  });

  it("is refused with a module that leads nowhere", async () => {
    symlinkSync("gone.rego", at("conf/rego/z.rego"));
    expect(await faults([at("conf")])).toEqual([
      "/conf/a.yaml:4:14: error GH0006 folder `rego` has `z.rego`, which leads nowhere (RegoPolicy default/a)",
    ]);
  });

  it("does not end in a circle of links", async () => {
    symlinkSync("..", at("conf/rego/sub/up"));
    await follow([at("conf")]).modules({ "rego/a.rego": "package a" });
  });

  it("is refused when it is missing, no folder, or elsewhere, and taken when it comes", async () => {
    put("conf/a.yaml", document("later"));
    const { until, modules } = follow([at("conf")]);
    const [missing] = (await until(() => true)).diagnostics;
    expect(missing).toMatchObject({ line: 4, message: "folder `later` cannot be read (ENOENT)" });
    mkdirSync(at("draft"));
    put("draft/a.rego", "package a");
    renameSync(at("draft"), at("conf/later"));
    await modules({ "later/a.rego": "package a" });
    put("conf/a.yaml", document("rego/a.rego"));
    await until(({ diagnostics }) => diagnostics[0]?.message === "folder `rego/a.rego` is no folder");
    put("conf/a.yaml", document(".."));
    await until(
      ({ diagnostics }) => diagnostics[0]?.message.includes("lies outside the configuration path") === true,
    );
  });

  it("is refused when a file is not UTF-8", async () => {
    writeFileSync(at("conf/rego/a.rego"), Buffer.from([0xff, 0xfe, 0x41]));
    expect(await faults([at("conf")])).toEqual([
      "/conf/a.yaml:4:14: error GH0006 folder `rego` has `a.rego`, which is not UTF-8 text (RegoPolicy default/a)",
    ]);
  });

  it("is refused with more than 10,000 files", async () => {
    for (let i = 0; i < 10_000; i++) put(`conf/rego/sub/${i}.rego`, "");
    expect(await faults([at("conf")])).toEqual([
      "/conf/a.yaml:4:14: error GH0006 folder `rego` has more than 10000 files (RegoPolicy default/a)",
    ]);
  });

  it("is refused when all its files together are larger than 128 MiB", async () => {
    const large = Buffer.alloc(50 * 1024 * 1024, 0x20);
    for (const name of ["a", "b", "c"]) writeFileSync(at(`conf/rego/${name}.rego`), large);
    expect(await faults([at("conf")])).toEqual([
      expect.stringMatching(
        /^\/conf\/a\.yaml:4:14: error GH0006 folder `rego` has `c\.rego`, which .*\d+ bytes/,
      ),
    ]);
  });

  it("keeps the good configuration while a module is wrong", async () => {
    const { modules, compiler, until } = follow([at("conf")]);
    await modules({ "rego/a.rego": "package a" });
    const good = compiler.answer;
    const message = "unexpected eof";
    const place = { file: "rego/a.rego", line: 2, column: 1 };
    compiler.answer = {
      wasm: undefined,
      builtins: [],
      findings: [{ severity: "error", code: "x", message, ...place }],
    };
    put("conf/rego/a.rego", "package a\n{");
    const update = await until(({ ok }) => !ok);
    expect(update).toMatchObject({ upserts: [], removed: [] });
    expect(update.diagnostics).toMatchObject([{ file: at("conf/rego/a.rego"), line: 2, column: 1 }]);
    compiler.answer = good;
    put("conf/rego/a.rego", "package a # good again");
    await modules({ "rego/a.rego": "package a # good again" });
  });
});

describe("a folder that is given itself", () => {
  it("needs no document, and is watched", async () => {
    put("conf/rego/a.rego", "package a");
    put("conf/rego/data.json", '{"a": 1}');
    const { modules, until } = follow([], [at("conf/rego")]);
    await modules({ "rego/a.rego": "package a" });
    put("conf/rego/sub/b.rego", "package b");
    await modules({ "rego/a.rego": "package a", "rego/sub/b.rego": "package b" });
    put("conf/rego/data.json", "[");
    const update = await until(({ ok }) => !ok);
    expect(update.diagnostics).toMatchObject([{ file: at("conf/rego/data.json"), code: "GH0604" }]);
  });

  it("may lie under a configuration path", async () => {
    put("conf/rego/a.rego", "package a");
    put("conf/rego/data.yaml", "a: 1");
    put("conf/a.yaml", "apiVersion: gatehouse.dev/v1alpha1\nkind: Mesh\nmetadata: {name: mesh}\nspec: {}\n");
    const update = await follow([at("conf")], [`${at("conf/rego")}/`]).until(() => true);
    expect(update.diagnostics.map(formatDiagnostic)).toEqual([]);
    expect(update.upserts.map(({ id }) => id).sort()).toEqual([
      "gatehouse.dev/Mesh/default/mesh",
      "gatehouse.dev/RegoPolicy/istio-system/rego",
    ]);
  });

  it("that is not there is an error", async () => {
    expect(await faults([], [at("nowhere")])).toEqual([
      "/nowhere:1:1: error GH0006 folder `nowhere` cannot be read (ENOENT) (RegoPolicy istio-system/nowhere)",
    ]);
  });
});
