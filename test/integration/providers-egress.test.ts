import { pino } from "pino";
import { afterEach, beforeEach, expect, it } from "vitest";
import { type RunningServer, startServer } from "../../src/server/index.js";
import { checkOver } from "../support/grpc-client.js";
import { type SampleExtAuthz, startSampleExtAuthz } from "../support/sample-ext-authz.js";
import { type ConfigFolder, makeConfigFolder, requestFor, statusOf } from "../support/server-fixture.js";

let folder: ConfigFolder;
let sample: SampleExtAuthz;
let server: RunningServer | undefined;

beforeEach(async () => {
  folder = makeConfigFolder();
  sample = await startSampleExtAuthz();
});
afterEach(async () => {
  await server?.close();
  server = undefined;
  await sample.stop();
  folder.remove();
});

/** The status of a request that one provider's rule matches, under these egress rules. */
async function ask(egress: object, provider: (ports: SampleExtAuthz) => object): Promise<number> {
  const resource = (kind: string, apiVersion: string, spec: object): string =>
    JSON.stringify({ apiVersion, kind, metadata: { name: "one", namespace: "istio-system" }, spec });
  const mesh = { egress, extensionProviders: [{ name: "ext", ...provider(sample) }] };
  const custom = { action: "CUSTOM", provider: { name: "ext" }, rules: [{}] };
  folder.write("mesh.yaml", resource("Mesh", "gatehouse.dev/v1alpha1", mesh));
  folder.write("policy.yaml", resource("AuthorizationPolicy", "security.istio.io/v1", custom));
  server = await startServer(
    { configPaths: [folder.path], grpcAddress: "127.0.0.1:0", adminAddress: "127.0.0.1:0" },
    { logger: pino({ level: "silent" }), now: Date.now },
  );
  const request = requestFor("/");
  const http = { ...request.attributes?.request?.http, headers: { "x-ext-authz": "allow" } };
  return statusOf(await checkOver(server.grpcAddress, { attributes: { request: { http } } }));
}

const overGrpc = ({ grpcPort: port }: SampleExtAuthz): object => ({
  envoyExtAuthzGrpc: { service: "127.0.0.1", port },
});
const overHttp = ({ httpPort: port }: SampleExtAuthz): object => ({
  envoyExtAuthzHttp: { service: "127.0.0.1", port, includeRequestHeadersInCheck: ["x-ext-authz"] },
});

it.each([
  ["gRPC", overGrpc],
  ["HTTP", overHttp],
])("a provider over %s is asked where egress lets it, and refuses where it does not", async (_, provider) => {
  expect(await ask({ allowCidrs: ["127.0.0.0/8"] }, provider)).toBe(200);
  await server?.close();
  const before = sample.asked();
  expect(await ask({ denyPrivate: true }, provider)).toBe(403);
  expect(sample.asked()).toEqual(before);
});
