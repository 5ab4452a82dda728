import { describe, expect, it } from "vitest";
import {
  type Catalog,
  type ConfigUpdate,
  createCatalog,
  type SourceFile,
} from "../../../src/config/index.js";
import { formatDiagnostic } from "../../../src/diagnostics/index.js";

const policy = (name: string, rest = "spec: {rules: [{}]}"): string =>
  `apiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\nmetadata: {name: ${name}, namespace: shop}\n${rest}\n`;

const mesh = (spec: string, name = "mesh"): string =>
  `apiVersion: gatehouse.dev/v1alpha1\nkind: Mesh\nmetadata: {name: ${name}}\nspec: ${spec}\n`;

const catalogOf = (): Catalog => createCatalog({ pause: async () => {} });

const load = (text: string, catalog = catalogOf()): Promise<ConfigUpdate> =>
  catalog.update({ files: [{ path: "a.yaml", text }], diagnostics: [] });

const said = (update: ConfigUpdate): string[] => update.diagnostics.map(formatDiagnostic);

describe("a document's head", () => {
  it("is not taken for one without a spec when there is a null in its place", async () => {
    expect(said(await load(policy("a", "spec:")))).toEqual([
      "a.yaml:4:1: error GH0102 `spec` is null, expected a mapping (AuthorizationPolicy shop/a)",
    ]);
    expect(said(await load(policy("a", "")))).toEqual([]);
  });

  it.each([
    ["an empty mapping", "{}", "GH0011"],
    ["a text", "hello", "GH0010"],
    ["a list", "[]", "GH0010"],
    ["no kind", "apiVersion: v1", "GH0011"],
    ["a number as kind", "{apiVersion: v1, kind: 5}", "GH0102"],
    [
      "an unknown kind of a served group",
      "{apiVersion: security.istio.io/v1, kind: Foo, metadata: {name: a}}",
      "GH0012",
    ],
    ["an unknown version", "{apiVersion: security.istio.io/v2, kind: AuthorizationPolicy}", "GH0012"],
    ["a kind that there is not", "{apiVersion: gatehouse.dev/v1alpha1, kind: HeaderPolicy}", "GH0012"],
    [
      "our kind in a foreign group",
      "{apiVersion: security.istio.com/v1, kind: AuthorizationPolicy}",
      "GH0012",
    ],
    ["our kind in the core group", "{apiVersion: v1, kind: AuthorizationPolicy}", "GH0012"],
    ["a rate limit config in flow style", "{domain: x, descriptors: []}", "GH0012"],
    ["an unknown field at the top", `${policy("p")}rules: []`, "GH0101"],
    [
      "an unknown field in metadata",
      "apiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\nmetadata: {name: p, nmespace: x}",
      "GH0101",
    ],
    [
      "no name",
      "apiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\nmetadata: {namespace: x}",
      "GH0104",
    ],
    ["no metadata", "apiVersion: security.istio.io/v1\nkind: AuthorizationPolicy", "GH0104"],
    [
      "a name with a slash",
      "apiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\nmetadata: {name: a/b}",
      "GH0107",
    ],
    [
      "a name in capitals",
      "apiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\nmetadata: {name: Abc}",
      "GH0107",
    ],
    [
      "a namespace with a dot",
      "apiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\nmetadata: {name: a, namespace: b.c}",
      "GH0107",
    ],
    [
      "an annotation that is no text",
      "apiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\nmetadata: {name: a, annotations: {a: yes}}",
      "GH0102",
    ],
    ["two names", `${policy("p")}---\n${policy("p")}`, "GH0015"],
    [
      "two names of different versions",
      `${policy("p")}---\n${policy("p").replace("/v1", "/v1beta1")}`,
      "GH0015",
    ],
  ])("with %s is an error", async (_, text, code) => {
    const update = await load(text);
    expect(update).toMatchObject({ ok: false, upserts: [], worst: "error" });
    expect(update.diagnostics[0]?.code).toBe(code);
  });

  it.each([
    [
      "an Istio kind without effect",
      "{apiVersion: networking.istio.io/v1, kind: VirtualService, metadata: {name: a}}",
      "GH0013",
    ],
    [
      "a mesh's WasmPlugin",
      "{apiVersion: extensions.istio.io/v1alpha1, kind: WasmPlugin, metadata: {name: a}}",
      "GH0013",
    ],
    ["a foreign group", "{apiVersion: apps/v1, kind: Deployment, metadata: {name: a}}", "GH0014"],
    ["the core group", "{apiVersion: v1, kind: Service, metadata: {name: a}}", "GH0014"],
  ])("of %s is a warning", async (_, text, code) => {
    expect(await load(text)).toMatchObject({
      ok: true,
      upserts: [],
      diagnostics: [{ code, severity: "warning" }],
    });
  });

  it("may carry what Kubernetes itself writes", async () => {
    const metadata =
      "metadata: {name: p, uid: x, generation: 3, creationTimestamp: null, managedFields: [{a: b}], labels: {a: b}}";
    const text = `apiVersion: security.istio.io/v1beta1\nkind: AuthorizationPolicy\n${metadata}\nspec: {}\nstatus: {conditions: []}\n`;
    expect(said(await load(text))).toEqual([]);
  });

  it("may ask for obligations only of a policy that decides", async () => {
    const asking = (text: string): string =>
      text.replace("metadata: {", 'metadata: {annotations: {gatehouse.dev/obligations: "mask"}, ');
    const mask =
      "apiVersion: gatehouse.dev/v1alpha1\nkind: BodyPolicy\nmetadata: {name: mask, namespace: shop}\n" +
      "spec: {response: {headers: [{operation: remove, name: server}]}}\n";
    expect(said(await load(`${asking(policy("a"))}---\n${mask}`))).toEqual([]);
    expect(said(await load(asking(policy("a"))))).toEqual([expect.stringContaining("error GH1151 ")]);
    const rbac =
      "apiVersion: gatehouse.dev/v1alpha1\nkind: EnvoyRbac\nmetadata: {name: r}\nspec: {rules: {}}\n";
    for (const text of [mesh("{}"), rbac]) {
      const update = await load(asking(text));
      expect(update.ok).toBe(false);
      expect(said(update)).toEqual([
        expect.stringMatching(/^a\.yaml:3:\d+: error GH1150 annotation `gatehouse.dev\/obligations` on a /),
      ]);
    }
  });

  it("without a namespace is in `default`", async () => {
    const { upserts } = await load(
      "{apiVersion: security.istio.io/v1, kind: AuthorizationPolicy, metadata: {name: p}}",
    );
    expect(upserts.map(({ id }) => id)).toEqual(["security.istio.io/AuthorizationPolicy/default/p"]);
  });
});

