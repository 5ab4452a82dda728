import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { startGatehouse } from "../../demo/gatehouse.js";
import { type Authority, makeAuthority, spiffe, writeServerCertificates } from "../support/certificates.js";
import { startEnvoy } from "../support/envoy.js";
import { talk } from "../support/tls.js";
import { startTcpEcho } from "../support/upstream.js";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const undo: (() => unknown)[] = [];
let authority: Authority;
let port: number;

beforeAll(async () => {
  const folder = mkdtempSync(join(tmpdir(), "gatehouse-tcp-"));
  undo.push(() => rmSync(folder, { recursive: true, force: true }));
  authority = makeAuthority();
  await writeServerCertificates(folder, authority, { ...spiffe("bookshop", "ledger"), dns: ["localhost"] });
  const echo = await startTcpEcho();
  undo.push(echo.stop);
  const gatehouse = await startGatehouse({
    config: [join(ROOT, "policies/demo")],
    grpcPort: 0,
    adminPort: 0,
  });
  undo.push(gatehouse.child.stop);
  const envoy = await startEnvoy({
    bootstrap: join(ROOT, "envoy/tcp.yaml"),
    clusters: { gatehouse: gatehouse.grpcPort, upstream: echo.port },
    cwd: folder,
  });
  undo.push(envoy.stop);
  port = envoy.ports["tcp"] ?? 0;
});
afterAll(async () => {
  for (const step of undo.reverse()) await step();
});

test.each([
  ["the one principal that its policy allows", "bookshop", "orders", "hello\n"],
  ["another principal of the namespace", "bookshop", "web", ""],
  ["a principal of a namespace that the whole mesh denies", "guests", "orders", ""],
])("the demo's TCP workload hears %s, or closes the connection", async (_, namespace, account, heard) => {
  const client = authority.issue(spiffe(namespace, account));
  expect(await talk({ port, ca: authority.cert, client, text: "hello\n" })).toBe(heard);
});
