import {
  appendFileSync,
  chmodSync,
  mkdirSync,
  mkdtempSync,
  renameSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createDirectorySource, type DirectorySource } from "../../../src/adapters/index.js";
import type { ConfigFiles } from "../../../src/config/index.js";

let folder: string;
const open: DirectorySource[] = [];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "gatehouse-source-"));
});

afterEach(() => {
  for (const source of open.splice(0)) source.close();
  rmSync(folder, { recursive: true });
});

const sourceOf = (...paths: string[]): DirectorySource => {
  const source = createDirectorySource({ paths, allowEmpty: false });
  open.push(source);
  return source;
};

const put = (name: string, text: string): void => writeFileSync(join(folder, name), text);

/** Path below the folder and text of each file. */
const contents = ({ files }: ConfigFiles): Record<string, string> =>
  Object.fromEntries(files.map(({ path, text }) => [path.slice(folder.length + 1), text]));

/** Root may read every file, so for a while the process is somebody else. */
async function withoutPrivileges<T>(read: () => Promise<T>): Promise<T> {
  if (process.geteuid?.() !== 0) return read();
  process.seteuid?.(65_534);
  try {
    return await read();
  } finally {
    process.seteuid?.(0);
  }
}

describe("reading", () => {
  it("takes YAML and JSON files of all folders below, but no hidden ones", async () => {
    for (const name of ["sub", ".git", "_drafts", "sub/deep"]) mkdirSync(join(folder, name));
    for (const name of ["a.yaml", "b.yml", "c.json", "sub/deep/d.yaml"]) put(name, name);
    for (const name of ["e.txt", ".f.yaml", "_g.yaml", ".git/h.yaml", "_drafts/i.yaml", "j.yaml~"])
      put(name, name);
    const files = await sourceOf(folder).read();
    expect(Object.keys(contents(files))).toEqual(["a.yaml", "b.yml", "c.json", "sub/deep/d.yaml"]);
    expect(files.diagnostics).toEqual([]);
    expect(files.roots).toEqual([folder]);
  });

  it("takes single files", async () => {
    put("a.yaml", "a");
    put("b.yaml", "b");
    expect(contents(await sourceOf(join(folder, "b.yaml")).read())).toEqual({ "b.yaml": "b" });
  });

  it("says which path is missing, or is no configuration", async () => {
    put("a.txt", "a");
    const { diagnostics } = await sourceOf(join(folder, "none"), join(folder, "a.txt")).read();
    expect(diagnostics).toMatchObject([
      { code: "GH0002", severity: "error", file: join(folder, "none") },
      { code: "GH0002", severity: "error", file: join(folder, "a.txt") },
    ]);
  });

  it("takes a missing path for an empty one where empty ones are allowed", async () => {
    const source = createDirectorySource({ paths: [join(folder, "none")], allowEmpty: true });
    expect(await source.read()).toMatchObject({ files: [], diagnostics: [], roots: [] });
    source.close();
  });

  it("says which file is no text", async () => {
    writeFileSync(join(folder, "a.yaml"), Buffer.from([0x61, 0xff, 0xfe]));
    const { files, diagnostics } = await sourceOf(folder).read();
    expect(files).toEqual([]);
    expect(diagnostics).toMatchObject([{ code: "GH0001", message: "file is not UTF-8 text" }]);
  });

  it("says which file may not be read", async () => {
    put("a.yaml", "a");
    chmodSync(join(folder, "a.yaml"), 0);
    chmodSync(folder, 0o755);
    const { diagnostics } = await withoutPrivileges(() => sourceOf(folder).read());
    expect(diagnostics).toMatchObject([{ code: "GH0002", message: "file cannot be read (EACCES)" }]);
  });

  it("follows links within its root only", async () => {
    mkdirSync(join(folder, "root"));
    put("outside.yaml", "outside");
    put("root/inside.yaml", "inside");
    symlinkSync("inside.yaml", join(folder, "root", "link.yaml"));
    symlinkSync("../outside.yaml", join(folder, "root", "escape.yaml"));
    symlinkSync("nowhere.yaml", join(folder, "root", "dangling.yaml"));
    symlinkSync(".", join(folder, "root", "circle"));
    const files = await sourceOf(join(folder, "root")).read();
    expect(contents(files)).toEqual({ "root/inside.yaml": "inside", "root/link.yaml": "inside" });
    expect(files.diagnostics.map(({ code, file }) => [code, file])).toEqual([
      ["GH0002", join(folder, "root", "dangling.yaml")],
      ["GH0004", join(folder, "root", "escape.yaml")],
    ]);
  });

  it("takes the root itself through a link", async () => {
    mkdirSync(join(folder, "v1"));
    put("v1/a.yaml", "one");
    symlinkSync("v1", join(folder, "current"));
    expect(contents(await sourceOf(join(folder, "current")).read())).toEqual({ "current/a.yaml": "one" });
  });
});

