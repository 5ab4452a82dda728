import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { runCli, type Started, startCli } from "../support/cli.js";
import { callUnary, checkOver } from "../support/grpc-client.js";
import { type ConfigFolder, makeConfigFolder, requestFor } from "../support/server-fixture.js";

let folder: ConfigFolder;
let started: Started | undefined;

beforeEach(() => {
  folder = makeConfigFolder();
});

afterEach(async () => {
  started?.process.kill("SIGKILL");
  await started?.finished;
  started = undefined;
  folder.remove();
});

const ports = ["--grpc-address", "127.0.0.1:0", "--admin-address", "127.0.0.1:0"];
const limits = "domain: edge\ndescriptors:\n- {key: k, rate_limit: {unit: day, requests_per_unit: 1}}\n";
const nothingLeft =
  "apiVersion: gatehouse.dev/v1alpha1\nkind: Quota\nmetadata: {name: closed, namespace: foo}\nspec: {limit: 0, window: 1m}\n";

/** RateLimitRequest {domain: "edge", descriptors: [{entries: [{key: "k", value: "v"}]}]}. */
const call = Buffer.from("0a046564676512080a060a016b120176", "hex");
const method = "/envoy.service.ratelimit.v3.RateLimitService/ShouldRateLimit";
/** `overall_code`: field 1 of RateLimitResponse. */
const overallCode = (answer: Buffer): number => answer[1] ?? 0;

describe("gatehouse serve --ratelimit-config", () => {
  it("answers the rate limit service, by the peer's variables, and decides nothing else", async () => {
    // No extension is needed, and none is asked for.
    folder.write("limits", limits);
    started = startCli(["serve", "--ratelimit-config", folder.path, ...ports], {
      LIMIT_RESPONSE_HEADERS_ENABLED: "true",
      LIMIT_REMAINING_HEADER: "x-left",
    });
    const { grpc } = await started.listening;
    const first = await callUnary(grpc, method, call);
    expect(overallCode(first)).toBe(1);
    expect(first.toString("latin1")).toContain("x-left");
    expect(overallCode(await callUnary(grpc, method, call))).toBe(2);
    const check = await checkOver(grpc, requestFor("/open"));
    expect(check.status?.code).toBe(13);
    expect(check.denied_response?.status?.code).toBe(500);
  });

  it("moves its clock where a test asks for it", async () => {
    folder.write("limits.yaml", limits);
    const atNoon = Date.UTC(2030, 0, 1, 12) - Date.now();
    started = startCli(["serve", "--ratelimit-config", folder.path, ...ports], {
      GATEHOUSE_CLOCK_OFFSET_MS: String(atNoon),
    });
    const { grpc, admin } = await started.listening;
    await callUnary(grpc, method, call);
    const page = await fetch(`http://${admin}/quota?domain=edge&descriptor=k=v`);
    expect(await page.json()).toMatchObject({ key: `edge_k_v_${Date.UTC(2030, 0, 1) / 1000}`, used: 1 });
  });

  it.each([
    ["a variable that envoyproxy/ratelimit would refuse", { SHADOW_MODE: "maybe" }, /SHADOW_MODE/],
    ["an offset that is none", { GATEHOUSE_CLOCK_OFFSET_MS: "soon" }, /GATEHOUSE_CLOCK_OFFSET_MS/],
    ["no room for any counter", { GATEHOUSE_MAX_COUNTERS: "0" }, /--max-counters/],
    ["TLS files without a Redis", { GATEHOUSE_REDIS_TLS_KEY: "key.pem" }, /--redis-tls-key/],
    ["a Redis of another kind", { GATEHOUSE_REDIS_URL: "http://:secret@127.0.0.1" }, /redis:\/\//],
  ])("is wrong usage with %s", async (_, environment, expected) => {
    folder.write("limits.yaml", limits);
    const { code, stderr } = await runCli(
      ["serve", "--ratelimit-config", folder.path, ...ports],
      undefined,
      environment,
    );
    expect(code).toBe(2);
    expect(stderr).toMatch(expected);
    expect(stderr).not.toContain("secret");
  });
});

describe("gatehouse check", () => {
  it("says which Quota refused, and where it stands", async () => {
    folder.write("quota.yaml", nothingLeft);
    const request = join(folder.path, "_request.json");
    const attributes = {
      request: { http: { method: "GET", path: "/", host: "h" } },
      contextExtensions: { "destination.namespace": "foo" },
    };
    writeFileSync(request, JSON.stringify({ attributes }));
    const { code, stdout } = await runCli([
      ...["check", "--config", folder.path, "--request", request],
      ...["--output", "json"],
    ]);
    expect(code).toBe(1);
    expect(JSON.parse(stdout)).toMatchObject({
      allowed: false,
      http_status: 429,
      code: 8,
      stage: "quota",
      policy: "foo/closed",
      reason: "quota_exceeded",
      file: expect.stringMatching(/quota\.yaml$/),
      line: 1,
    });
  });
});

describe("gatehouse validate", () => {
  it("reads config files of envoyproxy/ratelimit as it would", async () => {
    folder.write("limits.txt", limits.replace("day", "days"));
    const { code, stdout } = await runCli(["validate", "--ratelimit-config", folder.path]);
    expect(code).toBe(1);
    expect(stdout).toMatch(/limits\.txt:3:\d+: error GH08\d\d .*`days`/);
  });
});
