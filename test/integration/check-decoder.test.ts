import { fileURLToPath } from "node:url";
import protoLoader from "@grpc/proto-loader";
import fc from "fast-check";
import { expect, it } from "vitest";
import type { Attributes } from "../../src/attributes/index.js";
import type { MeshSettings } from "../../src/engine/index.js";
import { createRequestReader } from "../../src/envoy/index.js";
import type { CheckRequest, CheckRequest__Output } from "../../src/proto/index.js";
import { loadProtos } from "../../src/server/protos.js";

/** proto-loader's own decoder, which ours replaces. */
const includeDirs = [fileURLToPath(new URL("../../proto", import.meta.url))];
const file = "envoy/service/auth/v3/external_auth.proto";
const service = protoLoader.loadSync(file, { includeDirs, keepCase: true, longs: String, oneofs: true })[
  "envoy.service.auth.v3.Authorization"
] as protoLoader.ServiceDefinition;
const theirs = service["Check"]?.requestDeserialize as (bytes: Buffer) => CheckRequest__Output;
const { requestDeserialize: ours, requestSerialize: encode } = loadProtos().check;

const mesh: MeshSettings = {
  unknownWorkload: "refuseIfScoped",
  strictRequests: false,
  customSeesIdentity: false,
  envoyJwtPayloadKey: undefined,
  xff: { useRemoteAddress: false, numTrustedHops: 0 },
  xffPerType: {},
  defaultWorkload: undefined,
};

/** What a message means to a decision, or that it cannot be read. */
function meaning(decode: (bytes: Buffer) => CheckRequest__Output, bytes: Buffer): unknown {
  let attributes: Attributes;
  try {
    attributes = createRequestReader()(decode(bytes), mesh);
  } catch {
    return "unreadable";
  }
  const { metadata, routeMetadata, request, workload, ...rest } = attributes;
  return {
    ...rest,
    workload: workload && { ...workload, labels: [...workload.labels] },
    request: request && { ...request, headers: [...request.headers], body: [...request.body] },
    metadata: [metadata("a"), metadata("__proto__"), metadata("constructor")],
    routeMetadata: [routeMetadata("a"), routeMetadata("b")],
  };
}

const text = fc.oneof(
  fc.constant(""),
  fc.string({ maxLength: 8 }),
  fc.constantFrom("__proto__", "constructor", "é"),
);
const map = fc.dictionary(
  fc.oneof(text, fc.constantFrom("destination.namespace", "destination.labels[app]")),
  text,
  {
    maxKeys: 4,
  },
);
const peer = fc.record(
  {
    address: fc.record({
      socket_address: fc.record({
        address: fc.oneof(fc.ipV4(), fc.ipV6(), text),
        port_value: fc.nat(65_535),
      }),
    }),
    principal: text,
    labels: map,
  },
  { requiredKeys: [] },
);
const struct = fc.constantFrom(
  {},
  {
    fields: {
      n: { numberValue: 0 },
      s: { stringValue: "" },
      b: { boolValue: false },
      z: { nullValue: 0 as const },
    },
  },
  { fields: { l: { listValue: { values: [{ stringValue: "x" }, { structValue: { fields: {} } }] } } } },
);
const metadata = fc.record({
  filter_metadata: fc.dictionary(fc.constantFrom("a", "b", "__proto__"), struct),
});
const http = fc.record(
  {
    id: text,
    method: text,
    path: text,
    host: text,
    scheme: text,
    protocol: text,
    size: fc.integer({ min: -1, max: 5_000_000 }).map(String),
    headers: map,
    header_map: fc.record({
      headers: fc.array(
        fc.record(
          { key: text, value: text, raw_value: fc.uint8Array({ maxLength: 6 }).map((b) => Buffer.from(b)) },
          { requiredKeys: [] },
        ),
        { maxLength: 5 },
      ),
    }),
    body: text,
    raw_body: fc.uint8Array({ maxLength: 4 }).map((bytes) => Buffer.from(bytes)),
  },
  { requiredKeys: [] },
);
const requests = fc.record(
  {
    attributes: fc.record(
      {
        source: peer,
        destination: peer,
        request: fc.record(
          { http, time: fc.record({ seconds: fc.nat().map(String), nanos: fc.nat(999_999_999) }) },
          { requiredKeys: [] },
        ),
        context_extensions: map,
        metadata_context: metadata,
        route_metadata_context: metadata,
        tls_session: fc.record({ sni: text }, { requiredKeys: [] }),
      },
      { requiredKeys: [] },
    ),
  },
  { requiredKeys: [] },
);

it("a message means the same to a decision as by proto-loader's decoder", () => {
  fc.assert(
    fc.property(requests, (request) => {
      const bytes = encode(request as CheckRequest);
      expect(meaning(ours, bytes)).toEqual(meaning(theirs, bytes));
    }),
    { numRuns: 1_000 },
  );
});

it("bytes that are changed anywhere mean the same, too", () => {
  const change = fc.tuple(fc.nat(), fc.nat(255));
  fc.assert(
    fc.property(requests, fc.array(change, { minLength: 1, maxLength: 4 }), (request, changes) => {
      const bytes = Buffer.from(encode(request as CheckRequest));
      for (const [at, value] of changes) if (bytes.length > 0) bytes[at % bytes.length] = value;
      const expected = meaning(theirs, bytes);
      // proto-loader's throws for a map's entry without a value, which protobuf allows.
      if (expected !== "unreadable") expect(meaning(ours, bytes)).toEqual(expected);
      else
        expect(["unreadable", "object"]).toContain(
          typeof meaning(ours, bytes) === "object" ? "object" : "unreadable",
        );
    }),
    { numRuns: 1_000 },
  );
});
