import { describe, expect, it } from "vitest";
import type { Parsed } from "../../../src/documents/index.js";
import type { OpenBundle } from "../../../src/rego/compiler.js";
import { completeRegoPolicy, parseRegoPolicy, prepareRegoPolicy } from "../../../src/rego/index.js";
import type { RegoPolicy } from "../../../src/rego/rego-policy.js";
import { decideWasm, type FakeCompiler, fakeCompiler, sendWasm } from "./fakes.js";

const read = (spec: object, texts: readonly string[] = []): RegoPolicy => {
  const { spec: policy } = parseRegoPolicy({
    apiVersion: "gatehouse.dev/v1alpha1",
    kind: "RegoPolicy",
    name: "orders",
    namespace: "shop",
    annotations: new Map(),
    labels: new Map(),
    spec,
  });
  if (policy === undefined) throw new Error("no policy");
  const completed = texts.length === 0 ? policy : completeRegoPolicy(policy, texts).spec;
  if (completed === undefined) throw new Error("cannot be completed");
  return completed;
};

const modules = { "a.rego": "package envoy.authz" };
const inline = read({ modules, data: { a: 1 } });
const folder = read({ path: "rego" }, [JSON.stringify([["a.rego", "package a"]])]);
const bundled = (spec: object = {}, content = "YnVuZGxl", key: string[] = []): RegoPolicy =>
  read({ bundle: { url: "https://a/b", ...(key.length > 0 && { publicKeyFile: "k" }) }, ...spec }, [
    content,
    ...key,
  ]);

const inFile = (spec: object = {}): RegoPolicy =>
  read({ bundle: { file: "b.tar.gz" }, ...spec }, ["YnVuZGxl"]);

const open = (bundle: Partial<OpenBundle> = {}): FakeCompiler => {
  const compiler = fakeCompiler();
  compiler.bundle = {
    ok: true,
    bundle: { revision: "", modules, regoVersion: "v0", data: "{}", wasm: [], ...bundle },
  };
  return compiler;
};

const said = ({ findings }: Parsed<RegoPolicy>): string[] =>
  findings.map(
    ({ code, path, message, place }) =>
      `${code.severity} ${code.code} ${path.join("/")}: ${message}${place === undefined ? "" : ` @${place.file ?? ""}:${place.line}:${place.column}`}`,
  );

const fault = (changes: object = {}) => ({
  severity: "error" as const,
  code: "rego_parse_error",
  message: "unexpected token",
  file: "a.rego" as string | undefined,
  line: 3,
  column: 5,
  ...changes,
});

