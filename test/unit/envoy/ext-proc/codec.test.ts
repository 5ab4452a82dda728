import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { JsonObject } from "../../../../src/attributes/index.js";
import { createMessageReader } from "../../../../src/envoy/ext-proc/decode.js";
import { createAnswerWriter } from "../../../../src/envoy/ext-proc/encode.js";
import {
  type Answer,
  bodyModes,
  type HeaderMutation,
  type ProcessingMessage,
} from "../../../../src/envoy/ext-proc/message.js";
import { WireError } from "../../../../src/envoy/wire.js";
import { decodeResponse, encodeRequest, fromPlainStruct, type Plain, toStruct } from "./messages.js";

const read = createMessageReader();
const write = createAnswerWriter();

const bytes = fc.uint8Array({ maxLength: 40 });
const byteString = bytes.map((value) => Buffer.from(value).toString("latin1"));
const name = fc.constantFrom(":path", "x-a", "x-b", "cookie", "__proto__", "constructor", "content-length");
const line = fc.record({ key: name, raw: byteString, isText: fc.boolean() });
const lines = fc.array(line, { maxLength: 8 });
const direction = fc.constantFrom("request" as const, "response" as const);
const text = fc.string({ maxLength: 12 });
const json = fc
  .dictionary(
    fc.oneof(text, fc.constantFrom("__proto__", "constructor")),
    fc.oneof(
      text,
      fc.double({ noNaN: true }),
      fc.boolean(),
      fc.constant(null),
      fc.array(fc.oneof(text, fc.boolean()), { maxLength: 3 }),
      fc.dictionary(text, text, { maxKeys: 3 }),
    ),
    { maxKeys: 4, noNullPrototype: true },
  )
  .map((object) => object as JsonObject);

type Line = { readonly key: string; readonly raw: string; readonly isText: boolean };

/** Envoy sends `raw_value`, or, if it is told to, `value`. */
function toPlainLines(all: readonly Line[]): Plain {
  return {
    headers: all.map(({ key, raw, isText }) =>
      isText
        ? { key, value: Buffer.from(raw, "latin1").toString("latin1") }
        : { key, raw_value: Buffer.from(raw, "latin1") },
    ),
  };
}

function toMap(all: readonly Line[]): Map<string, string[]> {
  const map = new Map<string, string[]>();
  for (const { key, raw, isText } of all) {
    // `value` is a text in UTF-8.
    const value = isText ? Buffer.from(raw, "utf8").toString("latin1") : raw;
    map.set(key, [...(map.get(key) ?? []), value]);
  }
  return map;
}

const part = fc.oneof(
  fc.record({ kind: fc.constant("headers" as const), direction, lines, endOfStream: fc.boolean() }),
  fc.record({
    kind: fc.constant("body" as const),
    direction,
    body: bytes,
    endOfStream: fc.boolean(),
    withoutMessage: fc.boolean(),
    compressed: fc.boolean(),
  }),
  fc.record({ kind: fc.constant("trailers" as const), direction, lines }),
);

