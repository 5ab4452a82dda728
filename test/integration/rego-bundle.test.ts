import { generateKeyPairSync, type KeyObject } from "node:crypto";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { pino } from "pino";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type RunningServer, startServer } from "../../src/server/index.js";
import { checkOver } from "../support/grpc-client.js";
import { bundleOf, signedBundleOf } from "../support/opa-bundle.js";
import {
  type ConfigFolder,
  eventually,
  makeConfigFolder,
  recordIn,
  requestFor,
  statusOf,
} from "../support/server-fixture.js";
import { decideWasm } from "../unit/rego/fakes.js";

/** What a path of the bundle server gives, and what it was asked. */
interface Served {
  body: Uint8Array;
  etag: string | undefined;
  status: number;
  readonly statuses: number[];
}

const served = new Map<string, Served>();
let bundles: Server;
let folder: ConfigFolder;
let server: RunningServer;
let signing: { readonly privateKey: KeyObject; readonly publicKey: KeyObject };

const put = (path: string, body: Uint8Array, etag?: string): Served => {
  const known = served.get(path);
  const next: Served = known ?? { body, etag, status: 200, statuses: [] };
  served.set(path, Object.assign(next, { body, etag, status: 200 }));
  return next;
};

/** A bundle whose policy allows one path. */
const allowing = (path: string): Uint8Array => bundleOf(files(path));

const files = (path: string): Record<string, string> => ({
  "data.json": JSON.stringify({ allowed: path }),
  "policy.rego":
    "package envoy.authz\n\ndefault allow := false\n\nallow if input.attributes.request.http.path == data.allowed\n",
});

const policy = (bundle: string, more = ""): string =>
  `apiVersion: gatehouse.dev/v1alpha1
kind: RegoPolicy
metadata: {name: remote, namespace: istio-system}
spec:
  timeout: 2s
  bundle: {url: 'http://127.0.0.1:${(bundles.address() as AddressInfo).port}/${bundle}', pollInterval: 100ms, publicKeyFile: key.pem}
${more}`;

const unsigned = (bundle: string, more = ""): string =>
  policy(bundle, more).replace(", publicKeyFile: key.pem", "");

const ask = async (path: string): Promise<number> =>
  statusOf(await checkOver(server.grpcAddress, requestFor(path)));

interface Configuration {
  readonly last_reload: { readonly result: string };
  readonly generation: number;
  readonly diagnostics: readonly { readonly code: string; readonly message: string }[];
}

const configuration = async (): Promise<Configuration> =>
  (await (await fetch(`http://${server.adminAddress}/config`)).json()) as Configuration;

const diagnosed = async (): Promise<string> =>
  (await configuration()).diagnostics.map(({ code }) => code).join();

beforeAll(async () => {
  bundles = createServer((request, response) => {
    const one = served.get(request.url ?? "");
    const status =
      one === undefined
        ? 404
        : one.etag !== undefined && request.headers["if-none-match"] === one.etag
          ? 304
          : one.status;
    one?.statuses.push(status);
    response.writeHead(status, one?.etag === undefined ? {} : { etag: one.etag });
    response.end(status === 200 ? one?.body : undefined);
  });
  await new Promise<void>((resolve) => bundles.listen(0, "127.0.0.1", resolve));
  signing = generateKeyPairSync("rsa", { modulusLength: 2048 });
  folder = makeConfigFolder();
  folder.write("key.pem", signing.publicKey.export({ type: "spki", format: "pem" }).toString());
  put("/policy", allowing("/one"), '"v1"');
  folder.write("rego.yaml", unsigned("policy"));
  server = await startServer(
    { configPaths: [folder.path], grpcAddress: "127.0.0.1:0", adminAddress: "127.0.0.1:0" },
    { logger: pino({ level: "silent" }), now: Date.now },
  );
}, 60_000);

afterAll(async () => {
  await server?.close();
  bundles.closeAllConnections();
  await new Promise((resolve) => bundles.close(resolve));
  folder.remove();
});

/** Compiling may take its time where much else is going on. */
const patience = 40_000;

