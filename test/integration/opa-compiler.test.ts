import { createSecretKey, generateKeyPairSync } from "node:crypto";
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { loadPolicy } from "@open-policy-agent/opa-wasm";
import { afterAll, afterEach, beforeEach, describe, expect, test } from "vitest";
import { createOpaCompiler, type OpaCompiler } from "../../src/adapters/index.js";
import { createOpaThread } from "../../src/adapters/opa-thread.js";
import { bundleOf, signedBundleOf } from "../support/opa-bundle.js";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "gatehouse-opa-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const shared: OpaCompiler = createOpaCompiler();
afterAll(() => shared.close());

const v1 = "v1" as const;
const v0 = "v0" as const;
const policy = (text: string, name = "policy.rego") => ({ [name]: text });
const looping =
  "package a\nx if { some i in numbers.range(1, 50000); some j in numbers.range(1, 50000); i + j < 0 }";

async function answerOf(wasm: Uint8Array | undefined, data: object, input: unknown): Promise<unknown> {
  if (wasm === undefined) throw new Error("nothing was compiled");
  const loaded = await loadPolicy(wasm);
  loaded.setData(data);
  return loaded.evaluate(input);
}

describe("building", () => {
  test("compiles a policy whose entrypoint answers the query", async () => {
    const modules = policy(
      "package envoy.authz\n\ndefault allow := false\nallow if input.user == data.admin",
    );
    const { wasm, findings } = await shared.build({
      modules,
      query: "data.envoy.authz.allow",
      regoVersion: v1,
    });
    expect(findings).toEqual([]);
    expect(await answerOf(wasm, { admin: "eve" }, { user: "eve" })).toEqual([{ result: true }]);
    expect(await answerOf(wasm, { admin: "eve" }, { user: "bob" })).toEqual([{ result: false }]);
  });

  test.each([
    ["a value within a rule", "data.p.list[1]", [{ result: 2 }]],
    ["a package", "data.p", [{ result: { list: [1, 2], more: true } }]],
    ["a base document", "data.base.of[0]", [{ result: "data" }]],
    ["nothing that exists", "data.nowhere.at.all", []],
    ["everything", "data", [{ result: { p: { list: [1, 2], more: true }, base: { of: ["data"] } } }]],
  ])("answers a query that names %s", async (_, query, expected) => {
    const modules = policy("package p\nlist := [1, 2]");
    const { wasm, findings } = await shared.build({ modules, query, regoVersion: v1 });
    expect(findings).toEqual([]);
    expect(await answerOf(wasm, { base: { of: ["data"] }, p: { more: true } }, {})).toEqual(expected);
  });

  test("reads modules in the version that is asked for, or that they import", async () => {
    const modules = {
      "old.rego": "package a\nallow { input.x }",
      "new.rego": "package a\nimport rego.v1\nallow if input.y",
    };
    expect((await shared.build({ modules, query: "data.a.allow", regoVersion: v0 })).findings).toEqual([]);
    const { findings, wasm } = await shared.build({ modules, query: "data.a.allow", regoVersion: v1 });
    expect(wasm).toBeUndefined();
    expect(findings).toMatchObject([{ code: "rego_parse_error", file: "old.rego", line: 2, column: 1 }]);
  });

  test.each([
    ["rego_parse_error", "package a\nallow if {", 2, 10],
    ["rego_unsafe_var_error", "package a\n\nallow if y", 3, 10],
    ["rego_type_error", "package a\nx := count(1)", 2, 6],
    ["rego_recursion_error", "package a\np if q\nq if p", 2, 1],
    ["rego_compile_error", "package a\nx if {\n\ty := 1\n\ty := 2\n}", 4, 2],
  ])("says where there is a %s", async (code, text, line, column) => {
    const answer = await shared.build({ modules: policy(text), query: "data.a.x", regoVersion: v1 });
    expect(answer.wasm).toBeUndefined();
    expect(answer.findings).toContainEqual(
      expect.objectContaining({ severity: "error", code, file: "policy.rego", line, column }),
    );
  });

  test("tells the parse errors of all modules", async () => {
    const modules = { "a.rego": "package a\nx :=", "b.rego": "pack b" };
    const { findings } = await shared.build({ modules, query: "data.a.x", regoVersion: v1 });
    expect(new Set(findings.map(({ file }) => file))).toEqual(new Set(["a.rego", "b.rego"]));
  });

  test.each(["data.a.x.y", "data.a.x; true", "x", "data.a[", "not data.a.x", ""])(
    "finds what is wrong with the query `%s` in no file",
    async (query) => {
      const answer = await shared.build({ modules: policy("package a\nx := true"), query, regoVersion: v1 });
      expect(answer.wasm).toBeUndefined();
      expect(answer.findings.length).toBeGreaterThan(0);
      for (const { file, severity } of answer.findings)
        expect([file, severity]).toEqual([undefined, "error"]);
    },
  );

  test("lists the first call of each builtin in each module, operators included", async () => {
    const modules = {
      "a.rego": 'package a\n\nx if lower(input.m) == "get"\ny if lower(input.n) == "put"\nz := 1 + input.z',
      "b.rego": 'package b\nr := http.send({"url": input.u}).body',
    };
    const { builtins } = await shared.build({ modules, query: "data.a.x", regoVersion: v1 });
    expect(builtins).toContainEqual({ name: "lower", file: "a.rego", line: 3, column: 6 });
    expect(builtins).toContainEqual({ name: "http.send", file: "b.rego", line: 2, column: 6 });
    expect(builtins).toContainEqual({ name: "plus", file: "a.rego", line: 5, column: 6 });
    expect(builtins.filter(({ name }) => name === "lower")).toHaveLength(1);
  });

  test("is the same for the same request in another instance", async () => {
    const request = {
      modules: policy("package a\nx contains y if some y in input"),
      query: "data.a",
      regoVersion: v1,
    };
    const other = createOpaCompiler();
    const [one, two] = [await shared.build(request), await other.build(request)];
    await other.close();
    expect(two).toEqual(one);
  });
});

