import { Buffer } from "node:buffer";
import zlib from "node:zlib";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { ResponsePart } from "../../../src/body/policy.js";
import { compileResponseBody, type ResponseBodyFlow } from "../../../src/body/response-flow.js";
import type { BodyRefusal, ResponseHead } from "../../../src/body/run.js";
import { parsePath } from "../../../src/redaction/index.js";
import { aRequest } from "../../support/request.js";

type Body = NonNullable<ResponsePart["body"]>;

const limits: Body["limits"] = {
  maxBytes: undefined,
  onLimit: "deny",
  encodings: "decode",
  maxRatio: 100,
  contentTypes: [],
  otherContentTypes: "deny",
};

function field(path: string, when?: string): Body["fields"][number] {
  const read = parsePath(path);
  if (!("steps" in read)) throw new Error(read.message);
  const action = { kind: "mask", keepFirst: 0, keepLast: 0, character: "*", replacement: undefined } as const;
  return { field: { name: path, path: read.steps, action }, when };
}

const cards: Body["detect"] = [
  { name: "cards", what: { detector: "paymentCard" }, action: "redact", replacement: "[card]" },
];
const noCards: Body["detect"] = [
  { name: "cards", what: { detector: "paymentCard" }, action: "deny", replacement: "" },
];
const card = "4111111111111111";

function body(overrides: Partial<Body> & { readonly limit?: Partial<Body["limits"]> } = {}): Body {
  const { limit, ...rest } = overrides;
  return {
    delivery: "streamed",
    limits: { ...limits, ...limit },
    fields: [],
    detect: [],
    rules: [],
    json: undefined,
    ...rest,
  };
}

function head(type: string | undefined, headers: Record<string, string> = {}, code = 200): ResponseHead {
  const all = {
    ":status": String(code),
    ...(type === undefined ? {} : { "content-type": type }),
    ...headers,
  };
  return {
    code,
    headers: new Map(Object.entries(all).map(([name, value]) => [name, [value]])),
    hasBody: true,
  };
}

function begin(rules: Body, response: ResponseHead): ResponseBodyFlow | BodyRefusal | undefined {
  const attributes = aRequest().get("/").build();
  const input = {
    attributes,
    workload: undefined,
    response,
    requestBody: undefined,
    responseBody: undefined,
  };
  return compileResponseBody(rules, { policy: "ns/p", hashKey: Buffer.from("key") })({
    input,
    head: response,
  });
}

function flowOf(rules: Body, response: ResponseHead): ResponseBodyFlow {
  const found = begin(rules, response);
  if (found === undefined || !("push" in found)) throw new Error(`no flow: ${JSON.stringify(found)}`);
  return found;
}

function reasonOf(rules: Body, response: ResponseHead): string {
  const found = begin(rules, response);
  return found === undefined ? "none" : "push" in found ? "flow" : found.reason;
}

/** What the client gets, and the reason where it ends with a refusal. */
async function run(
  rules: Body,
  response: ResponseHead,
  bytes: string | Uint8Array,
  cuts: readonly number[] = [],
): Promise<{ text: string; refused: string | undefined; flow: ResponseBodyFlow }> {
  const flow = flowOf(rules, response);
  const all = Buffer.from(bytes as Uint8Array);
  const out: Uint8Array[] = [];
  let from = 0;
  for (const to of [...cuts.map((at) => Math.min(at, all.length)).sort((a, b) => a - b), all.length]) {
    const step = await flow.push(all.subarray(from, to));
    if (step.kind === "refuse")
      return { text: Buffer.concat(out).toString(), refused: step.refusal.reason, flow };
    out.push(step.bytes);
    from = to;
  }
  const last = await flow.end();
  if (last.kind === "go") out.push(last.bytes);
  return {
    text: Buffer.concat(out).toString(),
    refused: last.kind === "refuse" ? last.refusal.reason : undefined,
    flow,
  };
}

