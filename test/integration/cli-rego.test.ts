import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type Finished, runCli } from "../support/cli.js";
import { type ConfigFolder, makeConfigFolder } from "../support/server-fixture.js";

/** The commands of the embedded OPA, with the artifact itself. */

let folder: ConfigFolder;
let outside: string;

beforeEach(() => {
  folder = makeConfigFolder();
  mkdirSync(join(folder.path, "team"));
  outside = mkdtempSync(join(tmpdir(), "gatehouse-rego-"));
});
afterEach(() => {
  folder.remove();
  rmSync(outside, { recursive: true });
});

function rego(args: readonly string[], input = ""): Promise<Finished> {
  return runCli(["rego", ...args], input);
}

const policy = [
  "package envoy.authz",
  "",
  "default allow := false",
  "",
  "allow if input.user in data.team.members",
  "",
  'allow if input.user == "root"',
  "",
].join("\n");
const tests = [
  "package envoy.authz_test",
  "",
  "import data.envoy.authz",
  "",
  'test_a_member if authz.allow with input.user as "ada"',
  "",
  'test_a_stranger if not authz.allow with input.user as "bob"',
  "",
].join("\n");

describe("gatehouse rego check", () => {
  it("is content with good modules", async () => {
    folder.write("policy.rego", policy);
    const { code, stdout } = await rego(["check", folder.path]);
    expect([code, stdout]).toEqual([0, "valid: 1 module, 0 errors, 0 warnings\n"]);
  });

  it("prints file, line and column of what is wrong, with OPA's code, and exits with 1", async () => {
    folder.write("a.rego", "package a\n\nallow if {\n\tx == 1\n}\n");
    folder.write("b.rego", "package b\n\nallow {\n");
    const { code, stdout } = await rego(["check", folder.path]);
    expect(code).toBe(1);
    expect(stdout).toMatch(/b\.rego:4:1: error rego_parse_error .*\ninvalid: 1 error, 0 warnings\n$/);
    const json = await rego(["check", join(folder.path, "a.rego"), "--output", "json"]);
    expect(json.code).toBe(1);
    expect(JSON.parse(json.stdout)).toMatchObject({
      valid: false,
      findings: [{ severity: "error", code: "rego_unsafe_var_error", line: 4, column: 2 }],
    });
  });

  it("knows both versions of the language, and OPA's strict mode", async () => {
    folder.write("old.rego", "package a\n\nallow { input.x == 1 }\n");
    folder.write("loose.rego", "package b\n\nimport data.unused\n\nallow := true\n");
    const path = join(folder.path, "old.rego");
    expect((await rego(["check", path])).code).toBe(1);
    expect((await rego(["check", "--v0", path])).code).toBe(0);
    expect((await rego(["check", join(folder.path, "loose.rego")])).code).toBe(0);
    const strict = await rego(["check", "--strict", join(folder.path, "loose.rego")]);
    expect(strict.code).toBe(1);
    expect(strict.stdout).toContain("loose.rego:3:1: error rego_compile_error");
  });

  it("reads standard input", async () => {
    const { code, stdout } = await rego(["check", "-"], "package a\n\nallow if\n");
    expect(code).toBe(1);
    expect(stdout).toMatch(/^stdin\.rego:4:1: error rego_parse_error/);
  });
});