describe("a finding", () => {
  it("names line and column in the file, beyond the documents before", async () => {
    const update = await load(`${policy("p")}---\n${policy("q", "spec:\n  rules:\n  - fromm: []")}`);
    expect(said(update)[0]).toContain("a.yaml:11:5: error GH0101");
    expect(said(update)[0]).toContain("(AuthorizationPolicy shop/q)");
  });

  it("in a broken document names the place", async () => {
    expect(said(await load(`${policy("p")}---\na: [b\n`))[0]).toMatch(/^a\.yaml:7:1: error GH0001 /);
  });

  it("in an item of a List names the item's place", async () => {
    const text = `apiVersion: v1\nkind: List\nitems:\n- apiVersion: security.istio.io/v1\n  kind: AuthorizationPolicy\n  metadata:\n    name: p\n    nam: q\n`;
    expect(said(await load(text))[0]).toContain("a.yaml:8:5: error GH0101");
  });
});

describe("a List", () => {
  it("is opened, in YAML and in JSON", async () => {
    const item = (name: string): object => ({
      apiVersion: "security.istio.io/v1",
      kind: "AuthorizationPolicy",
      metadata: { name },
    });
    const list = { apiVersion: "v1", kind: "List", metadata: {}, items: [item("a"), item("b")] };
    const { upserts, diagnostics } = await load(JSON.stringify(list, null, "\t"));
    expect(diagnostics).toEqual([]);
    expect(upserts.map(({ name, origin }) => [name, origin.line])).toEqual([
      ["a", 6],
      ["b", 13],
    ]);
    expect(new Set(upserts.map(({ hash }) => hash)).size).toBe(2);
  });
});