const ndjsonFields = body({ fields: [field("$.a")] });
const utf16 = (text: string): Buffer => Buffer.from(`\ufeff${text}`, "utf16le");
const json = "application/json";
const everyByte = Array.from({ length: 500 }, (_, at) => at);

describe("which responses are looked at", () => {
  const fields = body({ fields: [field("$.a")] });
  const named = body({ fields: [field("$.a")], limit: { contentTypes: [json] } });
  const twice = (name: string, first: string, second: string): ResponseHead => {
    const given = head(json);
    return { ...given, headers: new Map([...given.headers, [name, [first, second]]]) };
  };
  it.each<[string, Body, ResponseHead, string]>([
    ["JSON", fields, head("application/problem+json; charset=utf-8"), "flow"],
    ["binary content, in which nobody could find the fields", fields, head("image/png"), "body_type"],
    ["binary content, with detectors", body({ detect: cards }), head("image/png"), "none"],
    ["text, in which nobody could find the fields", fields, head("text/html"), "body_type"],
    ["text with detectors", body({ detect: cards }), head("text/html"), "flow"],
    [
      "text that is named, as JSON",
      body({ fields: [field("$.a")], limit: { contentTypes: ["text/plain"] } }),
      head("text/plain"),
      "flow",
    ],
    ["nothing without a body", fields, { ...head(json), hasBody: false }, "none"],
    [
      "a type that is not named",
      body({ fields: [field("$.a")], limit: { contentTypes: [json] } }),
      head("text/html"),
      "body_type",
    ],
    [
      "no type",
      body({ fields: [field("$.a")], limit: { contentTypes: [json] } }),
      head(undefined),
      "body_type",
    ],
    [
      "a type that may pass",
      body({ fields: [field("$.a")], limit: { contentTypes: [json], otherContentTypes: "pass" } }),
      head("text/html"),
      "none",
    ],
    [
      "binary that is named",
      body({ detect: cards, limit: { contentTypes: ["image/png"] } }),
      head("image/png"),
      "flow",
    ],
    ["a charset that reads as noise", fields, head("application/json; charset=utf-16le"), "body_type"],
    ["two types", fields, twice("content-type", "text/plain", json), "flow"],
    ["two types of a list", named, twice("content-type", json, json), "body_type"],
    ["a type that cannot be read", fields, head("application/json; charset"), "body_type"],
    ["two charsets", fields, head("application/json; charset=utf-8; charset=utf-16"), "body_type"],
    ["a type in capitals, its charset in quotes", fields, head('APPLICATION/JSON ;Charset="UTF-8"'), "flow"],
    ["several encodings", fields, head(json, { "content-encoding": " GZIP,, Br , identity" }), "flow"],
    ["several encodings in lines", fields, twice("content-encoding", "gzip", "br"), "flow"],
    ["one of them unknown", fields, twice("content-encoding", "gzip", "zstd"), "body_encoding"],
    ["gRPC, in which nobody could find the fields", fields, head("application/grpc"), "body_type"],
    ["gRPC, with detectors", body({ detect: cards }), head("application/grpc"), "none"],
    ["several parts, with detectors", body({ detect: cards }), head("multipart/mixed"), "flow"],
    ["a token, with detectors", body({ detect: cards }), head("application/jwt"), "flow"],
    ["a part", fields, head(json, { "content-range": "bytes 0-1/9" }, 206), "body_type"],
    ["parts of any type", fields, head("multipart/byteranges; boundary=x", {}, 206), "body_type"],
    ["a part of what passes", body({ detect: cards }), head("video/mp4", {}, 206), "none"],
    ["an unknown encoding", fields, head(json, { "content-encoding": "zstd" }), "body_encoding"],
    [
      "an encoding that is refused",
      body({ fields: [field("$.a")], limit: { encodings: "deny" } }),
      head(json, { "content-encoding": "gzip" }),
      "body_encoding",
    ],
    [
      "a length that is too great",
      body({ fields: [field("$.a")], limit: { maxBytes: 10 } }),
      head(json, { "content-length": "11" }),
      "body_too_large",
    ],
    [
      "no field whose condition holds",
      body({ fields: [field("$.a", "response.code == 404")] }),
      head(json),
      "none",
    ],
    [
      "a field whose condition holds",
      body({ fields: [field("$.a", "response.code == 200")] }),
      head(json),
      "flow",
    ],
    [
      "a field whose condition nobody knows",
      body({ fields: [field("$.a", "request.auth.claims['x'] == 'y'")] }),
      head(json),
      "flow",
    ],
  ])("%s", (_, rules, response, expected) => {
    expect(reasonOf(rules, response)).toBe(expected);
  });

  it("answers all refusals with 502", () => {
    expect(begin(fields, head(json, { "content-encoding": "zstd" }))).toMatchObject({
      httpStatus: 502,
      code: 13,
      policy: "ns/p",
    });
  });

  it("takes away the headers that are not true any more", () => {
    const flow = flowOf(
      fields,
      head(json, { "content-length": "9", etag: '"x"', "content-encoding": "gzip", digest: "x", vary: "x" }),
    );
    expect(new Set(flow.headEdits.remove)).toEqual(
      new Set(["content-length", "etag", "content-encoding", "digest"]),
    );
  });
});

