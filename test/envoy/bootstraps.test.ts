import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import type { CheckRequest__Output, CheckResponse } from "../../src/proto/index.js";
import { type Authority, makeAuthority, spiffe, writeServerCertificates } from "../support/certificates.js";
import { type Envoy, type EnvoyOptions, startEnvoy, validateBootstrap } from "../support/envoy.js";
import { send } from "../support/http.js";
import { type CheckServer, startCheckServer } from "../support/sample-ext-authz.js";
import { talk } from "../support/tls.js";
import { startTcpEcho, startUpstream, type Upstream } from "../support/upstream.js";

const FOLDER = fileURLToPath(new URL("../../envoy", import.meta.url));
const ALLOW: CheckResponse = {
  status: { code: 0 },
  dynamic_metadata: {
    fields: {
      decision_id: { stringValue: "d-1" },
      gatehouse: { structValue: { fields: { policy: { stringValue: "bookshop/public" } } } },
    },
  },
};
const DENY: CheckResponse = {
  ...ALLOW,
  status: { code: 7 },
  denied_response: { status: { code: 403 }, body: "RBAC: access denied" },
};

let authority: Authority;
let cwd: string;
const running: { stop(): unknown }[] = [];

beforeAll(async () => {
  authority = makeAuthority();
  cwd = mkdtempSync(join(tmpdir(), "gatehouse-certs-"));
  await writeServerCertificates(cwd, authority, { ...spiffe("bookshop", "ledger"), dns: ["localhost"] });
});
afterEach(async () => {
  for (const part of running.splice(0).reverse()) await part.stop();
});
afterAll(() => rmSync(cwd, { recursive: true, force: true }));

async function arrange(
  bootstrap: string,
  answer: (request: CheckRequest__Output) => CheckResponse | Promise<CheckResponse>,
  startBackend: () => Promise<Upstream> = startUpstream,
  options: Partial<EnvoyOptions> = {},
): Promise<{ authorizer: CheckServer; upstream: Upstream; envoy: Envoy; port: number }> {
  const authorizer = await startCheckServer(answer);
  running.push(authorizer);
  const upstream = await startBackend();
  running.push(upstream);
  const envoy = await startEnvoy({
    bootstrap: join(FOLDER, bootstrap),
    clusters: { gatehouse: authorizer.port, upstream: upstream.port },
    cwd,
    ...options,
  });
  running.push(envoy);
  return { authorizer, upstream, envoy, port: Object.values(envoy.ports)[0] ?? 0 };
}

test.each(readdirSync(FOLDER).filter((file) => file.endsWith(".yaml")))("Envoy accepts %s", async (file) => {
  const { ok, output } = await validateBootstrap({ bootstrap: join(FOLDER, file), cwd });
  expect(output).toContain("OK");
  expect(output).not.toMatch(/\[(warning|error|critical)\]|deprecated/);
  expect(ok).toBe(true);
});

test("a bootstrap that Envoy refuses is reported with Envoy's words", async () => {
  const { ok, output } = await validateBootstrap({ bootstrap: { static_resources: { listener: [] } } });
  expect(ok).toBe(false);
  expect(output).toContain("listener");
  await expect(startEnvoy({ bootstrap: { static_resources: { listener: [] } } })).rejects.toThrow("listener");
});

describe("ext-authz.yaml", () => {
  test("sends raw header lines, the workload of the route and the path as it goes on", async () => {
    const { authorizer, upstream, port } = await arrange("ext-authz.yaml", () => ALLOW);
    const headers = { "x-tag": ["a", "b,c"], "x-raw": "caf\u00e9", "x-forwarded-for": "203.0.113.9" };
    const answer = await send({ port, path: "/orders/../orders//7?full=1", headers });
    expect(answer.status).toBe(200);
    const [check] = authorizer.received;
    const http = check?.attributes?.request?.http;
    const lines = (http?.header_map?.headers ?? []).map(({ key, raw_value }) => [
      key,
      raw_value?.toString("latin1"),
    ]);
    expect(lines).toEqual(
      expect.arrayContaining([
        ["x-tag", "a"],
        ["x-tag", "b,c"],
        ["x-raw", "caf\u00e9"],
      ]),
    );
    expect(http?.path).toBe("/orders/7?full=1");
    expect(upstream.received[0]?.path).toBe("/orders/7?full=1");
    expect(check?.attributes?.context_extensions).toEqual({
      "destination.namespace": "bookshop",
      "destination.workload.name": "orders",
      "destination.workload.type": "sidecar",
      "destination.labels[app]": "orders",
      "destination.service.name": "orders",
      "xff.use_remote_address": "true",
      "xff.num_trusted_hops": "0",
    });
    expect(check?.attributes?.source?.address?.socket_address?.address).toBe("127.0.0.1");
  });

  test("names another workload on another route", async () => {
    const { authorizer, port } = await arrange("ext-authz.yaml", () => ALLOW);
    await send({ port, path: "/ordersX" });
    expect(authorizer.received[0]?.attributes?.context_extensions?.["destination.workload.name"]).toBe(
      "books",
    );
  });

  test("a refusal keeps its status and body, never reaches the upstream and is in the access log", async () => {
    const { upstream, envoy, port } = await arrange("ext-authz.yaml", () => DENY);
    const answer = await send({ port, path: "/books" });
    expect(answer).toMatchObject({ status: 403, body: "RBAC: access denied" });
    expect(upstream.received).toEqual([]);
    await envoy.stop();
    const line = envoy
      .logs()
      .split("\n")
      .find((text) => text.startsWith("{"));
    expect(JSON.parse(line ?? "{}")).toMatchObject({
      request_id: answer.headers["x-request-id"],
      code: 403,
      decision_id: "d-1",
      decision: { policy: "bookshop/public" },
    });
  });

  test.each([
    ["an authorizer that fails", () => Promise.reject(new Error("broken"))],
    [
      "an authorizer that is too slow",
      () => new Promise<CheckResponse>((resolve) => setTimeout(resolve, 3_000, ALLOW)),
    ],
  ])("%s lets nothing through", async (_, answer) => {
    const { upstream, port } = await arrange("ext-authz.yaml", answer);
    expect((await send({ port, path: "/books" })).status).toBe(403);
    expect(upstream.received).toEqual([]);
  });

  test("an edit that is no valid header ends in an error", async () => {
    const bad: CheckResponse = {
      ...ALLOW,
      ok_response: { headers: [{ header: { key: "x-a", value: "b\r\nx-c: d" } }] },
    };
    const { upstream, port } = await arrange("ext-authz.yaml", () => bad);
    expect((await send({ port, path: "/books" })).status).toBe(500);
    expect(upstream.received).toEqual([]);
  });

  test.each([
    ["a header name with an underscore", "/books", { x_user: "root" }],
    ["an escaped slash", "/public%2f..%2fadmin", {}],
  ])("%s is refused before anybody is asked", async (_, path, headers) => {
    const { authorizer, port } = await arrange("ext-authz.yaml", () => ALLOW);
    expect((await send({ port, path, headers })).status).toBe(400);
    expect(authorizer.received).toEqual([]);
  });

  test("many checks at a time use several connections, which can go to several workers", async () => {
    const slow = (): Promise<CheckResponse> => new Promise((resolve) => setTimeout(resolve, 200, ALLOW));
    const { envoy, port } = await arrange("ext-authz.yaml", slow);
    await Promise.all(Array.from({ length: 20 }, () => send({ port, path: "/books" })));
    const stats = await envoy.adminText("/stats?filter=cluster.gatehouse.upstream_cx_total");
    expect(Number(/: (\d+)/.exec(stats)?.[1])).toBeGreaterThanOrEqual(4);
  });
});

