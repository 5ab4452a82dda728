import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createDirectorySource, type DirectorySource } from "../../../src/adapters/index.js";
import { type ConfigUpdate, createCatalog } from "../../../src/config/index.js";
import { createKindTable, type Kind, kinds } from "../../../src/config/kinds.js";
import type { Reference } from "../../../src/documents/index.js";
import { startConfigThread } from "../../../src/server/index.js";

/** Takes in the texts that `spec.files` names. */
const note: Kind = {
  group: "gatehouse.dev",
  kind: "Note",
  versions: ["v1alpha1"],
  parse: ({ spec }) => {
    const { files } = spec as { files: string[] };
    const references = files.map(
      (name, i): Reference => ({ kind: "file", name, path: ["spec", "files", i] }),
    );
    return { spec: [], findings: [], references };
  },
  complete: (_, texts) => ({ spec: texts, findings: [] }),
};

const document = (...files: string[]): string =>
  `apiVersion: gatehouse.dev/v1alpha1\nkind: Note\nmetadata: {name: a}\nspec: {files: ${JSON.stringify(files)}}\n`;

let folder: string;
const open: DirectorySource[] = [];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "gatehouse-named-"));
});

afterEach(() => {
  for (const source of open.splice(0)) source.close();
  rmSync(folder, { recursive: true });
});

const put = (name: string, text: string): void => writeFileSync(join(folder, name), text);

interface Watched {
  /** Those that nobody has waited for. */
  readonly updates: ConfigUpdate[];
  readonly all: readonly ConfigUpdate[];
  /** Waits for an update that says so; gives how long it took. */
  until(wanted: (update: ConfigUpdate) => boolean): Promise<number>;
  /** Waits until the note holds these texts. */
  texts(...wanted: string[]): Promise<number>;
}

/** A source and a catalog put together as the configuration's thread does. */
const follow = (...paths: string[]): Watched => {
  const source = createDirectorySource({ paths, allowEmpty: false });
  open.push(source);
  const references = { files: source.readNamed, variable: () => undefined, downloads: () => [] };
  const catalog = createCatalog({
    table: createKindTable([...kinds, note]),
    references,
    pause: async () => {},
  });
  const updates: ConfigUpdate[] = [];
  const all: ConfigUpdate[] = [];
  source.watch(async (files) => {
    const update = await catalog.update(files);
    updates.push(update);
    all.push(update);
  });
  const until: Watched["until"] = async (wanted) => {
    const start = performance.now();
    while (!updates.some(wanted)) {
      if (performance.now() - start > 5000) throw new Error(`got ${JSON.stringify(updates)}`);
      await sleep(5);
    }
    updates.splice(0);
    return performance.now() - start;
  };
  const texts: Watched["texts"] = (...wanted) =>
    until(({ ok, upserts }) => ok && JSON.stringify(upserts.at(-1)?.spec) === JSON.stringify(wanted));
  return { updates, all, until, texts };
};

const faults = async (...paths: string[]): Promise<string[]> => {
  const { updates, until } = follow(...paths);
  let seen: string[] = [];
  await until(({ diagnostics }) => {
    seen = diagnostics.map(({ code, message, line, column }) => `${line}:${column} ${code} ${message}`);
    return true;
  });
  expect(updates).toEqual([]);
  return seen;
};

describe("a named file", () => {
  it("is found beside its document, below it, and by an absolute name under the root", async () => {
    mkdirSync(join(folder, "team/keys"), { recursive: true });
    put("team/a.yaml", document("k.jwks", "keys/k.jwks", "../up.txt", join(folder, "up.txt")));
    put("team/k.jwks", "1");
    put("team/keys/k.jwks", "2");
    put("up.txt", "3");
    await follow(folder).texts("1", "2", "3", "3");
  });

  it("may lie beside a configuration path that is a single file", async () => {
    put("a.yaml", document("k.jwks"));
    put("k.jwks", "1");
    await follow(join(folder, "a.yaml")).texts("1");
  });

  it("is refused outside of the root, whichever way leads there", async () => {
    mkdirSync(join(folder, "root"));
    mkdirSync(join(folder, "root2"));
    put("outside.txt", "hush-hush");
    put("root2/outside.txt", "hush-hush");
    symlinkSync("../outside.txt", join(folder, "root/link.txt"));
    symlinkSync("..", join(folder, "root/up"));
    const names = [
      "../outside.txt",
      "link.txt",
      "up/outside.txt",
      join(folder, "outside.txt"),
      "../root2/outside.txt",
    ];
    put("root/a.yaml", document(...names));
    const seen = await faults(join(folder, "root"));
    // The source itself refuses the link to the folder above.
    const own = seen.filter((text) => !text.includes("GH0004"));
    expect(own.map((text) => text.slice(text.indexOf("GH")))).toEqual(
      names.map(
        (name) => `GH0007 file \`${name}\` lies outside the configuration path, expected one below it`,
      ),
    );
    expect(seen.join()).not.toContain("hush");
  });

  it("of another root is outside", async () => {
    for (const name of ["one", "two"]) mkdirSync(join(folder, name));
    put("one/a.yaml", document("../two/k.jwks"));
    put("two/k.jwks", "1");
    put("two/b.yaml", document("k.jwks").replace("name: a", "name: b"));
    expect(await faults(join(folder, "one"), join(folder, "two"))).toEqual([
      "4:16 GH0007 file `../two/k.jwks` lies outside the configuration path, expected one below it",
    ]);
  });

  it("must be a regular text file of at most 1 MiB", async () => {
    mkdirSync(join(folder, "dir"));
    put("large", "x".repeat(1024 * 1024 + 1));
    put("largest", "x".repeat(1024 * 1024));
    writeFileSync(join(folder, "bytes"), Buffer.from([0x61, 0xff]));
    execFileSync("mkfifo", [join(folder, "pipe")]);
    put("a.yaml", document("none", "dir", "pipe", "large", "bytes", "largest", "a\0b", "Zm9vYmFyYmF6"));
    expect((await faults(folder)).map((text) => text.slice(text.indexOf("GH")))).toEqual([
      "GH0006 file `none` cannot be read (ENOENT)",
      "GH0006 file `dir` is no regular file",
      "GH0006 file `pipe` is no regular file",
      "GH0006 file `large` has 1048577 bytes, expected at most 1048576",
      "GH0006 file `bytes` is not UTF-8 text",
      "GH0006 the file that is named here cannot be read (ERR_INVALID_ARG_VALUE)",
      // It might be the secret in the place of its file.
      "GH0006 the file that is named here cannot be read (ENOENT)",
    ]);
  });

  it("that lies among the documents is no document, under whichever name it is found", async () => {
    mkdirSync(join(folder, "sub"));
    put("a.yaml", document("sub/link.json"));
    put("keys.json", '{"keys": []}');
    symlinkSync("../keys.json", join(folder, "sub/link.json"));
    await follow(folder).texts('{"keys": []}');
  });
});