describe("watching", () => {
  /** Collects what the listener is told; `until` waits for a state. */
  const follow = async (source: DirectorySource) => {
    const told: Record<string, string>[] = [];
    const waiting: (() => void)[] = [];
    source.watch(async (files) => {
      told.push(contents(files));
      for (const wake of waiting.splice(0)) wake();
    });
    const until = async (expected: Record<string, string>, withinMs = 5000): Promise<number> => {
      const start = performance.now();
      while (JSON.stringify(told.at(-1)) !== JSON.stringify(expected)) {
        const left = start + withinMs - performance.now();
        if (left <= 0) expect(told.at(-1)).toEqual(expected);
        await Promise.race([new Promise<void>((resolve) => waiting.push(resolve)), sleep(Math.max(left, 1))]);
      }
      return performance.now() - start;
    };
    return { told, until };
  };

  it("sees edits in place, new files, removed files and new folders", async () => {
    put("a.yaml", "1");
    const { until } = await follow(sourceOf(folder));
    await until({ "a.yaml": "1" });
    put("a.yaml", "2");
    await until({ "a.yaml": "2" });
    mkdirSync(join(folder, "sub"));
    put("sub/b.yaml", "b");
    await until({ "a.yaml": "2", "sub/b.yaml": "b" });
    put("sub/b.yaml", "c");
    await until({ "a.yaml": "2", "sub/b.yaml": "c" });
    rmSync(join(folder, "a.yaml"));
    await until({ "sub/b.yaml": "c" });
  });

  it("sees an atomic rename", async () => {
    put("a.yaml", "1");
    const { until } = await follow(sourceOf(folder));
    await until({ "a.yaml": "1" });
    for (const text of ["2", "3"]) {
      put(".a.yaml.tmp", text);
      renameSync(join(folder, ".a.yaml.tmp"), join(folder, "a.yaml"));
      await until({ "a.yaml": text });
    }
  });

  it("sees the atomic rename of a single file", async () => {
    put("a.yaml", "1");
    const { until } = await follow(sourceOf(join(folder, "a.yaml")));
    await until({ "a.yaml": "1" });
    put("next", "2");
    renameSync(join(folder, "next"), join(folder, "a.yaml"));
    await until({ "a.yaml": "2" });
  });

  it("sees Kubernetes' swap of `..data` as one change, never half of it", async () => {
    const version = (name: string, text: string): void => {
      mkdirSync(join(folder, name));
      put(`${name}/a.yaml`, text);
      put(`${name}/b.yaml`, text);
      symlinkSync(name, join(folder, "..data_tmp"));
      renameSync(join(folder, "..data_tmp"), join(folder, "..data"));
    };
    version("..2026_1", "1");
    for (const name of ["a.yaml", "b.yaml"]) symlinkSync(`..data/${name}`, join(folder, name));
    const { told, until } = await follow(sourceOf(folder));
    await until({ "a.yaml": "1", "b.yaml": "1" });
    for (let i = 2; i < 8; i++) {
      version(`..2026_${i}`, String(i));
      await until({ "a.yaml": String(i), "b.yaml": String(i) });
      rmSync(join(folder, `..2026_${i - 1}`), { recursive: true });
    }
    expect(told.every(({ "a.yaml": a, "b.yaml": b }) => a === b)).toBe(true);
  });

  it("tells a burst of edits as few changes", async () => {
    put("a.yaml", "0");
    const { told, until } = await follow(sourceOf(folder));
    await until({ "a.yaml": "0" });
    for (let i = 1; i <= 100; i++) {
      appendFileSync(join(folder, "a.yaml"), `,${i}`);
      await sleep(2);
    }
    await until({ "a.yaml": Array.from({ length: 101 }, (_, i) => i).join() });
    expect(told.length).toBeLessThan(8);
  });

  it("sees an edit that changes neither size nor time of the file", async () => {
    put("a.yaml", "1");
    const past = new Date(1_700_000_000_000);
    utimesSync(join(folder, "a.yaml"), past, past);
    const { until } = await follow(sourceOf(folder));
    await until({ "a.yaml": "1" });
    put("a.yaml", "2");
    utimesSync(join(folder, "a.yaml"), past, past);
    await until({ "a.yaml": "2" });
  });

  it("tells nothing when nothing changed, and everything on a reload", async () => {
    put("a.yaml", "1");
    const source = sourceOf(folder);
    const { told, until } = await follow(source);
    await until({ "a.yaml": "1" });
    put("a.yaml", "1");
    await sleep(400);
    expect(told).toHaveLength(1);
    await source.reload();
    expect(told).toHaveLength(2);
  });

  it("finds a path that comes later", async () => {
    const { told, until } = await follow(sourceOf(join(folder, "later")));
    await until({});
    mkdirSync(join(folder, "later"));
    put("later/a.yaml", "1");
    await until({ "later/a.yaml": "1" });
    expect(told).toHaveLength(2);
  });
});
