import { Buffer } from "node:buffer";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { readCheckResponse } from "../../../src/adapters/ext-authz-grpc-response.js";
import { noEdits } from "../../../src/engine/index.js";
import type { CheckResponse, HeaderValueOption } from "../../../src/proto/index.js";
import { loadProtos } from "../../../src/server/protos.js";

const strict = { name: "p", host: "h", port: 1, failOpen: false, statusOnError: 403 };
const open = { ...strict, failOpen: true };

/** Through the wire form, so that absent fields are absent. */
function read(response: CheckResponse, options = strict): ReturnType<typeof readCheckResponse> {
  const { check } = loadProtos();
  return readCheckResponse(check.responseDeserialize(check.responseSerialize(response)), options);
}

function header(key: string, value: string, how: Partial<HeaderValueOption> = {}): HeaderValueOption {
  return { header: { key, value }, ...how };
}

const ok = (ok_response: CheckResponse["ok_response"]): CheckResponse => ({
  status: { code: 0 },
  ok_response: ok_response ?? null,
});

describe("whether a CheckResponse allows", () => {
  test("follows the status alone, as in Envoy", () => {
    expect(read({ status: { code: 0 }, denied_response: { status: { code: 401 } } }).allowed).toBe(true);
    expect(read({ status: { code: 0 }, error_response: { status: { code: 503 } } }).allowed).toBe(true);
    expect(read({}).allowed).toBe(true);
    expect(read({ status: { code: 7 }, ok_response: { headers: [header("x-a", "1")] } })).toMatchObject({
      allowed: false,
      httpStatus: 403,
      code: 7,
      body: "",
      failed: false,
      edits: noEdits,
    });
    expect(read({ status: { code: -1 } }).allowed).toBe(false);
  });

  test("follows failOpen where the provider reports an error of its own", () => {
    const response: CheckResponse = {
      status: { code: 13 },
      error_response: { status: { code: 503 }, body: "broken", headers: [header("retry-after", "1")] },
    };
    expect(read(response, open)).toMatchObject({
      allowed: true,
      failed: true,
      failedOpen: true,
      edits: noEdits,
    });
    expect(read(response)).toMatchObject({
      allowed: false,
      failed: true,
      failedOpen: false,
      httpStatus: 503,
      code: 13,
      body: "broken",
      edits: { responseHeaders: [{ name: "retry-after", value: "1", action: "OVERWRITE_IF_EXISTS_OR_ADD" }] },
    });
    const silent: CheckResponse = { status: { code: 13 }, error_response: {} };
    expect(read(silent, { ...strict, statusOnError: 500 }).httpStatus).toBe(500);
  });
});

describe("a refusal", () => {
  test("carries the provider's status, body and headers, of which repeated ones stay side by side", () => {
    const verdict = read({
      status: { code: 16 },
      denied_response: {
        status: { code: 401 },
        body: "nö",
        headers: [header("Set-Cookie", "a=1"), header("set-cookie", "b=2"), header("x-é", "dropped")],
      },
    });
    expect(verdict).toMatchObject({ allowed: false, httpStatus: 401, code: 16, body: "nö" });
    expect(verdict.edits.responseHeaders).toEqual([
      { name: "set-cookie", value: "a=1", action: "OVERWRITE_IF_EXISTS_OR_ADD" },
      { name: "set-cookie", value: "b=2", action: "APPEND_IF_EXISTS_OR_ADD" },
    ]);
  });

  test.each([0, 42, 100, 199, 600, -1, 99_999])("with the impossible status %d is a 403", (status) => {
    const denied = { status: { code: status as 403 } };
    expect(read({ status: { code: 7 }, denied_response: denied }).httpStatus).toBe(403);
  });

  test("drops a header that would break out of its line and stays a refusal", () => {
    const denied = {
      headers: [header("x-a", "1\r\nx-b: 2"), header("x c", "1"), header("x-d", "\0"), header("x-e", "")],
    };
    const verdict = read({ status: { code: 7 }, denied_response: denied }, open);
    expect(verdict.allowed).toBe(false);
    expect(verdict.edits.responseHeaders.map(({ name }) => name)).toEqual(["x-e"]);
  });
});

