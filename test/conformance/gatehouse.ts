import { mkdtemp, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import grpc from "@grpc/grpc-js";
import { pino } from "pino";
import type { Diagnostic } from "../../src/diagnostics/index.js";
import type { CheckResponse__Output } from "../../src/proto/index.js";
import { type RunningServer, startServer } from "../../src/server/index.js";
import { loadProtos } from "../../src/server/protos.js";

/** A server under test, asked over gRPC only. */
export interface GatehouseUnderTest {
  /**
   * Puts a config in force, whole: afterwards every answer is by it. `text` holds a Mesh of the name
   * `meshName`, which no config before had. Gives the errors when the server refuses the config.
   */
  load(text: string, meshName: string): Promise<readonly Diagnostic[]>;
  check(request: Buffer): Promise<CheckResponse__Output>;
  /** Where a config's other files may lie. */
  readonly folder: string;
  stop(): Promise<void>;
}

/** The first policy in Rego starts its compiler. */
const LOAD_MS = 60_000;
const CHECK_MS = 5_000;

/** Starts a server in this process on ports of its own, with a folder of its own. */
export async function startGatehouse(): Promise<GatehouseUnderTest> {
  const folder = await mkdtemp(join(tmpdir(), "gatehouse-conformance-"));
  // One file, replaced by a rename: no reload can see half a set.
  const put = async (text: string): Promise<void> => {
    await writeFile(join(folder, ".next"), text);
    await rename(join(folder, ".next"), join(folder, "set.yaml"));
  };
  await put("apiVersion: gatehouse.dev/v1alpha1\nkind: Mesh\nmetadata: {name: none}\n");
  const server = await startServer(
    { configPaths: [folder], grpcAddress: "127.0.0.1:0", adminAddress: "127.0.0.1:0" },
    { logger: pino({ level: "silent" }), now: Date.now },
  ).catch(async (error: unknown) => {
    await rm(folder, { recursive: true, force: true });
    throw error;
  });
  const { check } = loadProtos();
  const client = new grpc.Client(server.grpcAddress, grpc.credentials.createInsecure());
  const path = "/envoy.service.auth.v3.Authorization/Check";
  return {
    folder,
    load: async (text, meshName) => {
      await put(text);
      return untilInForce(server, meshName);
    },
    check: (request) =>
      new Promise((resolve, reject) => {
        const deadline = Date.now() + CHECK_MS;
        client.makeUnaryRequest<Buffer, CheckResponse__Output>(
          path,
          (bytes) => bytes,
          check.responseDeserialize,
          request,
          { deadline },
          (error, response) => {
            if (error !== null) reject(error);
            else if (response === undefined) reject(new Error("the server answered without a message"));
            else resolve(response);
          },
        );
      }),
    stop: async () => {
      client.close();
      await server.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** Reloads until the Mesh is in force, or two readings after each other refused the file as it is now. */
async function untilInForce(server: RunningServer, meshName: string): Promise<readonly Diagnostic[]> {
  const inForce = (): boolean =>
    [...server.configuration().resources.values()].some(
      ({ resource }) => resource.kind === "Mesh" && resource.name === meshName,
    );
  const until = Date.now() + LOAD_MS;
  let refusals = 0;
  let seen = server.configuration().lastReload;
  server.reload();
  while (!inForce()) {
    if (Date.now() > until) throw new Error(`config \`${meshName}\` is not in force after ${LOAD_MS} ms`);
    const { lastReload, diagnostics, lastError } = server.configuration();
    if (lastReload !== seen) {
      seen = lastReload;
      if (lastReload?.result === "failed") throw new Error(`config \`${meshName}\`: ${lastError}`);
      // The first one may be of the file before, read while it was replaced.
      if (lastReload?.result === "invalid" && ++refusals === 2) return diagnostics;
      server.reload();
    }
    await sleep(1);
  }
  return [];
}
