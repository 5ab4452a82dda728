import { describe, expect, it } from "vitest";
import {
  type Catalog,
  type ConfigFiles,
  type ConfigUpdate,
  createAssembler,
  createCatalog,
  type FileReference,
} from "../../../src/config/index.js";
import { codes, formatDiagnostic } from "../../../src/diagnostics/index.js";
import type { RegoPolicy } from "../../../src/rego/index.js";
import { plainlyAllowed } from "../../../src/rego/result.js";
import { authnOptions } from "../../support/authn.js";
import { type FakeCompiler, fakeCompiler, sendWasm } from "../rego/fakes.js";

interface World {
  readonly compiler: FakeCompiler;
  readonly catalog: Catalog;
  /** Folders by name, with their files. */
  readonly folders: Map<string, Record<string, string>>;
  readonly asked: FileReference[];
  /** What every URL gives. */
  download: { text: string; failure: string | undefined };
  load(...documents: string[]): Promise<ConfigUpdate>;
  read(files: Partial<ConfigFiles>): Promise<ConfigUpdate>;
}

function world(answer?: Parameters<typeof fakeCompiler>[0]): World {
  const compiler = fakeCompiler(answer);
  const folders = new Map<string, Record<string, string>>();
  const asked: FileReference[] = [];
  const catalog = createCatalog({
    pause: async () => {},
    ports: { rego: compiler },
    references: {
      files: (named) =>
        named.map((reference) => {
          asked.push(reference);
          const files = folders.get(reference.name);
          if (files !== undefined) return { text: JSON.stringify(Object.entries(files)), paths: [] };
          return { text: undefined, code: codes.referenceUnreadable, message: `no \`${reference.name}\`` };
        }),
      downloads: (named) => named.map(() => made.download),
      variable: () => undefined,
    },
  });
  const made: World = {
    compiler,
    catalog,
    folders,
    asked,
    download: { text: "", failure: undefined },
    load: (...documents) => made.read({ files: [{ path: "conf/a.yaml", text: documents.join("---\n") }] }),
    read: (files) => catalog.update({ files: [], diagnostics: [], ...files }),
  };
  return made;
}

const policy = (spec: string, name = "orders", namespace = "shop"): string =>
  `apiVersion: gatehouse.dev/v1alpha1
kind: RegoPolicy
metadata: {name: ${name}, namespace: ${namespace}}
spec:
  ${spec.trim().replaceAll("\n", "\n  ")}
`;

const inline = (rest = ""): string => policy(`modules: {a.rego: package a}\n${rest}`);

const said = (update: ConfigUpdate): string[] => update.diagnostics.map(formatDiagnostic);

const specOf = ({ upserts }: ConfigUpdate, name = "orders"): RegoPolicy =>
  upserts.find((one) => one.name === name)?.spec as RegoPolicy;

const parseError = (file: string | undefined, line: number, column: number) => ({
  wasm: undefined,
  builtins: [],
  findings: [
    { severity: "error" as const, code: "rego_parse_error", message: "unexpected }", file, line, column },
  ],
});