describe("edits of the request", () => {
  test("set a header unless told to append, so that the client's value does not stay before it", () => {
    const edits = read(
      ok({
        headers: [
          header("X-User", "a"),
          header("x-false", "b", { append: { value: false }, append_action: 1 }),
          header("x-true", "c", { append: { value: true } }),
          header("x-absent", "d", { append_action: "ADD_IF_ABSENT" }),
          header("x-over", "e", { append_action: "OVERWRITE_IF_EXISTS_OR_ADD" }),
          header("x-exists", "f", { append_action: "OVERWRITE_IF_EXISTS" }),
        ],
      }),
    ).edits.requestHeaders;
    expect(edits.map(({ name, action }) => [name, action])).toEqual([
      ["x-user", "OVERWRITE_IF_EXISTS_OR_ADD"],
      ["x-false", "OVERWRITE_IF_EXISTS_OR_ADD"],
      ["x-true", "APPEND_IF_EXISTS_OR_ADD"],
      ["x-absent", "ADD_IF_ABSENT"],
      ["x-over", "OVERWRITE_IF_EXISTS_OR_ADD"],
      ["x-exists", "OVERWRITE_IF_EXISTS"],
    ]);
  });

  test("hold values as bytes, from raw_value where it is set", () => {
    const raw = { header: { key: "x-raw", value: "no", raw_value: Buffer.from([0x61, 0xff]) } };
    const { requestHeaders } = read(
      ok({ headers: [header("x-text", "ö"), raw, header("x-empty", "")] }),
    ).edits;
    expect(requestHeaders.map(({ value }) => value)).toEqual(["\xc3\xb6", "a\xff", ""]);
  });

  test("remove after they set, but for host and pseudo-headers", () => {
    const { edits } = read(
      ok({
        headers: [header("x-a", "1"), header("x-b", "1")],
        headers_to_remove: ["X-A", "Host", ":path", "", "x-c"],
      }),
    );
    expect(edits.requestHeadersToRemove).toEqual(["x-a", "x-c"]);
    expect(edits.requestHeaders.map(({ name }) => name)).toEqual(["x-b"]);
  });

  test("name query parameters as bytes", () => {
    const { edits } = read(
      ok({ query_parameters_to_set: [{ key: "a", value: "ö" }, {}], query_parameters_to_remove: ["b", "B"] }),
    );
    expect(edits.queryParametersToSet).toEqual([
      ["a", "\xc3\xb6"],
      ["", ""],
    ]);
    expect(edits.queryParametersToRemove).toEqual(["b", "B"]);
  });

  test.each([
    ["a line break in a value", ok({ headers: [header("x-a", "1\nx: y")] })],
    ["NUL in a value", ok({ response_headers_to_add: [header("x-a", "\0")] })],
    ["a bad name", ok({ headers: [header("x a", "1")] })],
    ["no name", ok({ headers: [{}] })],
    ["an unknown append_action", ok({ headers: [header("x-a", "1", { append_action: 9 as 0 })] })],
    [
      "an unknown append_action back",
      ok({ response_headers_to_add: [header("x-a", "1", { append_action: 9 as 0 })] }),
    ],
  ])("with %s refuse with 500 even when failOpen", (_what, response) => {
    expect(read(response, open)).toMatchObject({
      allowed: false,
      failed: true,
      failedOpen: false,
      httpStatus: 500,
    });
  });
});

test("headers for the response are added unless told otherwise", () => {
  const { responseHeaders } = read(
    ok({
      response_headers_to_add: [
        header("x-a", "1"),
        header("x-b", "1", { append: { value: false } }),
        header("x-c", "1", { append_action: "ADD_IF_ABSENT" }),
      ],
    }),
  ).edits;
  expect(responseHeaders.map(({ action }) => action)).toEqual([
    "APPEND_IF_EXISTS_OR_ADD",
    "OVERWRITE_IF_EXISTS_OR_ADD",
    "ADD_IF_ABSENT",
  ]);
});

describe("dynamic metadata", () => {
  const text = (stringValue: string) => ({ stringValue });

  test("comes as plain values, of refusals too", () => {
    const fields = {
      s: text("a"),
      n: { numberValue: 1.5 },
      b: { boolValue: true },
      z: { nullValue: 0 as const },
      l: { listValue: { values: [text("x"), { listValue: {} }] } },
      o: { structValue: { fields: { k: text("v") } } },
    };
    const plain = { s: "a", n: 1.5, b: true, z: null, l: ["x", []], o: { k: "v" } };
    expect(read({ dynamic_metadata: { fields } }).metadata).toEqual(plain);
    expect(read({ status: { code: 7 }, dynamic_metadata: { fields } }).metadata).toEqual(plain);
    expect(read({}).metadata).toBeUndefined();
  });

  test("of ok_response, though deprecated, wins", () => {
    const verdict = read({
      ok_response: { dynamic_metadata: { fields: { a: text("inner") } } },
      dynamic_metadata: { fields: { a: text("outer") } },
    });
    expect(verdict.metadata).toEqual({ a: "inner" });
  });

  test("may be named as a property of objects is", () => {
    const verdict = read({ dynamic_metadata: { fields: { constructor: text("c") } } });
    expect(Object.hasOwn(verdict.metadata ?? {}, "constructor")).toBe(true);
    expect(({} as Record<string, unknown>)["c"]).toBeUndefined();
  });
});

test("no bytes of an answer make the reading throw anything but a decoder's error, or allow with a broken header", () => {
  const { check } = loadProtos();
  fc.assert(
    fc.property(
      fc.string({ unit: "binary" }),
      fc.string({ unit: "binary" }),
      fc.integer(),
      (key, value, append_action) => {
        const option = header(key, value, { append_action: append_action as 0 });
        const verdict = read(ok({ headers: [option], response_headers_to_add: [option] }), open);
        for (const edit of [...verdict.edits.requestHeaders, ...verdict.edits.responseHeaders]) {
          expect(edit.name + edit.value).not.toMatch(/[\r\n]/);
        }
      },
    ),
  );
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
      let decoded: ReturnType<typeof check.responseDeserialize>;
      try {
        decoded = check.responseDeserialize(Buffer.from(bytes));
      } catch {
        return;
      }
      expect(typeof readCheckResponse(decoded, strict).allowed).toBe("boolean");
    }),
  );
});
