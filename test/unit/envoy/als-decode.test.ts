import fc from "fast-check";
import { beforeEach, describe, expect, test } from "vitest";
import type { Entry } from "../../../src/envoy/als/entry.js";
import { countEntries, readMessage } from "../../../src/envoy/als/message.js";
import { createTexts } from "../../../src/envoy/text.js";
import { encode, listening, messageType, type Plain } from "./als-messages.js";

function entriesOf(bytes: Uint8Array): Entry[] {
  const entries: Entry[] = [];
  const reading = readMessage(bytes, createTexts(), {
    identifier: () => {},
    entry: (entry) => void entries.push(entry),
    malformed: (error) => {
      throw error;
    },
  });
  for (const passed of reading) expect(passed).toBeLessThanOrEqual(1);
  return entries;
}

// A text in proto3 is UTF-8; headers are compared as bytes, so as ISO 8859-1.
const text = fc.string({ unit: "grapheme", maxLength: 30 });
const name = fc.constantFrom("a", "b-c", "X-Upper", "__proto__", "constructor", "é");
const uint32 = fc.nat({ max: 0xffffffff });
const size = fc.nat({ max: Number.MAX_SAFE_INTEGER });
const optional = <T>(value: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> =>
  fc.option(value, { nil: undefined });
const texts = fc.array(fc.tuple(name, text), { maxLength: 4 }).map(toMap);
const time = fc.record({ seconds: fc.integer(), nanos: fc.nat({ max: 999_999_999 }) });
const address = fc.oneof(
  fc.record({ socket_address: fc.record({ address: text, port_value: fc.nat({ max: 65_535 }) }) }),
  fc.record({ pipe: fc.record({ path: text }) }),
);
const json = fc.letrec((tie) => ({
  value: fc.oneof(
    { depthSize: "small" },
    fc.record({ stringValue: text }),
    fc.record({ numberValue: fc.double({ noNaN: true }) }),
    fc.record({ boolValue: fc.boolean() }),
    fc.constant({ nullValue: 0 }),
    fc.record({ structValue: tie("struct") }),
    fc.record({ listValue: fc.record({ values: fc.array(tie("value"), { maxLength: 3 }) }) }),
  ),
  struct: fc.record({ fields: fc.array(fc.tuple(name, tie("value")), { maxLength: 3 }).map(toMap) }),
})).struct;
const certificate = fc.record({
  subject_alt_name: fc.array(fc.oneof(fc.record({ uri: text }), fc.record({ dns: text })), { maxLength: 3 }),
  subject: text,
  issuer: text,
});
const filterNames = fc.constantFrom(
  "envoy.filters.http.ext_authz",
  "envoy.filters.network.ext_authz",
  "other",
);
const flagNames = messageType.root
  .lookupType("envoy.data.accesslog.v3.ResponseFlags")
  .fieldsArray.filter((field) => field.type === "bool");
const common = fc.record({
  sample_rate: fc.double({ noNaN: true }),
  downstream_remote_address: optional(address),
  downstream_local_address: optional(address),
  tls_properties: optional(
    fc.record({
      tls_version: fc.nat({ max: 4 }),
      tls_cipher_suite: fc.record({ value: uint32 }),
      tls_sni_hostname: text,
      local_certificate_properties: optional(certificate),
      peer_certificate_properties: optional(certificate),
      ja3_fingerprint: text,
    }),
  ),
  start_time: optional(time),
  time_to_last_rx_byte: optional(time),
  time_to_first_upstream_tx_byte: optional(time),
  time_to_last_upstream_tx_byte: optional(time),
  time_to_first_upstream_rx_byte: optional(time),
  time_to_last_upstream_rx_byte: optional(time),
  time_to_first_downstream_tx_byte: optional(time),
  time_to_last_downstream_tx_byte: optional(time),
  upstream_remote_address: optional(address),
  upstream_local_address: optional(address),
  upstream_cluster: text,
  response_flags: optional(
    fc.tuple(fc.subarray(flagNames.map((field) => field.name)), fc.nat({ max: 1 })).map(([set, reason]) => ({
      ...Object.fromEntries(set.map((flag) => [flag, true])),
      unauthorized_details: { reason },
    })),
  ),
  metadata: optional(
    fc.array(fc.tuple(filterNames, json), { maxLength: 3 }).map((list) => ({ filter_metadata: toMap(list) })),
  ),
  upstream_transport_failure_reason: text,
  route_name: text,
  downstream_direct_remote_address: optional(address),
  custom_tags: texts,
  duration: optional(time),
  upstream_request_attempt_count: uint32,
  connection_termination_details: text,
  stream_id: text,
  intermediate_log_entry: fc.boolean(),
  downstream_transport_failure_reason: text,
  downstream_wire_bytes_sent: size,
  downstream_wire_bytes_received: size,
  upstream_wire_bytes_sent: size,
  upstream_wire_bytes_received: size,
  access_log_type: fc.nat({ max: 14 }),
});
const httpEntry = fc.record({
  common_properties: optional(common),
  protocol_version: fc.nat({ max: 4 }),
  request: optional(
    fc.record({
      request_method: fc.nat({ max: 9 }),
      scheme: text,
      authority: text,
      port: fc.record({ value: uint32 }),
      path: text,
      user_agent: text,
      referer: text,
      forwarded_for: text,
      request_id: text,
      original_path: text,
      request_headers_bytes: size,
      request_body_bytes: size,
      request_headers: texts,
      upstream_header_bytes_sent: size,
    }),
  ),
  response: optional(
    fc.record({
      response_code: optional(fc.record({ value: uint32 })),
      response_headers_bytes: size,
      response_body_bytes: size,
      response_headers: texts,
      response_trailers: texts,
      response_code_details: text,
      downstream_header_bytes_sent: size,
    }),
  ),
});
const tcpEntry = fc.record({
  common_properties: optional(common),
  connection_properties: optional(fc.record({ received_bytes: size, sent_bytes: size })),
});

function toMap<T>(entries: readonly (readonly [string, T])[]): Record<string, T> {
  return Object.fromEntries(entries);
}

/** What protobufjs reads, with its own names; maps and 64-bit numbers as ours. */
function peer(bytes: Uint8Array, logs: "http_logs" | "tcp_logs"): Plain[] {
  const decoded = messageType.toObject(messageType.decode(bytes), { longs: Number, defaults: true });
  return ((decoded[logs] as Plain | undefined)?.["log_entry"] as Plain[] | undefined) ?? [];
}

const bytesOf = (value: unknown): string => Buffer.from(String(value ?? ""), "utf8").toString("latin1");
const object = (value: unknown): Plain => (value ?? {}) as Plain;
const milliseconds = (value: unknown): number | undefined =>
  value === undefined || value === null
    ? undefined
    : Number(object(value)["seconds"]) * 1000 + Number(object(value)["nanos"]) / 1e6;

function place(value: unknown): unknown {
  if (value === undefined || value === null) return undefined;
  const at = object(object(value)["socket_address"]);
  return { address: at["address"] ?? "", port: at["port_value"] ?? 0 };
}

function names(value: unknown): unknown {
  const list = (object(value)["subject_alt_name"] ?? []) as Plain[];
  return {
    uris: list.flatMap((one) => ("uri" in one ? [one["uri"]] : [])),
    dns: list.flatMap((one) => ("dns" in one ? [one["dns"]] : [])),
    subject: object(value)["subject"] ?? "",
  };
}

function jsonOf(value: unknown): unknown {
  const one = object(value);
  if ("structValue" in one) return structOf(one["structValue"]);
  if ("listValue" in one) return ((object(one["listValue"])["values"] ?? []) as unknown[]).map(jsonOf);
  return one["stringValue"] ?? one["numberValue"] ?? one["boolValue"] ?? null;
}

function structOf(value: unknown): unknown {
  const fields = Object.entries(object(object(value)["fields"]));
  return Object.fromEntries(fields.map(([key, member]) => [key, jsonOf(member)]));
}

/** The parts that both have under names of their own. */
function expected(entry: Plain): Plain {
  const c = object(entry["common_properties"]);
  const request = object(entry["request"]);
  const response = object(entry["response"]);
  const tls = c["tls_properties"];
  const headers = (map: unknown): [string, string][] =>
    Object.entries(object(map)).map(([key, value]) => [bytesOf(key).toLowerCase(), bytesOf(value)]);
  return {
    type: c["access_log_type"] ?? 0,
    isIntermediate: c["intermediate_log_entry"] ?? false,
    remote: place(c["downstream_remote_address"]),
    directRemote: place(c["downstream_direct_remote_address"]),
    local: place(c["downstream_local_address"]),
    upstreamRemote: place(c["upstream_remote_address"]),
    upstreamLocal: place(c["upstream_local_address"]),
    tls:
      tls === undefined || tls === null
        ? undefined
        : {
            version: object(tls)["tls_version"],
            sni: object(tls)["tls_sni_hostname"],
            local: names(object(tls)["local_certificate_properties"]),
            peer: names(object(tls)["peer_certificate_properties"]),
          },
    start: milliseconds(c["start_time"]) ?? 0,
    duration: milliseconds(c["duration"]),
    lastRx: milliseconds(c["time_to_last_rx_byte"]),
    firstUpstreamTx: milliseconds(c["time_to_first_upstream_tx_byte"]),
    lastUpstreamTx: milliseconds(c["time_to_last_upstream_tx_byte"]),
    firstUpstreamRx: milliseconds(c["time_to_first_upstream_rx_byte"]),
    lastUpstreamRx: milliseconds(c["time_to_last_upstream_rx_byte"]),
    firstDownstreamTx: milliseconds(c["time_to_first_downstream_tx_byte"]),
    lastDownstreamTx: milliseconds(c["time_to_last_downstream_tx_byte"]),
    upstreamCluster: c["upstream_cluster"] ?? "",
    transportFailure: c["upstream_transport_failure_reason"] ?? "",
    routeName: c["route_name"] ?? "",
    attempts: c["upstream_request_attempt_count"] ?? 0,
    termination: c["connection_termination_details"] ?? "",
    streamId: c["stream_id"] ?? "",
    wireSent: c["downstream_wire_bytes_sent"] ?? 0,
    wireReceived: c["downstream_wire_bytes_received"] ?? 0,
    upstreamWireSent: c["upstream_wire_bytes_sent"] ?? 0,
    upstreamWireReceived: c["upstream_wire_bytes_received"] ?? 0,
    customTags: new Map(Object.entries(object(c["custom_tags"]))),
    httpVersion: entry["protocol_version"] ?? 0,
    method: request["request_method"] ?? 0,
    scheme: request["scheme"] ?? "",
    authority: bytesOf(request["authority"]),
    path: bytesOf(request["path"]),
    originalPath: bytesOf(request["original_path"]),
    userAgent: bytesOf(request["user_agent"]),
    referer: bytesOf(request["referer"]),
    forwardedFor: bytesOf(request["forwarded_for"]),
    requestId: bytesOf(request["request_id"]),
    requestHeadersBytes: request["request_headers_bytes"] ?? 0,
    requestBodyBytes: request["request_body_bytes"] ?? 0,
    requestHeaders: new Map(headers(request["request_headers"]).map(([key, value]) => [key, [value]])),
    responseCode: object(response["response_code"])["value"] ?? 0,
    responseHeadersBytes: response["response_headers_bytes"] ?? 0,
    responseBodyBytes: response["response_body_bytes"] ?? 0,
    responseHeaders: new Map(headers(response["response_headers"])),
    responseTrailers: new Map(headers(response["response_trailers"])),
    codeDetails: response["response_code_details"] ?? "",
    received: object(entry["connection_properties"])["received_bytes"] ?? 0,
    sent: object(entry["connection_properties"])["sent_bytes"] ?? 0,
  };
}

function shown(entry: Entry): Plain {
  const { isHttp: _, flags: __, metadata: ___, filterState: ____, decision: _____, ...rest } = entry;
  return { ...rest };
}

describe("reading entries from bytes", () => {
  test("http entries are what protobufjs reads", () => {
    fc.assert(
      fc.property(fc.array(httpEntry, { maxLength: 3 }), (list) => {
        const bytes = encode({ http_logs: { log_entry: list } });
        expect(entriesOf(bytes).map(shown)).toEqual(peer(bytes, "http_logs").map(expected));
      }),
    );
  });

  test("tcp entries are what protobufjs reads", () => {
    fc.assert(
      fc.property(fc.array(tcpEntry, { maxLength: 3 }), (list) => {
        const bytes = encode({ tcp_logs: { log_entry: list } });
        expect(entriesOf(bytes).map(shown)).toEqual(peer(bytes, "tcp_logs").map(expected));
      }),
    );
  });

  const { receive } = listening();

  test("metadata of filters are what protobufjs reads, when they are asked for", () => {
    fc.assert(
      fc.property(json, filterNames, (value, filter) => {
        const metadata = { filter_metadata: { [filter]: value as object } };
        const bytes = encode({ http_logs: { log_entry: [{ common_properties: { metadata } }] } });
        const [report] = receive(bytes);
        expect(report?.attributes.metadata(filter)).toEqual(structOf(value));
      }),
    );
  });

  test("entries are counted without reading them", () => {
    fc.assert(
      fc.property(
        fc.array(httpEntry, { maxLength: 5 }),
        fc.array(tcpEntry, { maxLength: 5 }),
        (one, other) => {
          const bytes = Buffer.concat([
            encode({ identifier: { log_name: "a" }, http_logs: { log_entry: one } }),
            encode({ tcp_logs: { log_entry: other } }),
          ]);
          expect(countEntries(bytes)).toBe(one.length + other.length);
        },
      ),
    );
  });

  test("each flag has the short name that Envoy gives it", () => {
    const ofFlag = (flag: string): string | undefined => {
      const value = flag === "unauthorized_details" ? { reason: 1 } : true;
      const entry = { common_properties: { response_flags: { [flag]: value } } };
      return receive(encode({ http_logs: { log_entry: [entry] } }))[0]?.flags;
    };
    const fields = messageType.root.lookupType("envoy.data.accesslog.v3.ResponseFlags").fieldsArray;
    expect(fields.map((field) => ofFlag(field.name)).join()).toBe(
      "LH,UH,UT,LR,UR,UF,UC,UO,NR,DI,FI,RL,UAEX,RLSE,DC,URX,SI,IH,DPE,UMSDR,RFCF,NFCF,DT,UPE,NC,OM,DF,DR",
    );
  });
});

describe("bytes that are no message", () => {
  const { receive, reports, skipped, errors } = listening();
  beforeEach(() => {
    for (const list of [reports, skipped, errors]) list.length = 0;
  });

  test("random bytes are no error of the service", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        for (const list of [reports, skipped]) list.length = 0;
        receive(bytes);
        expect(reports.length + skipped.length).toBeLessThanOrEqual(countEntries(bytes) + 2);
      }),
    );
  });

  test("a changed message gives each entry at most once", () => {
    fc.assert(
      fc.property(
        fc.array(httpEntry, { minLength: 1, maxLength: 3 }),
        fc.array(fc.tuple(fc.nat(), fc.nat({ max: 255 })), { minLength: 1, maxLength: 8 }),
        (list, changes) => {
          const bytes = encode({ identifier: { log_name: "a" }, http_logs: { log_entry: list } });
          for (const [at, byte] of changes) bytes[at % bytes.length] = byte;
          for (const list of [reports, skipped, errors]) list.length = 0;
          receive(bytes);
          const unexpected = errors.filter((error) => (error as Error).name !== "WireError");
          expect(unexpected).toEqual([]);
          // The message itself and its identifier can be malformed, too.
          expect(reports.length + skipped.length).toBeLessThanOrEqual(countEntries(bytes) + 2);
        },
      ),
      { numRuns: 500 },
    );
  });

  test("a malformed entry is skipped, those around it are reported", () => {
    const good = encode({ http_logs: { log_entry: [{ common_properties: { route_name: "good" } }] } });
    const bad = Buffer.from("12040a020aff", "hex");
    const reports = receive(Buffer.concat([good, bad, good]));
    expect(reports.map((report) => report.routeName)).toEqual(["good", "good"]);
    expect(skipped).toEqual(["malformed"]);
  });

  test("the entries in front of a message's broken end are reported", () => {
    const good = encode({ http_logs: { log_entry: [{ common_properties: { route_name: "good" } }] } });
    expect(receive(Buffer.concat([good, Buffer.from("12", "hex")]))).toHaveLength(1);
    expect(skipped).toEqual(["malformed"]);
  });

  test("a struct that is nested deeper than Envoy can send is malformed, not a stack overflow", () => {
    let value: Buffer = Buffer.from("2001", "hex");
    const wrap = (tag: number, inside: Buffer): Buffer => {
      const length = [];
      let rest = inside.length;
      for (; rest > 0x7f; rest >>>= 7) length.push((rest & 0x7f) | 0x80);
      return Buffer.concat([Buffer.of(tag, ...length, rest), inside]);
    };
    for (let depth = 0; depth < 5000; depth++) value = wrap(0x2a, wrap(0x0a, wrap(0x12, value)));
    const member = wrap(0x0a, Buffer.concat([wrap(0x0a, Buffer.from("decision_id")), wrap(0x12, value)]));
    const filter = wrap(0x0a, Buffer.from("envoy.filters.http.ext_authz"));
    const metadata = wrap(0x0a, Buffer.concat([filter, wrap(0x12, member)]));
    const common = Buffer.concat([Buffer.of(0x8a, 0x01), wrap(0x0a, metadata).subarray(1)]);
    receive(wrap(0x12, wrap(0x0a, wrap(0x0a, common))));
    expect(skipped).toEqual(["malformed"]);
  });

  test("what is no UTF-8 in a text is replaced, in a header it stays as bytes", () => {
    const route = Buffer.concat([Buffer.of(0x9a, 0x01, 0x02), Buffer.of(0xff, 0x41)]);
    const common = Buffer.concat([Buffer.of(0x0a, route.length), route]);
    const request = Buffer.of(0x1a, 0x04, 0x32, 0x02, 0xff, 0x41);
    const entry = Buffer.concat([common, request]);
    const logs = Buffer.concat([Buffer.of(0x0a, entry.length), entry]);
    const [report] = receive(Buffer.concat([Buffer.of(0x12, logs.length), logs]));
    expect(report?.routeName).toBe("\ufffdA");
    expect(report?.attributes.request?.headers.get("user-agent")).toEqual(["\xffA"]);
  });
});
