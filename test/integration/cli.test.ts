import { generateKeyPairSync } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { SignJWT } from "jose";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { runCli, type Started, startCli } from "../support/cli.js";
import { checkOver, healthOf } from "../support/grpc-client.js";
import {
  allowOnly,
  type ConfigFolder,
  eventually,
  makeConfigFolder,
  requestFor,
  statusOf,
} from "../support/server-fixture.js";

let folder: ConfigFolder;
let started: Started | undefined;

beforeEach(() => {
  folder = makeConfigFolder();
  folder.write("policy.yaml", allowOnly("/open"));
});

afterEach(async () => {
  started?.process.kill("SIGKILL");
  await started?.finished;
  started = undefined;
  folder.remove();
});

const ports = ["--grpc-address", "127.0.0.1:0", "--admin-address", "127.0.0.1:0"];

describe("gatehouse serve", () => {
  it("prints where it listens as its only line on standard output, serves, reloads on SIGHUP, drains on SIGTERM", async () => {
    started = startCli(["serve", "--config", folder.path, ...ports]);
    const line = await started.listening;
    expect(line).toEqual({
      event: "listening",
      grpc: expect.stringMatching(/^127\.0\.0\.1:\d+$/),
      admin: expect.stringMatching(/^127\.0\.0\.1:\d+$/),
    });
    expect(statusOf(await checkOver(line.grpc, requestFor("/open")))).toBe(200);
    started.process.kill("SIGHUP");
    await eventually(() => healthOf(line.grpc, ""), "SERVING");
    started.process.kill("SIGTERM");
    const { code, stdout, stderr } = await started.finished;
    expect(code).toBe(0);
    expect(stdout).toBe(`${JSON.stringify(line)}\n`);
    for (const log of stderr.trim().split("\n")) expect(JSON.parse(log)).toMatchObject({ level: 30 });
  });

  it("takes its settings from environment and bootstrap file as well", async () => {
    const bootstrap = join(folder.path, "_bootstrap.yaml");
    writeFileSync(bootstrap, `config: [${folder.path}]\nadminAddress: 127.0.0.1:0\n`);
    started = startCli(["serve"], {
      GATEHOUSE_BOOTSTRAP: bootstrap,
      GATEHOUSE_GRPC_ADDRESS: `unix:${join(folder.path, "gate.sock")}`,
    });
    expect((await started.listening).grpc).toBe(`unix:${join(folder.path, "gate.sock")}`);
  });

  it("exits with 1 and names file, line and code when the configuration has errors", async () => {
    folder.write("policy.yaml", `${allowOnly("/open")}  sauce: hot\n`);
    started = startCli(["serve", "--config", folder.path, ...ports]);
    const { code, stdout, stderr } = await started.finished;
    expect(code).toBe(1);
    expect(stdout).toBe("");
    expect(stderr).toMatch(/policy\.yaml:9:3: error GH0101 unknown field `sauce`/);
  });

  it.each([
    ["an unknown flag", ["--sauce"]],
    ["no configuration", []],
    ["a bad address", ["--config", "x", "--grpc-address", "nowhere"]],
    ["half of TLS", ["--config", "x", "--tls-cert", "a"]],
    ["names of clients without a client CA", ["--config", "x", "--allow-client", "a"]],
    ["an admin address for everybody", ["--config", "x", "--admin-address", "0.0.0.0:0"]],
    ["an unknown log level", ["--config", "x", "--log-level", "loud"]],
  ])("exits with 2 for %s", async (_what, args) => {
    const { code, stdout, stderr } = await runCli(["serve", ...args]);
    expect(code).toBe(2);
    expect(stdout).toBe("");
    expect(stderr).toMatch(/^error: /m);
  });
});

describe("gatehouse validate", () => {
  it("exits with 0 when all is well", async () => {
    const { code, stdout } = await runCli(["validate", folder.path]);
    expect([code, stdout]).toEqual([0, "valid: 1 resources, 0 errors, 0 warnings\n"]);
  });

  it("prints findings as text or JSON and exits with 1", async () => {
    folder.write("policy.yaml", `${allowOnly("/open")}  sauce: hot\n`);
    const text = await runCli(["validate", folder.path]);
    expect(text.code).toBe(1);
    expect(text.stdout).toMatch(/policy\.yaml:9:3: error GH0101 .*\ninvalid: 1 errors, 0 warnings\n$/);
    const json = await runCli(["validate", "--output", "json", folder.path]);
    expect(json.code).toBe(1);
    expect(JSON.parse(json.stdout)).toMatchObject({
      valid: false,
      diagnostics: [{ code: "GH0101", severity: "error", line: 9, column: 3 }],
    });
  });

  it("prints what policies compile to", async () => {
    const { code, stdout } = await runCli(["validate", "--output", "rbac", folder.path]);
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toEqual([
      {
        policy: "istio-system/only",
        action: "ALLOW",
        file: expect.stringContaining("policy.yaml"),
        line: 1,
        rbac: { action: "ALLOW", policies: { "ns[istio-system]-policy[only]-rule[0]": expect.any(Object) } },
      },
    ]);
  });

  it.each([[["validate"]], [["validate", "--output", "xml", "."]], [["nonsense"]], [[]]])(
    "exits with 2 for %j",
    async (args) => {
      expect((await runCli(args)).code).toBe(2);
    },
  );
});

