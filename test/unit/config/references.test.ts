import { describe, expect, it } from "vitest";
import {
  type Catalog,
  type ConfigUpdate,
  createCatalog,
  type FileReference,
  type References,
  type SourceFile,
} from "../../../src/config/index.js";
import { createKindTable, type Kind, kinds } from "../../../src/config/kinds.js";
import { codes, finding, formatDiagnostic } from "../../../src/diagnostics/index.js";
import type { Reference } from "../../../src/documents/index.js";

/** Names texts in `files` and `env`, and takes them in; a text `bad` is an error, `throw` throws. */
const note: Kind = {
  group: "gatehouse.dev",
  kind: "Note",
  versions: ["v1alpha1"],
  parse: ({ spec }) => {
    const { files = [], env = [] } = spec as { files?: string[]; env?: string[] };
    const references: Reference[] = [
      ...files.map((name, i): Reference => ({ kind: "file", name, path: ["spec", "files", i] })),
      ...env.map((name, i): Reference => ({ kind: "env", name, path: ["spec", "env", i] })),
    ];
    return { spec: { texts: undefined }, findings: [], references };
  },
  complete: (_, texts) => {
    if (texts.includes("throw")) throw new Error(`cannot read ${texts.join()}`);
    const at = texts.indexOf("bad");
    if (at < 0) return { spec: { texts }, findings: [] };
    return {
      spec: undefined,
      findings: [finding(codes.invalidValue, ["spec", "files", at], "no keys in it")],
    };
  },
};

const table = createKindTable([...kinds, note]);

const document = (spec: string, name = "a"): string =>
  `apiVersion: gatehouse.dev/v1alpha1\nkind: Note\nmetadata: {name: ${name}}\nspec: ${spec}\n`;

interface Surroundings {
  readonly references: References;
  readonly asked: (readonly FileReference[])[];
  readonly texts: Map<string, string>;
}

/** Files by name; a name in `documents` is that file of the source. */
const surroundings = (
  files: Record<string, string>,
  environment: Record<string, string> = {},
  documents: Record<string, string> = {},
): Surroundings => {
  const texts = new Map(Object.entries(files));
  const asked: (readonly FileReference[])[] = [];
  const references: References = {
    files: (named) => {
      asked.push(named);
      return named.map(({ name }) => {
        const text = texts.get(name);
        if (text !== undefined)
          return { text, paths: Object.hasOwn(documents, name) ? [documents[name] ?? ""] : [] };
        return { text: undefined, code: codes.referenceUnreadable, message: `no \`${name}\`` };
      });
    },
    downloads: (named) => named.map(() => ({ text: "", failure: undefined })),
    variable: (name) => (Object.hasOwn(environment, name) ? environment[name] : undefined),
  };
  return { references, asked, texts };
};

const catalogOf = ({ references }: Surroundings): Catalog =>
  createCatalog({ table, references, pause: async () => {} });

const update = (
  catalog: Catalog,
  ...texts: readonly (string | readonly [path: string, text: string])[]
): Promise<ConfigUpdate> => {
  const files = texts.map((given): SourceFile => {
    const [path, text] = typeof given === "string" ? ["conf/a.yaml", given] : given;
    return { path, text, root: "conf" };
  });
  return catalog.update({ files, diagnostics: [] });
};

const said = ({ diagnostics }: ConfigUpdate): string[] => diagnostics.map(formatDiagnostic);