describe("a bundle over HTTP", () => {
  it("decides, once it has arrived", async () => {
    await eventually(() => ask("/one"), 200, 3 * patience);
    expect(await ask("/two")).toBe(403);
  }, 150_000);

  it("that did not change changes nothing", async () => {
    const before = await configuration();
    const { statuses } = put("/policy", allowing("/one"), '"v1"');
    const asked = statuses.length;
    await sleep(500);
    expect(statuses.slice(asked).length).toBeGreaterThan(1);
    // Now and then everything is asked for anew.
    expect(statuses.slice(asked).filter((status) => status !== 304).length).toBeLessThanOrEqual(1);
    expect((await configuration()).generation).toBe(before.generation);
  });

  it("that changed is in force without a restart, and no request goes without an answer meanwhile", async () => {
    put("/policy", allowing("/two"), '"v2"');
    const seen = new Set<string>();
    await eventually(
      async () => {
        const [one, two] = [await ask("/one"), await ask("/two")];
        seen.add(`${one} ${two}`);
        return two;
      },
      200,
      patience,
    );
    await eventually(() => ask("/one"), 403);
    expect([...seen].filter((answer) => answer.includes("500"))).toEqual([]);
  }, 60_000);

  it("that is broken leaves the old one in force, with a diagnostic, until it is good again", async () => {
    put("/policy", Buffer.from("no bundle"), '"v3"');
    await eventually(async () => (await diagnosed()).includes("GH0612"), true, patience);
    expect((await configuration()).last_reload.result).toBe("ok");
    expect([await ask("/one"), await ask("/two")]).toEqual([403, 200]);
    put("/policy", bundleOf({ "policy.rego": "package envoy.authz\nallow if nothing(1)" }), '"v4"');
    await eventually(async () => (await diagnosed()).includes("GH0612"), true, patience);
    expect([await ask("/one"), await ask("/two")]).toEqual([403, 200]);
    put("/policy", allowing("/one"), '"v5"');
    await eventually(() => ask("/one"), 200, patience);
    expect(await diagnosed()).toBe("GH0607");
  }, 120_000);

  it("that is not there for a while stays in force, and is told of", async () => {
    const one = put("/policy", allowing("/one"), '"v6"');
    await eventually(() => ask("/one"), 200, patience);
    one.status = 503;
    one.etag = undefined;
    await eventually(async () => (await diagnosed()).includes("GH0611"), true, patience);
    expect([await ask("/one"), await ask("/two")]).toEqual([200, 403]);
    put("/policy", allowing("/one"), '"v7"');
    await eventually(diagnosed, "GH0607", patience);
  }, 60_000);

  it("stays in force when its interval is edited", async () => {
    const seen = new Set<number>();
    const { generation } = await configuration();
    folder.write("rego.yaml", unsigned("policy").replace("100ms", "150ms"));
    await eventually(
      async () => {
        seen.add(await ask("/one"));
        return (await configuration()).generation > generation;
      },
      true,
      patience,
    );
    for (let i = 0; i < 20; i++) seen.add(await ask("/one"));
    expect([...seen]).toEqual([200]);
  }, 60_000);
});

describe("a signed bundle", () => {
  it("is in force when it verifies", async () => {
    put("/signed", signedBundleOf(files("/signed"), signing.privateKey));
    folder.write("rego.yaml", policy("signed"));
    await eventually(() => ask("/signed"), 200, patience);
    expect(await diagnosed()).toBe("");
  }, 60_000);

  it.each([
    [
      "signed with another key",
      () => signedBundleOf(files("/evil"), generateKeyPairSync("rsa", { modulusLength: 2048 }).privateKey),
    ],
    ["not signed", () => allowing("/evil")],
  ])(
    "is not taken when it is %s",
    async (_, body) => {
      put("/signed", signedBundleOf(files("/signed"), signing.privateKey));
      await eventually(diagnosed, "", patience);
      put("/signed", body());
      await eventually(diagnosed, "GH0612", patience);
      expect([await ask("/evil"), await ask("/signed")]).toEqual([403, 200]);
    },
    60_000,
  );
});

describe("a bundle that has not arrived", () => {
  it("refuses what is asked, and says why", async () => {
    folder.write("rego.yaml", unsigned("nowhere"));
    await eventually(() => ask("/one"), 500, patience);
    const response = await checkOver(server.grpcAddress, requestFor("/one"));
    expect(recordIn(response)).toMatchObject({ allowed: false, stage: "rego", reason: "policy_failed" });
    expect((await diagnosed()).split(",").sort()).toEqual(["GH0606", "GH0607", "GH0611"]);
  }, 60_000);

  it("lets pass what is asked with `failOpen`", async () => {
    folder.write("rego.yaml", unsigned("nowhere", "  failOpen: true\n"));
    await eventually(() => ask("/one"), 200, patience);
  }, 60_000);

  it("decides as soon as it is there", async () => {
    put("/nowhere", allowing("/late"), '"v1"');
    await eventually(() => ask("/one"), 403, patience);
    expect(await ask("/late")).toBe(200);
  }, 60_000);
});

describe("a bundle that is compiled already", () => {
  it("runs as it is, with its data", async () => {
    const manifest = { roots: [""], wasm: [{ entrypoint: "eval", module: "/policy.wasm" }] };
    const decisions = { yes: true, no: { allowed: false, http_status: 401 } };
    const compiled = {
      ".manifest": JSON.stringify(manifest),
      "data.json": JSON.stringify({ decisions }),
      "/policy.wasm": decideWasm,
    };
    put("/compiled", bundleOf(compiled), '"v1"');
    folder.write("rego.yaml", unsigned("compiled", "  entrypoint: eval\n"));
    await eventually(() => ask("/yes"), 200, patience);
    expect(await ask("/no")).toBe(401);
    expect(await ask("/nothing")).toBe(500);
    put("/compiled", bundleOf({ ...compiled, "data.json": '{"decisions":{"yes":false}}' }), '"v2"');
    await eventually(() => ask("/yes"), 403, patience);
  }, 60_000);
});
