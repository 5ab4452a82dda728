import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parseValue } from "../../../src/builtins/index.js";
import { grpcCode, noEdits, type Verdict } from "../../../src/engine/index.js";
import { DecisionError, plainlyAllowed, plainlyDenied, readDecision } from "../../../src/rego/result.js";

/** A decision as OPA prints it, sets and exact numbers included. */
const read = (decision: string): Verdict => readDecision(parseValue(decision));

const allowed = (fields: string): Verdict => read(`{"allowed": true, ${fields}}`);
const denied = (fields: string): Verdict => read(`{"allowed": false, ${fields}}`);

const pairs = (edits: Verdict["edits"]["requestHeaders"]): string[] =>
  edits.map(({ name, value }) => `${name}=${value}`);

describe("a decision", () => {
  it("that is a boolean says only that", () => {
    expect(read("true")).toBe(plainlyAllowed);
    expect(read("false")).toBe(plainlyDenied);
    expect(plainlyAllowed).toMatchObject({ allowed: true, code: grpcCode.ok, edits: noEdits, failed: false });
    expect(plainlyDenied).toMatchObject({
      allowed: false,
      httpStatus: 403,
      code: grpcCode.permissionDenied,
      body: "",
      metadata: undefined,
    });
  });

  it.each([
    "null",
    "1",
    '"true"',
    "[true]",
    "set()",
    "{true}",
    "{}",
    '{"allow": true}',
    '{"allowed": "true"}',
    '{"allowed": 1}',
    '{"allowed": null}',
    '{"allowed": [true]}',
  ])("%s is no decision", (decision) => {
    expect(() => read(decision)).toThrow(DecisionError);
  });

  it("that only says `allowed` is as good as the boolean", () => {
    expect(read('{"allowed": true}')).toEqual(plainlyAllowed);
    expect(read('{"allowed": false}')).toEqual(plainlyDenied);
    expect(read('{"allowed": true}').edits).toBe(noEdits);
  });

  it("may have other keys", () => {
    expect(allowed('"reason": {1}, "id": null')).toEqual(plainlyAllowed);
  });
});

describe("fields of the other outcome", () => {
  it("are not looked at when the request is allowed", () => {
    expect(allowed('"http_status": "x", "body": 7')).toEqual(plainlyAllowed);
  });

  it("are not looked at when it is denied", () => {
    const fields =
      '"request_headers_to_remove": 1, "response_headers_to_add": 1, "query_parameters_to_remove": 1, "query_parameters_to_set": 1';
    expect(denied(fields)).toEqual(plainlyDenied);
  });

  it.each(["headers", "dynamic_metadata"])("do not include `%s`, which both have", (field) => {
    expect(() => allowed(`"${field}": 1`)).toThrow(field);
    expect(() => denied(`"${field}": 1`)).toThrow(field);
  });
});

describe("what is wrong with a decision", () => {
  it.each([
    ["headers, then metadata", true, '"headers": 1, "dynamic_metadata": 1', "headers"],
    [
      "metadata, then what is removed",
      true,
      '"dynamic_metadata": 1, "request_headers_to_remove": 1',
      "dynamic_metadata",
    ],
    [
      "headers to remove, then those of the response",
      true,
      '"request_headers_to_remove": 1, "response_headers_to_add": 1',
      "request_headers_to_remove",
    ],
    [
      "headers of the response, then parameters to remove",
      true,
      '"response_headers_to_add": 1, "query_parameters_to_remove": 1',
      "response_headers_to_add",
    ],
    [
      "parameters to remove, then those to set",
      true,
      '"query_parameters_to_remove": 1, "query_parameters_to_set": 1',
      "query_parameters_to_remove",
    ],
    ["metadata, then the body", false, '"dynamic_metadata": 1, "body": 1', "dynamic_metadata"],
    ["the body, then the status", false, '"body": 1, "http_status": "x"', "body"],
  ])("is found in OPA-Envoy's order: %s", (_, isAllowed, fields, first) => {
    expect(() => (isAllowed ? allowed(fields) : denied(fields))).toThrow(`\`${first}\``);
  });
});

