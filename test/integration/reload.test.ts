import { mkdtemp, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { pino } from "pino";
import { afterAll, beforeAll, expect, it } from "vitest";
import { type RunningServer, startServer } from "../../src/server/index.js";
import { checkOver } from "../support/grpc-client.js";

const edits = 12;
let folder: string;
let server: RunningServer;

/**
 * A configuration of 200 policies that allows /NUMBER for one number only: every policy must be of the same
 * edit.
 */
async function put(number: number): Promise<void> {
  const documents = Array.from({ length: 200 }, (_, i) =>
    JSON.stringify({
      apiVersion: "security.istio.io/v1",
      kind: "AuthorizationPolicy",
      metadata: { name: `p${i}`, namespace: "istio-system" },
      spec: { action: "DENY", rules: [{ to: [{ operation: { notPaths: [`/${number}`] } }] }] },
    }),
  );
  await writeFile(join(folder, ".next"), documents.join("\n---\n"));
  await rename(join(folder, ".next"), join(folder, "policies.yaml"));
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "gatehouse-reload-"));
  await put(1);
  const options = { configPaths: [folder], grpcAddress: "127.0.0.1:0", adminAddress: "127.0.0.1:0" };
  server = await startServer(options, { logger: pino({ level: "silent" }), now: Date.now });
});
afterAll(async () => {
  await server.close();
  await rm(folder, { recursive: true, force: true });
});

it("every answer is by one whole configuration, the one that its record names", async () => {
  let stop = false;
  const wrong: string[] = [];
  const generations = new Set<number>();
  const ask = async (path: number): Promise<void> => {
    while (!stop) {
      const http = { id: "1", method: "GET", path: `/${path}`, host: "x" };
      const response = await checkOver(server.grpcAddress, { attributes: { request: { http } } });
      const record = response.dynamic_metadata?.fields?.["gatehouse"]?.structValue?.fields;
      const generation = record?.["snapshot"]?.numberValue ?? 0;
      generations.add(generation);
      const allowed = (response.status?.code ?? 0) === 0;
      if (allowed !== (path === generation)) wrong.push(`/${path} by generation ${generation}: ${allowed}`);
    }
  };
  const asking = Promise.all([1, 4, 5, 8, 9, 12, edits + 1].map(ask));
  for (let number = 2; number <= edits + 1; number++) {
    await put(number);
    const until = Date.now() + 5_000;
    while (server.configuration().generation < number && Date.now() < until) await sleep(10);
    await sleep(50);
  }
  stop = true;
  await asking;
  expect(wrong).toEqual([]);
  expect(generations.size).toBe(edits + 1);
});