describe("a document of kind RegoPolicy", () => {
  it("becomes a resource with its program", async () => {
    const update = await world().load(inline());
    expect(said(update)).toEqual([]);
    expect(update.upserts).toMatchObject([
      { id: "gatehouse.dev/RegoPolicy/shop/orders", kind: "RegoPolicy", namespace: "shop", name: "orders" },
    ]);
    expect(specOf(update).program?.wasm.length).toBeGreaterThan(0);
  });

  it.each([
    [
      "an unknown field at its key",
      "modules: {a.rego: package a}\nentryPoint: a/b",
      "conf/a.yaml:6:3: error GH0101 ",
    ],
    [
      "two sources at the second",
      "modules: {a.rego: package a}\npath: rego",
      "conf/a.yaml:6:9: error GH0201 ",
    ],
    ["no source", "failOpen: true", "conf/a.yaml:5:3: error GH0104 "],
    [
      "an entrypoint beside a query",
      "modules: {a.rego: package a}\nentrypoint: a/b\nquery: data.a.b",
      "conf/a.yaml:7:10: error GH0201 ",
    ],
    [
      "a bad selector",
      "modules: {a.rego: package a}\nselector: {matchLabels: {a: b}, x: y}",
      "conf/a.yaml:6:35: error GH0101 ",
    ],
  ])("is told of %s", async (_, spec, expected) => {
    const { load, compiler } = world();
    const update = await load(policy(spec));
    expect(update.ok).toBe(false);
    expect(said(update)).toEqual([expect.stringContaining(expected)]);
    expect(compiler.builds).toEqual([]);
  });

  it("is told of an error in a module's text at its own line and column", async () => {
    const { load } = world(parseError("b.rego", 3, 7));
    const comment = "# of another document\n";
    const text = policy("modules:\n  a.rego: package a\n  b.rego: |\n    package b\n\n    allow if }");
    const update = await load(comment, text);
    expect(update.ok).toBe(false);
    expect(said(update)).toEqual([
      "conf/a.yaml:12:13: error GH0601 rego_parse_error: unexpected } (RegoPolicy shop/orders)",
    ]);
  });

  it.each([
    ["`|-` after an empty line", "b.rego: |-\n\n    package b\n    }", 3, 5, "conf/a.yaml:9:11:"],
    ["`>`", "b.rego: >\n    package b", 1, 9, "conf/a.yaml:7:15:"],
    ["quotes, where only their begin is known", 'b.rego: "package b\\n\\n}"', 3, 1, "conf/a.yaml:6:13:"],
  ])("is told of an error in a text with %s", async (_, module, line, column, place) => {
    const { load } = world(parseError("b.rego", line, column));
    const update = await load(policy(`modules:\n  ${module}`));
    expect(said(update)).toEqual([expect.stringContaining(`${place} error GH0601 `)]);
  });

  it("is told of an error in a folder's module in that file", async () => {
    const { load, folders } = world(parseError("rego/sub/a.rego", 3, 7));
    folders.set("rego", { "sub/a.rego": "package a" });
    const place = "conf/rego/sub/a.rego:3:7: error GH0601 ";
    expect(said(await load(policy("path: rego")))).toEqual([expect.stringContaining(place)]);
  });

  it.each([
    ["./rego/", "./rego/a.rego", "conf/rego/a.rego:3:7:"],
    ["/etc/rego", "/etc/rego/a.rego", "/etc/rego/a.rego:3:7:"],
  ])("is told of the file as it can be opened when the folder is `%s`", async (path, file, place) => {
    const { load, folders } = world(parseError(file, 3, 7));
    folders.set(path, { "a.rego": "package a" });
    expect(said(await load(policy(`path: ${path}`)))).toEqual([
      expect.stringContaining(`${place} error GH0601 `),
    ]);
  });

  it("is told of bad data in that file", async () => {
    const { load, folders } = world();
    folders.set("rego", { "a.rego": "package a", "data.json": "[" });
    expect(said(await load(policy("path: rego")))).toEqual([
      "conf/rego/data.json:1:1: error GH0604 data file `rego/data.json`: not valid JSON (RegoPolicy shop/orders)",
    ]);
  });

  it("is told of a builtin that cannot be called, at the call", async () => {
    const { load } = world({
      wasm: sendWasm,
      builtins: [{ name: "http.send", file: "a.rego", line: 2, column: 6 }],
    });
    const update = await load(policy("modules:\n  a.rego: |\n    package a\n    x := http.send({})"));
    expect(update.ok).toBe(false);
    expect(said(update)).toEqual([expect.stringMatching(/^conf\/a\.yaml:8:12: error GH0603 .*`http\.send`/)]);
  });

  it("with an error leaves the good configuration as it is", async () => {
    const { load, compiler } = world();
    const good = compiler.answer;
    expect((await load(inline())).ok).toBe(true);
    compiler.answer = parseError("a.rego", 1, 1);
    const bad = await load(inline("failOpen: true"));
    expect(bad).toMatchObject({ ok: false, upserts: [], removed: [] });
    compiler.answer = good;
    const again = await load(inline());
    expect(again).toMatchObject({ ok: true, upserts: [], removed: [] });
  });
});