describe("an update", () => {
  const file = (path: string, text: string): SourceFile => ({ path, text });

  it("has only what changed since the last good configuration", async () => {
    const catalog = catalogOf();
    const files = [file("a.yaml", policy("a")), file("b.yaml", policy("b")), file("c.yaml", policy("c"))];
    const first = await catalog.update({ files, diagnostics: [] });
    expect(first.upserts.map(({ name }) => name)).toEqual(["a", "b", "c"]);
    const edited = [file("a.yaml", policy("a")), file("b.yaml", policy("b", "spec: {}"))];
    const second = await catalog.update({ files: edited, diagnostics: [] });
    expect(second.upserts.map(({ name }) => name)).toEqual(["b"]);
    expect(second.removed).toEqual(["security.istio.io/AuthorizationPolicy/shop/c"]);
    const third = await catalog.update({ files: edited, diagnostics: [] });
    expect(third).toEqual({ ok: true, upserts: [], removed: [], diagnostics: [], worst: undefined });
  });

  it("with an error changes nothing, and the next good one catches up", async () => {
    const catalog = catalogOf();
    await load(policy("a"), catalog);
    const bad = await load(
      `${policy("a", "spec: {}")}---\n${policy("b", "spec: {action: PERMIT}")}`,
      catalog,
    );
    expect(bad).toMatchObject({ ok: false, upserts: [], removed: [] });
    const good = await load(`${policy("a", "spec: {}")}---\n${policy("b")}`, catalog);
    expect(good.upserts.map(({ name }) => name)).toEqual(["a", "b"]);
  });

  it("tells of a document that only moved, with the same hash", async () => {
    const catalog = catalogOf();
    const first = await load(`${policy("a")}---\n${policy("b")}`, catalog);
    const second = await load(`# one line more\n${policy("a")}---\n${policy("b")}`, catalog);
    expect(second.upserts.map(({ name, origin }) => [name, origin.line])).toEqual([
      ["a", 1],
      ["b", 7],
    ]);
    expect(second.upserts[1]?.hash).toBe(first.upserts[1]?.hash);
  });

  it("survives a structured clone", async () => {
    const update = await load(
      `${policy("a")}---\n${mesh("{defaultWorkload: {namespace: x, labels: {a: b}}}")}`,
    );
    expect(structuredClone(update)).toEqual(update);
  });

  it("pauses on the way", async () => {
    let pauses = 0;
    const catalog = createCatalog({
      pause: async () => {
        pauses++;
      },
    });
    const text = Array.from({ length: 1000 }, (_, i) => policy(`p${i}`)).join("---\n");
    await load(text, catalog);
    expect(pauses).toBeGreaterThan(20);
  });
});

describe("between documents", () => {
  it("a second Mesh is an error", async () => {
    const update = await load(`${mesh("{}")}---\n${mesh("{}", "other")}`);
    expect(said(update)).toEqual([
      "a.yaml:7:7: error GH0301 more than one Mesh, the first is mesh (Mesh default/other)",
    ]);
  });

  const custom = policy(
    "c",
    "spec:\n  action: CUSTOM\n  provider: {name: authz}\n  rules: [{from: [{source: {principals: [x]}}]}]",
  );

  it("a CUSTOM policy whose provider the Mesh does not have is a warning", async () => {
    const update = await load(custom.replace("principals: [x]", "ipBlocks: [10.0.0.1]"));
    expect(update.ok).toBe(true);
    expect(said(update)[0]).toContain("a.yaml:6:20: warning GH0302");
  });

  it("a CUSTOM rule may ask for the caller's identity only if the Mesh says so", async () => {
    const providers =
      "extensionProviders: [{name: authz, envoyExtAuthzGrpc: {service: 127.0.0.1, port: 9000}}]";
    expect((await load(`${custom}---\n${mesh(`{${providers}}`)}`)).diagnostics[0]?.code).toBe("GH0203");
    const allowed = await load(`${custom}---\n${mesh(`{customSeesIdentity: true, ${providers}}`)}`);
    expect(said(allowed)).toEqual([]);
    expect(allowed.upserts).toHaveLength(2);
  });
});

describe("a configuration path", () => {
  it("without any document is an error that names it", async () => {
    const files = [{ path: "x/a.yaml", text: "# nothing\n", root: "x" }];
    const update = await catalogOf().update({ files, diagnostics: [], roots: ["x"] });
    expect(said(update)).toEqual([
      "x:1:1: error GH0003 no document found under `x`, expected at least one, or --allow-empty",
    ]);
  });

  it("that its source could not read is explained once", async () => {
    const missing = {
      code: "GH0002",
      severity: "error",
      message: "gone",
      file: "x",
      line: 1,
      column: 1,
    } as const;
    const update = await catalogOf().update({ files: [], diagnostics: [missing], roots: ["x"] });
    expect(update.diagnostics).toEqual([missing]);
  });
});