describe("reading a ProcessingRequest", () => {
  it("gives what the proto's own encoder was given, whatever it is", () => {
    const beside = fc.record({
      metadata: fc.option(json, { nil: undefined }),
      attributes: fc.option(json, { nil: undefined }),
      observability_mode: fc.boolean(),
      config: fc.option(fc.tuple(fc.nat(5), fc.nat(5), fc.boolean()), { nil: undefined }),
    });
    fc.assert(
      fc.property(part, beside, (sent, { metadata, attributes, observability_mode, config }) => {
        const message: Plain = {
          observability_mode,
          [`${sent.direction}_${sent.kind}`]:
            sent.kind === "headers"
              ? { headers: toPlainLines(sent.lines), end_of_stream: sent.endOfStream }
              : sent.kind === "trailers"
                ? { trailers: toPlainLines(sent.lines) }
                : {
                    body: sent.body,
                    end_of_stream: sent.endOfStream,
                    end_of_stream_without_message: sent.withoutMessage,
                    grpc_message_compressed: sent.compressed,
                  },
        };
        if (metadata) {
          message["metadata_context"] = {
            filter_metadata: { other: toStruct({ a: 1 }), mine: toStruct(metadata) },
          };
        }
        if (attributes) {
          message["attributes"] = {
            "envoy.filters.http.ext_proc": toStruct(attributes),
            x: toStruct({ b: 1 }),
          };
        }
        if (config) {
          const [request_body_mode, response_body_mode, send_body_without_waiting_for_header_response] =
            config;
          message["protocol_config"] = {
            request_body_mode,
            response_body_mode,
            send_body_without_waiting_for_header_response,
          };
        }
        const known = read(encodeRequest(message));
        const { kind, direction } = sent;
        if (sent.kind === "body") {
          const { body, endOfStream, withoutMessage, compressed } = sent;
          expect({ ...known.part, body: Buffer.from((known.part as { body: Uint8Array }).body) }).toEqual({
            kind,
            direction,
            body: Buffer.from(body),
            endOfStream,
            withoutMessage,
            compressed,
          });
        } else if (sent.kind === "headers") {
          const { endOfStream } = sent;
          expect(known.part).toEqual({ kind, direction, headers: toMap(sent.lines), endOfStream });
        } else expect(known.part).toEqual({ kind, direction, trailers: toMap(sent.lines) });
        expect(known.observabilityMode).toBe(observability_mode);
        expect(known.metadata("mine")).toEqual(metadata);
        expect(known.metadata("absent")).toBeUndefined();
        expect(known.attributes()).toEqual(attributes ?? {});
        expect(known.protocolConfig).toEqual(
          config && {
            requestBodyMode: bodyModes[config[0]],
            responseBodyMode: bodyModes[config[1]],
            sendsBodyEarly: config[2],
          },
        );
      }),
      { numRuns: 500 },
    );
  });

  it("lower-cases names and joins the lines of one name in their order", () => {
    const headers = [
      { key: "X-A", raw_value: Buffer.from("1") },
      { key: "x-a", value: "2" },
    ];
    const { part: known } = read(encodeRequest({ request_headers: { headers: { headers } } }));
    expect(known).toMatchObject({ headers: new Map([["x-a", ["1", "2"]]]) });
  });

  it.each([
    ["no part", encodeRequest({ observability_mode: true })],
    ["no byte", new Uint8Array(0)],
    ["two parts", Buffer.concat([encodeRequest({ request_body: {} }), encodeRequest({ response_body: {} })])],
    [
      "the same part twice",
      Buffer.concat([encodeRequest({ request_body: {} }), encodeRequest({ request_body: {} })]),
    ],
    [
      "an unknown body mode",
      Buffer.concat([encodeRequest({ request_body: {} }), Buffer.from([90, 2, 8, 6])]),
    ],
    ["a part that ends too late", Buffer.from([34, 5, 10])],
  ])("refuses %s", (_, message) => {
    expect(() => read(message)).toThrow(WireError);
  });

  it("throws one error and no other, also for metadata and attributes, whatever the bytes are", () => {
    const ask = ({ part: known, attributes, metadata }: ProcessingMessage): void => {
      expect(["headers", "body", "trailers"]).toContain(known.kind);
      attributes();
      metadata("mine");
    };
    const valid = encodeRequest({
      request_headers: { headers: { headers: [{ key: "a", raw_value: Buffer.from("b") }] } },
      metadata_context: { filter_metadata: { mine: toStruct({ a: { b: [1, "x"] } }) } },
      attributes: { "envoy.filters.http.ext_proc": toStruct({ "source.address": "x" }) },
      protocol_config: { request_body_mode: 4 },
    });
    const broken = fc
      .array(fc.tuple(fc.nat(valid.length - 1), fc.nat(255)), { minLength: 1, maxLength: 4 })
      .map((changes) => {
        const copy = Uint8Array.from(valid);
        for (const [at, byte] of changes) copy[at] = byte;
        return copy;
      });
    const cut = fc.nat(valid.length).map((length) => valid.subarray(0, length));
    fc.assert(
      fc.property(fc.oneof(broken, cut, fc.uint8Array({ maxLength: 200 })), (message) => {
        try {
          ask(read(message));
        } catch (error) {
          expect(error).toBeInstanceOf(WireError);
        }
      }),
      { numRuns: 3000 },
    );
  });
});