describe("a document that names texts", () => {
  it("is completed with them, in their order", async () => {
    const around = surroundings({ k: "keys", l: "more" }, { SECRET: "hush" });
    const { ok, upserts } = await update(catalogOf(around), document("{files: [l, k], env: [SECRET]}"));
    expect(ok).toBe(true);
    expect(upserts.map(({ spec }) => spec)).toEqual([{ texts: ["more", "keys", "hush"] }]);
    expect(around.asked).toEqual([
      [
        { root: "conf", document: "conf/a.yaml", name: "l", kind: "file", maxBytes: undefined },
        { root: "conf", document: "conf/a.yaml", name: "k", kind: "file", maxBytes: undefined },
      ],
    ]);
  });

  it("asks for all files at once, so that the source knows what to watch, also when there is none", async () => {
    const around = surroundings({ k: "keys" });
    const catalog = catalogOf(around);
    await update(catalog, `${document("{files: [k]}")}---\n${document("{files: [l]}", "b")}`);
    await update(catalog, document("{}"));
    expect(around.asked.map((named) => named.map(({ name }) => name))).toEqual([["k", "l"], []]);
  });

  it("changes with them, and only with them", async () => {
    const around = surroundings({ k: "1", l: "1" }, { E: "e" });
    const catalog = catalogOf(around);
    const text = `${document("{files: [k], env: [E]}")}---\n${document("{files: [l]}", "b")}`;
    const first = await update(catalog, text);
    around.texts.set("k", "2");
    const second = await update(catalog, text);
    expect(second.upserts.map(({ name, spec }) => [name, spec])).toEqual([["a", { texts: ["2", "e"] }]]);
    expect(second.upserts[0]?.hash).not.toBe(first.upserts[0]?.hash);
    expect((await update(catalog, text)).upserts).toEqual([]);
    const moved = await update(catalog, `# a line\n---\n${text}`);
    expect(moved.upserts[0]?.hash).toBe(second.upserts[0]?.hash);
    expect(moved.upserts[0]?.spec).toBe(second.upserts[0]?.spec);
  });

  it("is an error at the name's place when a text is missing, and the last good configuration stays", async () => {
    const around = surroundings({ k: "keys" }, { EMPTY: "" });
    const catalog = catalogOf(around);
    await update(catalog, document("{files: [k]}"));
    const text = document("\n  files: [k, none]\n  env: [UNSET, EMPTY, constructor]");
    const bad = await update(catalog, text);
    expect(bad).toMatchObject({ ok: false, upserts: [], removed: [] });
    expect(said(bad)).toEqual([
      "conf/a.yaml:5:14: error GH0006 no `none` (Note default/a)",
      "conf/a.yaml:6:9: error GH0008 environment variable `UNSET` is not set (Note default/a)",
      "conf/a.yaml:6:16: error GH0008 environment variable `EMPTY` is not set (Note default/a)",
      "conf/a.yaml:6:23: error GH0008 the environment variable named here is not set (Note default/a)",
    ]);
  });

  it("is an error where its kind cannot take a text, and again in every reading until it can", async () => {
    const around = surroundings({ k: "bad" });
    const catalog = catalogOf(around);
    const text = `# first\n${document("{files: [k]}")}`;
    for (let i = 0; i < 2; i++) {
      const bad = await update(catalog, text);
      expect(bad.ok).toBe(false);
      expect(said(bad)).toEqual(["conf/a.yaml:5:16: error GH0108 no keys in it (Note default/a)"]);
    }
    around.texts.set("k", "good");
    expect((await update(catalog, text)).upserts.map(({ spec }) => spec)).toEqual([{ texts: ["good"] }]);
  });

  it("never has a text in a diagnostic, not even when its kind throws it", async () => {
    const around = surroundings({ k: "throw" }, { SECRET: "hush-hush" });
    const bad = await update(catalogOf(around), document("{files: [k], env: [SECRET]}"));
    expect(bad.ok).toBe(false);
    expect(JSON.stringify(bad)).not.toContain("hush-hush");
  });

  it("in a List is as one that stands alone", async () => {
    const item = (name: string, file: string): object => ({
      apiVersion: "gatehouse.dev/v1alpha1",
      kind: "Note",
      metadata: { name },
      spec: { files: [file] },
    });
    const list = { apiVersion: "v1", kind: "List", items: [item("a", "k"), item("b", "none")] };
    const around = surroundings({ k: "keys" });
    const bad = await update(catalogOf(around), JSON.stringify(list, null, " "));
    expect(said(bad)).toEqual(["conf/a.yaml:25:6: error GH0006 no `none` (Note default/b)"]);
  });

  it("cannot be read by a catalog without surroundings", async () => {
    const alone = createCatalog({ table, pause: async () => {} });
    expect(
      said(await update(alone, document("{files: [k], env: [HOME]}"))).map((text) => text.slice(0, 31)),
    ).toEqual(["conf/a.yaml:4:16: error GH0006 ", "conf/a.yaml:4:26: error GH0008 "]);
  });
});

describe("a named file among the documents", () => {
  const jwks = '{"keys": []}';

  it("is not read as one", async () => {
    const around = surroundings({ "keys.json": jwks }, {}, { "keys.json": "conf/keys.json" });
    const named = ["conf/keys.json", jwks] as const;
    const { ok, diagnostics } = await update(catalogOf(around), document("{files: [keys.json]}"), named);
    expect({ ok, diagnostics }).toEqual({ ok: true, diagnostics: [] });
    const unnamed = await update(catalogOf(around), document("{}"), named);
    expect(unnamed.diagnostics.map(({ code }) => code)).toEqual(["GH0011"]);
  });

  it.each([
    ["a policy", "{apiVersion: security.istio.io/v1, kind: AuthorizationPolicy, metadata: {name: p}}"],
    ["itself", document("{files: [b.yaml]}", "b")],
    ["a policy that has a mistake", "{apiVersion: security.istio.io/v1, kind: AuthorisationPolicy}"],
  ])("is an error when it holds %s, which would be left out otherwise", async (_, text) => {
    const around = surroundings({ "b.yaml": text }, {}, { "b.yaml": "conf/b.yaml" });
    const bad = await update(catalogOf(around), document("{files: [b.yaml]}"), ["conf/b.yaml", text]);
    expect(bad.ok).toBe(false);
    expect(bad.diagnostics.map(({ code }) => code)).toContain("GH0009");
  });

  it("that is no document, and that nobody names, is not quoted", async () => {
    const bad = await update(catalogOf(surroundings({})), ["conf/secret.yaml", "hush-hush"]);
    expect(bad.ok).toBe(false);
    expect(JSON.stringify(bad)).not.toContain("hush-hush");
  });
});