describe("a change of a named file", () => {
  it("in place, by renaming over it, and by deleting and writing it, is a change of the configuration", async () => {
    put("a.yaml", document("k.jwks"));
    put("k.jwks", "1");
    const { texts, until } = follow(folder);
    await texts("1");
    put("k.jwks", "2");
    expect(await texts("2")).toBeLessThan(1500);
    put("next", "3");
    renameSync(join(folder, "next"), join(folder, "k.jwks"));
    expect(await texts("3")).toBeLessThan(1500);
    rmSync(join(folder, "k.jwks"));
    await until(({ ok, diagnostics }) => !ok && diagnostics[0]?.code === "GH0006");
    put("k.jwks", "4");
    expect(await texts("4")).toBeLessThan(1500);
  });

  it("that shows in neither its size nor its time is seen too", async () => {
    put("a.yaml", document("k.jwks"));
    put("k.jwks", "1");
    const past = new Date(1_700_000_000_000);
    utimesSync(join(folder, "k.jwks"), past, past);
    const { texts } = follow(folder);
    await texts("1");
    put("k.jwks", "2");
    utimesSync(join(folder, "k.jwks"), past, past);
    await texts("2");
  });

  it("by Kubernetes' swap of `..data` comes together with that of the document", async () => {
    const version = (name: string, files: Record<string, string>): void => {
      mkdirSync(join(folder, name));
      for (const [file, text] of Object.entries(files)) put(`${name}/${file}`, text);
      symlinkSync(name, join(folder, "..data_tmp"));
      renameSync(join(folder, "..data_tmp"), join(folder, "..data"));
    };
    const annotated = (text: string): string => document("k.jwks").replace("name: a", `name: n${text}`);
    version("..2026_1", { "a.yaml": annotated("1"), "k.jwks": "1" });
    for (const name of ["a.yaml", "k.jwks"]) symlinkSync(`..data/${name}`, join(folder, name));
    const { texts, all } = follow(folder);
    await texts("1");
    for (let i = 2; i < 6; i++) {
      version(`..2026_${i}`, { "a.yaml": annotated(String(i)), "k.jwks": String(i) });
      await texts(String(i));
      rmSync(join(folder, `..2026_${i - 1}`), { recursive: true });
    }
    const seen = all.flatMap(({ upserts }) => upserts.map(({ name, spec }) => `${name} ${spec}`));
    expect(seen).toEqual(["n1 1", "n2 2", "n3 3", "n4 4", "n5 5"]);
  });

  it("of one that no document names any more is none, nor is a touch of one that is named", async () => {
    put("a.yaml", document("k.jwks", "l.jwks"));
    put("k.jwks", "1");
    put("l.jwks", "1");
    const { texts, updates } = follow(folder);
    await texts("1", "1");
    put("a.yaml", document("k.jwks"));
    await texts("1");
    put("l.jwks", "2");
    put("k.jwks", "1");
    await sleep(1500);
    expect(updates).toEqual([]);
  });
});

describe("the configuration's thread", () => {
  const introspection = `apiVersion: gatehouse.dev/v1alpha1
kind: TokenIntrospection
metadata: {name: a}
spec:
  issuer: https://issuer.example
  endpoint: https://issuer.example/introspect
  clientId: gatehouse
  clientSecretEnv: CLIENT_SECRET
`;

  it.each([
    ["has the variables that it is given", { CLIENT_SECRET: "hush-hush" }, true],
    ["has no others", {}, false],
  ])("%s", async (_, environment, ok) => {
    put("a.yaml", introspection);
    const thread = startConfigThread({ paths: [folder], allowEmpty: false, environment });
    try {
      const update = await new Promise<ConfigUpdate>((resolve) => thread.onUpdate(resolve));
      expect(update.ok).toBe(ok);
      expect(update.diagnostics.map(({ code, line }) => [code, line])).toEqual(ok ? [] : [["GH0008", 8]]);
      expect(JSON.stringify(update.upserts).includes("hush-hush")).toBe(ok);
    } finally {
      await thread.close();
    }
  });
});