describe("gatehouse rego fmt", () => {
  const ugly = "package a\nallow   if {  input.x==1 }\n";
  const pretty = "package a\n\nallow if input.x == 1\n";

  it("prints standard input formatted", async () => {
    expect(await rego(["fmt"], ugly)).toMatchObject({ code: 0, stdout: pretty });
  });

  it("lists, compares and rewrites the files that differ", async () => {
    folder.write("ugly.rego", ugly);
    folder.write("pretty.rego", pretty);
    const file = join(folder.path, "ugly.rego");
    expect(await rego(["fmt", "--list", folder.path])).toMatchObject({ code: 0, stdout: `${file}\n` });
    expect((await rego(["fmt", "--list", "--fail", folder.path])).code).toBe(1);
    const { stdout } = await rego(["fmt", "--diff", folder.path]);
    expect(stdout).toContain("-allow   if {  input.x==1 }\n+\n+allow if input.x == 1\n");
    expect(readFileSync(file, "utf8")).toBe(ugly);
    expect(await rego(["fmt", "--write", folder.path])).toMatchObject({ code: 0, stdout: `${file}\n` });
    expect(readFileSync(file, "utf8")).toBe(pretty);
    expect(await rego(["fmt", "--list", "--fail", folder.path])).toMatchObject({ code: 0, stdout: "" });
  });

  it("exits with 1 for what cannot be parsed, and still formats the rest", async () => {
    folder.write("bad.rego", "package\n");
    folder.write("ugly.rego", ugly);
    const { code, stdout, stderr } = await rego(["fmt", folder.path]);
    expect([code, stdout]).toEqual([1, pretty]);
    expect(stderr).toMatch(/bad\.rego:\d+:\d+: error rego_parse_error/);
  });
});

describe("gatehouse rego test", () => {
  beforeEach(() => {
    folder.write("policy.rego", policy);
    folder.write("policy_test.rego", tests);
    writeFileSync(join(folder.path, "team", "data.yaml"), "members: [ada]\n");
    folder.write("policy.yaml", "apiVersion: gatehouse.dev/v1alpha1\nkind: RegoPolicy\n---\n{}\n");
  });

  it("runs all tests with the folder's data, where `opa` would put it", async () => {
    expect(await rego(["test", folder.path])).toMatchObject({ code: 0, stdout: "PASS: 2/2\n" });
  });

  it("says which expression of a failing test was not true, and where", async () => {
    folder.write("policy_test.rego", tests.replace('"bob"', '"ada"'));
    const { code, stdout } = await rego(["test", folder.path]);
    expect(code).toBe(1);
    expect(stdout).toMatch(/^data\.envoy\.authz_test\.test_a_stranger: FAIL \(.*\)$/m);
    expect(stdout).toMatch(
      /^ {2}.*policy_test\.rego:7:20: not true: not authz\.allow with input\.user as "ada"$/m,
    );
    expect(stdout).toMatch(/\nPASS: 1\/2\nFAIL: 1\/2\n$/);
  });

  it("names the lines that no test evaluates, and fails below a threshold", async () => {
    const { code, stdout, stderr } = await rego(["test", "--threshold", "100", folder.path]);
    expect(code).toBe(1);
    expect(stdout).toMatch(/policy\.rego: 100%|policy\.rego: \d+(\.\d+)?%, not covered: 7/);
    expect(stderr).toMatch(/^error: \d+(\.\d+)?% of the lines are covered, expected 100%\n$/);
    expect((await rego(["test", "--threshold", "50", folder.path])).code).toBe(0);
  });

  it("runs only what a regular expression matches, and prints tests that pass when told", async () => {
    const { stdout } = await rego(["test", "--verbose", "--run", "_member$", folder.path]);
    expect(stdout).toMatch(
      /^.*policy_test\.rego:\ndata\.envoy\.authz_test\.test_a_member: PASS \(.*\)\n-+\nPASS: 1\/1\n$/,
    );
  });

  it("exits with 1 when there is nothing to run", async () => {
    const { code, stderr } = await rego(["test", "--run", "nothing", folder.path]);
    expect([code, stderr]).toEqual([
      1,
      "error: no test was found, expected rules whose names begin with `test_`\n",
    ]);
  });

  it("prints JSON", async () => {
    const { stdout } = await rego(["test", "--coverage", "--output", "json", folder.path]);
    expect(JSON.parse(stdout)).toMatchObject({
      passed: 2,
      failed: 0,
      total: 2,
      results: [
        { name: "test_a_member", outcome: "pass" },
        { name: "test_a_stranger", outcome: "pass" },
      ],
      coverage: { percent: expect.any(Number) },
    });
  });

  it("reports modules that do not compile", async () => {
    folder.write("bad.rego", "package a\n\nallow if x\n");
    const { code, stdout } = await rego(["test", folder.path]);
    expect(code).toBe(1);
    expect(stdout).toMatch(/bad\.rego:3:\d+: error rego_unsafe_var_error/);
  });
});

