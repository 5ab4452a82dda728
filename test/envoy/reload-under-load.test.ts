import { mkdtemp, rename, rm, writeFile } from "node:fs/promises";
import { Agent, request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { pino } from "pino";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type RunningServer, startServer } from "../../src/server/index.js";
import { type Envoy, startEnvoy } from "../support/envoy.js";
import { startUpstream, type Upstream } from "../support/upstream.js";

/**
 * Two configurations of two files each, alike in form: under one the path /books/a is allowed and /books/b is
 * not, under the other it is the reverse. A half configuration would allow both or none.
 */
const bootstrap = fileURLToPath(new URL("../../envoy/ext-authz.yaml", import.meta.url));
const clients = 12;
const edits = 8;
const secondMs = 1_000;

let folder: string;
let server: RunningServer;
let upstream: Upstream;
let envoy: Envoy;

/** One list of documents, put in place by one rename, as Kubernetes and careful editors do. */
async function put(allowed: "a" | "b"): Promise<void> {
  const other = allowed === "a" ? "b" : "a";
  const policy = (name: string, action: string, path: string): string =>
    JSON.stringify({
      apiVersion: "security.istio.io/v1",
      kind: "AuthorizationPolicy",
      metadata: { name, namespace: "bookshop" },
      spec: { action, rules: [{ to: [{ operation: { paths: [path] } }] }] },
    });
  const text = [policy("allow", "ALLOW", "/books/*"), policy("deny", "DENY", `/books/${other}`)].join(
    "\n---\n",
  );
  await writeFile(join(folder, ".next"), text);
  await rename(join(folder, ".next"), join(folder, "policies.yaml"));
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "gatehouse-reload-"));
  await put("a");
  const options = { configPaths: [folder], grpcAddress: "127.0.0.1:0", adminAddress: "127.0.0.1:0" };
  server = await startServer(options, { logger: pino({ level: "silent" }), now: Date.now });
  upstream = await startUpstream();
  const gatehouse = Number(server.grpcAddress.split(":").at(-1));
  envoy = await startEnvoy({ bootstrap, clusters: { gatehouse, upstream: upstream.port } });
});
afterAll(async () => {
  await envoy?.stop();
  await server?.close();
  await upstream?.stop();
  await rm(folder, { recursive: true, force: true });
});

interface Answer {
  readonly path: "a" | "b";
  readonly status: number;
  readonly sentAt: number;
}

/** Asks for both paths in turn, over one connection, until told to stop. */
async function ask(port: number, agent: Agent, answers: Answer[], stopped: () => boolean): Promise<void> {
  for (let turn = 0; !stopped(); turn++) {
    const path = turn % 2 === 0 ? "a" : "b";
    const sentAt = performance.now();
    const status = await new Promise<number>((resolve, reject) => {
      const call = request(
        { host: "127.0.0.1", port, path: `/books/${path}`, agent, timeout: 5_000 },
        (response) => {
          response.resume();
          response.on("end", () => resolve(response.statusCode ?? 0));
        },
      );
      call.on("timeout", () => call.destroy(new Error("no answer")));
      call.on("error", reject);
      call.end();
    });
    answers.push({ path, status, sentAt });
  }
}

test("an edit is in force within a second under load, with no wrong and no failed answer", async () => {
  const port = Object.values(envoy.ports)[0] ?? 0;
  const agent = new Agent({ keepAlive: true, maxSockets: clients });
  const answers: Answer[] = [];
  let stop = false;
  const asking = Promise.all(Array.from({ length: clients }, () => ask(port, agent, answers, () => stop)));

  /** From which moment which path is the allowed one. */
  const moments: { readonly allowed: "a" | "b"; readonly since: number }[] = [{ allowed: "a", since: 0 }];
  for (let i = 1; i <= edits; i++) {
    await sleep(1_200);
    const allowed = i % 2 === 0 ? "a" : "b";
    await put(allowed);
    moments.push({ allowed, since: performance.now() });
  }
  await sleep(1_200);
  stop = true;
  await asking;
  agent.destroy();

  const failed = answers.filter(({ status }) => status !== 200 && status !== 403);
  const wrong = answers.filter(({ path, status, sentAt }) => {
    const index = moments.findLastIndex(({ since }) => since <= sentAt);
    const { allowed, since } = moments[index] ?? { allowed: "a", since: 0 };
    const settled = index === 0 || sentAt - since >= secondMs;
    return settled && (status === 200) !== (path === allowed);
  });
  expect(answers.length).toBeGreaterThan(1_000);
  expect(failed).toEqual([]);
  expect(wrong).toEqual([]);
  expect(server.configuration().generation).toBe(edits + 1);
});
