import { Buffer } from "node:buffer";
import { connect, createServer, type Server, type Socket } from "node:net";
import { afterEach, describe, expect, test } from "vitest";
import { type ClosableProvider, createProvider, type GrpcProviderOptions } from "../../src/adapters/index.js";
import { loadProtos } from "../../src/server/protos.js";
import { freePort } from "../support/ports.js";
import { anHttpRequest, aQuestion } from "../support/provider-question.js";
import { sampleDenyBody, startCheckServer, startSampleExtAuthz } from "../support/sample-ext-authz.js";

const ending: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of ending.splice(0).reverse()) await end();
});

function provider(port: number, options: Partial<GrpcProviderOptions> = {}): ClosableProvider {
  const made = createProvider(
    { protocol: "grpc", name: "p", host: "127.0.0.1", port, failOpen: false, statusOnError: 403, ...options },
    { decodeCheckResponse: loadProtos().check.responseDeserialize },
  );
  ending.push(() => made.close());
  return made;
}

async function serve(...args: Parameters<typeof startCheckServer>): ReturnType<typeof startCheckServer> {
  const server = await startCheckServer(...args);
  ending.push(server.stop);
  return server;
}

/** A TCP server that treats each connection so. */
async function rawServer(onSocket: (socket: Socket) => void): Promise<number> {
  const sockets = new Set<Socket>();
  const server: Server = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => socket.destroy());
    onSocket(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  ending.push(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return (server.address() as { port: number }).port;
}

const question = aQuestion(anHttpRequest({ headers: { "x-ext-authz": "allow" } }));
const refusal = { allowed: false, failed: true, failedOpen: false, httpStatus: 403, body: "" };

describe("Istio's sample over gRPC", () => {
  test("allows, refuses with its body, and allows TCP", async () => {
    const sample = await startSampleExtAuthz();
    ending.push(sample.stop);
    const ask = provider(sample.grpcPort);
    expect(await ask(question)).toMatchObject({
      allowed: true,
      failed: false,
      edits: { requestHeaders: [{ name: "x-ext-authz-check-result", value: "allowed" }, {}] },
    });
    expect(await ask(aQuestion(anHttpRequest()))).toMatchObject({
      allowed: false,
      failed: false,
      httpStatus: 403,
      code: 7,
      body: sampleDenyBody,
      edits: { responseHeaders: [{ name: "x-ext-authz-check-result", value: "denied" }, {}] },
    });
    expect((await ask(aQuestion())).allowed).toBe(true);
    expect(sample.asked()).toBe(3);
  });
});

describe("the gRPC provider", () => {
  test("sends the question byte by byte as it came, with fields that we do not know", async () => {
    const server = await serve(() => ({ status: { code: 0 } }));
    // field 1000, a string, behind the attributes
    const original = Buffer.concat([question.original, Buffer.from([0xc2, 0x3e, 2, 0x68, 0x69])]);
    const verdict = await provider(server.port)({ ...question, original: new Uint8Array(original) });
    expect(verdict.allowed).toBe(true);
    expect(server.questions).toEqual([original]);
  });

  test("keeps one connection for many questions at once", async () => {
    const connections = new Set<Socket>();
    const server = await serve(() => ({ status: { code: 0 } }));
    const port = await rawServer((socket) => {
      connections.add(socket);
      const through = connect(server.port, "127.0.0.1");
      through.on("error", () => socket.destroy());
      socket.pipe(through).pipe(socket);
    });
    const ask = provider(port);
    const verdicts = await Promise.all(Array.from({ length: 200 }, () => ask(question)));
    expect(verdicts.filter(({ allowed }) => allowed)).toHaveLength(200);
    expect(connections.size).toBe(1);
  });

  test.each([
    ["silent", () => "silence" as const, 4],
    ["talking garbage", () => Buffer.from([0xff, 0xff, 0xff]), 13],
    ["answering more than 4 MiB", () => Buffer.alloc(5 * 1024 * 1024), 8],
    [
      "answering with a gRPC error",
      () => {
        throw { code: 7, details: "no" };
      },
      7,
    ],
  ])(
    "that is asked while the server is %s refuses, or lets through with failOpen",
    async (_what, answer, code) => {
      const server = await serve(answer);
      expect(await provider(server.port, { timeoutMs: 300 })(question)).toMatchObject({ ...refusal, code });
      const open = provider(server.port, { timeoutMs: 300, failOpen: true });
      expect(await open(question)).toMatchObject({ allowed: true, failed: true, failedOpen: true });
    },
  );

  test("keeps its deadline with a server that accepts and says nothing, or talks no HTTP/2", async () => {
    const mute = provider(await rawServer(() => {}), { timeoutMs: 200, statusOnError: 503 });
    const started = performance.now();
    expect(await mute(question)).toMatchObject({ ...refusal, httpStatus: 503 });
    expect(performance.now() - started).toBeLessThan(1500);
    const http1 = provider(await rawServer((socket) => socket.end("HTTP/1.1 200 OK\r\n\r\n")), {
      timeoutMs: 300,
    });
    expect(await http1(question)).toMatchObject(refusal);
  });

  test("fails at once without a server, and finds it within about a second when it is there", async () => {
    const port = await freePort();
    const ask = provider(port);
    const started = performance.now();
    expect(await ask(question)).toMatchObject({ ...refusal, code: 14 });
    expect(performance.now() - started).toBeLessThan(1000);
    await serve(() => ({ status: { code: 0 } }), port);
    const up = performance.now();
    while (!(await ask(question)).allowed) await new Promise((resolve) => setTimeout(resolve, 20));
    expect(performance.now() - up).toBeLessThan(2500);
  });

  test("refuses the questions under way when the server dies", async () => {
    const server = await serve(() => {
      setTimeout(server.stop, 50);
      return "silence";
    });
    const started = performance.now();
    expect(await provider(server.port)(question)).toMatchObject(refusal);
    expect(performance.now() - started).toBeLessThan(2000);
  });

  test("does not go through a proxy of the environment", async () => {
    const server = await serve(() => ({ status: { code: 0 } }));
    const proxy = await freePort();
    const names = ["grpc_proxy", "http_proxy", "https_proxy"] as const;
    for (const name of names) process.env[name] = `http://127.0.0.1:${proxy}`;
    try {
      expect((await provider(server.port, { host: "localhost" })(question)).allowed).toBe(true);
    } finally {
      for (const name of names) delete process.env[name];
    }
  });

  test("never connects to an address that is always refused", async () => {
    const started = performance.now();
    expect(await provider(80, { host: "169.254.169.254" })(question)).toMatchObject({ ...refusal, code: 14 });
    expect(await provider(80, { host: "::" })(question)).toMatchObject(refusal);
    expect(performance.now() - started).toBeLessThan(100);
  });

  test("is closed once: what is under way may end, what comes later fails, the connection ends", async () => {
    const sockets: Socket[] = [];
    let asked = 0;
    const server = await serve(() => (asked++ === 0 ? { status: { code: 0 } } : "silence"));
    const port = await rawServer((socket) => {
      sockets.push(socket);
      const through = connect(server.port, "127.0.0.1");
      through.on("error", () => socket.destroy());
      socket.pipe(through).pipe(socket);
    });
    const ask = provider(port);
    expect((await ask(question)).allowed).toBe(true);
    const waiting = ask(question);
    await ask.close(100);
    expect(await waiting).toMatchObject(refusal);
    expect(await ask(question)).toMatchObject({ ...refusal, code: 14 });
    await expect.poll(() => sockets.every((socket) => socket.destroyed)).toBe(true);
  });
});