describe("compiling", () => {
  it("is done once, however often the configuration is read", async () => {
    const { load, compiler } = world();
    const first = await load(inline());
    const second = await load(inline());
    expect(compiler.builds).toHaveLength(1);
    expect([first.upserts.length, second.upserts.length]).toEqual([1, 0]);
  });

  it("is not done again for another document, or for another place in the file", async () => {
    const { load, compiler } = world();
    await load(inline());
    const moved = await load(`# a comment\n---\n${inline()}`);
    expect(said(moved)).toEqual([]);
    await load(inline(), policy("modules: {b.rego: package b}", "more"));
    expect(compiler.builds).toHaveLength(2);
  });

  it("gives the same program when only data changed", async () => {
    const { load, folders } = world();
    folders.set("rego", { "a.rego": "package a", "data.json": '{"a": 1}' });
    const first = specOf(await load(policy("path: rego")));
    folders.set("rego", { "a.rego": "package a", "data.json": '{"a": 2}' });
    const second = specOf(await load(policy("path: rego")));
    expect(second.program).toBe(first.program);
    expect([first, second].map(({ data }) => data)).toEqual([
      [{ path: [], json: '{"a":1}' }],
      [{ path: [], json: '{"a":2}' }],
    ]);
  });

  it("that failed is tried again with the next reading", async () => {
    const { load, compiler } = world();
    const good = compiler.answer;
    compiler.answer = new Error("it gave no answer in 30 s");
    const first = await load(inline());
    expect(first.ok).toBe(false);
    expect(said(first)).toEqual([
      "conf/a.yaml:5:3: error GH0609 it gave no answer in 30 s (RegoPolicy shop/orders)",
    ]);
    compiler.answer = good;
    expect(await load(inline())).toMatchObject({ ok: true, diagnostics: [] });
    expect(compiler.builds).toHaveLength(2);
  });

  it("that found an error is not tried again with the same text", async () => {
    const { load, compiler } = world(parseError("a.rego", 1, 1));
    const texts = [said(await load(inline())), said(await load(inline()))];
    expect(texts[0]).toEqual(texts[1]);
    expect(compiler.builds).toHaveLength(1);
  });

  it("is an error where there is no compiler", async () => {
    const catalog = createCatalog({ pause: async () => {} });
    const update = await catalog.update({ files: [{ path: "a.yaml", text: inline() }], diagnostics: [] });
    expect(said(update)).toEqual([
      "a.yaml:5:3: error GH0609 Rego cannot be compiled here (RegoPolicy shop/orders)",
    ]);
  });
});

describe("a bundle by URL", () => {
  const remote = policy("bundle: {url: 'https://a/b', pollInterval: 5s}");
  const arrived = { text: "YnVuZGxl", failure: undefined };
  const bundle = {
    ok: true as const,
    bundle: {
      revision: "",
      modules: { "a.rego": "package a" },
      regoVersion: "v1" as const,
      data: "{}",
      wasm: [],
    },
  };

  it("that has not arrived leaves the policy without a program, and a warning", async () => {
    const update = await world().load(remote);
    expect(update.ok).toBe(true);
    expect(specOf(update).program).toBeUndefined();
    expect(said(update)).toEqual([expect.stringMatching(/^conf\/a\.yaml:5:17: warning GH0606 /)]);
  });

  it("changes the policy when it arrives", async () => {
    const made = world();
    made.compiler.bundle = bundle;
    await made.load(remote);
    made.download = arrived;
    const update = await made.load(remote);
    expect(said(update)).toEqual([]);
    expect(specOf(update).program).toBeDefined();
    expect(await made.load(remote)).toMatchObject({ ok: true, upserts: [] });
    expect(made.compiler.opened).toHaveLength(1);
  });

  it("that could not be fetched again stays, with a warning that says why", async () => {
    const made = world();
    made.compiler.bundle = bundle;
    made.download = arrived;
    await made.load(remote);
    made.download = { ...arrived, failure: "status 503" };
    const update = await made.load(remote);
    expect(update).toMatchObject({ ok: true, upserts: [] });
    expect(said(update)).toEqual([
      "conf/a.yaml:5:17: warning GH0611 the last attempt to fetch it failed: status 503; what it gave before stays (RegoPolicy shop/orders)",
    ]);
  });

  it("that was never fetched says both", async () => {
    const made = world();
    made.download = { text: "", failure: "timeout" };
    const told = said(await made.load(remote));
    expect(told.map((line) => line.split(" ")[2])).toEqual(["GH0611", "GH0606"]);
  });

  it("that cannot be opened leaves its last program, and does not hold up the rest", async () => {
    const made = world();
    made.compiler.bundle = bundle;
    made.download = arrived;
    const first = await made.load(remote);
    made.compiler.bundle = { ok: false, message: "no gzipped tar" };
    made.download = { text: "YnJva2Vu", failure: undefined };
    const update = await made.load(remote);
    expect(update).toMatchObject({ ok: true, removed: [] });
    expect(said(update)).toEqual([
      "conf/a.yaml:5:17: warning GH0612 GH0605: no gzipped tar; what it gave before stays (RegoPolicy shop/orders)",
    ]);
    const [{ spec: before } = {}, { spec } = {}] = [first.upserts[0], update.upserts[0]];
    expect((spec as RegoPolicy).program).toEqual((before as RegoPolicy).program);
  });
});

