import { pino } from "pino";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { checkOnce } from "../../src/cli/check.js";
import { type RunningServer, startServer } from "../../src/server/index.js";
import { runCli, type Started, startCli } from "../support/cli.js";
import { checkOver } from "../support/grpc-client.js";
import { type Issuer, startIssuer } from "../support/issuer.js";
import { makeKey } from "../support/key-endpoint.js";
import {
  type ConfigFolder,
  eventually,
  makeConfigFolder,
  requestFor,
  statusOf,
} from "../support/server-fixture.js";

const [one, two, three] = [makeKey("one"), makeKey("two"), makeKey("three")];

let folder: ConfigFolder;
let issuer: Issuer;
const logs: Record<string, unknown>[] = [];
const closers: (() => unknown)[] = [];

beforeEach(async () => {
  folder = makeConfigFolder();
  issuer = await startIssuer(one);
  folder.write("authn.yaml", authentication({ jwksUri: issuer.jwksUri }));
  folder.write("authz.yaml", onlyKnown);
});

afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
  await issuer.stop();
  folder.remove();
  logs.length = 0;
});

function authentication(fields: Record<string, unknown> = {}): string {
  return JSON.stringify({
    apiVersion: "security.istio.io/v1",
    kind: "RequestAuthentication",
    metadata: { name: "jwt", namespace: "istio-system" },
    spec: { jwtRules: [{ issuer: issuer.issuer, ...fields }] },
  });
}

const onlyKnown = JSON.stringify({
  apiVersion: "security.istio.io/v1",
  kind: "AuthorizationPolicy",
  metadata: { name: "known", namespace: "istio-system" },
  spec: { rules: [{ from: [{ source: { requestPrincipals: ["*"] } }] }] },
});

function mesh(spec: object): string {
  return JSON.stringify({
    apiVersion: "gatehouse.dev/v1alpha1",
    kind: "Mesh",
    metadata: { name: "mesh" },
    spec,
  });
}

async function start(ports: Partial<Parameters<typeof startServer>[1]> = {}): Promise<RunningServer> {
  const write = (line: string): void => void logs.push(JSON.parse(line) as Record<string, unknown>);
  const server = await startServer(
    { configPaths: [folder.path], grpcAddress: "127.0.0.1:0", adminAddress: "127.0.0.1:0" },
    { logger: pino({ level: "info" }, { write }), now: Date.now, ...ports },
  );
  closers.push(() => server.close());
  return server;
}

/** With two workers. */
async function startWorkers(): Promise<Started & { readonly grpc: string; readonly admin: string }> {
  const addresses = ["--grpc-address", "127.0.0.1:0", "--admin-address", "127.0.0.1:0"];
  const started = startCli(["serve", "--workers", "2", "--config", folder.path, ...addresses]);
  closers.push(async () => {
    started.process.kill("SIGKILL");
    await started.finished;
  });
  return { ...started, ...(await started.listening) };
}

function withToken(token?: string): ReturnType<typeof requestFor> {
  const request = requestFor("/orders");
  const headers = token === undefined ? {} : { authorization: `Bearer ${token}` };
  const http = { ...request.attributes?.request?.http, headers };
  return { attributes: { ...request.attributes, request: { http } } };
}

async function ask(grpc: string, token?: string): Promise<number> {
  return statusOf(await checkOver(grpc, withToken(token)));
}

async function page(admin: string, path: string): Promise<{ status: number; text: string }> {
  const response = await fetch(`http://${admin}${path}`);
  return { status: response.status, text: await response.text() };
}

async function sources(admin: string): Promise<Record<string, unknown>[]> {
  return JSON.parse((await page(admin, "/keys")).text).sources;
}

const fetches = (): number => issuer.hits.filter(({ path }) => path === "/jwks").length;