describe("mtls.yaml", () => {
  test("tells who the peer is and what it asked for", async () => {
    const { authorizer, port } = await arrange("mtls.yaml", () => ALLOW);
    const client = authority.issue(spiffe("bookshop", "web"));
    const headers = { "x-forwarded-client-cert": "URI=spiffe://cluster.local/ns/bookshop/sa/boss" };
    const answer = await send({ port, path: "/books", headers, tls: { ca: authority.cert, client } });
    expect(answer.status).toBe(200);
    const attributes = authorizer.received[0]?.attributes;
    expect(attributes?.source?.principal).toBe("spiffe://cluster.local/ns/bookshop/sa/web");
    expect(decodeURIComponent(attributes?.source?.certificate ?? "").trim()).toBe(
      client.cert.replaceAll("\r\n", "\n").trim(),
    );
    expect(attributes?.tls_session?.sni).toBe("localhost");
    const names = attributes?.request?.http?.header_map?.headers?.map(({ key }) => key);
    expect(names).not.toContain("x-forwarded-client-cert");
  });

  test("no certificate, or one of another authority, gives no connection", async () => {
    const { authorizer, port } = await arrange("mtls.yaml", () => ALLOW);
    await expect(send({ port, path: "/books", tls: { ca: authority.cert } })).rejects.toThrow();
    const client = makeAuthority("another").issue(spiffe("bookshop", "web"));
    await expect(send({ port, path: "/books", tls: { ca: authority.cert, client } })).rejects.toThrow();
    expect(authorizer.received).toEqual([]);
  });
});

describe("tcp.yaml", () => {
  test("asks once for a connection, with both ends' identity and the workload's labels", async () => {
    const { authorizer, port } = await arrange("tcp.yaml", () => ALLOW, startTcpEcho);
    const client = authority.issue(spiffe("bookshop", "web"));
    expect(await talk({ port, ca: authority.cert, client, text: "hello\n" })).toBe("hello\n");
    expect(authorizer.received).toHaveLength(1);
    const attributes = authorizer.received[0]?.attributes;
    expect(attributes?.request?.http).toBeUndefined();
    expect(attributes?.source?.principal).toBe("spiffe://cluster.local/ns/bookshop/sa/web");
    expect(attributes?.destination?.principal).toBe("spiffe://cluster.local/ns/bookshop/sa/ledger");
    expect(attributes?.destination?.labels).toEqual({ app: "ledger" });
    expect(attributes?.tls_session?.sni).toBe("localhost");
  });

  test("a refused connection is closed without a byte", async () => {
    const { port } = await arrange("tcp.yaml", () => DENY, startTcpEcho);
    const client = authority.issue(spiffe("bookshop", "web"));
    expect(await talk({ port, ca: authority.cert, client, text: "hello\n" })).toBe("");
  });
});

describe("the harness", () => {
  test("a stopped Envoy leaves no listener and no process", async () => {
    const { envoy, port } = await arrange("ext-authz.yaml", () => ALLOW);
    await envoy.stop();
    const refused = await new Promise((resolve) => {
      connect(port, "127.0.0.1")
        .on("connect", () => resolve(false))
        .on("error", () => resolve(true));
    });
    expect(refused).toBe(true);
  });

  test("a port for an unknown listener is a mistake, not a default", async () => {
    const options = { bootstrap: join(FOLDER, "ext-authz.yaml"), listeners: { htpp: 1 } };
    await expect(startEnvoy(options)).rejects.toThrow("no listener or cluster `htpp`");
  });
});
