import grpc from "@grpc/grpc-js";
import fc from "fast-check";
import { pino } from "pino";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { CheckRequest, CheckResponse__Output } from "../../src/proto/index.js";
import { type RunningServer, startServer } from "../../src/server/index.js";
import { loadProtos } from "../../src/server/protos.js";
import { checkOver } from "../support/grpc-client.js";
import {
  allowOnly,
  type ConfigFolder,
  makeConfigFolder,
  recordIn,
  requestFor,
  statusOf,
} from "../support/server-fixture.js";

const { check } = loadProtos();
let folder: ConfigFolder;
let server: RunningServer;
let client: grpc.Client;

beforeAll(async () => {
  folder = makeConfigFolder();
  folder.write("policy.yaml", allowOnly("/open"));
  server = await startServer(
    { configPaths: [folder.path], grpcAddress: "127.0.0.1:0", adminAddress: "127.0.0.1:0" },
    { logger: pino({ level: "silent" }), now: Date.now },
  );
  client = new grpc.Client(server.grpcAddress, grpc.credentials.createInsecure());
});

afterAll(async () => {
  client.close();
  await server.close();
  folder.remove();
});

function ask(bytes: Uint8Array): Promise<CheckResponse__Output> {
  return new Promise((resolve, reject) => {
    client.makeUnaryRequest<Buffer, CheckResponse__Output>(
      check.path,
      (value) => value,
      check.responseDeserialize,
      Buffer.from(bytes),
      { deadline: Date.now() + 5000 },
      (error, response) => (response === undefined ? reject(error) : resolve(response)),
    );
  });
}

/** Every answer is whole: a code, the body that goes with it, a decision id, and the record. */
function expectWhole(response: CheckResponse__Output): void {
  const refused = (response.status?.code ?? 0) !== 0;
  expect(response.http_response).toBe(refused ? "denied_response" : "ok_response");
  expect(response.dynamic_metadata?.fields?.["decision_id"]?.stringValue).toMatch(/^[0-9a-f-]{36}$/);
  expect(recordIn(response)).toMatchObject({
    allowed: !refused,
    stage: expect.any(String),
    reason: expect.any(String),
  });
}

/** One length-delimited field. */
function field(number: number, content: Buffer): Buffer {
  const size: number[] = [];
  for (let rest = content.length; ; rest = Math.floor(rest / 128)) {
    size.push(rest > 127 ? (rest % 128) + 128 : rest);
    if (rest <= 127) break;
  }
  return Buffer.concat([Buffer.from([number * 8 + 2, ...size]), content]);
}

const valid = check.requestSerialize(requestFor("/open"));

const strangeText = fc.oneof(
  fc.constantFrom(
    "",
    "__proto__",
    "constructor",
    "toString",
    ":path",
    "//",
    "/%2e%2e/",
    "\0",
    "\r\n",
    "*",
    "🙂",
  ),
  fc.string({ unit: "binary", maxLength: 50 }),
);
const strangeMap = fc
  .array(fc.tuple(strangeText, strangeText), { maxLength: 8 })
  .map((entries) => Object.fromEntries(entries));
const maybe = <T>(arbitrary: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> =>
  fc.option(arbitrary, { nil: undefined });
const peer = fc.record({
  address: maybe(
    fc.oneof(
      fc.record({
        socket_address: fc.record({
          address: strangeText,
          port_value: fc.integer({ min: 0, max: 2 ** 32 - 1 }),
        }),
      }),
      fc.record({ pipe: fc.record({ path: strangeText }) }),
      fc.constant({}),
    ),
  ),
  principal: strangeText,
  certificate: strangeText,
  labels: strangeMap,
});
const strangeRequest = fc.record({
  attributes: maybe(
    fc.record({
      source: maybe(peer),
      destination: maybe(peer),
      request: maybe(
        fc.record({
          time: maybe(
            fc.record({
              seconds: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }).map(String),
              nanos: fc.integer(),
            }),
          ),
          http: maybe(
            fc.record({
              id: strangeText,
              method: strangeText,
              path: strangeText,
              host: strangeText,
              protocol: strangeText,
              scheme: strangeText,
              headers: strangeMap,
              header_map: maybe(
                fc.record({
                  headers: fc.array(
                    fc.record({
                      key: strangeText,
                      raw_value: fc.uint8Array({ maxLength: 20 }).map((b) => Buffer.from(b)),
                    }),
                  ),
                }),
              ),
              size: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }).map(String),
            }),
          ),
        }),
      ),
      context_extensions: strangeMap,
    }),
  ),
});

describe("a server under hostile input", () => {
  it("answers any bytes", async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 300 }), async (bytes) => expectWhole(await ask(bytes))),
      { numRuns: 300 },
    );
  });

  it("answers a good message of which some bytes were changed", async () => {
    const change = fc.tuple(fc.nat(valid.length - 1), fc.nat(255));
    await fc.assert(
      fc.asyncProperty(fc.array(change, { minLength: 1, maxLength: 5 }), async (changes) => {
        const bytes = Buffer.from(valid);
        for (const [at, value] of changes) bytes[at] = value;
        expectWhole(await ask(bytes));
      }),
      { numRuns: 300 },
    );
  });

  it("answers any CheckRequest, however strange", async () => {
    await fc.assert(
      fc.asyncProperty(strangeRequest, async (request) => {
        expectWhole(await ask(check.requestSerialize(request as CheckRequest)));
      }),
      { numRuns: 300 },
    );
  });

  it("answers a request with 10,000 headers", async () => {
    const headers = Array.from({ length: 10_000 }, (_, i) => ({
      key: `x-${i}`,
      raw_value: Buffer.from("v"),
    }));
    const request = {
      attributes: { request: { http: { path: "/open", method: "GET", header_map: { headers } } } },
    };
    expectWhole(await ask(check.requestSerialize(request)));
  });

  it("answers metadata that is nested tens of thousands deep", async () => {
    let value = field(3, Buffer.from("x"));
    for (let depth = 0; value.length < 300_000; depth += 1) {
      // Value.struct_value {fields: {"": value}}, or Value.list_value {values: [value]}
      value = depth % 2 === 0 ? field(6, field(1, value)) : field(5, field(1, field(2, value)));
    }
    const metadata = field(
      1,
      Buffer.concat([field(1, Buffer.from("filter")), field(2, field(1, field(2, value)))]),
    );
    expectWhole(await ask(field(1, field(11, metadata))));
  });

  it("lets gRPC refuse a header of 5 MB", async () => {
    const headers = { big: "x".repeat(5_000_000) };
    const request = { attributes: { request: { http: { path: "/open", headers } } } };
    await expect(ask(check.requestSerialize(request))).rejects.toMatchObject({
      code: grpc.status.RESOURCE_EXHAUSTED,
    });
  });

  it("lets gRPC refuse an unknown method", async () => {
    const call = new Promise((_, reject) => {
      client.makeUnaryRequest(
        "/envoy.service.auth.v3.Authorization/Nothing",
        (value: Buffer) => value,
        (value: Buffer) => value,
        valid,
        (error) => reject(error),
      );
    });
    await expect(call).rejects.toMatchObject({ code: grpc.status.UNIMPLEMENTED });
  });

  it("still answers the next request", async () => {
    expect(statusOf(await checkOver(server.grpcAddress, requestFor("/open")))).toBe(200);
  });
});
