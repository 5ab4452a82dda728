import { Buffer } from "node:buffer";
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import { completeBodyPolicy, parseBodyPolicy } from "../../../src/body/index.js";
import { aDocument, findingsOf, said } from "./body-kit.js";

const deny = { rules: [{ deny: "request.body.total > 1000" }] };
const request = (body: unknown): unknown => ({ request: { body } });
const response = (body: object): unknown => ({ response: { body: { delivery: "whole", ...body } } });
const card = { path: "$.card", action: "mask" };

describe("a BodyPolicy document", () => {
  it("is read as the example says", () => {
    const source = readFileSync(new URL("../../../src/body/parse-body-policy.ts", import.meta.url), "utf8");
    const [, example = ""] = /```yaml\n(.*?)```/s.exec(source) ?? [];
    const { spec } = parse(example.replace(/^ \* ?/gm, "")) as { spec: unknown };
    const parsed = parseBodyPolicy(aDocument(spec, "customers"));
    expect(said(parsed)).toEqual([]);
    expect(parsed.spec?.files).toEqual(["requestSchema", "protoDescriptor", "hashKey"]);
    expect(parsed.references?.map(({ kind, name }) => `${kind} ${name}`)).toEqual([
      "bytes order.schema.json",
      "bytes shop.pb",
      "bytes redaction.key",
    ]);
    expect(parsed.spec?.request?.body?.limits).toEqual({
      maxBytes: 65536,
      onLimit: "deny",
      encodings: "decode",
      maxRatio: 100,
      contentTypes: ["application/json"],
      otherContentTypes: "deny",
    });
    expect(parsed.spec?.response?.body?.fields[0]?.field).toEqual({
      name: "card",
      path: [{ kind: "member", name: "customers" }, { kind: "all" }, { kind: "member", name: "card" }],
      action: { kind: "mask", keepFirst: 0, keepLast: 4, character: "*", replacement: undefined },
    });
    expect(parsed.spec?.usage?.quota).toBe("shop/tokens");
    expect(parsed.spec?.request?.body?.rules.at(-1)).toEqual({ kind: "rego", policy: "shop/orders" });
  });

  it("takes only JSON where `json` is written and no types are", () => {
    const { spec } = parseBodyPolicy(aDocument(request({ json: { maxDepth: 5 } })));
    expect(spec?.request?.body?.limits.contentTypes).toEqual(["application/json", "application/*+json"]);
  });

  it("holds at most 1 MiB where nothing is said, and a streamed body of any length", () => {
    expect(parseBodyPolicy(aDocument(request(deny))).spec?.request?.body?.limits.maxBytes).toBe(1024 * 1024);
    const streamed = parseBodyPolicy(aDocument(response({ delivery: "streamed", fields: [card] })));
    expect(streamed.spec?.response?.body?.limits.maxBytes).toBeUndefined();
  });

  it.each([
    ["does nothing", {}, "GH1101 spec"],
    ["has a request that does nothing", { request: { headers: [] } }, "GH1101 spec.request"],
    ["has a response body that does nothing", response({ fields: [] }), "GH1101 spec.response"],
    ["has an unknown field", { ...(request(deny) as object), rule: 1 }, "GH0101 spec.rule"],
    [
      "has a limit without what happens beyond",
      request({ ...deny, maxBytes: 10 }),
      "GH1102 spec.request.body.maxBytes",
    ],
    [
      "says what happens beyond no limit",
      request({ ...deny, onLimit: "deny" }),
      "GH1102 spec.request.body.onLimit",
    ],
    [
      "has a limit in no unit",
      request({ ...deny, maxBytes: "1 parsec", onLimit: "deny" }),
      "GH0108 spec.request.body.maxBytes",
    ],
    [
      "parses what it cuts off",
      request({ ...deny, maxBytes: 10, onLimit: "truncate" }),
      "GH1108 spec.request.body.rules",
    ],
    ["has a bad path", request({ rules: [{ remove: "a.b" }] }), "GH1103 spec.request.body.rules.0.remove"],
    [
      "removes the whole body",
      request({ rules: [{ remove: "$" }] }),
      "GH1103 spec.request.body.rules.0.remove",
    ],
    [
      "has a rule that is two",
      request({ rules: [{ deny: "true", rego: "a" }] }),
      "GH0201 spec.request.body.rules.0",
    ],
    ["has a rule that is none", request({ rules: [{ when: "true" }] }), "GH0201 spec.request.body.rules.0"],
    [
      "refuses with no refusal",
      request({ rules: [{ deny: "true", status: 200 }] }),
      "GH0108 spec.request.body.rules.0.status",
    ],
    [
      "denies by what is no boolean",
      request({ rules: [{ deny: "request.method" }] }),
      "GH0701 spec.request.body.rules.0.deny",
    ],
    [
      "sets a value that is no JSON",
      request({ rules: [{ set: "$.a", value: "request.time" }] }),
      "GH0701 spec.request.body.rules.0.value",
    ],
    [
      "reads the response in a request",
      request({ rules: [{ deny: "response.code == 200" }] }),
      "GH0701 spec.request.body.rules.0.deny",
    ],
    [
      "reads the body before it is there",
      { ...(request(deny) as object), match: "request.body.a == 1" },
      "GH0701 spec.match",
    ],
    [
      "reads the body without its limits",
      { request: { headers: [{ operation: "set", name: "x", value: "request.body.a" }] } },
      "GH1108 spec.request.headers.0",
    ],
    [
      "has a schema that is none",
      request({ json: { schema: { type: 7 } } }),
      "GH1105 spec.request.body.json.schema",
    ],
    [
      "has two schemas",
      request({ json: { schema: {}, schemaFile: "a" } }),
      "GH0201 spec.request.body.json.schemaFile",
    ],
    [
      "has a content type that is none",
      request({ contentTypes: ["json"] }),
      "GH0108 spec.request.body.contentTypes.0",
    ],
    [
      "changes a header of the connection",
      { request: { headers: [{ operation: "remove", name: "transfer-encoding" }] } },
      "GH1109 spec.request.headers.0.name",
    ],
    [
      "changes a pseudo-header",
      { request: { headers: [{ operation: "set", name: ":path", value: "''" }] } },
      "GH1109 spec.request.headers.0.name",
    ],
    [
      "changes every header",
      { request: { headers: [{ operation: "remove", name: "*" }] } },
      "GH1109 spec.request.headers.0.name",
    ],
    [
      "sets a wildcard",
      { request: { headers: [{ operation: "set", name: "x-*", value: "''" }] } },
      "GH1109 spec.request.headers.0.name",
    ],
    [
      "writes a header in capitals",
      { request: { headers: [{ operation: "remove", name: "Server" }] } },
      "GH1109 spec.request.headers.0.name",
    ],
    [
      "removes a header with a value",
      { request: { headers: [{ operation: "remove", name: "x", value: "''" }] } },
      "GH0201 spec.request.headers.0.value",
    ],
    [
      "does not say how a response is delivered",
      { response: { body: { fields: [card] } } },
      "GH0104 spec.response.body.delivery",
    ],
    [
      "has rules over a stream",
      response({ delivery: "streamed", rules: [{ deny: "true" }] }),
      "GH1108 spec.response.body.rules",
    ],
    [
      "has JSON limits over a stream",
      response({ delivery: "streamed", json: {} }),
      "GH1108 spec.response.body.json",
    ],
    [
      "changes a response by rules",
      response({ rules: [{ remove: "$.a" }] }),
      "GH1108 spec.response.body.rules.0.remove",
    ],
    ["hashes without a key", response({ fields: [{ path: "$.a", action: "hash" }] }), "GH1107 spec"],
    ["names no action", response({ fields: [{ path: "$.a" }] }), "GH0104 spec.response.body.fields.0.action"],
    [
      "masks in two ways",
      response({ fields: [{ ...card, keepLast: 4, replacement: "x" }] }),
      "GH0201 spec.response.body.fields.0.keepLast",
    ],
    [
      "masks with more than one character",
      response({ fields: [{ ...card, character: "**" }] }),
      "GH0108 spec.response.body.fields.0.character",
    ],
    ["has two rules of one name", response({ fields: [card, card] }), "GH1112 spec.response.body.fields.1"],
    [
      "has an unknown detector",
      response({ detect: [{ detector: "cards", action: "deny" }] }),
      "GH0103 spec.response.body.detect.0.detector",
    ],
    [
      "has a pattern that is no RE2",
      response({ detect: [{ pattern: "(?=a)", name: "a", maxLength: 9, action: "deny" }] }),
      "GH1104 spec.response.body.detect.0.pattern",
    ],
    [
      "has a pattern without a length",
      response({ detect: [{ pattern: "a", name: "a", action: "deny" }] }),
      "GH0104 spec.response.body.detect.0.maxLength",
    ],
    [
      "has a pattern without a name",
      response({ detect: [{ pattern: "a", maxLength: 9, action: "deny" }] }),
      "GH0104 spec.response.body.detect.0.name",
    ],
    [
      "replaces what is no error",
      { response: { replaceErrors: [{ codes: "2xx", body: "" }] } },
      "GH0108 spec.response.replaceErrors.0.codes",
    ],
    ["counts two things", { usage: { quota: "q", field: "$.a", bytes: "response" } }, "GH0201 spec.usage"],
    ["counts bytes of the request", { usage: { quota: "q", bytes: "request" } }, "GH0103 spec.usage.bytes"],
  ])("is refused when it %s", (_, spec, expected) => {
    expect(findingsOf(spec)).toContain(expected);
    expect(parseBodyPolicy(aDocument(spec)).spec).toBeUndefined();
  });

  it.each([
    [
      "a key that nothing is hashed with",
      { ...(request(deny) as object), hashKeyFile: "a.key" },
      "GH1111 spec.hashKeyFile",
    ],
    [
      "other types where every type is taken",
      request({ ...deny, otherContentTypes: "pass" }),
      "GH1111 spec.request.body.otherContentTypes",
    ],
    [
      "a mask's field beside another action",
      response({ fields: [{ path: "$.a", action: "remove", keepLast: 1 }] }),
      "GH1111 spec.response.body.fields.0.keepLast",
    ],
    [
      "a replacement of what refuses",
      response({ detect: [{ detector: "iban", action: "deny", replacement: "x" }] }),
      "GH1111 spec.response.body.detect.0.replacement",
    ],
  ])("is warned of %s", (_, spec, expected) => {
    const parsed = parseBodyPolicy(aDocument(spec));
    expect(said(parsed)).toEqual([expected]);
    expect(parsed.spec).toBeDefined();
  });

  it("shows where in an expression something is wrong", () => {
    const { findings } = parseBodyPolicy(aDocument(request({ rules: [{ deny: "true &&\n  requst.body" }] })));
    expect(findings[0]?.place).toMatchObject({ line: 2, column: 3 });
  });
});