describe("gatehouse rego eval", () => {
  it("prints a value as OPA gives it, with numbers as they were written", async () => {
    folder.write("policy.rego", policy);
    writeFileSync(
      join(folder.path, "team", "data.json"),
      '{"members": ["ada"], "size": 12345678901234567890}',
    );
    const args = ["eval", "--data", folder.path, "--input", "-"];
    const asked = await rego([...args, "data.envoy.authz.allow"], '{"user": "ada"}');
    expect(asked).toMatchObject({ code: 0, stdout: "true\n" });
    const { stdout } = await rego(["eval", "-d", folder.path, "data.team"]);
    expect(stdout).toBe('{\n  "members": [\n    "ada"\n  ],\n  "size": 12345678901234567890\n}\n');
  });

  it("takes the term from behind the paths as well", async () => {
    folder.write("policy.rego", policy);
    expect((await rego(["eval", "--data", folder.path, "data.envoy.authz.allow"])).stdout).toBe("false\n");
  });

  it("says when there is no value", async () => {
    expect(await rego(["eval", "data.nothing"])).toMatchObject({ code: 0, stdout: "undefined\n" });
    expect((await rego(["eval", "--fail", "data.nothing"])).code).toBe(1);
  });

  it("exits with 1 for a query that is wrong", async () => {
    const { code, stderr } = await rego(["eval", "x"]);
    expect(code).toBe(1);
    expect(stderr).toMatch(/^query:1:\d+: error rego_unsafe_var_error/);
  });
});

describe("gatehouse rego build, deps and inspect", () => {
  it("builds wasm without the tests", async () => {
    folder.write("policy.rego", policy);
    folder.write("policy_test.rego", tests);
    const out = join(outside, "policy.wasm");
    const { code } = await rego(["build", folder.path, "--entrypoint", "envoy/authz/allow", "-o", out]);
    expect(code).toBe(0);
    expect(readFileSync(out).subarray(0, 4).toString("latin1")).toBe("\0asm");
    expect(statSync(out).size).toBeGreaterThan(10_000);
  });

  it("says what a server refuses, and writes nothing", async () => {
    folder.write(
      "policy.rego",
      'package envoy.authz\n\nallow if http.send({"url": "http://a", "method": "get"})\n',
    );
    const out = join(outside, "policy.wasm");
    const { code, stderr } = await rego(["build", folder.path, "-o", out]);
    expect(code).toBe(1);
    expect(stderr).toMatch(
      /policy\.rego:3:10: error GH0603 builtin `http\.send` cannot be called here: put what/,
    );
    expect(readdirSync(outside)).toEqual([]);
  });

  it("lists the documents that an answer may depend on", async () => {
    folder.write("policy.rego", policy);
    const { stdout } = await rego(["deps", folder.path]);
    expect(stdout).toBe(
      "base documents\n  data.team.members\n  input.user\nrules\n  data.envoy.authz.allow\n",
    );
    const json = await rego(["deps", folder.path, "--output", "json"]);
    expect(JSON.parse(json.stdout)).toEqual({
      base: ["data.team.members", "input.user"],
      virtual: ["data.envoy.authz.allow"],
    });
  });

  it("describes modules", async () => {
    folder.write("policy.rego", `# METADATA\n# title: A team\n${policy}`);
    folder.write("policy_test.rego", tests);
    const { stdout } = await rego(["inspect", folder.path]);
    expect(stdout).toMatch(/^data\.envoy\.authz\n {2}file {3}.*policy\.rego\n {2}rule {3}allow\n/);
    expect(stdout).toMatch(/^ {2}2 tests$/m);
    expect(stdout).toMatch(/^ {2}data\.envoy\.authz at .*policy\.rego:3: A team$/m);
  });
});