describe("a policy with modules", () => {
  it("is compiled to a program, its data cut for loading, and texts are left behind", async () => {
    const compiler = fakeCompiler();
    const { spec, findings } = await prepareRegoPolicy(inline, compiler);
    expect(findings).toEqual([]);
    expect(compiler.builds).toEqual([
      { modules, query: 'data["envoy"]["authz"]["allow"]', regoVersion: "v1" },
    ]);
    expect(spec?.program?.entrypoint).toBe(0);
    expect(spec?.program?.hash).toMatch(/^[0-9a-f]{64}$/);
    expect(spec).toMatchObject({ data: [{ path: [], json: '{"a":1}' }], baseData: "{}" });
  });

  it("with other data has the same program", async () => {
    const compiler = fakeCompiler();
    const first = await prepareRegoPolicy(inline, compiler);
    const second = await prepareRegoPolicy(read({ modules, data: { a: 2 } }), compiler);
    expect(second.spec?.program).toBe(first.spec?.program);
    expect(second.spec?.data).toEqual([{ path: [], json: '{"a":2}' }]);
  });

  it("that OPA refuses is an error at the module's line", async () => {
    const compiler = fakeCompiler({ wasm: undefined, findings: [fault()] });
    const inText = await prepareRegoPolicy(inline, compiler);
    expect(inText.spec).toBeUndefined();
    expect(said(inText)).toEqual([
      "error GH0601 spec/modules/a.rego: rego_parse_error: unexpected token @:3:5",
    ]);
    compiler.answer = { wasm: undefined, findings: [fault({ file: "rego/a.rego" })], builtins: [] };
    expect(said(await prepareRegoPolicy(folder, compiler))).toEqual([
      "error GH0601 spec/path: rego_parse_error: unexpected token @rego/a.rego:3:5",
    ]);
  });

  it.each([
    ["entrypoint", inline],
    ["query", read({ modules, query: "data.a" })],
  ])("whose %s OPA refuses says so there", async (field, policy) => {
    const compiler = fakeCompiler({ wasm: undefined, findings: [fault({ file: undefined })] });
    expect(said(await prepareRegoPolicy(policy, compiler))).toEqual([
      `error GH0601 spec/${field}: rego_parse_error: unexpected token`,
    ]);
  });

  it("that OPA only warns of is loaded", async () => {
    const prepared = await prepareRegoPolicy(
      inline,
      fakeCompiler({ findings: [fault({ severity: "warning" })] }),
    );
    expect(prepared.spec?.program).toBeDefined();
    expect(said(prepared)).toEqual([
      "warning GH0602 spec/modules/a.rego: rego_parse_error: unexpected token @:3:5",
    ]);
  });

  it("that calls what cannot be called is refused at the call, with what to do instead", async () => {
    const use = { name: "http.send", file: "a.rego", line: 7, column: 2 };
    const prepared = await prepareRegoPolicy(inline, fakeCompiler({ wasm: sendWasm, builtins: [use] }));
    expect(prepared.spec).toBeUndefined();
    expect(said(prepared)).toEqual([
      "error GH0603 spec/modules/a.rego: builtin `http.send` cannot be called here: put what it fetches into `data` or a polled bundle, an issuer's keys as JWKS into `data` @:7:2",
    ]);
  });

  it("that names what cannot be called, and does not call it, is taken", async () => {
    const use = { name: "http.send", file: "a.rego", line: 7, column: 2 };
    expect(said(await prepareRegoPolicy(inline, fakeCompiler({ builtins: [use] })))).toEqual([]);
  });

  it("that becomes no module that can be run is refused", async () => {
    const prepared = await prepareRegoPolicy(
      inline,
      fakeCompiler({ wasm: new Uint8Array([0, 97, 115, 109]) }),
    );
    expect(prepared.spec).toBeUndefined();
    expect(said(prepared)).toEqual([expect.stringMatching(/^error GH0608 spec: /)]);
  });

  it("that the compiler gives no answer for is an error of its own", async () => {
    const compiler = fakeCompiler();
    compiler.answer = new Error("it takes longer than 30 s");
    expect(said(await prepareRegoPolicy(inline, compiler))).toEqual([
      "error GH0609 spec: it takes longer than 30 s",
    ]);
  });
});

describe("descriptors of gRPC bodies", () => {
  it("that are none are an error", async () => {
    const policy = read({ modules, protoDescriptor: "a.pb" }, ["/////w=="]);
    const compiler = fakeCompiler();
    const prepared = await prepareRegoPolicy(policy, compiler);
    expect(prepared.spec).toBeUndefined();
    expect(said(prepared)).toEqual([
      "error GH0108 spec/protoDescriptor: not a FileDescriptorSet, or an empty one",
    ]);
    expect(compiler.builds).toEqual([]);
  });
});

describe("a policy whose bundle has not arrived", () => {
  it("is loaded without a program, and says what becomes of requests", async () => {
    const compiler = fakeCompiler();
    const prepared = await prepareRegoPolicy(bundled({}, ""), compiler);
    expect(prepared.spec?.program).toBeUndefined();
    expect(said(prepared)).toEqual([
      "warning GH0606 spec/bundle/url: the bundle has not arrived, requests that the policy is asked about are refused",
    ]);
    expect(said(await prepareRegoPolicy(bundled({ failOpen: true }, ""), compiler))).toEqual([
      "warning GH0606 spec/bundle/url: the bundle has not arrived, requests pass meanwhile as `failOpen` says",
    ]);
    expect([...compiler.builds, ...compiler.opened]).toEqual([]);
  });
});