describe("the files of a BodyPolicy", () => {
  const base64 = (text: string): string => Buffer.from(text).toString("base64");
  const complete = (spec: unknown, texts: readonly string[]): ReturnType<typeof completeBodyPolicy> => {
    const parsed = parseBodyPolicy(aDocument(spec));
    if (parsed.spec === undefined) throw new Error(said(parsed).join());
    return completeBodyPolicy(parsed.spec, texts.map(base64));
  };

  it("are put where they are named", () => {
    const spec = request({ json: { schemaFile: "a.json" } });
    expect(complete(spec, ['{"type":"object"}']).spec?.request?.body?.json?.schema).toBe('{"type":"object"}');
  });

  it("are refused when they are not what they should be", () => {
    const schema = request({ json: { schemaFile: "a.json" } });
    expect(said(complete(schema, ["nonsense"]))).toEqual(["GH1105 spec.request.body.json.schemaFile"]);
    const descriptor = request({ ...deny, protoDescriptor: "a.pb" });
    expect(said(complete(descriptor, ["nonsense"]))).toEqual(["GH1106 spec.request.body.protoDescriptor"]);
    const key = { ...(response({ fields: [{ path: "$.a", action: "hash" }] }) as object), hashKeyFile: "k" };
    expect(said(complete(key, ["too short"]))).toEqual(["GH1107 spec.hashKeyFile"]);
    expect(complete(key, ["0123456789abcdef"]).spec?.hashKey).toHaveLength(16);
  });
});
