import { describe, expect, it } from "vitest";
import type { Parsed } from "../../../src/documents/index.js";
import { completeRegoPolicy, parseRegoPolicy, queryOfEntrypoint } from "../../../src/rego/index.js";
import type { RegoPolicy } from "../../../src/rego/rego-policy.js";

const parse = (spec: unknown): Parsed<RegoPolicy> =>
  parseRegoPolicy({
    apiVersion: "gatehouse.dev/v1alpha1",
    kind: "RegoPolicy",
    name: "orders",
    namespace: "shop",
    annotations: new Map(),
    labels: new Map(),
    spec,
  });

const modules = { "a.rego": "package envoy.authz" };

const read = (spec: object): RegoPolicy => {
  const { spec: policy, findings } = parse(spec);
  expect(findings).toEqual([]);
  if (policy === undefined) throw new Error("no policy");
  return policy;
};

const said = (spec: unknown): string[] =>
  parse(spec).findings.map(({ code: { code, severity }, path }) => `${severity} ${code} ${path.join(".")}`);

describe("a RegoPolicy", () => {
  it("is v1, asks for envoy/authz/allow, and refuses what goes wrong unless something else is said", () => {
    expect(read({ modules })).toMatchObject({
      namespace: "shop",
      name: "orders",
      query: 'data["envoy"]["authz"]["allow"]',
      queryField: "entrypoint",
      regoVersion: "v1",
      providerOnly: false,
      failOpen: false,
      dryRun: false,
      parseBody: true,
      protoDescriptor: undefined,
      limits: { timeoutMs: 100, memoryBytes: 256 * 1024 * 1024 },
      source: { kind: "inline" },
      modules,
      baseData: "{}",
      program: undefined,
    });
  });

  it("takes all that can be said", () => {
    const policy = read({
      modules,
      selector: { matchLabels: { app: "web" } },
      query: "data.a.b",
      data: { a: [1] },
      regoVersion: "v0",
      timeout: "2s",
      maxMemoryBytes: 8 * 1024 * 1024,
      failOpen: true,
      dryRun: true,
      parseBody: false,
      providerOnly: true,
    });
    expect(policy).toMatchObject({
      query: "data.a.b",
      queryField: "query",
      baseData: '{"a":[1]}',
      regoVersion: "v0",
      limits: { timeoutMs: 2000, memoryBytes: 8 * 1024 * 1024 },
      failOpen: true,
      dryRun: true,
      parseBody: false,
      providerOnly: true,
    });
    expect(policy.selector).toEqual([["app", "web"]]);
  });

  it.each([
    ["no source", {}, "error GH0104 spec"],
    ["nothing at all", undefined, "error GH0104 spec"],
    ["two sources", { modules, path: "rego" }, "error GH0201 spec.path"],
    ["modules beside a bundle", { modules, bundle: { file: "b.tar.gz" } }, "error GH0201 spec.bundle"],
    ["no module", { modules: {} }, "error GH0105 spec.modules"],
    ["a module that is no text", { modules: { "a.rego": 1 } }, "error GH0102 spec.modules.a.rego"],
    ["an unknown field", { modules, entryPoint: "a" }, "error GH0101 spec.entryPoint"],
    ["an unknown field of the bundle", { bundle: { file: "a", sha: "b" } }, "error GH0101 spec.bundle.sha"],
    ["an entrypoint and a query", { modules, entrypoint: "a", query: "data.a" }, "error GH0201 spec.query"],
    ["an entrypoint that names everything", { modules, entrypoint: "/" }, "error GH0108 spec.entrypoint"],
    ["an empty query", { modules, query: "" }, "error GH0108 spec.query"],
    ["a bundle from nowhere", { bundle: {} }, "error GH0201 spec.bundle"],
    ["a bundle from two places", { bundle: { file: "a", url: "https://a/b" } }, "error GH0201 spec.bundle"],
    ["a URL that is none", { bundle: { url: "ftp://a/b" } }, "error GH0108 spec.bundle.url"],
    ["a time limit that is too long", { modules, timeout: "6s" }, "error GH0108 spec.timeout"],
    ["no time", { modules, timeout: "0s" }, "error GH0108 spec.timeout"],
    ["no memory", { modules, maxMemoryBytes: 1 }, "error GH0108 spec.maxMemoryBytes"],
    ["an unknown version", { modules, regoVersion: "v2" }, "error GH0103 spec.regoVersion"],
    ["data that is a list", { modules, data: [1] }, "error GH0102 spec.data"],
  ])("is refused with %s", (_, spec, expected) => {
    expect(said(spec)).toEqual([expected]);
    expect(parse(spec).spec).toBeUndefined();
  });
});