describe("keys at the start", () => {
  it("are not waited for: others are answered, tokens are refused, readiness waits", async () => {
    issuer.mode = "hang";
    folder.write("authn.yaml", authentication({ jwksUri: issuer.jwksUri, timeout: "1s" }));
    const { grpcAddress, adminAddress } = await start();
    expect(await ask(grpcAddress)).toBe(403);
    expect(await ask(grpcAddress, await issuer.token(one))).toBe(401);
    const { status, text } = await page(adminAddress, "/readyz");
    expect(status).toBe(503);
    expect(JSON.parse(text)).toMatchObject({ reasons: ["keys of 1 issuers have not arrived"] });
    issuer.mode = "up";
    await eventually(async () => (await page(adminAddress, "/readyz")).status, 200);
    expect(await ask(grpcAddress, await issuer.token(one))).toBe(200);
    expect(await sources(adminAddress)).toMatchObject([{ state: "fresh", last_error: "timeout" }]);
  });

  it("that do not arrive in time hold readiness up no longer, but there is a warning", async () => {
    issuer.mode = "failing";
    const { adminAddress } = await start({ firstKeysMs: 300 });
    await eventually(async () => (await page(adminAddress, "/readyz")).status, 200, 2_000);
    const { warnings } = JSON.parse((await page(adminAddress, "/readyz")).text);
    expect(warnings).toEqual([
      `no keys of issuer \`${issuer.issuer}\` (status): its tokens are refused, see /keys`,
    ]);
    for (const path of ["/keys", "/metrics", "/"]) {
      expect((await page(adminAddress, path)).text).not.toContain("secret of the issuer");
    }
    expect(JSON.stringify(logs)).not.toContain("secret of the issuer");
    expect(logs).toContainEqual(
      expect.objectContaining({
        level: 40,
        msg: "keys could not be fetched, there are none",
        issuer: issuer.issuer,
        reason: "status",
        status: 500,
      }),
    );
  });
});

describe("keys at work", () => {
  it("are found by discovery, and a new one by the token that names it, with one fetch", async () => {
    folder.write("authn.yaml", authentication());
    const { grpcAddress } = await start();
    const old = await issuer.token(one);
    await eventually(() => ask(grpcAddress, old), 200);
    expect(fetches()).toBe(1);
    issuer.publish(one, two);
    const token = await issuer.token(two);
    expect(await Promise.all(Array.from({ length: 20 }, () => ask(grpcAddress, token)))).toEqual(
      Array(20).fill(200),
    );
    expect(await ask(grpcAddress, await issuer.token(three))).toBe(401);
    expect(await ask(grpcAddress, old)).toBe(200);
    expect(fetches()).toBe(2);
    expect(logs).toContainEqual(expect.objectContaining({ msg: "keys changed", kids: ["one", "two"] }));
  });

  it("stay when the endpoint fails", async () => {
    const { grpcAddress, adminAddress } = await start();
    await eventually(async () => ask(grpcAddress, await issuer.token(one)), 200);
    issuer.mode = "failing";
    expect(await ask(grpcAddress, await issuer.token(two))).toBe(401);
    expect(await ask(grpcAddress, await issuer.token(one))).toBe(200);
    expect(await sources(adminAddress)).toMatchObject([
      { state: "fresh", last_error: "status", last_error_status: 500, consecutive_failures: 1 },
    ]);
  });

  it("show on admin and in metrics, without their material, until their issuer leaves", async () => {
    const { adminAddress } = await start();
    await eventually(async () => (await sources(adminAddress))[0]?.["state"], "fresh");
    const [source] = await sources(adminAddress);
    expect(source).toEqual({
      issuer: issuer.issuer,
      jwks_uri: issuer.jwksUri,
      state: "fresh",
      keys: [{ kid: "one", kty: "EC", alg: "ES256" }],
      fetched_at: expect.stringMatching(/^20..-/),
      age_seconds: expect.any(Number),
      next_fetch_in_seconds: expect.any(Number),
      last_error: null,
      last_error_status: null,
      last_error_at: null,
      consecutive_failures: 0,
    });
    const { text } = await page(adminAddress, "/metrics");
    const label = `issuer="${issuer.issuer}"`;
    expect(text).toContain(`gatehouse_jwks_keys{${label}} 1`);
    expect(text).toMatch(new RegExp(`gatehouse_jwks_age_seconds\\{${label}\\} [0-9.]+`));
    expect(text).toMatch(new RegExp(`gatehouse_jwks_last_success_timestamp_seconds\\{${label}\\} 1[0-9.]+`));
    expect(text).toContain(`gatehouse_jwks_fetches_total{${label},result="ok"} 1`);
    expect(text).toContain(`gatehouse_jwks_fetches_total{${label},result="failed"} 0`);
    folder.write("authn.yaml", "---\n");
    await eventually(async () => (await sources(adminAddress)).length, 0);
    expect((await page(adminAddress, "/metrics")).text).not.toContain(`{${label}`);
  });

  it("are fetched only where the mesh allows connections, and at once when it does", async () => {
    folder.write("mesh.yaml", mesh({ egress: { denyPrivate: true } }));
    const { grpcAddress, adminAddress } = await start();
    await eventually(async () => (await sources(adminAddress))[0]?.["last_error"], "egress");
    expect(issuer.hits).toEqual([]);
    folder.write("mesh.yaml", mesh({ egress: { allowCidrs: ["127.0.0.1"] } }));
    await eventually(async () => ask(grpcAddress, await issuer.token(one)), 200);
  });

  it("are not fetched where Envoy has verified the tokens", async () => {
    folder.write("mesh.yaml", mesh({ trustEnvoyJwt: { enabled: true } }));
    const { adminAddress } = await start();
    expect((await page(adminAddress, "/readyz")).status).toBe(200);
    expect(await sources(adminAddress)).toEqual([]);
    expect(issuer.hits).toEqual([]);
  });

  it("are there again when Envoy is trusted no longer", async () => {
    const { grpcAddress, adminAddress } = await start();
    await eventually(async () => ask(grpcAddress, await issuer.token(one)), 200);
    folder.write("mesh.yaml", mesh({ trustEnvoyJwt: { enabled: true } }));
    await eventually(async () => (await sources(adminAddress)).length, 0);
    issuer.publish(two);
    folder.write("mesh.yaml", mesh({}));
    await eventually(async () => ask(grpcAddress, await issuer.token(two)), 200);
  });
});

