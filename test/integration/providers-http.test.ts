import { Buffer } from "node:buffer";
import { createServer as createHttpServer, type IncomingMessage, type ServerResponse } from "node:http";
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import fc from "fast-check";
import { afterEach, describe, expect, test } from "vitest";
import {
  type ClosableProvider,
  createProvider,
  type EgressOptions,
  type HttpProviderOptions,
} from "../../src/adapters/index.js";
import { freePort } from "../support/ports.js";
import { anHttpRequest, aQuestion } from "../support/provider-question.js";
import { sampleDenyBody, startSampleExtAuthz } from "../support/sample-ext-authz.js";

const ending: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of ending.splice(0).reverse()) await end();
});

function provider(
  port: number,
  options: Partial<HttpProviderOptions> = {},
  egress: EgressOptions = { allowHosts: [], allowCidrs: [], denyPrivate: false },
): ClosableProvider {
  const made = createProvider(
    {
      protocol: "http",
      name: "p",
      host: "127.0.0.1",
      port,
      failOpen: false,
      statusOnError: 403,
      pathPrefix: "",
      includeRequestHeaders: ["x-ext-authz"],
      additionalHeaders: [],
      headersToUpstreamOnAllow: [],
      headersToDownstreamOnAllow: [],
      headersToDownstreamOnDeny: [],
      ...options,
    },
    {
      decodeCheckResponse: () => {
        throw new Error("not asked over gRPC");
      },
      egress,
    },
  );
  ending.push(() => made.close());
  return made;
}

interface Serving {
  readonly port: number;
  readonly sockets: Set<Socket>;
}