describe("a bundle over http", () => {
  it.each(["http://a/b", "HTTP://a/b"])("is warned of when no signature is asked for: %s", (url) => {
    expect(said({ bundle: { url } })).toEqual(["warning GH0607 spec.bundle.url"]);
    expect(said({ bundle: { url, publicKeyFile: "key.pem" } })).toEqual([]);
    expect(said({ bundle: { url: "https://a/b" } })).toEqual([]);
  });
});

describe("what a RegoPolicy names", () => {
  it("are a folder, a bundle's file, its URL with how to ask for it, its key and the descriptors", () => {
    const names = (spec: object): unknown => parse(spec).references;
    expect(names({ modules })).toBeUndefined();
    expect(names({ path: "rego", protoDescriptor: "a.pb" })).toEqual([
      { kind: "folder", name: "rego", path: ["spec", "path"] },
      { kind: "bytes", name: "a.pb", maxBytes: 16 * 1024 * 1024, path: ["spec", "protoDescriptor"] },
    ]);
    expect(names({ bundle: { file: "b.tar.gz", maxBytes: 10, publicKeyFile: "key.pem" } })).toEqual([
      { kind: "bytes", name: "b.tar.gz", maxBytes: 10, path: ["spec", "bundle", "file"] },
      { kind: "file", name: "key.pem", path: ["spec", "bundle", "publicKeyFile"] },
    ]);
    expect(names({ bundle: { url: "https://a/b", pollInterval: "5s", timeout: "1s" } })).toEqual([
      {
        kind: "download",
        name: "https://a/b",
        maxBytes: 64 * 1024 * 1024,
        download: { pollMs: 5000, timeoutMs: 1000 },
        path: ["spec", "bundle", "url"],
      },
    ]);
  });

  it("of a bundle is put in: its content, its key, then the descriptors", () => {
    const policy = read({
      bundle: { url: "https://a/b", publicKeyFile: "key.pem", scope: "write", algorithm: "ES256" },
      protoDescriptor: "a.pb",
    });
    expect(completeRegoPolicy(policy, ["Y29udGVudA==", "KEY", "AQI="]).spec).toMatchObject({
      source: {
        kind: "bundle",
        field: "url",
        content: "Y29udGVudA==",
        verification: { key: "KEY", algorithm: "ES256", scope: "write" },
      },
      protoDescriptor: new Uint8Array([1, 2]),
    });
  });

  it("of a folder is put in: modules without tests, and data joined with the document's own", () => {
    const policy = read({ path: "./rego/", data: { roles: { eve: 1 } }, protoDescriptor: "a.pb" });
    const files = [
      ["a.rego", "package a"],
      ["a_test.rego", "package a_test"],
      ["roles/data.json", '{"bob": 12345678901234567890}'],
    ];
    const { spec, findings } = completeRegoPolicy(policy, [JSON.stringify(files), "AQI="]);
    expect(findings).toEqual([]);
    expect(spec).toMatchObject({
      modules: { "./rego/a.rego": "package a" },
      protoDescriptor: new Uint8Array([1, 2]),
    });
    expect(spec?.baseData).toBe('{"roles":{"bob":12345678901234567890,"eve":1}}');
  });

  it.each([
    ["no module", [["data.json", "{}"]], "GH0105 spec.path"],
    ["only tests", [["a_test.rego", "package a"]], "GH0105 spec.path"],
    [
      "data that is no JSON",
      [
        ["a.rego", "package a"],
        ["data.json", "{"],
      ],
      "GH0604 spec.path",
    ],
    [
      "data that the document gives, too",
      [
        ["a.rego", "package a"],
        ["data.json", '{"roles": 1}'],
      ],
      "GH0604 spec.data",
    ],
  ])("of a folder with %s is refused", (_, files, expected) => {
    const { spec, findings } = completeRegoPolicy(read({ path: "rego", data: { roles: {} } }), [
      JSON.stringify(files),
    ]);
    expect(spec).toBeUndefined();
    expect(findings.map(({ code, path }) => `${code.code} ${path.join(".")}`)).toEqual([expected]);
  });
});

describe("an entrypoint", () => {
  it.each([
    ["envoy/authz/allow", 'data["envoy"]["authz"]["allow"]'],
    ["/envoy//authz/", 'data["envoy"]["authz"]'],
    ["a/0/10", 'data["a"][0][10]'],
    ["a/01/-1/1.5", 'data["a"][1][-1]["1.5"]'],
    ['a/"b', 'data["a"]["\\"b"]'],
    ["", "data"],
  ])("%s is the term %s", (entrypoint, query) => {
    expect(queryOfEntrypoint(entrypoint)).toBe(query);
  });
});
