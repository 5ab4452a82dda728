import { existsSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import grpc from "@grpc/grpc-js";
import { pino } from "pino";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { defaultRateLimitSettings } from "../../src/ratelimit/index.js";
import {
  InvalidConfigError,
  type RunningServer,
  type ServerOptions,
  startServer,
} from "../../src/server/index.js";
import { checkBytes, checkOver, healthOf } from "../support/grpc-client.js";
import {
  allowOnly,
  type ConfigFolder,
  eventually,
  makeConfigFolder,
  recordIn,
  requestFor,
  statusOf,
} from "../support/server-fixture.js";

let folder: ConfigFolder;
const servers: RunningServer[] = [];

beforeEach(() => {
  folder = makeConfigFolder();
  folder.write("policy.yaml", allowOnly("/open"));
});

afterEach(async () => {
  for (const server of servers.splice(0)) await server.close();
  folder.remove();
});

async function start(given: Partial<ServerOptions> = {}): Promise<RunningServer> {
  const server = await startServer(
    { configPaths: [folder.path], grpcAddress: "127.0.0.1:0", adminAddress: "127.0.0.1:0", ...given },
    { logger: pino({ level: "silent" }), now: Date.now },
  );
  servers.push(server);
  return server;
}

async function ask({ grpcAddress }: RunningServer, path: string): Promise<number> {
  return statusOf(await checkOver(grpcAddress, requestFor(path)));
}

async function page(
  address: string,
  path: string,
): Promise<{ status: number; text: string; json: () => never }> {
  const response = await fetch(`http://${address}${path}`);
  const text = await response.text();
  return { status: response.status, text, json: () => JSON.parse(text) as never };
}

describe("a running server", () => {
  it("decides by the policies in its folder and says in the record which one it was", async () => {
    const server = await start();
    const allowed = await checkOver(server.grpcAddress, requestFor("/open"));
    expect(statusOf(allowed)).toBe(200);
    expect(recordIn(allowed)).toMatchObject({
      allowed: true,
      policy: "istio-system/only",
      rule: 0,
      snapshot: 1,
    });
    const refused = await checkOver(server.grpcAddress, requestFor("/secret"));
    expect(refused.denied_response).toMatchObject({ status: { code: 403 }, body: "RBAC: access denied" });
  });

  it("takes an edit at once", async () => {
    const server = await start();
    folder.write("policy.yaml", allowOnly("/secret"));
    await eventually(() => ask(server, "/secret"), 200, 1000);
    expect(await ask(server, "/open")).toBe(403);
    expect(server.configuration().generation).toBe(2);
  });

  it("keeps the last good configuration when an edit is broken, says so, and takes the repair", async () => {
    const server = await start();
    folder.write(
      "policy.yaml",
      "apiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\nspec: {sauce: hot}\n",
    );
    await eventually(() => server.configuration().lastReload?.result, "invalid");
    expect(await ask(server, "/open")).toBe(200);
    const { diagnostics, last_reload } = (await page(server.adminAddress, "/config")).json() as never;
    expect(last_reload).toMatchObject({ result: "invalid" });
    expect(diagnostics).toContainEqual(expect.objectContaining({ severity: "error", line: 3 }));
    expect((await page(server.adminAddress, "/readyz")).json()).toMatchObject({
      ready: true,
      warnings: ["the configuration on disk was rejected, see /config"],
    });
    folder.write("policy.yaml", allowOnly("/repaired"));
    await eventually(() => ask(server, "/repaired"), 200);
  });

  it("reloads when asked", async () => {
    const server = await start();
    server.reload();
    expect(await ask(server, "/open")).toBe(200);
  });

  it("shows decisions, newest first, without query values", async () => {
    const server = await start();
    await ask(server, "/open?token=hush");
    await ask(server, "/closed?token=hush");
    const { text, json } = await page(server.adminAddress, "/decisions");
    expect(text).not.toContain("hush");
    expect(json()).toMatchObject({
      decisions: [
        { allowed: false, path: "/closed", reason: "no_allow_policy_matched", policy: null },
        { allowed: true, path: "/open", policy: "istio-system/only", rule: 0 },
      ],
    });
    const denied = await page(server.adminAddress, "/decisions?denied=true");
    expect(denied.json()).toMatchObject({ decisions: [{ path: "/closed" }] });
  });

  it("shows the workload that a decision was for, also when the mesh supplied it", async () => {
    const spec = { defaultWorkload: { namespace: "shop", name: "web" } };
    const mesh = { apiVersion: "gatehouse.dev/v1alpha1", kind: "Mesh", metadata: { name: "mesh" }, spec };
    folder.write("mesh.yaml", JSON.stringify(mesh));
    const server = await start();
    await ask(server, "/open");
    const { json } = await page(server.adminAddress, "/decisions");
    expect(json()).toMatchObject({
      decisions: [{ destination_namespace: "shop", destination_workload: "web" }],
    });
  });

  it("counts checks by outcome, also on a port for metrics only", async () => {
    const server = await start({ metricsAddress: "127.0.0.1:0" });
    await ask(server, "/open");
    await ask(server, "/closed");
    const { text } = await page(String(server.metricsAddress), "/metrics");
    expect(text).toMatch(/gatehouse_checks_total\{allowed="true",code="OK",stage="\w+",protocol="http"\} 1/);
    expect(text).toMatch(
      /gatehouse_checks_total\{allowed="false",code="PERMISSION_DENIED",stage="\w+",protocol="http"\} 1/,
    );
    expect(text).toContain('gatehouse_resources{kind="AuthorizationPolicy"} 1');
    expect((await page(String(server.metricsAddress), "/config")).status).toBe(404);
  });

  it("refuses garbage inside an OK call, counts it, and goes on", async () => {
    const server = await start();
    expect(statusOf(await checkBytes(server.grpcAddress, Buffer.from("garbage!")))).toBe(403);
    expect(await ask(server, "/open")).toBe(200);
    expect((await page(server.adminAddress, "/metrics")).text).toContain(
      'gatehouse_internal_errors_total{where="decode"} 1',
    );
  });

  it("is healthy while it serves and not ready once it drains", async () => {
    const server = await start();
    expect(await healthOf(server.grpcAddress, "")).toBe("SERVING");
    expect(await server.drain()).toBe(true);
    await expect(ask(server, "/open")).rejects.toMatchObject({ code: grpc.status.UNAVAILABLE });
  });

  it("warns when other machines can call it without a certificate", async () => {
    const server = await start({ grpcAddress: "0.0.0.0:0" });
    const { warnings } = (await page(server.adminAddress, "/readyz")).json() as { warnings: string[] };
    expect(warnings).toEqual([expect.stringContaining("--tls-client-ca")]);
  });

  it("warns when the environment has the rate limit service refuse nothing", async () => {
    const rateLimit = { ...defaultRateLimitSettings, shadowMode: true, quotaMode: true };
    const server = await start({ rateLimit, clockOffsetMs: 5 });
    const { warnings } = (await page(server.adminAddress, "/readyz")).json() as { warnings: string[] };
    expect(warnings.map((text) => text.split(" ")[0])).toEqual([
      "SHADOW_MODE",
      "QUOTA_MODE",
      "GATEHOUSE_CLOCK_OFFSET_MS",
    ]);
  });

  it("removes its unix socket at the end", async () => {
    const path = join(folder.path, "gate.sock");
    const server = await start({ grpcAddress: `unix:${path}` });
    expect(await ask(server, "/open")).toBe(200);
    await server.close();
    expect(existsSync(path)).toBe(false);
  });
});

describe("a server that cannot start", () => {
  it("names what is wrong with the configuration", async () => {
    folder.write("policy.yaml", "kind: AuthorizationPolicy\n");
    const error = await start().catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(InvalidConfigError);
    expect((error as InvalidConfigError).state.diagnostics).toMatchObject([{ severity: "error", line: 1 }]);
  });

  it.each([
    ["missing", (): void => folder.remove()],
    ["without a document", (): void => rmSync(join(folder.path, "policy.yaml"))],
  ])("does not take a configuration path that is %s", async (_what, spoil) => {
    spoil();
    await expect(start()).rejects.toBeInstanceOf(InvalidConfigError);
  });

  it("may start empty when told so", async () => {
    rmSync(join(folder.path, "policy.yaml"));
    const server = await start({ allowEmpty: true });
    expect(await ask(server, "/anything")).toBe(200);
  });

  it("denies all with --allow-invalid-start until the configuration is mended", async () => {
    folder.write("policy.yaml", "kind: AuthorizationPolicy\n");
    const server = await start({ allowInvalidStart: true });
    expect(await ask(server, "/open")).toBe(500);
    expect(await healthOf(server.grpcAddress, "")).toBe("NOT_SERVING");
    expect((await page(server.adminAddress, "/readyz")).status).toBe(503);
    folder.write("policy.yaml", allowOnly("/open"));
    await eventually(() => ask(server, "/open"), 200);
    await eventually(() => healthOf(server.grpcAddress, ""), "SERVING");
    expect((await page(server.adminAddress, "/readyz")).status).toBe(200);
  });

  it("says that its address is taken and leaves nothing running", async () => {
    const other = createServer();
    await new Promise<void>((resolve) => other.listen(0, "127.0.0.1", resolve));
    const { port } = other.address() as { port: number };
    await expect(start({ grpcAddress: `127.0.0.1:${port}` })).rejects.toThrow();
    await expect(start({ adminAddress: `127.0.0.1:${port}` })).rejects.toThrow(/EADDRINUSE/);
    other.close();
  });

  it.each([
    ["an address that is none", { grpcAddress: "nowhere" }, "bad_address"],
    ["admin pages for everybody without a token", { adminAddress: "0.0.0.0:0" }, "bad_flag"],
    [
      "certificates that are missing",
      { tls: { certFile: "a", keyFile: "b", clientCaFile: undefined } },
      "tls",
    ],
  ])("refuses %s", async (_what, options, code) => {
    await expect(start(options)).rejects.toMatchObject({ code });
  });
});
