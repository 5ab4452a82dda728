import { readFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  isArray,
  isNumber,
  isObject,
  numberText,
  parseValue,
  type Value,
} from "../../../src/builtins/index.js";
import { createInputWriter, type InputResult } from "../../../src/rego/input.js";
import { checkRequestType, encoded, messages, shown } from "../../support/check-requests.js";

const write = createInputWriter({ parseBody: true });

/** Numbers as their value's text in `#`, so that none is rounded. */
function plain(value: Value): unknown {
  if (isNumber(value)) {
    const text = numberText(value);
    return `#${/[.eE]/.test(text) ? String(Number(text)) : text.replace(/^-0$/, "0")}`;
  }
  if (isArray(value)) return value.map(plain);
  if (!isObject(value)) return value;
  return Object.fromEntries([...value].map(([key, item]) => [String(key), plain(item)]));
}

function made(result: InputResult): Record<string, unknown> {
  if (!result.ok) throw new Error(result.message);
  return plain(parseValue(result.json)) as Record<string, unknown>;
}

function http(fields: Record<string, unknown>): Buffer {
  return encoded({ attributes: { request: { http: fields } } });
}

function parsed(fields: Record<string, unknown>): unknown {
  const { parsed_body: body, truncated_body: truncated } = made(write(http(fields)));
  return { body, truncated };
}

/** A field with bytes behind a length. */
function delimited(number: number, content: Uint8Array): Buffer {
  return Buffer.concat([Buffer.from([number * 8 + 2, content.length]), content]);
}

describe("the attributes of the input", () => {
  it("show every field of CheckRequest that the protos have", () => {
    const full = fc.sample(messages(checkRequestType, 0, true), { numRuns: 5, seed: 7 });
    for (const each of full) {
      const bytes = encoded(each);
      const expected = shown(
        checkRequestType,
        checkRequestType.decode(bytes) as unknown as Record<string, unknown>,
      );
      expect(made(write(bytes))["attributes"]).toEqual((expected as Record<string, unknown>)["attributes"]);
    }
  });

  it("are those of a plain decoder and walk, for any request", () => {
    fc.assert(
      fc.property(messages(checkRequestType), (request) => {
        const bytes = encoded(request);
        const decoded = checkRequestType.decode(bytes) as unknown as Record<string, unknown>;
        const result = createInputWriter({ parseBody: false })(bytes);
        const expected = shown(checkRequestType, decoded) as Record<string, unknown>;
        expect(made(result)["attributes"]).toEqual(expected["attributes"]);
      }),
      { numRuns: 300 },
    );
  });

  it("are absent when the message has none", () => {
    expect(Object.keys(made(write(Buffer.alloc(0))))).not.toContain("attributes");
  });

  it("merge a message that comes twice, and take the last of scalars and map entries", () => {
    const first = http({ method: "GET", host: "a", headers: { x: "1", y: "1" } });
    const second = http({ host: "b", headers: { x: "2" } });
    const { attributes } = made(write(Buffer.concat([first, second])));
    expect(attributes).toEqual({
      request: { http: { method: "GET", host: "b", headers: { x: "2", y: "1" } } },
    });
  });

  it("keep of a oneof the member that came last", () => {
    const socket = encoded({ attributes: { source: { address: { socketAddress: { portValue: 0 } } } } });
    const pipe = encoded({ attributes: { source: { address: { pipe: {} } } } });
    expect(made(write(Buffer.concat([socket, pipe])))["attributes"]).toEqual({
      source: { address: { pipe: {} } },
    });
  });

  it("leave out unknown fields, groups included", () => {
    const unknown = Buffer.from([0x9b, 0x06, 0x08, 0x01, 0x9c, 0x06, 0xa0, 0x06, 0x01]);
    expect(made(write(Buffer.concat([unknown, http({ host: "a" })])))["attributes"]).toEqual({
      request: { http: { host: "a" } },
    });
  });

  it("refuse a string that is not utf-8, and bytes that are no message", () => {
    const http = delimited(1, delimited(4, delimited(2, delimited(5, Buffer.from([0xff])))));
    expect(write(http)).toMatchObject({ ok: false });
    expect(write(Buffer.from([0x0a, 0x05, 0x01]))).toMatchObject({ ok: false });
  });

  it("refuse metadata that is nested too deep, in bounded time", () => {
    let value = Buffer.from([0x08, 0x00]);
    const varint = (n: number): number[] => (n < 0x80 ? [n] : [(n & 0x7f) | 0x80, ...varint(n >>> 7)]);
    for (let level = 0; level < 5_000; level++) {
      const list = Buffer.concat([Buffer.from([0x0a, ...varint(value.length)]), value]);
      value = Buffer.concat([Buffer.from([0x32, ...varint(list.length)]), list]);
    }
    const wrap = (tag: number, content: Buffer): Buffer =>
      Buffer.concat([Buffer.from([tag, ...varint(content.length)]), content]);
    const entry = wrap(0x0a, Buffer.concat([Buffer.from([0x0a, 0x01, 0x61]), wrap(0x12, value)]));
    const metadata = wrap(0x0a, Buffer.concat([Buffer.from([0x0a, 0x01, 0x6d]), wrap(0x12, entry)]));
    expect(write(wrap(0x0a, wrap(0x5a, metadata)))).toMatchObject({ ok: false });
  });
});