describe("headers", () => {
  it("go to the upstream when the request is allowed, and to the client when it is not", () => {
    const { edits } = allowed('"headers": {"x-user": "eve"}');
    expect(pairs(edits.requestHeaders)).toEqual(["x-user=eve"]);
    expect(edits.responseHeaders).toEqual([]);
    const refusal = denied('"headers": {"location": "/login"}').edits;
    expect(pairs(refusal.responseHeaders)).toEqual(["location=/login"]);
    expect(refusal.requestHeaders).toEqual([]);
  });

  it.each([
    ["an object", '{"b": "2", "a": "1"}', ["a=1", "b=2"]],
    ["a list of objects", '[{"b": "2"}, {"a": "1", "b": "3"}]', ["b=2", "a=1", "b=3"]],
    ["a set of objects, sorted", '{{"b": "2"}, {"a": "1"}}', ["a=1", "b=2"]],
    ["a list of values, in its order", '{"a": ["2", "1", "2"]}', ["a=2", "a=1", "a=2"]],
    ["a set of values, sorted", '{"a": {"2", "10", "1"}}', ["a=1", "a=10", "a=2"]],
    ["nothing", "{}", []],
    ["empty lists", '[{}, {"a": []}, {"a": set()}]', []],
    ["an empty value", '{"a": ""}', ["a="]],
    [
      "keys that are no texts, as their JSON",
      '{1: "n", true: "t", ["a"]: "l"}',
      ["true=t", "1=n", '["a"]=l'],
    ],
    [
      "names that objects of JavaScript have",
      '{"__proto__": "1", "constructor": "2"}',
      ["__proto__=1", "constructor=2"],
    ],
  ])("may be %s", (_, value, expected) => {
    expect(pairs(allowed(`"headers": ${value}`).edits.requestHeaders).sort()).toEqual(expected.sort());
    expect(pairs(denied(`"headers": ${value}`).edits.responseHeaders).sort()).toEqual(expected.sort());
    expect(pairs(allowed(`"response_headers_to_add": ${value}`).edits.responseHeaders).sort()).toEqual(
      expected.sort(),
    );
  });

  it("keep the order of one header's values", () => {
    expect(pairs(allowed('"headers": [{"a": ["2", "1"]}, {"a": {"4", "3"}}]').edits.requestHeaders)).toEqual([
      "a=2",
      "a=1",
      "a=3",
      "a=4",
    ]);
  });

  it.each([
    "null",
    "1",
    '"a"',
    "true",
    '{"a": 1}',
    '{"a": null}',
    '{"a": true}',
    '{"a": {"b": "c"}}',
    '{"a": ["b", 1]}',
    '{"a": [["b"]]}',
    '{"a": {"b", 1}}',
    '["a"]',
    '[{"a": "1"}, null]',
    '[[{"a": "1"}]]',
    '{"a", "b"}',
  ])("are refused as %s", (value) => {
    expect(() => allowed(`"headers": ${value}`)).toThrow("`headers`");
    expect(() => denied(`"headers": ${value}`)).toThrow("`headers`");
    expect(() => allowed(`"response_headers_to_add": ${value}`)).toThrow("`response_headers_to_add`");
  });

  it("have values in UTF-8", () => {
    expect(pairs(allowed('"headers": {"a": "ü"}').edits.requestHeaders)).toEqual(["a=\u00c3\u00bc"]);
  });

  it("that are set and removed are both, since that is what OPA-Envoy answers and Envoy removes last", () => {
    const { edits } = allowed('"headers": {"x-a": "1"}, "request_headers_to_remove": ["X-A", "x-b"]');
    expect(pairs(edits.requestHeaders)).toEqual(["x-a=1"]);
    expect(edits.requestHeadersToRemove).toEqual(["X-A", "x-b"]);
  });
});

describe("names to remove", () => {
  it("are a list, or a set in its order", () => {
    const { edits } = allowed(
      '"request_headers_to_remove": ["b", "a"], "query_parameters_to_remove": {"z", "y"}',
    );
    expect(edits.requestHeadersToRemove).toEqual(["b", "a"]);
    expect(edits.queryParametersToRemove).toEqual(["y", "z"]);
  });

  it.each(["null", "1", '"a"', "{}", '{"a": "b"}', '["a", 1]', "[null]", '[["a"]]'])(
    "are refused as %s",
    (value) => {
      expect(() => allowed(`"request_headers_to_remove": ${value}`)).toThrow("`request_headers_to_remove`");
      expect(() => allowed(`"query_parameters_to_remove": ${value}`)).toThrow("`query_parameters_to_remove`");
    },
  );

  it("change nothing when there are none", () => {
    expect(allowed('"request_headers_to_remove": [], "query_parameters_to_remove": set()').edits).toBe(
      noEdits,
    );
  });
});

describe("query parameters to set", () => {
  it("are an object of texts or lists of texts", () => {
    const { edits } = allowed('"query_parameters_to_set": {"b": ["2", "1"], "a": "ü"}');
    expect(edits.queryParametersToSet).toEqual([
      ["a", "\u00c3\u00bc"],
      ["b", "2"],
      ["b", "1"],
    ]);
  });

  it.each(["null", "1", '"a"', '["a"]', '[{"a": "1"}]', '{{"a": "1"}}', '{"a": 1}', '{"a": [1]}'])(
    "are refused as %s",
    (value) => {
      expect(() => allowed(`"query_parameters_to_set": ${value}`)).toThrow("`query_parameters_to_set`");
    },
  );
});