const put = fc.record({
  name: fc.constantFrom("x-a", "x-b", "content-length"),
  value: byteString,
  action: fc.constantFrom(
    "APPEND_IF_EXISTS_OR_ADD" as const,
    "ADD_IF_ABSENT" as const,
    "OVERWRITE_IF_EXISTS_OR_ADD" as const,
    "OVERWRITE_IF_EXISTS" as const,
  ),
});
const mutation: fc.Arbitrary<HeaderMutation | undefined> = fc.option(
  fc.record({
    remove: fc.array(fc.constantFrom("x-a", "server"), { maxLength: 3 }),
    set: fc.array(put, { maxLength: 3 }),
  }),
  { nil: undefined },
);
const mode = fc.constantFrom(...bodyModes);
const send = fc.constantFrom("SEND" as const, "SKIP" as const);
const beside = {
  metadata: fc.option(json, { nil: undefined }),
  modeOverride: fc.option(
    fc.record({
      requestBodyMode: mode,
      responseBodyMode: mode,
      responseHeaders: send,
      requestTrailers: send,
      responseTrailers: send,
    }),
    { nil: undefined },
  ),
};
const large = fc.oneof(
  bytes,
  fc.nat(300_000).map((length) => new Uint8Array(length).fill(7)),
);
const answer: fc.Arbitrary<Answer> = fc.oneof(
  fc.record({
    ...beside,
    kind: fc.constant("headers" as const),
    direction,
    mutation,
    replaceBody: fc.option(bytes, { nil: undefined }),
    clearRouteCache: fc.boolean(),
  }),
  fc.record({
    ...beside,
    kind: fc.constant("body" as const),
    direction,
    mutation,
    change: fc.option(
      fc.oneof(
        fc.record({ kind: fc.constant("body" as const), bytes: large }),
        fc.constant({ kind: "clear" as const }),
        fc.record({
          kind: fc.constant("streamed" as const),
          bytes: large,
          endOfStream: fc.boolean(),
          withoutMessage: fc.boolean(),
          compressed: fc.boolean(),
        }),
      ),
      { nil: undefined },
    ),
  }),
  fc.record({ ...beside, kind: fc.constant("trailers" as const), direction, mutation }),
  fc.record({
    ...beside,
    kind: fc.constant("immediate" as const),
    httpStatus: fc.constantFrom(200, 403, 500, 511),
    headers: fc.array(put, { maxLength: 3 }),
    body: bytes,
    grpcStatus: fc.option(fc.nat(16), { nil: undefined }),
    details: fc.constantFrom("", "denied", "é"),
  }),
);

/** What protobufjs should give for an answer: an independent reading of the proto's documentation. */
function expected(one: Answer): Plain {
  const plain: Plain = {};
  if (one.kind === "immediate") {
    plain["immediate_response"] = {
      status: {
        code: {
          200: "OK",
          403: "Forbidden",
          500: "InternalServerError",
          511: "NetworkAuthenticationRequired",
        }[one.httpStatus],
      },
      ...(one.headers.length > 0 && { headers: plainMutation({ remove: [], set: one.headers }) }),
      ...(one.body.length > 0 && { body: base64(one.body) }),
      ...(one.grpcStatus !== undefined && {
        grpc_status: one.grpcStatus === 0 ? {} : { status: one.grpcStatus },
      }),
      ...(one.details !== "" && { details: one.details }),
    };
  } else if (one.kind === "trailers") {
    plain[`${one.direction}_trailers`] = hasMutation(one.mutation)
      ? { header_mutation: plainMutation(one.mutation) }
      : {};
  } else {
    const common: Plain = hasMutation(one.mutation) ? { header_mutation: plainMutation(one.mutation) } : {};
    if (one.kind === "headers") {
      if (one.replaceBody !== undefined) {
        common["status"] = "CONTINUE_AND_REPLACE";
        common["body_mutation"] = { body: base64(one.replaceBody) };
      }
      if (one.clearRouteCache) common["clear_route_cache"] = true;
    } else if (one.change?.kind === "body") common["body_mutation"] = { body: base64(one.change.bytes) };
    else if (one.change?.kind === "clear") common["body_mutation"] = { clear_body: true };
    else if (one.change !== undefined) {
      const { bytes: body, endOfStream, withoutMessage, compressed } = one.change;
      common["body_mutation"] = {
        streamed_response: {
          ...(body.length > 0 && { body: base64(body) }),
          ...(endOfStream && { end_of_stream: true }),
          ...(withoutMessage && { end_of_stream_without_message: true }),
          ...(compressed && { grpc_message_compressed: true }),
        },
      };
    }
    plain[`${one.direction}_${one.kind}`] = Object.keys(common).length === 0 ? {} : { response: common };
  }
  if (one.metadata) plain["dynamic_metadata"] = one.metadata;
  if (one.modeOverride) {
    const { requestBodyMode, responseBodyMode, responseHeaders, requestTrailers, responseTrailers } =
      one.modeOverride;
    plain["mode_override"] = {
      response_header_mode: responseHeaders,
      ...(requestBodyMode !== "NONE" && { request_body_mode: requestBodyMode }),
      ...(responseBodyMode !== "NONE" && { response_body_mode: responseBodyMode }),
      ...(requestTrailers === "SEND" && { request_trailer_mode: "SEND" }),
      ...(responseTrailers === "SEND" && { response_trailer_mode: "SEND" }),
    };
  }
  return plain;
}