describe("the path and query of the input", () => {
  it.each([
    ["", [""], {}],
    ["/", [""], {}],
    ["//a/b/", ["a", "b", ""], {}],
    ["/a%2Fb+c#d", ["a", "b+c#d"], {}],
    [
      "/x?a=1&a=2&b&c=&&=v&d=%20+%26?e#f",
      ["x"],
      { a: ["1", "2"], b: [""], c: [""], "": ["v"], d: ["  &?e#f"] },
    ],
    ["/%ff%e2%82/é", ["\ufffd\ufffd\ufffd", "é"], {}],
    ["/__proto__?constructor=1", ["__proto__"], { constructor: ["1"] }],
  ])("of `%s`", (path, segments, query) => {
    expect(made(write(http({ path })))).toMatchObject({ parsed_path: segments, parsed_query: query });
  });

  it.each(["/%", "/%4", "/%zz", "/a?b=%", "/a?b;c=1", "/a?%g1=1"])("refuse `%s`", (path) => {
    expect(write(http({ path }))).toMatchObject({ ok: false });
  });
});

describe("the body of the input", () => {
  const json = { "content-type": "application/json" };

  it("is absent, as its truncation, when it is not parsed", () => {
    const input = made(createInputWriter({ parseBody: false })(http({ headers: json, body: "{" })));
    expect(Object.keys(input)).toEqual(["attributes", "parsed_path", "parsed_query", "version"]);
  });

  it.each([
    ["json", json, "[1.0]", { body: ["#1"], truncated: false }],
    ["nothing", json, "", { body: null, truncated: false }],
    ["another type", { "content-type": "Application/JSON" }, "{}", { body: null, truncated: false }],
    [
      "a partial body",
      { ...json, "x-envoy-auth-partial-body": "true" },
      "{",
      { body: null, truncated: true },
    ],
    ["more than there is", { ...json, "content-length": "+3" }, "{}", { body: null, truncated: true }],
    ["less than there is", { ...json, "content-length": "1" }, "{}", { body: {}, truncated: false }],
    ["an unknown length", { ...json, "content-length": "-1" }, "{}", { body: {}, truncated: false }],
    [
      "a form",
      { "content-type": "application/x-www-form-urlencoded" },
      "a=1&a=%C3%A9",
      { body: { a: ["1", "é"] }, truncated: false },
    ],
    [
      "parts without boundary",
      { "content-type": "multipart/form-data" },
      "x",
      { body: null, truncated: false },
    ],
  ])("of %s", (_, headers, body, expected) => {
    expect(parsed({ headers, body })).toEqual(expected);
  });

  it("is read of raw_body, and there every byte that is not utf-8 is one U+FFFD", () => {
    expect(parsed({ headers: json, rawBody: Buffer.from([0x22, 0xe2, 0x82, 0x22]) })).toEqual({
      body: "\ufffd\ufffd",
      truncated: false,
    });
  });

  it.each(["ten", "", " 9", "9223372036854775808", "1_0", "0x1"])(
    "refuses a content-length of `%s`",
    (length) => {
      expect(write(http({ headers: { ...json, "content-length": length }, body: "{}" }))).toMatchObject({
        ok: false,
      });
    },
  );

  it("of one request is not seen with the next", () => {
    write(http({ headers: json, body: "{}" }));
    expect(parsed({ path: "/" })).toEqual({ body: null, truncated: false });
  });

  it("is refused when the descriptors are none", () => {
    expect(() => createInputWriter({ parseBody: true, protoDescriptor: Buffer.from("x") })).toThrow(
      expect.objectContaining({ code: "bad_descriptors" }),
    );
  });
});

describe("the input as a whole", () => {
  it("has what the caller adds under `gatehouse`", () => {
    const result = write(http({ path: "/" }), '{"identity":null}');
    expect(made(result)["gatehouse"]).toEqual({ identity: null });
  });

  it("is JSON or a refusal, whatever the bytes are", () => {
    const shop = readFileSync(join(import.meta.dirname, "../../conformance/corpus/shop.pb"));
    const grpc = createInputWriter({ parseBody: true, protoDescriptor: shop });
    const sound = (bytes: Uint8Array): void => {
      const result = grpc(bytes);
      if (result.ok) JSON.parse(result.json);
    };
    fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), sound));
    fc.assert(
      fc.property(messages(checkRequestType), fc.nat(), fc.nat(255), (request, at, byte) => {
        const bytes = encoded(request);
        if (bytes.length > 0) bytes[at % bytes.length] = byte;
        sound(bytes);
      }),
    );
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 200 }),
        fc.constantFrom("Create", "Touch"),
        (message, method) => {
          const length = Buffer.alloc(5);
          length.writeUInt32BE(message.length, 1);
          const rawBody = Buffer.concat([length, message]);
          sound(
            http({
              path: `/shop.v1.Orders/${method}`,
              headers: { "content-type": "application/grpc" },
              rawBody,
            }),
          );
        },
      ),
    );
  });
});