describe("a folder of Rego", () => {
  const folder = { path: "policies/My Rules", name: "My Rules" };

  it("stands for a policy of its name for the whole mesh", async () => {
    const { read, folders, asked } = world();
    folders.set("My Rules", { "a.rego": "package a" });
    const update = await read({ rego: [folder] });
    expect(said(update)).toEqual([]);
    expect(update.upserts.map(({ id }) => id)).toEqual(["gatehouse.dev/RegoPolicy/istio-system/my-rules"]);
    expect(asked).toMatchObject([
      { root: "policies/My Rules", document: "policies/My Rules", name: "My Rules", kind: "folder" },
    ]);
  });

  it("lies in the root namespace of the Mesh", async () => {
    const { read, folders, compiler } = world();
    folders.set("My Rules", { "a.rego": "package a" });
    await read({ rego: [folder] });
    const text =
      "apiVersion: gatehouse.dev/v1alpha1\nkind: Mesh\nmetadata: {name: mesh}\nspec: {rootNamespace: root}\n";
    const update = await read({ rego: [folder], files: [{ path: "mesh.yaml", text }] });
    expect(said(update)).toEqual([]);
    expect(update.upserts.map(({ id }) => id)).toContain("gatehouse.dev/RegoPolicy/root/my-rules");
    expect(update.removed).toEqual(["gatehouse.dev/RegoPolicy/istio-system/my-rules"]);
    expect(compiler.builds.length).toBeLessThanOrEqual(2);
  });

  it.each([
    ["A_B.c", "a-b-c"],
    ["...", "rego"],
    ["ümlaut", "mlaut"],
    [`${"a".repeat(62)}-${"b".repeat(10)}`, "a".repeat(62)],
    ["x".repeat(100), "x".repeat(63)],
  ])("has a name that may be one: %s", async (name, expected) => {
    const { read, folders } = world();
    folders.set(name, { "a.rego": "package a" });
    const update = await read({ rego: [{ path: name, name }] });
    expect(said(update)).toEqual([]);
    expect(update.upserts.map((one) => one.name)).toEqual([expected]);
  });

  it("has its errors in its own files", async () => {
    const { read, folders } = world(parseError("My Rules/a.rego", 2, 3));
    folders.set("My Rules", { "a.rego": "package a" });
    expect(said(await read({ rego: [folder] }))).toEqual([
      "policies/My Rules/a.rego:2:3: error GH0601 rego_parse_error: unexpected } (RegoPolicy istio-system/my-rules)",
    ]);
  });

  it("that cannot be read is an error of the folder", async () => {
    expect(said(await world().read({ rego: [folder] }))).toEqual([
      expect.stringMatching(/^policies\/My Rules:1:1: error GH\d+ no `My Rules` \(RegoPolicy /),
    ]);
  });

  it("of the same name as another is an error", async () => {
    const { read, folders } = world();
    folders.set("rego", { "a.rego": "package a" });
    const update = await read({
      rego: [
        { path: "one/rego", name: "rego" },
        { path: "two/rego", name: "rego" },
      ],
    });
    expect(said(update)).toEqual([
      expect.stringMatching(/^two\/rego:1:1: error GH\d+ .*already defined at one\/rego:1/),
    ]);
  });
});

describe("an extension provider that is a RegoPolicy", () => {
  const mesh = `apiVersion: gatehouse.dev/v1alpha1
kind: Mesh
metadata: {name: mesh}
spec:
  extensionProviders:
    - name: opa
      rego: {policy: shop/orders}
`;

  it("is fine when that is loaded", async () => {
    expect(said(await world().load(mesh, inline()))).toEqual([]);
  });

  it("is warned of when that is not", async () => {
    const update = await world().load(mesh);
    expect(update.ok).toBe(true);
    expect(said(update)).toEqual([
      "conf/a.yaml:7:22: warning GH0610 provider `opa` names RegoPolicy `shop/orders`, which is not loaded; requests that CUSTOM policies send there are refused (Mesh default/mesh)",
    ]);
  });

  it("names a namespace and a name", async () => {
    const update = await world().load(mesh.replace("shop/orders", "orders"));
    expect(update.ok).toBe(false);
    expect(said(update)).toEqual([expect.stringMatching(/^conf\/a\.yaml:7:22: error .*NAMESPACE\/NAME/)]);
  });
});

describe("where a RegoPolicy applies", () => {
  const assembled = async (...documents: string[]) => {
    const made: string[] = [];
    const assembler = createAssembler({
      ...authnOptions,
      pause: async () => {},
      providers: () => undefined,
      rego: async ({ name }) => {
        made.push(name);
        return () => plainlyAllowed;
      },
    });
    const { load } = world();
    const apply = async (...texts: string[]) => {
      const update = await load(...texts);
      expect(update.ok).toBe(true);
      return assembler.apply(update);
    };
    return { snapshot: await apply(...documents), apply, made };
  };

  const workload = (namespace: string, labels: Record<string, string> = {}) => ({
    namespace,
    name: "",
    type: "sidecar" as const,
    labels: new Map(Object.entries(labels)),
    services: [],
  });

  it("is its namespace and selector, or the mesh from the root namespace", async () => {
    const { snapshot } = await assembled(
      inline(),
      policy("modules: {a.rego: package a}\nselector: {matchLabels: {app: web}}", "web"),
      policy("modules: {a.rego: package a}", "root", "istio-system"),
    );
    const own = (...where: Parameters<typeof workload>): string[] =>
      snapshot.plan(workload(...where)).http.own.map(({ ref }) => ref.policy);
    expect(own("shop")).toEqual(["istio-system/root", "shop/orders"]);
    expect(own("shop", { app: "web" })).toEqual(["istio-system/root", "shop/orders", "shop/web"]);
    expect(own("other")).toEqual(["istio-system/root"]);
    expect(snapshot.plan(undefined).http.own.map(({ ref }) => ref.policy)).toEqual(["istio-system/root"]);
  });

  it("makes requests of unknown workloads refusable when it is not the whole mesh", async () => {
    expect((await assembled(inline())).snapshot.scoped).toBe(true);
    expect(
      (await assembled(policy("modules: {a.rego: package a}", "a", "istio-system"))).snapshot.scoped,
    ).toBe(false);
  });

  it("is nowhere with `providerOnly`", async () => {
    const { snapshot, made } = await assembled(inline("providerOnly: true"));
    expect(snapshot.scoped).toBe(false);
    expect(snapshot.plan(workload("shop")).http.own).toEqual([]);
    expect(made).toEqual(["orders"]);
  });

  it("is made ready once, also when the Mesh changes", async () => {
    const { apply, made } = await assembled(inline());
    const mesh =
      "apiVersion: gatehouse.dev/v1alpha1\nkind: Mesh\nmetadata: {name: mesh}\nspec: {trustDomain: td}\n";
    const snapshot = await apply(inline(), mesh);
    expect(snapshot.plan(workload("shop")).http.own).toHaveLength(1);
    expect(made).toEqual(["orders"]);
  });
});
