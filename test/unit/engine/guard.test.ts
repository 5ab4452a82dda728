import { describe, expect, it } from "vitest";
import { ambiguity } from "../../../src/engine/guard.js";

function request(path: string, host = "shop.example", headers: Readonly<Record<string, string[]>> = {}) {
  const cut = path.search(/[?#]/);
  return {
    id: "",
    method: "GET",
    host,
    path,
    urlPath: cut < 0 ? path : path.slice(0, cut),
    scheme: "http",
    protocol: "HTTP/1.1",
    headers: new Map(Object.entries(headers)),
    size: -1,
    body: new Uint8Array(),
  };
}

describe("strict requests", () => {
  it.each(["/a%0d%0ab", "/%61", "/%7Ea", "/..%c0%afa", "/a%3Bb", "/a;b", "/a%252fb", "//a", "a", ""])(
    "path %j is ambiguous",
    (path) => {
      expect(ambiguity(request(path))).toBeDefined();
    },
  );

  it.each(["/", "/a%20b", "/%C3%A9", "/a?x=%2F;//", "/a.b/..c", "/a%23"])("path %j is plain", (path) => {
    expect(ambiguity(request(path))).toBeUndefined();
  });

  it.each(["", "a@b", "a,b", "a.", "a/b", "a:b", "é"])("host %j is ambiguous", (host) => {
    expect(ambiguity(request("/", host))).toBeDefined();
  });

  it.each(["a", "A.example:8080", "[::1]:80", "my_service", "10.0.0.1"])("host %j is plain", (host) => {
    expect(ambiguity(request("/", host))).toBeUndefined();
  });

  it.each([
    [{ "x-a_b": ["1"], "x_a-b": ["2"] }],
    [{ x_a: ["1"], "x-a": ["1"] }],
    [{ authorization: ["Bearer a", "Bearer b"] }],
    [{ authorization: ["Bearer a,Bearer b"] }],
    [{ "content-type": ["text/plain,application/json"] }],
  ])("headers %j are ambiguous", (headers) => {
    expect(ambiguity(request("/", "a", headers))).toBeDefined();
  });

  it.each([
    [{ x_a: ["1"], "x-b": ["1"] }],
    [{ authorization: ['Digest username="a", realm="b"'] }],
    [{ "content-type": ['multipart/form-data; boundary="a,b"'] }],
    [{ cookie: ["a=1", "b=2"] }],
  ])("headers %j are plain", (headers) => {
    expect(ambiguity(request("/", "a", headers))).toBeUndefined();
  });

  it("leaves CONNECT without a path and OPTIONS of the server alone", () => {
    expect(ambiguity({ ...request(""), method: "CONNECT" })).toBeUndefined();
    expect(ambiguity({ ...request("*"), method: "OPTIONS" })).toBeUndefined();
  });
});