describe("wrong usage", () => {
  it.each([
    ["no command", []],
    ["an unknown command", ["nonsense"]],
    ["no path", ["check"]],
    ["a path that is not there", ["check", "does-not-exist"]],
    ["a file of another kind", ["check", "package.json/.."]],
    ["an unknown output", ["check", "-", "--output", "xml"]],
    ["a threshold that is none", ["test", "-", "--threshold", "all"]],
    ["rewriting standard input", ["fmt", "--write", "-"]],
    ["no query", ["eval"]],
    ["an input that is no JSON", ["eval", "--input", "-", "true"]],
    ["an entrypoint that names everything", ["build", "-", "--entrypoint", "/", "-o", "x"]],
    ["no file to write", ["build", "-"]],
  ])("%s exits with 2", async (_, args) => {
    const { code, stderr } = await rego(args, "{");
    expect(code).toBe(2);
    expect(stderr).not.toBe("");
  });

  it("data that cannot be joined exits with 1 and names the file", async () => {
    writeFileSync(join(outside, "a.json"), "[1]");
    const { code, stderr } = await rego(["eval", "--data", join(outside, "a.json"), "true"]);
    expect(code).toBe(1);
    expect(stderr).toMatch(/^error: .*a\.json: .*expected a mapping, found a list\n$/);
  });
});

describe("gatehouse check --explain", () => {
  const resource = [
    "apiVersion: gatehouse.dev/v1alpha1",
    "kind: RegoPolicy",
    "metadata: {name: team, namespace: istio-system}",
    "spec: {path: ., data: {team: {members: [ada]}}}",
  ].join("\n");
  const module = [
    "package envoy.authz",
    "",
    "default allow := false",
    "",
    "allow if is_member(user)",
    "",
    "is_member(name) if name in data.team.members",
    "",
    'user := input.attributes.request.http.headers["x-user"]',
    "",
    "token := input.attributes.request.http.headers.authorization",
    "",
  ].join("\n");

  function explain(headers: Record<string, string>, ...more: string[]): Promise<Finished> {
    const request = JSON.stringify({
      attributes: { request: { http: { method: "GET", path: "/", headers } } },
    });
    return runCli(["check", "--request", "-", "--config", folder.path, "--explain", ...more], request);
  }

  beforeEach(() => {
    folder.write("team.yaml", resource);
    folder.write("team.rego", module);
  });

  it("prints what the policy decided and the values of its rules, and no token", async () => {
    const { code, stdout } = await explain({ "x-user": "bob", authorization: "Bearer topsecret" });
    expect(code).toBe(1);
    expect(stdout).toContain(
      "rego istio-system/team: denied with 403\n" +
        "  rules of data.envoy.authz:\n" +
        "    allow = false\n" +
        '    token = "***"\n' +
        '    user = "bob"\n',
    );
    expect(stdout).not.toContain("topsecret");
  });

  it("names rules without a value, and no functions", async () => {
    const { code, stdout } = await explain({ "x-user": "ada" }, "--output", "json");
    expect(code).toBe(0);
    expect((JSON.parse(stdout) as { rego: unknown }).rego).toEqual([
      {
        policy: "istio-system/team",
        verdict: "allowed",
        package: "data.envoy.authz",
        values: { allow: true, user: "ada" },
        undefined: ["token"],
      },
    ]);
  });

  it("says why a policy gave no answer", async () => {
    folder.write("team.rego", "package envoy.authz\n\nallow if input.nothing\n");
    const { stdout } = await explain({});
    expect(stdout).toContain(
      "rego istio-system/team: denied with 500, gave no answer: undefined decision\n" +
        "  rules of data.envoy.authz:\n" +
        "    undefined: allow\n",
    );
  });

  it("says nothing of Rego where none was asked", async () => {
    folder.write("team.yaml", resource.replace("{path", "{providerOnly: true, path"));
    const { stdout } = await explain({}, "--output", "json");
    expect(JSON.parse(stdout)).not.toHaveProperty("rego");
  });
});
