import { describe, expect, it } from "vitest";
import { createJsonReader } from "../../../src/cli/proto-json.js";
import type { CheckRequest__Output } from "../../../src/proto/index.js";
import { loadProtos } from "../../../src/server/protos.js";

const protos = loadProtos();
const read = createJsonReader(protos.packages);

/** What the server would see of it: there and back over the wire. */
function decoded(json: unknown): CheckRequest__Output {
  const message = read("envoy.service.auth.v3.CheckRequest", json);
  return protos.check.requestDeserialize(protos.check.requestSerialize(message));
}

const http = (fields: object): unknown => ({ attributes: { request: { http: fields } } });

describe("proto3 JSON of a CheckRequest", () => {
  it("is read with lowerCamel and with proto names alike", () => {
    const camel = {
      attributes: {
        contextExtensions: { a: "1" },
        source: { address: { socketAddress: { portValue: 80 } } },
      },
    };
    const snake = {
      attributes: {
        context_extensions: { a: "1" },
        source: { address: { socket_address: { port_value: 80 } } },
      },
    };
    expect(decoded(camel)).toEqual(decoded(snake));
    expect(decoded(camel).attributes?.context_extensions).toEqual({ a: "1" });
    expect(decoded(camel).attributes?.source?.address?.socket_address?.port_value).toBe(80);
  });

  it("has bytes in either base64", () => {
    const bytes = [0xfb, 0xff, 0x00];
    for (const text of ["+/8A", "-_8A"]) {
      expect([...(decoded(http({ rawBody: text })).attributes?.request?.http?.raw_body ?? [])]).toEqual(
        bytes,
      );
    }
  });

  it("has timestamps as texts", () => {
    const time = (text: string): unknown => {
      const { seconds, nanos } =
        decoded({ attributes: { request: { time: text } } }).attributes?.request?.time ?? {};
      return [String(seconds), nanos];
    };
    expect(time("2026-01-01T00:00:00Z")).toEqual(["1767225600", 0]);
    expect(time("2026-01-01T01:00:00.25+01:00")).toEqual(["1767225600", 250_000_000]);
  });

  it("has 64-bit numbers as texts or numbers", () => {
    expect(Number(decoded(http({ size: "-1" })).attributes?.request?.http?.size)).toBe(-1);
    expect(Number(decoded(http({ size: 7 })).attributes?.request?.http?.size)).toBe(7);
  });

  it("has dynamic metadata as plain JSON", () => {
    const claims = { sub: "a", n: 1, ok: true, none: null, list: ["x"], deep: { y: 2 } };
    const metadata = decoded({ attributes: { metadataContext: { filterMetadata: { jwt: { claims } } } } });
    const struct = metadata.attributes?.metadata_context?.filter_metadata?.["jwt"];
    expect(
      struct?.fields?.["claims"]?.structValue?.fields?.["deep"]?.structValue?.fields?.["y"]?.numberValue,
    ).toBe(2);
    expect(
      struct?.fields?.["claims"]?.structValue?.fields?.["list"]?.listValue?.values?.[0]?.stringValue,
    ).toBe("x");
  });

  it("has repeated messages", () => {
    const headers = [
      { key: "a", rawValue: "Yg==" },
      { key: "a", rawValue: "Yw==" },
    ];
    const map = decoded(http({ headerMap: { headers } })).attributes?.request?.http?.header_map?.headers;
    expect(map?.map((header) => [header.key, String(header.raw_value)])).toEqual([
      ["a", "b"],
      ["a", "c"],
    ]);
  });

  it("takes null for absent", () => {
    expect(decoded({ attributes: { source: null } })).toEqual(decoded({ attributes: {} }));
  });

  it("keeps ordinary names that objects inherit", () => {
    const headers = JSON.parse('{"constructor": "a", "toString": "b"}') as unknown;
    expect(decoded(http({ headers })).attributes?.request?.http?.headers).toEqual(headers);
  });

  it.each([
    ["an unknown field", { attributes: { sauce: {} } }, "`request.attributes.sauce`"],
    ["a number for a text", http({ path: 1 }), "`request.attributes.request.http.path`, expected a string"],
    ["a text for an object", { attributes: "x" }, "expected an object"],
    ["a list for an object", [], "expected an object"],
    ["no base64", http({ rawBody: "***" }), "expected base64"],
    ["no timestamp", { attributes: { request: { time: "yesterday" } } }, "RFC 3339"],
    ["an object for a list", http({ headerMap: { headers: {} } }), "expected a list"],
  ])("refuses %s", (_what, json, message) => {
    expect(() => decoded(json)).toThrow(message);
  });
});
