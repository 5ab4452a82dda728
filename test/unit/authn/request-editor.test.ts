import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { HttpRequest } from "../../../src/attributes/index.js";
import {
  addHeader,
  cookieValue,
  editedRequest,
  editRequest,
  headerLines,
  paramValue,
  removeHeader,
  removeParam,
  requestChanges,
} from "../../../src/authn/request-editor.js";
import { aRequest, type RequestBuilder } from "../../support/request.js";

function http(request: RequestBuilder): HttpRequest {
  const { request: built } = request.build();
  if (built === undefined) throw new Error("not HTTP");
  return built;
}

const param = (path: string, name: string): string | undefined =>
  paramValue(editRequest(http(aRequest().get(path))), name);
const cookie = (name: string, ...lines: string[]): string | undefined =>
  cookieValue(editRequest(http(aRequest().header("cookie", ...lines))), name);

/** The path without a parameter, and how its name was spelled. */
function without(path: string, name: string): readonly [path: string, spellings: readonly string[]] {
  const editor = editRequest(http(aRequest().get(path)));
  removeParam(editor, name);
  return [editedRequest(editor).path, requestChanges(editor)?.paramsToRemove ?? []];
}

describe("a query parameter", () => {
  it.each([
    ["/?t=a", "a"],
    ["/?x=1&t=a&y", "a"],
    ["/?t=a&t=b", "a"],
    ["/?t=", ""],
    ["/?t", ""],
    ["/?t=a=b", "a=b"],
    ["/?%74=a%2Eb", "a.b"],
    ["/?t=%ff%00", "\xff\0"],
    ["/?t=%zz%4", "%zz%4"],
    ["/?t=a+b", "a+b"],
    ["/?a?t=x&t=y", "y"],
    ["/?T=a", undefined],
    ["/?a;t=x", undefined],
    ["/t=a", undefined],
    ["/?", undefined],
    ["/?xt=1", undefined],
  ])("`t` of %s is %j", (path, value) => {
    expect(param(path, "t")).toBe(value);
  });

  it("may have any name", () => {
    expect(param("/?my%20tok=a", "my tok")).toBe("a");
    expect(param("/?my+tok=a", "my tok")).toBeUndefined();
    expect(param("/?__proto__=a", "__proto__")).toBe("a");
    expect(param("/?a=1", "constructor")).toBeUndefined();
    expect(param("/?%2520=a", "%20")).toBe("a");
  });

  it("goes with all its values, however it is spelled, and leaves the others byte by byte", () => {
    expect(without("/p?a=%2F&t=1&b=+&%74=2&=x&&c", "t")).toEqual(["/p?a=%2F&b=+&=x&&c", ["t", "%74"]]);
    expect(without("/p?t=1", "t")).toEqual(["/p", ["t"]]);
    expect(without("/p?a=1", "t")).toEqual(["/p?a=1", []]);
    expect(without("/p", "t")).toEqual(["/p", []]);
  });

  it("is not there any more once it was removed", () => {
    fc.assert(
      fc.property(
        fc.array(fc.constantFrom("t", "%74", "=", "&", "x", "?", "%", "+"), { maxLength: 12 }),
        (pieces) => {
          const editor = editRequest(http(aRequest().get(`/?${pieces.join("")}`)));
          removeParam(editor, "t");
          expect(paramValue(editor, "t")).toBeUndefined();
        },
      ),
    );
  });
});

describe("a cookie", () => {
  it.each([
    ["s=a", "a"],
    ["x=1; s=a; y=2", "a"],
    ["s=a; s=b", "a"],
    ["  s=a", "a"],
    ['s="a"', "a"],
    ['s=""', ""],
    ["s=", ""],
    ["s=a=b", "a=b"],
    ['s="a', '"a'],
    ['s="', '"'],
    ["s", undefined],
    ["S=a", undefined],
    ["\ts=a", undefined],
    ["s =a", undefined],
    ["xs=a", undefined],
    ["", undefined],
  ])("`s` of %j is %j", (line, value) => {
    expect(cookie("s", line)).toBe(value);
  });

  it("is the first of all lines", () => {
    expect(cookie("s", "x=1", "s=a", "s=b")).toBe("a");
  });
});

describe("a request while it is edited", () => {
  it("is the request itself as long as nothing changes", () => {
    const request = http(aRequest().get("/?a=1").header("x", "1"));
    const editor = editRequest(request);
    removeHeader(editor, "absent");
    expect([headerLines(editor, "x"), paramValue(editor, "a")]).toEqual([["1"], "1"]);
    expect(editedRequest(editor)).toBe(request);
    expect(requestChanges(editor)).toBeUndefined();
  });

  it("is never changed itself", () => {
    const request = http(aRequest().get("/?t=1").header("x", "1"));
    const before = structuredClone({ path: request.path, headers: [...request.headers] });
    const editor = editRequest(request);
    removeHeader(editor, "x");
    addHeader(editor, "y", "2");
    removeParam(editor, "t");
    expect({ path: request.path, headers: [...request.headers] }).toEqual(before);
    expect(editedRequest(editor)).toMatchObject({ path: "/", urlPath: "/" });
    expect(editedRequest(editor).headers.get(":path")).toEqual(["/"]);
  });

  it("shows what it changes: lines to set, names to remove, parameters as they were spelled", () => {
    const editor = editRequest(
      http(aRequest().get("/?%74=1").header("gone", "1").header("new", "old").header("back", "1")),
    );
    for (const name of ["gone", "new", "back"]) removeHeader(editor, name);
    addHeader(editor, "new", "a");
    addHeader(editor, "new", "b");
    addHeader(editor, "back", "2");
    removeParam(editor, "t");
    expect(requestChanges(editor)).toEqual({
      headersToSet: [
        ["new", "a"],
        ["new", "b"],
        ["back", "2"],
      ],
      headersToRemove: ["gone"],
      paramsToRemove: ["%74"],
      isLasting: false,
    });
  });

  it("is without headers that only we set, also where it does not show them", () => {
    const own = ["x-shown", "x-hidden", "x-set"];
    const editor = editRequest(http(aRequest().header("x-shown", "1").header("x-set", "1")));
    for (const name of own) removeHeader(editor, name);
    addHeader(editor, "x-set", "ours");
    expect(requestChanges(editor, own)).toEqual({
      headersToSet: [["x-set", "ours"]],
      headersToRemove: ["x-shown", "x-hidden"],
      paramsToRemove: [],
      isLasting: false,
    });
    expect(requestChanges(editRequest(http(aRequest())), own)?.headersToRemove).toEqual(own);
  });

  it("has nothing to remove where only we had set it", () => {
    const editor = editRequest(http(aRequest()));
    addHeader(editor, "x", "1");
    removeHeader(editor, "x");
    expect(requestChanges(editor)).toMatchObject({ headersToSet: [], headersToRemove: [] });
  });

  it("takes `__proto__` and `constructor` for headers like any other", () => {
    const editor = editRequest(http(aRequest().header("__proto__", "1")));
    expect(headerLines(editor, "constructor")).toEqual([]);
    removeHeader(editor, "__proto__");
    addHeader(editor, "constructor", "2");
    expect(requestChanges(editor)).toMatchObject({
      headersToSet: [["constructor", "2"]],
      headersToRemove: ["__proto__"],
    });
  });
});
