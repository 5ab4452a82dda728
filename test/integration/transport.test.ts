import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import grpc from "@grpc/grpc-js";
import { afterEach, describe, expect, it } from "vitest";
import type { Authorization } from "../../src/envoy/index.js";
import type { CheckRequest, CheckResponse__Output } from "../../src/proto/index.js";
import { formatAddress, parseAddress } from "../../src/server/address.js";
import { createTransport, type Transport, type TransportOptions } from "../../src/server/grpc.js";
import { AUTHORIZATION, loadProtos } from "../../src/server/protos.js";
import { callUnary, checkBytes, checkOver, healthOf } from "../support/grpc-client.js";
import { noAccessLog } from "../support/no-access-log.js";
import { noExtProc } from "../support/no-ext-proc.js";
import { noRateLimitService } from "../support/no-rate-limits.js";

const protos = loadProtos();
const allowed = protos.check.responseSerialize({ status: { code: 0 }, ok_response: {} });
const unreadable = protos.check.responseSerialize({
  status: { code: 7 },
  denied_response: { status: { code: 400 } },
});
const allowing: Authorization = { check: () => allowed, refuse: () => unreadable };
const cleanups: (() => unknown)[] = [];

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "gatehouse-"));
  cleanups.push(() => rmSync(folder, { recursive: true }));
  return folder;
}

async function serve(
  given: Partial<TransportOptions> = {},
  address = "127.0.0.1:0",
): Promise<[string, Transport]> {
  const transport = createTransport({
    authorization: allowing,
    rateLimit: noRateLimitService,
    accessLog: noAccessLog,
    extProc: noExtProc,
    credentials: grpc.ServerCredentials.createInsecure(),
    refusePeer: undefined,
    maxMessageBytes: 4_194_304,
    reflection: false,
    onError: () => {},
    ...given,
  });
  cleanups.push(() => transport.drain(0));
  const chosen = await transport.listen(parseAddress(address));
  return [formatAddress(chosen), transport];
}

const hello: CheckRequest = { attributes: { request: { http: { method: "GET", path: "/hello" } } } };

function outcome(response: CheckResponse__Output): unknown {
  return { code: response.status?.code, http: response.denied_response?.status?.code };
}