function hasMutation(one: HeaderMutation | undefined): one is HeaderMutation {
  return one !== undefined && one.remove.length + one.set.length > 0;
}

function plainMutation({ remove, set }: HeaderMutation): Plain {
  return {
    ...(remove.length > 0 && { remove_headers: remove }),
    ...(set.length > 0 && {
      set_headers: set.map(({ name: key, value, action }) => ({
        header: { key, ...(value !== "" && { raw_value: base64(Buffer.from(value, "latin1")) }) },
        ...(action === "APPEND_IF_EXISTS_OR_ADD" ? { append: { value: true } } : { append_action: action }),
        ...(value === "" && { keep_empty_value: true }),
      })),
    }),
  };
}

function decoded(message: Uint8Array): Plain {
  const plain = decodeResponse(message);
  const { dynamic_metadata } = plain;
  return dynamic_metadata === undefined
    ? plain
    : { ...plain, dynamic_metadata: fromPlainStruct(dynamic_metadata as Plain) };
}

describe("writing a ProcessingResponse", () => {
  it("gives bytes that the proto's own decoder reads as the answer, whatever it is", () => {
    fc.assert(
      fc.property(answer, (one) => {
        expect(JSON.stringify(sorted(decoded(write(one))))).toBe(JSON.stringify(sorted(expected(one))));
      }),
      { numRuns: 600 },
    );
  });

  it("gives two bytes for an answer that only says go on, the same each time", () => {
    for (const [side, first] of [
      ["request", 10],
      ["response", 18],
    ] as const) {
      const one = { kind: "headers", direction: side, mutation: undefined } as const;
      expect([...write(one)]).toEqual([first, 0]);
      expect(write({ ...one, mutation: { remove: [], set: [] } })).toBe(write(one));
    }
  });

  it("keeps an answer's bytes when the next one is written", () => {
    const one = {
      kind: "body",
      direction: "request",
      change: { kind: "body", bytes: Buffer.from("first") },
    } as const;
    const before = write(one);
    const copy = Buffer.from(before);
    write({ ...one, change: { kind: "body", bytes: Buffer.from("other") } });
    expect(Buffer.from(before)).toEqual(copy);
  });

  it("puts U+FFFD for half characters, which would make the whole message none", () => {
    const one = write({
      kind: "trailers",
      direction: "request",
      mutation: undefined,
      metadata: { "\ud800": "\udc00a" },
    });
    expect(decoded(one)["dynamic_metadata"]).toEqual({ "\ufffd": "\ufffda" });
  });
});

/** With members in one order; -0 as it is in JSON. */
function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== "object" || value === null) return value;
  return Object.entries(value)
    .sort(([one], [other]) => (one < other ? -1 : 1))
    .map(([key, member]) => [key, sorted(member)]);
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("base64");
}