describe("what a client can ask an upstream for", () => {
  it.each([
    "application/json-seq",
    "application/x-json",
    "application/json+oembed",
    "model/gltf+json",
    "text/x-json",
  ])("reads %s as JSON, so that no field passes under its name", async (type) => {
    const found = await run(body({ fields: [field("$.a")] }), head(type), '{"a":"x"}');
    expect(found).toMatchObject({ text: '{"a":"*"}', refused: undefined });
    const broken = await run(body({ fields: [field("$.a")] }), head(type), '\x1e{"a":"x"}\n');
    expect(broken).toMatchObject({ text: "", refused: "body_malformed" });
  });

  it.each(["deny", "pass"] as const)(
    "keeps no encoded body that goes on without giving a byte, with onLimit %s",
    async (onLimit) => {
      const rules = body({ delivery: "whole", limit: { maxBytes: 1024, onLimit } });
      const flow = flowOf(rules, head("text/plain", { "content-encoding": "gzip" }));
      const header = zlib.gzipSync("").subarray(0, 10);
      const emptyBlocks = Buffer.from("000000ffff".repeat(1000), "hex");
      let step = await flow.push(header);
      for (let i = 0; i < 20 && step.kind === "go"; i++) {
        step = await flow.push(emptyBlocks);
        expect(flow.heldBytes).toBeLessThan(10_000);
      }
      if (onLimit === "deny") expect(step).toMatchObject({ refusal: { reason: "body_too_large" } });
      else expect(flow.unscanned).toBe(true);
    },
  );
});

