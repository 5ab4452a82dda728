import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { GatehouseError } from "../../src/diagnostics/index.js";
import type { CheckRequest } from "../../src/proto/index.js";
import { loadProtos } from "../../src/server/protos.js";
import { type Decider, enforcedFilter, snapshotOf, startDecider } from "../support/cases-differential.js";
import { type BytesClient, connectBytes } from "../support/cases-grpc.js";
import { readHostileCases } from "../support/cases-hostile.js";

const { rules } = readHostileCases();
const encode = loadProtos().check.requestSerialize;
const plain = encode({ attributes: { request: { http: { path: "/public/a", host: "a", method: "GET" } } } });

let server: Decider;
let strict: Decider;
let clients: readonly BytesClient[];

beforeAll(async () => {
  const filters = rules.map(enforcedFilter);
  server = await startDecider(snapshotOf(filters));
  strict = await startDecider(snapshotOf(filters, { strictRequests: true }));
  clients = [connectBytes(server.port), connectBytes(strict.port)];
});
afterAll(async () => {
  for (const client of clients) client.close();
  await server.stop();
  await strict.stop();
});

/** Every server answers within two seconds, with a decision record, and a refusal is a whole refusal. */
async function expectAnswers(bytes: Uint8Array): Promise<void> {
  for (const client of clients) {
    const answer = await client.check(bytes, 2_000);
    const fields = answer.dynamic_metadata?.fields ?? {};
    expect(fields["decision_id"]?.stringValue).toMatch(/^d-\d+$/);
    const allowed = (answer.status?.code ?? 0) === 0;
    expect(fields["gatehouse"]?.structValue?.fields?.["allowed"]?.boolValue).toBe(allowed);
    expect(answer.denied_response === undefined).toBe(allowed);
    expect(answer.ok_response === undefined).toBe(!allowed);
    expect(answer.error_response).toBeUndefined();
  }
}

const name = fc.oneof(
  fc.constantFrom(
    "__proto__",
    "constructor",
    "hasOwnProperty",
    "toString",
    "x-role",
    ":path",
    "host",
    "",
    "x_a",
    "x-a",
  ),
  fc.string({ maxLength: 12 }),
);
const text = fc.oneof(
  fc.constantFrom(
    "",
    "/",
    "/admin",
    "//admin",
    "/public/..;/x",
    "*",
    "%",
    "%zz",
    "\0",
    "::1",
    "1.2.3.4",
    "é",
    "\ud800",
  ),
  fc.string({ unit: "binary", maxLength: 40 }),
  fc.webPath(),
);
const bytes = fc.uint8Array({ maxLength: 60 }).map((array) => Buffer.from(array));
const map = <T>(value: fc.Arbitrary<T>): fc.Arbitrary<Record<string, T>> =>
  fc.dictionary(name, value, { maxKeys: 5, noNullPrototype: true });

const { value: struct } = fc.letrec<{ value: object; inner: object }>((tie) => ({
  inner: fc.oneof(
    { depthSize: "small" },
    fc.constant({}),
    fc.record({ stringValue: text }),
    fc.record({ numberValue: fc.double() }),
    fc.record({ boolValue: fc.boolean() }),
    fc.record({ nullValue: fc.constant(0) }),
    fc.record({ listValue: fc.record({ values: fc.array(tie("inner"), { maxLength: 3 }) }) }),
    fc.record({ structValue: tie("value") }),
  ),
  value: fc.record({ fields: map(tie("inner")) }),
}));
const metadata = fc.record({ filter_metadata: map(struct) }, { requiredKeys: [] });
const peer = fc.record(
  {
    address: fc.oneof(
      fc.record({
        socket_address: fc.record({ address: text, port_value: fc.nat() }, { requiredKeys: [] }),
      }),
      fc.record({ pipe: fc.record({ path: text }) }),
    ),
    service: text,
    labels: map(text),
    principal: fc.oneof(text, fc.constant("spiffe://td/ns/a/sa/b")),
    certificate: text,
  },
  { requiredKeys: [] },
);
const http = fc.record(
  {
    id: text,
    method: fc.oneof(text, fc.constantFrom("GET", "CONNECT", "OPTIONS")),
    headers: map(text),
    path: text,
    host: text,
    scheme: text,
    query: text,
    fragment: text,
    size: fc.maxSafeInteger(),
    protocol: text,
    body: text,
    raw_body: bytes,
    header_map: fc.record({
      headers: fc.array(fc.record({ key: name, value: text, raw_value: bytes }, { requiredKeys: [] })),
    }),
  },
  { requiredKeys: [] },
);
const extension = fc.constantFrom(
  "destination.namespace",
  "destination.workload.type",
  "destination.labels[a]",
  "destination.labels[",
  "xff.use_remote_address",
  "xff.num_trusted_hops",
  "__proto__",
);
const requests = fc.record(
  {
    source: peer,
    destination: peer,
    request: fc.record(
      { time: fc.record({ seconds: fc.maxSafeInteger(), nanos: fc.integer() }), http },
      { requiredKeys: [] },
    ),
    context_extensions: fc.dictionary(extension, text, { noNullPrototype: true }),
    metadata_context: metadata,
    route_metadata_context: metadata,
    tls_session: fc.record({ sni: text }, { requiredKeys: [] }),
  },
  { requiredKeys: [] },
);
const encoded = requests.map((attributes) => encode({ attributes } as CheckRequest));

/** A valid message with some bytes overwritten, cut out or put in. */
const mutated = fc
  .tuple(
    encoded,
    fc.array(fc.tuple(fc.nat(), fc.nat(4), fc.uint8Array({ maxLength: 6 })), { minLength: 1, maxLength: 4 }),
  )
  .map(([message, cuts]) =>
    cuts.reduce((whole, [at, removed, added]) => {
      const start = at % (whole.length + 1);
      return Buffer.concat([whole.subarray(0, start), added, whole.subarray(start + removed)]);
    }, message),
  );

/** Milliseconds for each kind of message; some 12 s together. */
const interruptAfterTimeLimit = 4_000;

describe("no CheckRequest, however strange, is left without an answer", () => {
  test.each<[string, fc.Arbitrary<Uint8Array>]>([
    ["arbitrary bytes", fc.uint8Array({ maxLength: 200 })],
    ["strange messages", encoded],
    ["mutated messages", mutated],
  ])("%s", async (_, messages) => {
    await fc.assert(fc.asyncProperty(messages, expectAnswers), {
      numRuns: 5_000,
      interruptAfterTimeLimit,
    });
    // What is a CheckRequest never ends in an error of ours; what is none is told by its bytes alone.
    expect([...server.errors, ...strict.errors].filter((error) => !isExpected(error))).toEqual([]);
    for (const client of clients) expect((await client.check(plain)).status?.code ?? 0).toBe(0);
  });
});

function isExpected(error: unknown): boolean {
  return error === "decode" || (error instanceof GatehouseError && error.code === "bad_request");
}