describe("the body of a refusal", () => {
  it("is a text, empty when nothing is said", () => {
    expect(denied('"body": "no ü"').body).toBe("no ü");
    expect(denied('"http_status": 401').body).toBe("");
  });

  it.each(["null", "1", "{}", '["a"]'])("is refused as %s", (value) => {
    expect(() => denied(`"body": ${value}`)).toThrow("`body`");
  });
});

describe("the status of a refusal", () => {
  it.each([100, 200, 204, 226, 302, 307, 308, 400, 401, 403, 417, 421, 424, 429, 431, 500, 508, 510, 511])(
    "may be %d",
    (status) => {
      expect(denied(`"http_status": ${status}`)).toMatchObject({
        httpStatus: status,
        code: grpcCode.permissionDenied,
      });
    },
  );

  it.each([
    0, 1, -1, 99, 101, 102, 103, 209, 299, 306, 309, 418, 419, 420, 425, 430, 451, 499, 509, 512, 599, 600,
  ])("may not be %d, which Go or Envoy does not know", (status) => {
    expect(() => denied(`"http_status": ${status}`)).toThrow("`http_status`");
  });

  it.each([
    "403.0",
    "4.03e2",
    "403e0",
    "40300e-2",
    "1e400",
    "99999999999999999999",
    '"403"',
    "null",
    "true",
    "[403]",
  ])("may not be written %s", (status) => {
    expect(() => denied(`"http_status": ${status}`)).toThrow("`http_status`");
  });
});

describe("dynamic metadata", () => {
  it("stands in answers of both kinds", () => {
    expect(allowed('"dynamic_metadata": {"a": 1}').metadata).toEqual({ a: 1 });
    expect(denied('"dynamic_metadata": {"a": 1}').metadata).toEqual({ a: 1 });
  });

  it("has numbers as doubles and sets as sorted lists, at any depth", () => {
    const { metadata } = allowed(
      '"dynamic_metadata": {"n": 12345678901234567890, "f": 1.50, "s": {3, 1, 2}, "d": [{"x": {"b", "a"}}], "z": null}',
    );
    expect(metadata).toEqual({
      n: 12345678901234567000,
      f: 1.5,
      s: [1, 2, 3],
      d: [{ x: ["a", "b"] }],
      z: null,
    });
  });

  it("has keys that are no texts as their JSON", () => {
    expect(allowed('"dynamic_metadata": {1: 1, ["a"]: 2, null: {true: 3}}').metadata).toEqual({
      "1": 1,
      '["a"]': 2,
      null: { true: 3 },
    });
  });

  it("keeps names that objects of JavaScript have", () => {
    const { metadata } = allowed('"dynamic_metadata": {"__proto__": {"x": 1}, "constructor": 2}');
    expect(Object.keys(metadata ?? {}).sort()).toEqual(["__proto__", "constructor"]);
    expect(Object.getPrototypeOf(metadata)).toBe(Object.prototype);
  });

  it.each(['{"a": 1e400}', '{"a": [{"b": -1e400}]}'])(
    "is refused with a number no double holds: %s",
    (value) => {
      expect(() => allowed(`"dynamic_metadata": ${value}`)).toThrow("too large");
      expect(() => denied(`"dynamic_metadata": ${value}`)).toThrow("too large");
    },
  );

  it("takes a number that is too small for zero", () => {
    expect(allowed('"dynamic_metadata": {"a": 1e-400}').metadata).toEqual({ a: 0 });
  });

  it.each(["null", "1", '"a"', "[]", "set()"])("is refused as %s", (value) => {
    expect(() => allowed(`"dynamic_metadata": ${value}`)).toThrow("`dynamic_metadata`");
  });
});

describe("whatever a policy answers", () => {
  const fields = [
    "headers",
    "response_headers_to_add",
    "request_headers_to_remove",
    "query_parameters_to_remove",
    "query_parameters_to_set",
    "dynamic_metadata",
    "http_status",
    "body",
  ];

  it("is a verdict or a DecisionError, and allows only by `allowed: true`", () => {
    const decision = fc.record(
      {
        allowed: fc.oneof(fc.boolean(), fc.jsonValue()),
        ...Object.fromEntries(fields.map((name) => [name, fc.jsonValue()])),
      },
      { requiredKeys: [] },
    );
    fc.assert(
      fc.property(decision, (given) => {
        try {
          expect(read(JSON.stringify(given)).allowed).toBe(given.allowed);
        } catch (error) {
          expect(error).toBeInstanceOf(DecisionError);
        }
      }),
    );
  });
});
