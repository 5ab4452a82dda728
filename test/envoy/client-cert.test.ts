import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { pino } from "pino";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { type Attributes, ipRange, parseIp } from "../../src/attributes/index.js";
import { defaultMesh } from "../../src/config/mesh.js";
import { createRequestReader } from "../../src/envoy/index.js";
import { startServer } from "../../src/server/index.js";
import {
  type Authority,
  type CertificateSubject,
  makeAuthority,
  spiffe,
  writeServerCertificates,
} from "../support/certificates.js";
import { type Bootstrap, startEnvoy } from "../support/envoy.js";
import { send } from "../support/http.js";
import { startCheckServer } from "../support/sample-ext-authz.js";
import { makeConfigFolder } from "../support/server-fixture.js";
import { startUpstream } from "../support/upstream.js";

const bootstraps = fileURLToPath(new URL("../../envoy", import.meta.url));
const boss = "spiffe://cluster.local/ns/shop/sa/boss";

let authority: Authority;
let cwd: string;
const running: (() => unknown)[] = [];

beforeAll(async () => {
  authority = makeAuthority();
  cwd = mkdtempSync(join(tmpdir(), "gatehouse-certs-"));
  await writeServerCertificates(cwd, authority, { ...spiffe("edge", "proxy"), dns: ["localhost"] });
});
afterEach(async () => {
  for (const stop of running.splice(0).reverse()) await stop();
});
afterAll(() => rmSync(cwd, { recursive: true, force: true }));

interface Manager {
  forward_client_cert_details?: string;
  set_current_client_cert_details?: Record<string, boolean>;
}

/** The connection manager of the one listener. */
function managerOf(bootstrap: Bootstrap): Manager {
  const { listeners } = bootstrap["static_resources"] as {
    listeners: { filter_chains: { filters: { typed_config: Manager }[] }[] }[];
  };
  const manager = listeners[0]?.filter_chains[0]?.filters[0]?.typed_config;
  if (manager === undefined) throw new Error("no connection manager");
  return manager;
}

/** What Envoy asks when it adds the certificate of its peer to what the peer says. */
async function attributesOf(
  subject: CertificateSubject,
  details: Record<string, boolean>,
  forged: string | undefined,
): Promise<{ direct: Attributes; behind: Attributes }> {
  const authorizer = await startCheckServer(() => ({ status: { code: 0 } }));
  running.push(authorizer.stop);
  const upstream = await startUpstream();
  running.push(upstream.stop);
  const envoy = await startEnvoy({
    bootstrap: join(bootstraps, "mtls.yaml"),
    clusters: { gatehouse: authorizer.port, upstream: upstream.port },
    cwd,
    edit: (bootstrap) => {
      const manager = managerOf(bootstrap);
      manager.forward_client_cert_details = "APPEND_FORWARD";
      manager.set_current_client_cert_details = details;
    },
  });
  running.push(envoy.stop);
  const { status } = await send({
    port: envoy.ports["https"] ?? 0,
    path: "/books",
    headers: forged === undefined ? {} : { "x-forwarded-client-cert": forged },
    tls: { ca: authority.cert, client: authority.issue(subject) },
  });
  expect(status).toBe(200);
  const loopback = parseIp("127.0.0.1");
  const [request] = authorizer.received;
  if (request === undefined || loopback === undefined) throw new Error("nobody was asked");
  const clientCertHeaders = {
    headers: ["x-forwarded-client-cert"] as const,
    trustedRanges: [ipRange(loopback, 32)],
    trustedIds: [],
  };
  const read = createRequestReader();
  return {
    direct: read(request, defaultMesh.settings),
    behind: read(request, { ...defaultMesh.settings, clientCertHeaders }),
  };
}

const all = { subject: true, uri: true, dns: true };
const subject: CertificateSubject = {
  uris: ["spiffe://cluster.local/ns/shop/sa/web", "urn:x:y"],
  dns: ["w.example", "v.example"],
  commonName: 'we"b, \\ ;=+',
  organization: "Acme, Inc.\\",
};

describe("x-forwarded-client-cert as Envoy itself writes it", () => {
  test.each([
    ["names", subject, all, undefined],
    ["names behind a forged element", subject, all, `Hash=a;Subject="CN=x,y";URI=${boss}`],
    ["the certificate", subject, { cert: true }, `URI=${boss}`],
    ["names and certificate", subject, { ...all, cert: true, chain: true }, undefined],
    ["names, without a subject", spiffe("shop", "web"), all, `URI=${boss}`],
  ])("gives the same caller as the connection's certificate: %s", async (_, who, details, forged) => {
    const { direct, behind } = await attributesOf(who, details, forged);
    expect(direct.identity?.names[0]).toBe("spiffe://cluster.local/ns/shop/sa/web");
    expect(behind.identity).toEqual(direct.identity);
    expect(behind.source).toEqual(direct.source);
  });

  test("cannot be turned by a forged quote: the request is refused", async () => {
    await expect(attributesOf(subject, all, `URI=${boss};By="`)).rejects.toThrow("cannot be read");
  });
});

test("only a trusted peer's header lets a request through", async () => {
  const folder = makeConfigFolder();
  running.push(() => folder.remove());
  folder.write(
    "config.yaml",
    `apiVersion: gatehouse.dev/v1alpha1
kind: Mesh
metadata: {name: mesh}
spec:
  clientCertHeaders:
    headers: [x-forwarded-client-cert]
    trustedPeers: [127.0.0.1]
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: boss, namespace: istio-system}
spec: {rules: [{from: [{source: {principals: [cluster.local/ns/shop/sa/boss]}}]}]}
`,
  );
  const server = await startServer(
    { configPaths: [folder.path], grpcAddress: "127.0.0.1:0", adminAddress: "127.0.0.1:0" },
    { logger: pino({ level: "silent" }), now: Date.now },
  );
  running.push(() => server.close());
  const upstream = await startUpstream();
  running.push(upstream.stop);
  const envoy = await startEnvoy({
    bootstrap: join(bootstraps, "ext-authz.yaml"),
    clusters: { gatehouse: Number(server.grpcAddress.split(":").at(-1)), upstream: upstream.port },
    edit: (bootstrap) => {
      managerOf(bootstrap).forward_client_cert_details = "ALWAYS_FORWARD_ONLY";
    },
  });
  running.push(envoy.stop);
  const port = Object.values(envoy.ports)[0] ?? 0;
  const ask = async (localAddress: string, value?: string): Promise<number> => {
    const headers = value === undefined ? {} : { "x-forwarded-client-cert": value };
    return (await send({ port, path: "/books", headers, localAddress })).status;
  };
  expect(await ask("127.0.0.1", `Hash=a;URI=${boss}`)).toBe(200);
  expect(await ask("127.0.0.2", `Hash=a;URI=${boss}`)).toBe(403);
  expect(await ask("127.0.0.1", `URI=${boss},URI=spiffe://cluster.local/ns/shop/sa/web`)).toBe(403);
  expect(await ask("127.0.0.1", `URI="${boss}`)).toBe(403);
  expect(await ask("127.0.0.1")).toBe(403);
});