async function listen(server: Server): Promise<Serving> {
  const sockets = new Set<Socket>();
  server.on("connection", (socket: Socket) => {
    sockets.add(socket);
    socket.on("error", () => socket.destroy());
    socket.once("close", () => sockets.delete(socket));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  ending.push(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return { port: (server.address() as AddressInfo).port, sockets };
}

function http(handle: (request: IncomingMessage, response: ServerResponse) => void): Promise<Serving> {
  return listen(createHttpServer(handle));
}

/** Answers with these bytes, whatever is asked. */
function bytes(text: string): Promise<Serving> {
  return listen(createServer((socket) => socket.once("data", () => socket.write(text, "latin1"))));
}

const question = aQuestion(anHttpRequest({ headers: { "x-ext-authz": "allow" } }));
const refusal = { allowed: false, failed: true, failedOpen: false, httpStatus: 403, body: "" };
const passed = { allowed: true, failed: true, failedOpen: true };

test("Istio's sample over HTTP allows, and refuses with its body", async () => {
  const sample = await startSampleExtAuthz();
  ending.push(sample.stop);
  const ask = provider(sample.httpPort, { headersToUpstreamOnAllow: ["x-ext-authz-*"] });
  expect(await ask(question)).toMatchObject({
    allowed: true,
    failed: false,
    edits: { requestHeaders: [{ name: "x-ext-authz-check-result", value: "allowed" }] },
  });
  const verdict = await ask(aQuestion(anHttpRequest()));
  expect(verdict).toMatchObject({ allowed: false, failed: false, httpStatus: 403, body: sampleDenyBody });
  expect(verdict.edits.responseHeaders).toContainEqual({
    name: "x-ext-authz-check-result",
    value: "denied",
    action: "OVERWRITE_IF_EXISTS_OR_ADD",
  });
});

describe("the question on the wire", () => {
  test("has method, path and bytes as the client sent them, to the provider's address alone", async () => {
    const seen: string[] = [];
    const { port } = await listen(
      createServer((socket) =>
        socket.once("data", (data) => {
          seen.push(data.toString("latin1"));
          socket.end("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
        }),
      ),
    );
    const ask = provider(port, { includeRequestBody: { maxRequestBytes: 100, allowPartialMessage: false } });
    const request = anHttpRequest({
      method: "get",
      host: "Other.example:81",
      path: "http://evil.example//a/%2e%2e/\xe9?q=#f",
      headers: { "x-ext-authz": "\xff\xfe" },
      body: Buffer.from("body"),
    });
    expect((await ask(aQuestion(request))).allowed).toBe(true);
    const [head = "", body] = (seen[0] ?? "").split("\r\n\r\n");
    expect(head.split("\r\n").filter((line) => !line.startsWith("Connection:"))).toEqual([
      "get http://evil.example//a/%2e%2e/\xe9?q=#f HTTP/1.1",
      "host: Other.example:81",
      "x-ext-authz: \xff\xfe",
      "x-envoy-auth-partial-body: false",
      "content-length: 4",
    ]);
    expect(body).toBe("body");
  });

  test.each([
    ["a line break in a header", { headers: { "x-ext-authz": "a\r\nx-ext-authz: allow" } }],
    ["NUL in a header", { headers: { "x-ext-authz": "\0" } }],
    ["a line break in the host", { host: "a\nb" }],
    ["a line break in the path", { path: "/ HTTP/1.1\r\nhost: x\r\n\r\n" }],
    ["a space in the path", { path: "/a b" }],
    ["a text instead of bytes", { path: "/\u20ac" }],
    ["a bad method", { method: "GE T" }],
    ["no method", { method: "" }],
    ["no path", { path: "" }],
    ["the method CONNECT", { method: "CONNECT" }],
  ])("is not sent with %s: refused, failOpen or not, without a connection", async (_what, request) => {
    let connections = 0;
    const { port } = await listen(createServer(() => connections++));
    const ask = provider(port, { failOpen: true });
    expect(await ask(aQuestion(anHttpRequest(request)))).toMatchObject(refusal);
    expect(connections).toBe(0);
  });

  test("is answered, whatever it holds", async () => {
    const { port } = await http((_request, response) => response.end());
    const ask = provider(port, { includeRequestHeaders: ["*"], timeoutMs: 2000 });
    const text = fc.string({ unit: "binary", maxLength: 20 });
    const headers = fc.dictionary(text, text, { maxKeys: 4 });
    await fc.assert(
      fc.asyncProperty(text, text, text, headers, async (method, host, path, lines) => {
        const verdict = await ask(aQuestion(anHttpRequest({ method, host, path, headers: lines })));
        expect(verdict.failedOpen).toBe(false);
      }),
      { numRuns: 300 },
    );
  });
});

describe("an HTTP provider that cannot answer", () => {
  const huge = `HTTP/1.1 200 OK\r\ncontent-length: 2000000\r\n\r\n${"x".repeat(2_000_000)}`;
  test.each([
    ["5xx", "HTTP/1.1 503 No\r\ncontent-length: 1\r\n\r\nx"],
    ["garbage", "SSH-2.0-OpenSSH_9.6\r\n"],
    ["a header with NUL", "HTTP/1.1 200 OK\r\nx-a: \0\r\ncontent-length: 0\r\n\r\n"],
    ["a bare line feed in a header", "HTTP/1.1 200 OK\r\nx-a: 1\n2\r\ncontent-length: 0\r\n\r\n"],
    ["two lengths", "HTTP/1.1 200 OK\r\ncontent-length: 0\r\ncontent-length: 5\r\n\r\nhello"],
    ["an unasked upgrade", "HTTP/1.1 101 Switching\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n"],
    ["headers of 100 KB", `HTTP/1.1 200 OK\r\nx-a: ${"a".repeat(100_000)}\r\ncontent-length: 0\r\n\r\n`],
    ["a body of 2 MB", huge],
    ["half an answer", "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhal"],
    ["half a head", "HTTP/1.1 200 OK\r\nx-a"],
    ["nothing", ""],
  ])("(%s) refuses, or is passed by with failOpen", async (_what, answer) => {
    const { port } = await bytes(answer);
    const verdicts = [
      await provider(port, { timeoutMs: 300, statusOnError: 503 })(question),
      await provider(port, { timeoutMs: 300, failOpen: true })(question),
    ];
    expect(verdicts).toMatchObject([{ ...refusal, httpStatus: 503 }, passed]);
  });

  test("because nobody listens, or the server dies in the middle, fails at once", async () => {
    const started = performance.now();
    expect(await provider(await freePort())(question)).toMatchObject({ ...refusal, code: 14 });
    const { port } = await http((_request, response) => {
      response.writeHead(200, { "content-length": 10 });
      response.write("hal");
      setTimeout(() => response.destroy(), 20);
    });
    expect(await provider(port)(question)).toMatchObject(refusal);
    expect(performance.now() - started).toBeLessThan(1500);
  });

  test("because it drips its answer is given up at the deadline", async () => {
    const { port } = await http((_request, response) => {
      const drip = setInterval(() => response.write("x"), 20);
      response.once("close", () => clearInterval(drip));
    });
    const started = performance.now();
    expect(await provider(port, { timeoutMs: 200 })(question)).toMatchObject({ ...refusal, code: 4 });
    expect(performance.now() - started).toBeLessThan(1000);
  });

  test("because it cannot be asked about TCP is a failure", async () => {
    expect(await provider(1)(aQuestion())).toMatchObject(refusal);
  });

  test("because its address is always refused is never connected to", async () => {
    const started = performance.now();
    expect(await provider(80, { host: "169.254.169.254" })(question)).toMatchObject(refusal);
    expect(performance.now() - started).toBeLessThan(100);
  });
});

test("a name that leads to a refused address is never connected to", async () => {
  let connections = 0;
  const { port } = await listen(createServer(() => connections++));
  const narrow = { allowHosts: ["localhost"], allowCidrs: [], denyPrivate: true };
  expect(await provider(port, { host: "localhost" }, narrow)(question)).toMatchObject(refusal);
  const elsewhere = { allowHosts: [], allowCidrs: ["192.0.2.0/24"], denyPrivate: false };
  expect(await provider(port, { host: "localhost" }, elsewhere)(question)).toMatchObject(refusal);
  expect(connections).toBe(0);
});

test("a status that is none refuses with 403", async () => {
  const { port } = await bytes("HTTP/1.1 099 Odd\r\ncontent-length: 0\r\n\r\n");
  expect(await provider(port, { failOpen: true })(question)).toMatchObject({
    allowed: false,
    httpStatus: 403,
  });
});

test("a redirect is an answer for the client and is not followed", async () => {
  let asked = 0;
  const { port } = await http((_request, response) => {
    asked++;
    response.writeHead(302, { location: "/elsewhere" }).end();
  });
  const verdict = await provider(port)(question);
  expect(verdict).toMatchObject({ allowed: false, failed: false, httpStatus: 302 });
  expect(verdict.edits.responseHeaders).toContainEqual(
    expect.objectContaining({ name: "location", value: "/elsewhere" }),
  );
  expect(asked).toBe(1);
});

describe("connections", () => {
  test("are kept and used again", async () => {
    let made = 0;
    const server = createHttpServer((_request, response) => response.end());
    server.on("connection", () => made++);
    const { port } = await listen(server);
    const ask = provider(port);
    for (let i = 0; i < 20; i++) expect((await ask(question)).allowed).toBe(true);
    expect(made).toBe(1);
  });

  test("that the server closed while idle cost no refusal", async () => {
    const { port } = await listen(
      createServer((socket) => {
        // Ends the kept connection exactly when the second question comes.
        let questions = 0;
        socket.on("data", () => {
          if (++questions === 1) socket.write("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
          else socket.resetAndDestroy();
        });
      }),
    );
    const ask = provider(port);
    for (let i = 0; i < 3; i++) expect((await ask(question)).allowed).toBe(true);
  });

  test("do not outlive close(), and what is under way ends with it", async () => {
    let answering = true;
    const { port, sockets } = await http((_request, response) => {
      if (answering) response.end();
    });
    const ask = provider(port);
    expect((await ask(question)).allowed).toBe(true);
    answering = false;
    const waiting = ask(question);
    await ask.close(100);
    expect(await waiting).toMatchObject(refusal);
    expect(await ask(question)).toMatchObject(refusal);
    await expect.poll(() => sockets.size).toBe(0);
  });

  test("do not go through a proxy of the environment", async () => {
    const { port } = await http((_request, response) => response.end());
    process.env["http_proxy"] = "http://127.0.0.1:1";
    try {
      expect((await provider(port, { host: "localhost" })(question)).allowed).toBe(true);
    } finally {
      delete process.env["http_proxy"];
    }
  });
});