describe("the gRPC transport", () => {
  it("hands the decoded message and its bytes to the handler and sends back the bytes that it gives", async () => {
    const seen: unknown[] = [];
    const [address] = await serve({
      authorization: {
        ...allowing,
        check: (request, bytes) => {
          seen.push(request.attributes?.request?.http?.path, Buffer.from(bytes));
          return allowed;
        },
      },
    });
    expect(outcome(await checkOver(address, hello))).toEqual({ code: 0, http: undefined });
    expect(seen).toEqual(["/hello", protos.check.requestSerialize(hello)]);
  });

  it("answers what a promise gives", async () => {
    const [address] = await serve({
      authorization: { ...allowing, check: async () => new Uint8Array(allowed) },
    });
    expect(outcome(await checkOver(address, hello))).toEqual({ code: 0, http: undefined });
  });

  it.each([
    [
      "throws",
      () => {
        throw new Error("broken");
      },
    ],
    ["rejects", () => Promise.reject(new Error("broken"))],
  ])("refuses inside an OK call when the handler %s", async (_how, check) => {
    const errors: unknown[] = [];
    const [address] = await serve({
      authorization: { ...allowing, check },
      onError: (where) => errors.push(where),
    });
    expect(outcome(await checkOver(address, hello))).toEqual({ code: 13, http: 500 });
    expect(errors).toEqual(["check"]);
  });

  it("answers garbage inside an OK call with what the handler has for it, and goes on", async () => {
    const errors: unknown[] = [];
    const [address] = await serve({ onError: (where) => errors.push(where) });
    const answer = await checkBytes(address, Buffer.from("\x0a\xff\xff\xff\xff\x7f garbage", "latin1"));
    expect(outcome(answer)).toEqual({ code: 7, http: 400 });
    expect(errors).toEqual(["decode"]);
    expect(outcome(await checkOver(address, hello))).toEqual({ code: 0, http: undefined });
  });

  it("answers an empty message", async () => {
    const [address] = await serve();
    expect(outcome(await checkBytes(address, Buffer.alloc(0)))).toEqual({ code: 0, http: undefined });
  });

  it("lets gRPC refuse a message that is larger than the limit, and goes on", async () => {
    const [address] = await serve({ maxMessageBytes: 1000 });
    const big = { attributes: { context_extensions: { key: "x".repeat(2000) } } };
    await expect(checkOver(address, big)).rejects.toMatchObject({ code: grpc.status.RESOURCE_EXHAUSTED });
    expect(outcome(await checkOver(address, hello))).toEqual({ code: 0, http: undefined });
  });

  it("serves on a unix socket, also where a dead process left its file", async () => {
    const path = join(temporaryFolder(), "gate.sock");
    await leaveStaleSocket(path);
    const [address] = await serve({}, `unix:${path}`);
    expect(address).toBe(`unix:${path}`);
    expect(outcome(await checkOver(address, hello))).toEqual({ code: 0, http: undefined });
  });

  it("does not take a unix socket from a living process", async () => {
    const path = join(temporaryFolder(), "gate.sock");
    const other = createServer().listen(path);
    cleanups.push(() => other.close());
    await expect(serve({}, `unix:${path}`)).rejects.toThrow(/EADDRINUSE/);
  });

  it("does not remove a file that is no socket", async () => {
    const path = join(temporaryFolder(), "notes.txt");
    writeFileSync(path, "mine");
    await expect(serve({}, `unix:${path}`)).rejects.toThrow(/EADDRINUSE/);
  });

  it("says by health whether it serves, for the whole and for each service", async () => {
    const [address, transport] = await serve();
    expect(await healthOf(address, "")).toBe("NOT_SERVING");
    transport.setServing(true);
    expect(await healthOf(address, "")).toBe("SERVING");
    expect(await healthOf(address, AUTHORIZATION)).toBe("SERVING");
    await expect(healthOf(address, "no.such.Service")).rejects.toMatchObject({ code: grpc.status.NOT_FOUND });
  });

  it("serves reflection only when asked", async () => {
    const method = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo";
    const [plain] = await serve();
    await expect(callUnary(plain, method, Buffer.alloc(0))).rejects.toMatchObject({
      code: grpc.status.UNIMPLEMENTED,
    });
    const [reflecting] = await serve({ reflection: true });
    const listServices = Buffer.from([0x3a, 0x01, 0x2a]);
    expect((await callUnary(reflecting, method, listServices)).toString("latin1")).toContain(AUTHORIZATION);
  });

  it("drains: finishes calls under way, takes no new connection", async () => {
    let release: (bytes: Uint8Array) => void = () => {};
    const answer = new Promise<Uint8Array>((resolve) => {
      release = resolve;
    });
    let asked: () => void = () => {};
    const underWay = new Promise<void>((resolve) => {
      asked = resolve;
    });
    const check = (): Promise<Uint8Array> => {
      asked();
      return answer;
    };
    const [address, transport] = await serve({ authorization: { ...allowing, check } });
    const call = checkOver(address, hello);
    await underWay;
    const drained = transport.drain(5000);
    await expect(checkOver(address, hello)).rejects.toMatchObject({ code: grpc.status.UNAVAILABLE });
    release(allowed);
    expect(outcome(await call)).toEqual({ code: 0, http: undefined });
    expect(await drained).toBe(true);
  });

  it("ends calls that do not finish in the drain time", async () => {
    const [address, transport] = await serve({
      authorization: { ...allowing, check: () => new Promise(() => {}) },
    });
    checkOver(address, hello).catch(() => {});
    await new Promise((resolve) => setTimeout(resolve, 100));
    const started = Date.now();
    expect(await transport.drain(50)).toBe(false);
    expect(Date.now() - started).toBeLessThan(1000);
  });
});

/** A socket file on which nobody listens any more: its server is killed before it can clean up. */
async function leaveStaleSocket(path: string): Promise<void> {
  const { spawnSync } = await import("node:child_process");
  const script = `require("net").createServer().listen(${JSON.stringify(path)}, () => process.kill(process.pid, "SIGKILL"))`;
  spawnSync(process.execPath, ["-e", script]);
}