describe("keys with several workers", () => {
  const all = async (grpc: string, token: string): Promise<string> =>
    [...new Set(await Promise.all(Array.from({ length: 8 }, () => ask(grpc, token))))].join();

  it("are fetched by the primary alone: an unknown key costs one fetch", async () => {
    const { grpc, admin } = await startWorkers();
    await eventually(async () => all(grpc, await issuer.token(one)), "200");
    expect(fetches()).toBe(1);
    issuer.publish(one, two);
    expect(await all(grpc, await issuer.token(two))).toBe("200");
    expect(await all(grpc, await issuer.token(three))).toBe("401");
    expect(fetches()).toBe(2);
    expect((await page(admin, "/metrics")).text).toContain(
      `gatehouse_jwks_keys{issuer="${issuer.issuer}"} 2`,
    );
  });

  it("reach a worker that joins later, without another fetch", async () => {
    const { grpc, admin, logs } = await startWorkers();
    const token = await issuer.token(one);
    await eventually(() => all(grpc, token), "200");
    const joined = logs().filter(({ msg }) => msg === "worker joined");
    issuer.mode = "failing";
    for (const [i, { worker }] of joined.entries()) {
      process.kill(Number(worker), "SIGKILL");
      const isReplaced = async (): Promise<boolean> => {
        const { text } = await page(admin, "/metrics");
        return text.includes(`worker_deaths_total ${i + 1}`) && text.includes("workers_ready 2");
      };
      await eventually(isReplaced, true, 20_000);
    }
    expect(await all(grpc, token)).toBe("200");
    expect(fetches()).toBe(1);
  });

  it("reach all when an issuer is added by an edit", async () => {
    folder.write("authn.yaml", "---\n");
    const { grpc } = await startWorkers();
    folder.write("authn.yaml", authentication());
    await eventually(async () => all(grpc, await issuer.token(one)), "200");
    expect(fetches()).toBe(1);
  });
});

describe("gatehouse check", () => {
  const decide = async (token: string): Promise<{ http_status: number }> => {
    const args = ["check", "--config", folder.path, "--request", "-", "--output", "json"];
    return JSON.parse((await runCli(args, JSON.stringify(withToken(token)))).stdout);
  };

  it("fetches keys as a server would", async () => {
    expect((await decide(await issuer.token(one))).http_status).toBe(200);
    expect((await decide(await issuer.token(two))).http_status).toBe(401);
  });

  it("does not wait for ever", async () => {
    issuer.mode = "hang";
    folder.write("authn.yaml", authentication({ jwksUri: issuer.jwksUri, timeout: "30s" }));
    const token = await issuer.token(one);
    let out = "";
    const streams = {
      out: (text: string): void => {
        out += text;
      },
      err: () => {},
      stdin: async () => JSON.stringify(withToken(token)),
      env: {},
    };
    const options = { request: "-", config: [folder.path], output: "json", explain: false };
    const started = performance.now();
    expect(await checkOnce(options, streams, 200)).toBe(1);
    expect(performance.now() - started).toBeLessThan(4_000);
    expect(JSON.parse(out)).toMatchObject({ http_status: 401 });
  });
});