describe("gatehouse check", () => {
  const request = (path: string): string =>
    JSON.stringify({ attributes: { request: { http: { method: "GET", path, host: "a" } } } });

  function check(path: string, ...more: string[]): ReturnType<typeof runCli> {
    return runCli(["check", "--request", "-", "--config", folder.path, ...more], request(path));
  }

  const loginPolicy = [
    "apiVersion: security.istio.io/v1",
    "kind: RequestAuthentication",
    "metadata: {name: login, namespace: istio-system}",
    "spec: {jwtRules: [{issuer: 'https://issuer.example', jwks: '{\"keys\":[]}'}]}",
  ].join("\n");

  function checkWith(headers: Record<string, string>, ...more: string[]): ReturnType<typeof runCli> {
    const http = { method: "GET", path: "/open", host: "a", headers };
    const input = JSON.stringify({ attributes: { request: { http } } });
    return runCli(["check", "--request", "-", "--config", folder.path, ...more], input);
  }

  it("says of an allowed request which rule allowed it and where it stands, and exits with 0", async () => {
    const { code, stdout } = await check("/open", "--output", "json");
    expect(code).toBe(0);
    const report = JSON.parse(stdout) as Record<string, unknown>;
    expect(Object.keys(report)).toEqual([
      "allowed",
      "http_status",
      "code",
      "stage",
      "policy",
      "rule",
      "reason",
      "decision_id",
      "file",
      "line",
      "nearest_miss",
      "response",
    ]);
    expect(report).toMatchObject({
      allowed: true,
      http_status: 200,
      code: 0,
      stage: "authorize",
      policy: "istio-system/only",
      rule: 0,
      file: expect.stringContaining("policy.yaml"),
      line: 6,
      nearest_miss: null,
    });
  });

  it("says of a refused request which condition was missed and where it stands, and exits with 1", async () => {
    const { code, stdout } = await check("/closed", "--output", "json", "--explain");
    expect(code).toBe(1);
    expect(JSON.parse(stdout)).toMatchObject({
      allowed: false,
      http_status: 403,
      code: 7,
      policy: null,
      nearest_miss: {
        policy: "istio-system/only",
        rule: 0,
        condition: "to[0].operation.paths",
        file: expect.stringContaining("policy.yaml"),
        line: 8,
      },
    });
  });

  it("prints text for people", async () => {
    const { stdout } = await check("/closed", "--explain");
    expect(stdout).toMatch(
      /^denied with 403: no allow policy matched, stage authorize\ncaller: no credential was found where one is looked for\nnearest miss: istio-system\/only rule 0 at .*policy\.yaml:8: to\[0\]\.operation\.paths\n$/,
    );
  });

  it("shows whose credential was refused and why, and never the credential", async () => {
    folder.write("login.yaml", loginPolicy);
    const { stdout } = await checkWith({ authorization: "Bearer a.b" }, "--explain");
    expect(stdout).toBe(
      "denied with 401: jwt bad format, stage authn\n" +
        "caller: anonymous\n" +
        "refused credential: jwt for https://issuer.example: jwt_bad_format\n" +
        "nearest miss: none\n",
    );
  });

  it("shows who calls", async () => {
    const key = generateKeyPairSync("ec", { namedCurve: "P-256" });
    const jwks = JSON.stringify({ keys: [key.publicKey.export({ format: "jwk" })] });
    folder.write(
      "login.yaml",
      loginPolicy.replace('{"keys":[]}', () => jwks),
    );
    const token = await new SignJWT({})
      .setProtectedHeader({ alg: "ES256" })
      .setIssuer("https://issuer.example")
      .setSubject("alice")
      .sign(key.privateKey);
    const { stdout } = await checkWith({ authorization: `Bearer ${token}` }, "--output", "json");
    expect(JSON.parse(stdout)).toMatchObject({
      authn: { method: "jwt", principal: "https://issuer.example/alice", refused: [] },
    });
    expect(stdout).not.toContain(token.split(".")[2]);
  });

  it("exits with 1 and the findings when the configuration has errors", async () => {
    folder.write("policy.yaml", "kind: AuthorizationPolicy\n");
    const { code, stderr } = await check("/open");
    expect(code).toBe(1);
    expect(stderr).toMatch(/policy\.yaml:1:1: error GH0011/);
  });

  it.each([
    ["no JSON", "nonsense", /is not JSON/],
    ["no CheckRequest", '{"attributes": {"sauce": 1}}', /`request\.attributes\.sauce`/],
  ])("exits with 2 when the request is %s", async (_what, input, message) => {
    const { code, stderr } = await runCli(["check", "--request", "-", "--config", folder.path], input);
    expect(code).toBe(2);
    expect(stderr).toMatch(message);
  });

  it("is a program that reads standard input and exits with its code", async () => {
    started = startCli(["check", "--request", "-", "--config", folder.path]);
    started.process.stdin?.end(request("/closed"));
    expect(await started.finished).toMatchObject({
      code: 1,
      stdout: expect.stringMatching(/^denied with 403/),
    });
  });

  it("exits with 2 when the request file is missing", async () => {
    const { code } = await runCli(["check", "--request", join(folder.path, "none"), "--config", folder.path]);
    expect(code).toBe(2);
  });
});

describe("gatehouse", () => {
  it("prints its version and its help and exits with 0", async () => {
    expect(await runCli(["--version"])).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^\d+\.\d+\.\d+\n$/),
    });
    const help = await runCli(["serve", "--help"]);
    expect(help.code).toBe(0);
    expect(help.stdout).toContain("--drain-timeout");
  });
});