describe("a policy from a bundle", () => {
  it("is opened under its limits and with its key, and compiled in the bundle's version", async () => {
    const compiler = open({ data: '{"b": 2}' });
    const { spec, findings } = await prepareRegoPolicy(
      bundled({ data: { a: 1 } }, "YnVuZGxl", ["KEY"]),
      compiler,
    );
    expect(findings).toEqual([]);
    expect(compiler.opened).toEqual([
      {
        bundle: Buffer.from("bundle"),
        maxBytes: 64 * 1024 * 1024,
        verification: { key: "KEY", algorithm: undefined, scope: undefined },
      },
    ]);
    expect(compiler.builds).toEqual([
      { modules, query: 'data["envoy"]["authz"]["allow"]', regoVersion: "v0" },
    ]);
    expect(spec?.data).toEqual([{ path: [], json: expect.stringMatching(/^\{"[ab]":[12],"[ab]":[12]\}$/) }]);
    expect(spec?.source).toMatchObject({ content: "" });
  });

  it("of a file that cannot be opened is refused with the reason", async () => {
    const compiler = open();
    compiler.bundle = { ok: false, message: "the signature does not verify" };
    const prepared = await prepareRegoPolicy(inFile(), compiler);
    expect(prepared.spec).toBeUndefined();
    expect(said(prepared)).toEqual(["error GH0605 spec/bundle/file: the signature does not verify"]);
  });

  it("of a URL that cannot be opened leaves what ran before, under what the document says now", async () => {
    const compiler = open();
    const before = await prepareRegoPolicy(bundled(), compiler);
    compiler.bundle = { ok: false, message: "the signature does not verify" };
    const prepared = await prepareRegoPolicy(bundled({ failOpen: true }), compiler, before.spec);
    expect(prepared.spec).toMatchObject({ failOpen: true, program: before.spec?.program });
    expect(prepared.spec?.program).toBeDefined();
    expect(said(prepared)).toEqual([
      "warning GH0612 spec/bundle/url: GH0605: the signature does not verify; what it gave before stays",
    ]);
  });

  it("of a URL that cannot be opened and was nothing before leaves the policy without a program", async () => {
    const compiler = open();
    compiler.bundle = { ok: false, message: "no gzipped tar" };
    const prepared = await prepareRegoPolicy(bundled(), compiler);
    expect(prepared.spec).toMatchObject({ program: undefined });
    expect(said(prepared)).toEqual([
      "warning GH0612 spec/bundle/url: GH0605: no gzipped tar; there is none to stay",
    ]);
  });

  it("with data that the document gives, too, is refused", async () => {
    const prepared = await prepareRegoPolicy(inFile({ data: { a: 1 } }), open({ data: '{"a": 2}' }));
    expect(said(prepared)).toEqual([
      "error GH0604 spec/bundle/file: `data.a` is given twice, expected one value",
    ]);
  });

  it("with a module that OPA refuses says where in the bundle", async () => {
    const compiler = open();
    compiler.answer = { wasm: undefined, findings: [fault()], builtins: [] };
    expect(said(await prepareRegoPolicy(inFile(), compiler))).toEqual([
      "error GH0601 spec/bundle/file: a.rego:3: rego_parse_error: unexpected token",
    ]);
  });
});

describe("a bundle that is compiled already", () => {
  const wasm = [{ wasm: decideWasm, entrypoint: "eval" }];

  it.each([
    ["an entrypoint", { entrypoint: "eval" }],
    ["a query with brackets", { query: 'data["eval"]' }],
    ["a query with points", { query: "data.eval" }],
  ])("runs as it is, named by %s", async (_, spec) => {
    const compiler = open({ wasm });
    const prepared = await prepareRegoPolicy(bundled(spec), compiler);
    expect(said(prepared)).toEqual([]);
    expect(prepared.spec?.program?.entrypoint).toBe(0);
    expect(compiler.builds).toEqual([]);
  });

  it("must answer what is asked", async () => {
    const prepared = await prepareRegoPolicy(inFile(), open({ wasm }));
    expect(prepared.spec).toBeUndefined();
    expect(said(prepared)).toEqual([
      "error GH0608 spec/bundle/file: the bundle's module does not answer `envoy/authz/allow`, expected one of `eval`",
    ]);
  });

  it("must be a module that can be made safe to run", async () => {
    const broken = [{ wasm: new Uint8Array([1, 2, 3]), entrypoint: "eval" }];
    const prepared = await prepareRegoPolicy(inFile({ entrypoint: "eval" }), open({ wasm: broken }));
    expect(said(prepared)).toEqual([expect.stringMatching(/^error GH0608 spec\/bundle\/file: /)]);
  });
});