describe("opening bundles", () => {
  const files = {
    ".manifest": '{"revision":"r7"}',
    "data.json": '{"a":1.0,"big":12345678901234567890}',
    "policies/p.rego": "package p\nallow if true",
  };
  const { publicKey, privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  const key = publicKey.export({ type: "spki", format: "pem" }).toString();
  const maxBytes = 1_000_000;

  test("gives modules, data with numbers as they were written, and the revision", async () => {
    expect(await shared.openBundle({ bundle: bundleOf(files), maxBytes })).toEqual({
      ok: true,
      bundle: {
        revision: "r7",
        modules: { "policies/p.rego": "package p\nallow if true" },
        regoVersion: "v1",
        data: '{"a":1.0,"big":12345678901234567890}',
        wasm: [],
      },
    });
  });

  test("gives wasm modules with the entrypoints of the manifest", async () => {
    const wasm = new Uint8Array([0, 97, 115, 109, 1, 0, 0, 0]);
    const resolvers = [{ entrypoint: "envoy/authz/allow", module: "/policy.wasm" }];
    const manifest = JSON.stringify({ revision: "", wasm: resolvers });
    const bundle = bundleOf({ "/.manifest": manifest, "/policy.wasm": wasm });
    const opened = await shared.openBundle({ bundle, maxBytes });
    expect(opened).toMatchObject({ ok: true, bundle: { wasm: [{ wasm, entrypoint: "envoy/authz/allow" }] } });
  });

  test("joins data files, JSON and YAML, each at the place of its folder", async () => {
    const several = { "data.json": '{"a":1.0}', "b/data.json": "[2]", "c/d/data.yaml": "x: yes please\n" };
    const opened = await shared.openBundle({ bundle: bundleOf(several), maxBytes });
    expect(opened).toMatchObject({ bundle: { data: '{"a":1.0,"b":[2],"c":{"d":{"x":"yes please"}}}' } });
  });

  test("refuses data outside of the roots of the manifest", async () => {
    const outside = { "/.manifest": '{"roots":["a"]}', "/data.json": '{"b":1}' };
    const opened = await shared.openBundle({ bundle: bundleOf(outside), maxBytes });
    expect(opened).toMatchObject({ ok: false, message: expect.stringContaining("do not permit data") });
  });

  test("finds the version of a bundle whose manifest says none", async () => {
    const opened = await shared.openBundle({
      bundle: bundleOf({ "p.rego": "package p\nx { true }" }),
      maxBytes,
    });
    expect(opened).toMatchObject({ ok: true, bundle: { regoVersion: "v0" } });
  });

  test("brings files of several versions to one, every place unmoved", async () => {
    const manifest = JSON.stringify({ rego_version: 1, file_rego_versions: { "/b.rego": 0 } });
    const mixed = {
      "/.manifest": manifest,
      "/a.rego": 'package a["b c"] # new\nx if true',
      "/b.rego": "package b\nx { true }",
    };
    const opened = await shared.openBundle({ bundle: bundleOf(mixed), maxBytes });
    if (!opened.ok) throw new Error(opened.message);
    const { modules, regoVersion } = opened.bundle;
    expect([regoVersion, modules["a.rego"]]).toEqual([
      "v0",
      'package a["b c"] import rego.v1 # new\nx if true',
    ]);
    expect((await shared.check({ modules, regoVersion })).findings).toEqual([]);
  });

  test("accepts what the key signed, with its scope", async () => {
    const bundle = signedBundleOf(signable(), privateKey, "read");
    const opened = await shared.openBundle({ bundle, maxBytes, verification: { key, scope: "read" } });
    expect(opened.ok).toBe(true);
    const secret = signedBundleOf(signable(), createSecretKey(Buffer.from("s3cret")));
    const verification = { key: "s3cret", algorithm: "HS256" };
    expect((await shared.openBundle({ bundle: secret, maxBytes, verification })).ok).toBe(true);
  });

  test.each<[string, () => Uint8Array, RegExp]>([
    ["no signature", () => bundleOf(signable()), /missing .signatures.json/],
    [
      "another key's signature",
      () => signedBundleOf(signable(), generateKeyPairSync("rsa", { modulusLength: 2048 }).privateKey),
      /failed to verify/,
    ],
    ["another scope", () => signedBundleOf(signable(), privateKey, "write"), /scope mismatch/],
    [
      "a signature of the public key as a secret",
      () => signedBundleOf(signable(), createSecretKey(Buffer.from(key))),
      /./,
    ],
  ])("refuses a bundle with %s when a key is given", async (_, bundle, message) => {
    const opened = await shared.openBundle({ bundle: bundle(), maxBytes, verification: { key } });
    expect(opened).toMatchObject({ ok: false, message: expect.stringMatching(message) });
  });

  test("looks at no signature without a key", async () => {
    const bundle = signedBundleOf(signable(), privateKey);
    expect((await shared.openBundle({ bundle, maxBytes })).ok).toBe(true);
  });

  test("refuses more than is allowed, all files together, however small it is packed", async () => {
    const file = JSON.stringify("x".repeat(600_000));
    const bundle = bundleOf({ "a/data.json": file, "b/data.json": file });
    expect(bundle.length).toBeLessThan(10_000);
    const opened = await shared.openBundle({ bundle, maxBytes });
    expect(opened).toEqual({ ok: false, message: "more than 1000000 bytes unpacked" });
    expect((await shared.openBundle({ bundle, maxBytes: 1_300_000 })).ok).toBe(true);
  });

  test.each<[string, Uint8Array]>([
    ["no gzip", Buffer.from("hello")],
    ["a wrong module", bundleOf({ "p.rego": "package p\nx := " })],
    ["wrong JSON", bundleOf({ "data.json": "{" })],
    ["a patch only", bundleOf({ "patch.json": '{"data":[{"op":"upsert","path":"/a","value":1}]}' })],
  ])("says why a bundle with %s cannot be used", async (_, bundle) => {
    const opened = await shared.openBundle({ bundle: new Uint8Array(bundle), maxBytes });
    expect(opened).toMatchObject({ ok: false, message: expect.stringMatching(/^.{5,}$/) });
  });

  function signable() {
    return { "data.json": '{"a":1}', "p.rego": "package p\nallow if true" };
  }
});

describe("the author's tools", () => {
  test("check finds in strict mode what is only unwise otherwise", async () => {
    const modules = policy("package a\nimport data.unused\nx := 1");
    expect(await shared.check({ modules, regoVersion: v1 })).toEqual({ findings: [] });
    expect(await shared.check({ modules, regoVersion: v1, strict: true })).toMatchObject({
      findings: [{ code: "rego_compile_error", file: "policy.rego", line: 2, column: 1 }],
    });
  });

  test("fmt formats each module that can be parsed", async () => {
    const modules = { "good.rego": "package a\nx   if   true", "bad.rego": "package b\n{" };
    const { formatted, findings } = await shared.fmt({ modules, regoVersion: v1 });
    expect(formatted).toEqual({ "good.rego": "package a\n\nx := true\n" });
    expect(findings).toMatchObject([{ file: "bad.rego" }]);
  });

  test("test tells outcome, place and output of each test, and what they covered", async () => {
    const modules = {
      "a.rego": "package a\n\nallow if input.x > 1\n\ndeny if input.y\n",
      "a_test.rego": [
        "package a",
        "test_passes if {",
        '\tprint("hello", 1)',
        '\tallow with input as {"x": 2}',
        "}",
        'test_fails if allow with input as {"x": 1}',
        "todo_test_later if false",
        "test_conflicts if f(1)",
        "f(x) := 1",
        "f(x) := 2",
        'test_cases[name] if {\n\tsome name, x in {"low": 0, "high": 5}\n\tallow with input as {"x": x}\n}',
      ].join("\n"),
    };
    const { results, coverage, findings } = await shared.test({ modules, regoVersion: v1, coverage: true });
    expect(findings).toEqual([]);
    expect(results.map(({ name, line, outcome }) => [name, line, outcome])).toEqual([
      ["test_passes", 2, "pass"],
      ["test_fails", 6, "fail"],
      ["todo_test_later", 7, "skip"],
      ["test_conflicts", 8, "error"],
      ["test_cases", 11, "fail"],
    ]);
    expect(results[0]).toMatchObject({ package: "a", file: "a_test.rego", output: "hello 1\n" });
    expect(results[3]?.message).toContain("produced conflicting values");
    expect(results[4]?.cases).toEqual([
      { name: "high", pass: true },
      { name: "low", pass: false },
    ]);
    expect(coverage?.files["a.rego"]).toEqual({
      covered: [{ from: 3, to: 3 }],
      notCovered: [{ from: 5, to: 5 }],
      percent: 50,
    });
  });

  test("test runs those that the expression names, and ends one that takes too long", async () => {
    const text = `${looping.replace("x if", "test_long if")}\ntest_short if data.n == 1`;
    const request = { modules: policy(text), regoVersion: v1, data: '{"n":1}', timeoutMs: 200 };
    const outcomes = async (run?: string) =>
      (await shared.test({ ...request, run })).results.map(({ name, outcome }) => [name, outcome]);
    expect(await outcomes("short$")).toEqual([["test_short", "pass"]]);
    expect(await outcomes()).toEqual([
      ["test_long", "error"],
      ["test_short", "pass"],
    ]);
  });

  test("eval answers a value, undefined, or why there is none", async () => {
    const modules = policy('package a\nx := input.n\nc := 1\nc := 2\np if { print("seen", input.n) }');
    const ask = (query: string, input = '{"n":1.50}') =>
      shared.eval({ modules, regoVersion: v1, query, input, data: '{"d":12345678901234567890}' });
    expect(await ask("[data.a.x, data.d]")).toMatchObject({
      value: "[1.50,12345678901234567890]",
      findings: [],
    });
    expect(await ask("data.a.nothing")).toEqual({ findings: [], printed: [] });
    expect(await ask("data.a.p")).toMatchObject({ value: "true", printed: ["seen 1.50"] });
    expect(await ask("data.a.c")).toMatchObject({
      findings: [{ severity: "error", code: "eval_conflict_error", file: "policy.rego" }],
    });
    expect(await ask("data.a.x", "{")).toMatchObject({ findings: [{ code: "json_error" }] });
  });

  test("eval has no network and says so", async () => {
    const query = 'http.send({"method": "get", "url": "http://127.0.0.1:9/"})';
    const { value, findings } = await shared.eval({ modules: {}, regoVersion: v1, query });
    expect(value).toBeUndefined();
    expect(findings).toMatchObject([{ severity: "warning", message: expect.stringContaining("127.0.0.1") }]);
  });

  test("eval ends what takes too long", async () => {
    const request = { modules: policy(looping), regoVersion: v1, query: "data.a.x", timeoutMs: 200 };
    expect((await shared.eval(request)).findings).toMatchObject([{ code: "eval_cancel_error" }]);
  });

  test("inspect lists packages, rules, tests and annotations, of modules and of bundles", async () => {
    const modules = policy("# METADATA\n# title: who may\npackage a\nallow if true\ntest_allow if allow");
    const expected = {
      packages: { "data.a": { files: ["policy.rego"], rules: ["allow"], tests: ["test_allow"] } },
      annotations: [{ path: "data.a", file: "policy.rego", line: 3, annotations: { title: "who may" } }],
      findings: [],
    };
    expect(await shared.inspect({ modules, regoVersion: v1 })).toMatchObject(expected);
    const bundle = bundleOf({ ...modules, ".manifest": '{"revision":"r1"}' });
    const ofBundle = await shared.inspect({ bundle, maxBytes: 10_000 });
    expect(ofBundle).toMatchObject({ ...expected, manifest: { revision: "r1" } });
  });

  test("deps lists the documents that an answer depends on", async () => {
    const modules = policy(
      "package a\nallow if data.users[input.name]\nallow if admin\nadmin if input.admin",
    );
    expect(await shared.deps({ modules, regoVersion: v1, query: "data.a.allow" })).toEqual({
      base: ["data.users", "input.admin", "input.name"],
      virtual: ["data.a.admin", "data.a.allow"],
      findings: [],
    });
  });
});

describe("the compiler's thread", () => {
  const request = { modules: policy("package a\nx := 1"), query: "data.a.x", regoVersion: v1 };

  test("is not begun for what a cache has", async () => {
    const first = createOpaCompiler({ cacheDir: folder });
    const bundle = bundleOf({ "p.rego": "package p" });
    const compiled = await first.build(request);
    const opened = await first.openBundle({ bundle, maxBytes: 10_000 });
    expect(first.threadStarts).toBe(1);
    await first.close();

    const second = createOpaCompiler({ cacheDir: folder });
    expect(await second.build(request)).toEqual(compiled);
    expect(await second.openBundle({ bundle, maxBytes: 10_000 })).toEqual(opened);
    expect(second.threadStarts).toBe(0);
    await second.build({ ...request, query: "data.a.y" });
    expect(second.threadStarts).toBe(1);
    await second.close();
  });

  test("is asked once for equal requests at the same time", async () => {
    const compiler = createOpaCompiler();
    const results = await Promise.all([compiler.build(request), compiler.build(request)]);
    expect(results[0]).toBe(results[1]);
    await compiler.close();
  });

  test("is ended at the deadline, the call rejected, the next one served by another thread", async () => {
    const compiler = createOpaCompiler({ deadlineMs: 8_000 });
    await compiler.build(request);
    const slow = compiler.eval({
      modules: policy(looping),
      regoVersion: v1,
      query: "data.a.x",
      timeoutMs: 1e6,
    });
    const next = compiler.check(request);
    await expect(slow).rejects.toMatchObject({
      code: "timeout",
      message: "the Rego compiler took more than 8000 ms",
    });
    expect(await next).toEqual({ findings: [] });
    expect(compiler.threadStarts).toBe(2);
    await compiler.close();
  });

  test("is begun anew when it had too much memory", async () => {
    const thread = createOpaThread({ maxMemoryBytes: 60 * 2 ** 20 });
    const hungry = 'package a\nx := {s | some i in numbers.range(1, 1000000); s := sprintf("%d", [i])}';
    const ask = { op: "eval", modules: policy(hungry), regoVersion: v1, query: "count(data.a.x)" } as const;
    await expect(thread.ask({ ...ask, timeoutMs: 50_000 })).rejects.toMatchObject({
      code: "worker",
      message: expect.stringContaining("bytes of memory were needed"),
    });
    expect(await thread.ask({ ...ask, query: "1" })).toMatchObject({ value: "1" });
    expect(thread.starts).toBe(2);
    await thread.close();
  });

  test("is ended when there is nothing to do, and begun again", async () => {
    const thread = createOpaThread({ idleMs: 50 });
    const ask = { op: "check", modules: {}, regoVersion: v1 } as const;
    await thread.ask(ask);
    const startsAfterNext = async () => {
      await thread.ask(ask);
      return thread.starts;
    };
    await expect.poll(startsAfterNext, { interval: 300, timeout: 20_000 }).toBeGreaterThan(1);
    await thread.close();
  });

  test("refuses an artifact that is not what its checksum says", async () => {
    const tools = new URL("../../tools/opa/", import.meta.url);
    const file = join(folder, "opa.wasm.br");
    const bytes = readFileSync(new URL("opa.wasm.br", tools));
    bytes[1000] = (bytes[1000] ?? 0) ^ 1;
    writeFileSync(file, bytes);
    copyFileSync(new URL("opa.wasm.sha256", tools), join(folder, "opa.wasm.sha256"));
    const thread = createOpaThread({ artifact: pathToFileURL(file) });
    await expect(thread.ask({ op: "check", modules: {}, regoVersion: v1 })).rejects.toMatchObject({
      code: "source",
      message: expect.stringContaining("is not what its checksum says"),
    });
    await thread.close();
  });

  test("rejects what waits when it is closed", async () => {
    const compiler = createOpaCompiler();
    const waiting = expect(compiler.check(request)).rejects.toMatchObject({ code: "worker" });
    await compiler.close();
    await waiting;
    await expect(compiler.check(request)).rejects.toMatchObject({ code: "worker" });
  });
});