describe("a response's body", () => {
  it.each<[string, Body, string, string, string]>([
    ["masks fields of JSON", body({ fields: [field("$.a")] }), json, '{"a":"x", "b":1}', '{"a":"*", "b":1}'],
    [
      "redacts JSON by detectors",
      body({ detect: cards }),
      json,
      `{"a":"${card}","b":${card}}`,
      '{"a":"[card]","b":"[card]"}',
    ],
    ["redacts text", body({ detect: cards }), "text/plain", `a ${card} b`, "a [card] b"],
    [
      "redacts lines of JSON",
      body({ fields: [field("$.a")] }),
      "application/x-ndjson",
      '{"a":"x"}\n{"a":"y"}\n',
      '{"a":"*"}\n{"a":"*"}\n',
    ],
    [
      "redacts events",
      body({ fields: [field("$.a")], detect: cards }),
      "text/event-stream",
      `data: {"a":"x","b":"${card}"}\n\ndata: no ${card}\n\n`,
      'data: {"a":"*","b":"[card]"}\n\ndata: no [card]\n\n',
    ],
    ["passes an empty body", body({ fields: [field("$.a")] }), json, "", ""],
    ["takes a byte order mark", body({ fields: [field("$.a")] }), json, '\ufeff{"a":"x"}', '\ufeff{"a":"*"}'],
    [
      "reads text that is named as JSON where there are fields to hide, also beside detectors",
      body({ fields: [field("$.a")], detect: cards, limit: { contentTypes: ["text/plain"] } }),
      "text/plain",
      `{"a":"x","b":"${card}"}`,
      '{"a":"*","b":"[card]"}',
    ],
    [
      "reads text that is named as text where no field's condition holds",
      body({ fields: [field("$.a", "false")], detect: cards, limit: { contentTypes: ["text/plain"] } }),
      "text/plain",
      `a ${card}`,
      "a [card]",
    ],
    [
      "leaves fields alone whose condition does not hold",
      body({ fields: [field("$.a", "false"), field("$.b")] }),
      json,
      '{"a":"x","b":"y"}',
      '{"a":"x","b":"*"}',
    ],
  ])("%s", async (_, rules, type, given, expected) => {
    for (const delivery of ["whole", "streamed"] as const) {
      for (const cuts of [[], everyByte]) {
        expect(await run({ ...rules, delivery }, head(type), given, cuts)).toMatchObject({
          text: expected,
          refused: undefined,
        });
      }
      const encoded = zlib.brotliCompressSync(given);
      const bytes = given === "" ? Buffer.alloc(0) : encoded;
      expect(
        await run({ ...rules, delivery }, head(type, { "content-encoding": "br" }), bytes, everyByte),
      ).toMatchObject({ text: expected });
    }
  });

  it.each(["whole", "streamed"] as const)("is freed in the midst of it (%s)", async (delivery) => {
    const rules = { ...body({ fields: [field("$.a")] }), delivery };
    const flow = flowOf(rules, head(json, { "content-encoding": "gzip" }));
    const step = flow.push(zlib.gzipSync('{"a":"x"').subarray(0, -8));
    flow.close();
    flow.close();
    expect(await step).toMatchObject({ kind: "refuse" });
    expect(await flow.push(Buffer.from("}"))).toMatchObject({ kind: "refuse" });
    expect(await flow.end()).toMatchObject({ kind: "refuse" });
  });

  it("counts what was done", async () => {
    const { flow } = await run(
      body({ fields: [field("$.a")], detect: cards }),
      head(json),
      `{"a":"x","b":"${card}"}`,
    );
    expect(flow.findings).toEqual(
      new Map([
        ["$.a", 1],
        ["cards", 1],
      ]),
    );
    const text = await run(body({ detect: cards }), head("text/plain"), `${card} ${card}`);
    expect(text.flow.findings).toEqual(new Map([["cards", 2]]));
  });

  it.each<[string, Body, ResponseHead, string | Uint8Array, string]>([
    [
      "what a detector refuses",
      body({ detect: noCards }),
      head("text/plain"),
      `x ${card} y`,
      "sensitive_data",
    ],
    ["what is no JSON", body({ fields: [field("$.a")] }), head(json), '{"a":', "body_malformed"],
    [
      "text that is no JSON, where there are fields to hide",
      body({ fields: [field("$.a")], detect: cards, limit: { contentTypes: ["text/plain"] } }),
      head("text/plain"),
      "hello",
      "body_malformed",
    ],
    ["UTF-16", body({ detect: cards }), head("text/plain"), utf16(card), "body_malformed"],
    ["JSON in UTF-16", body({ detect: cards }), head(json), utf16(`{"a":"${card}"}`), "body_malformed"],
    [
      "gzip without a word",
      body({ detect: cards }),
      head("text/plain"),
      zlib.gzipSync(card),
      "body_malformed",
    ],
    ["text before JSON", body({ fields: [field("$.a")] }), head(json), ")]}',\n{}", "body_malformed"],
    ["two documents", body({ fields: [field("$.a")] }), head(json), "{}{}", "body_malformed"],
    ["lines that end with CR alone", ndjsonFields, head("application/x-ndjson"), "{}\r{}", "body_malformed"],
    [
      "what stands behind an encoded body",
      body({ fields: [field("$.a")] }),
      head(json, { "content-encoding": "gzip" }),
      Buffer.concat([zlib.gzipSync("{}"), Buffer.from("\0")]),
      "body_encoding",
    ],
    [
      "what has no type and is no JSON",
      body({ fields: [field("$.a")] }),
      head(undefined),
      "hello",
      "body_malformed",
    ],
    [
      "what is not encoded as it says",
      body({ fields: [field("$.a")] }),
      head(json, { "content-encoding": "gzip" }),
      '{"a":1}',
      "body_encoding",
    ],
    [
      "a bomb",
      body({ fields: [field("$.a")] }),
      head(json, { "content-encoding": "gzip" }),
      zlib.gzipSync(Buffer.alloc(3_000_000, " ")),
      "body_encoding",
    ],
    [
      "what is too long",
      body({ fields: [field("$.a")], limit: { maxBytes: 8 } }),
      head(json),
      '{"a":"xyz"}',
      "body_too_large",
    ],
    [
      "what is too long when it is decoded",
      body({ limit: { maxBytes: 8 } }),
      head(json, { "content-encoding": "gzip" }),
      zlib.gzipSync('{"a":"xyz"}'),
      "body_too_large",
    ],
    [
      "JSON that is too deep",
      body({ delivery: "whole", json: { maxDepth: 2, duplicateKeys: "deny", schema: undefined } }),
      head(json),
      "[[[]]]",
      "body_invalid",
    ],
    [
      "JSON with a name twice",
      body({ delivery: "whole", json: { maxDepth: 9, duplicateKeys: "deny", schema: undefined } }),
      head(json),
      '{"a":1,"a":2}',
      "body_invalid",
    ],
  ])("refuses %s", async (_, rules, response, given, reason) => {
    expect(await run(rules, response, given)).toMatchObject({ refused: reason });
    expect(await run(rules, response, given, everyByte)).toMatchObject({ refused: reason });
    expect(await run({ ...rules, delivery: "whole" }, response, given)).toMatchObject({
      refused: reason,
      text: "",
    });
  });

  it("asks rules about the whole body as it came", async () => {
    const refusal = { status: 451, body: "no", contentType: "text/plain" };
    const rules = body({
      delivery: "whole",
      fields: [field("$.level")],
      rules: [{ kind: "deny", when: "response.body.level == 'secret'", refusal }],
    });
    expect(await run(rules, head(json), '{"level":"secret"}', everyByte)).toMatchObject({
      text: "",
      refused: "denied_by_policy",
    });
    expect(await run(rules, head(json), '{"level":"open"}', everyByte)).toMatchObject({
      text: '{"level":"****"}',
      refused: undefined,
    });
    expect(await run(rules, head(json), "{}")).toMatchObject({ refused: "policy_failed" });
  });

  it("lets no JSON past a rule because it is called by another name, unless that is named", async () => {
    const refusal = { status: 403, body: "no", contentType: "text/plain" };
    const when = "has(response.body.rows) && size(response.body.rows) > 1";
    const rules = body({ delivery: "whole", rules: [{ kind: "deny", when, refusal }] });
    for (const type of ["text/plain", "application/octet-stream", undefined]) {
      expect(await run(rules, head(type), '{"rows":[1,2]}')).toMatchObject({
        refused: "body_type",
        text: "",
      });
    }
    expect(await run(rules, head("text/plain"), "")).toMatchObject({ refused: undefined });
    const named = { ...rules, limits: { ...limits, contentTypes: [json, "text/csv"] } };
    expect(await run(named, head("text/csv"), "1,2")).toMatchObject({ refused: undefined, text: "1,2" });
  });

  it("gives the bytes as they came where rules only ask", async () => {
    const rules = body({
      delivery: "whole",
      json: { maxDepth: 9, duplicateKeys: "deny", schema: undefined },
    });
    const encoded = zlib.gzipSync('{"a":1}');
    const response = head(json, { "content-encoding": "gzip", "content-length": "9" });
    const flow = flowOf(rules, response);
    expect(flow.headEdits).toEqual({ remove: [], set: [] });
    expect(await flow.push(encoded)).toEqual({ kind: "go", bytes: new Uint8Array() });
    expect(Buffer.from(((await flow.end()) as { bytes: Uint8Array }).bytes)).toEqual(encoded);
  });

  it("lets go of nothing before it has seen all of a whole body", async () => {
    const flow = flowOf(body({ delivery: "whole", fields: [field("$.a")] }), head(json));
    expect(flow.need).toBe("whole");
    expect(await flow.push(Buffer.from('{"a":"x"}'))).toMatchObject({ bytes: new Uint8Array() });
    expect(flow.heldBytes).toBe(9);
  });

  it("lets what is beyond the limit pass, and says so", async () => {
    for (const delivery of ["whole", "streamed"] as const) {
      for (const cuts of [[], everyByte]) {
        const rules = body({ delivery, fields: [field("$..a")], limit: { maxBytes: 12, onLimit: "pass" } });
        const { text, flow } = await run(rules, head(json), '[{"a":"x"},{"a":"xyz"},{"a":"x"}', cuts);
        expect(text).toBe('[{"a":"*"},{"a":"xyz"},{"a":"x"}');
        expect(flow.unscanned).toBe(true);
      }
    }
    const { text } = await run(
      body({ detect: cards, limit: { maxBytes: 20, onLimit: "pass" } }),
      head("text/plain"),
      `${card} ${card} ${card}`,
    );
    expect(text).toBe(`[card] ${card} ${card}`);
  });

  it("cuts a body off at the limit, at the same byte however it came", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(json, "text/event-stream", "application/x-ndjson"),
        fc.nat(60),
        fc.array(fc.nat(70), { maxLength: 5 }),
        async (type, maxBytes, cuts) => {
          const rules = body({
            fields: [field("$..a")],
            detect: cards,
            limit: {
              maxBytes: maxBytes + 1,
              onLimit: "truncate",
              contentTypes: [json, "text/event-stream", "application/x-ndjson"],
            },
          });
          const value = `{"a":"x\\u00e9","b":"n\\u006f ${card} mail","c":[12,13]}`;
          const given = type === "text/event-stream" ? `data: ${value}\n\n` : value;
          const whole = await run(rules, head(type), given);
          expect(whole.text.length).toBeLessThan(given.length);
          expect(whole.text).not.toContain(card);
          expect((await run(rules, head(type), given, cuts)).text).toBe(whole.text);
          expect((await run(rules, head(type), given, everyByte)).text).toBe(whole.text);
        },
      ),
    );
  });

  it("does not cut off what rules have to see whole", async () => {
    const limit = { maxBytes: 4, onLimit: "truncate" } as const;
    const rules = body({
      delivery: "whole",
      limit,
      json: { maxDepth: 9, duplicateKeys: "deny", schema: undefined },
    });
    expect(await run(rules, head(json), "[1,2,3]")).toMatchObject({ refused: "body_too_large" });
  });

  it("holds a few KiB of a long streamed body", async () => {
    const flow = flowOf(body({ fields: [field("$..secret")], detect: cards }), head(json));
    let most = 0;
    const row = `{"id":12345,"secret":"${"s".repeat(50)}","note":"${"some text 4111 ".repeat(20)}"},`;
    await flow.push(Buffer.from("["));
    for (let sent = 0; sent < 2_000_000; sent += row.length * 150) {
      await flow.push(Buffer.from(row.repeat(150)));
      most = Math.max(most, flow.heldBytes);
    }
    await flow.push(Buffer.from("{}]"));
    expect(await flow.end()).toMatchObject({ kind: "go" });
    expect(most).toBeLessThan(8_192);
  });

  it("answers with the same refusal once it has refused", async () => {
    const flow = flowOf(body({ fields: [field("$.a")] }), head(json));
    const first = await flow.push(Buffer.from("x"));
    expect(first.kind).toBe("refuse");
    expect(await flow.push(Buffer.from("{}"))).toEqual(first);
    expect(await flow.end()).toEqual(first);
  });
});
