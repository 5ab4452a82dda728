import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { defaultPlaces, sortPlaces, type TokenPlaces } from "../../../src/authn/index.js";
import { editRequest, requestChanges } from "../../../src/authn/request-editor.js";
import { findTokens, removeToken } from "../../../src/authn/token-places.js";
import { aRequest, type RequestBuilder } from "../../support/request.js";

function find(request: RequestBuilder, places: Partial<TokenPlaces>): string[] {
  const { request: http } = request.build();
  if (http === undefined) throw new Error("not HTTP");
  const sorted = sortPlaces({ headers: [], params: [], cookies: [], ...places });
  return findTokens(sorted, editRequest(http)).map(({ kind, name, text }) => `${kind} ${name} ${text}`);
}

/** The token behind a prefix. */
function behind(prefix: string, line: string): string | undefined {
  const [found] = find(aRequest().header("x", line), { headers: [{ name: "x", prefix }] });
  return found?.slice("header x ".length);
}

describe("a token", () => {
  it("stands behind `Bearer ` in authorization, and in the parameter access_token, where no place is named", () => {
    const request = aRequest().get("/?access_token=b").header("authorization", "Bearer a");
    expect(find(request, defaultPlaces)).toEqual(["header authorization a", "param access_token b"]);
  });

  it.each([
    ["Bearer a", "a"],
    ["JWT Bearer a", "a"],
    ["Bearer   a", "a"],
    ['Bearer "a', "a"],
    ["Bearer a b", "a b"],
    ["Bearer .a", ".a"],
    ["Bearer Bearer a", "Bearer a"],
    ["Bearer a,Bearer b", "a,Bearer b"],
    ["Bearer !!", "Bearer !!"],
    ["Bearer ", "Bearer "],
    ["Bearer", undefined],
    ["bearer a", undefined],
    ["BEARER a", undefined],
    ["Bearer\ta", undefined],
    ["Basic a", undefined],
    ["", undefined],
  ])("behind a prefix in %j is %j", (line, token) => {
    expect(behind("Bearer ", line)).toBe(token);
  });

  it("without a prefix is the whole value, empty or not", () => {
    expect([behind("", "a b"), behind("", ""), behind("", " Bearer a")]).toEqual(["a b", "", " Bearer a"]);
  });

  it("is each line of a header, the first value of a parameter, the first cookie", () => {
    const request = aRequest().get("/?t=1&t=2").header("x", "a", "b").header("cookie", "s=c; s=d");
    const places = { headers: [{ name: "x", prefix: "" }], params: ["t"], cookies: ["s"] };
    expect(find(request, places)).toEqual(["header x a", "header x b", "param t 1", "cookie s c"]);
  });

  it("is empty where its place is, which is not the same as no token", () => {
    const places = { params: ["t"], cookies: ["s"] };
    expect(find(aRequest().get("/?t").header("cookie", "s="), places)).toEqual(["param t ", "cookie s "]);
    expect(find(aRequest(), places)).toEqual([]);
  });

  it("is found in Envoy's order, however the places are written", () => {
    const headers = [
      { name: "b", prefix: "" },
      { name: "a", prefix: "Z " },
      { name: "a", prefix: "" },
      { name: "a", prefix: "" },
    ];
    const request = aRequest()
      .header("a", "Z a")
      .header("b", "b")
      .get("/?q=2&p=1")
      .header("cookie", "d=2;c=1");
    expect(find(request, { headers, params: ["q", "p", "q"], cookies: ["d", "c"] })).toEqual([
      "header a Z a",
      "header a a",
      "header b b",
      "param p 1",
      "param q 2",
      "cookie c 1",
      "cookie d 2",
    ]);
  });

  it("that is opaque begins behind its scheme, in any case of it, with any character", () => {
    const headers = [{ name: "x", prefix: "Bearer ", opaque: true as const }];
    const opaque = (line: string): string[] => find(aRequest().header("x", line), { headers });
    expect(opaque("bEARER  ~/+a==")).toEqual(["header x ~/+a=="]);
    expect([opaque("Basic Bearer a"), opaque("BearerX a"), opaque("Bearer")].flat()).toEqual([]);
  });

  it("is removed from where it stands, but not from a header that nothing may be removed from", () => {
    const fixed = ["host", ":path", "connection", "content-length"];
    const names = ["x", ...fixed];
    const request = names.reduce((builder, name) => builder.header(name, "t"), aRequest()).build().request;
    const editor = editRequest(request ?? expect.fail());
    const headers = names.map((name) => ({ name, prefix: "" }));
    const found = findTokens(sortPlaces({ headers, params: [], cookies: [] }), editor);
    expect(found.map(({ name }) => name).sort()).toEqual([...names].sort());
    for (const token of found) removeToken(editor, token);
    expect(requestChanges(editor)?.headersToRemove).toEqual(["x"]);
  });

  it("is nowhere else", () => {
    const request = aRequest().get("/t?u=t").header("t", "a").header("cookie", "t");
    expect(find(request, { params: ["t"], cookies: ["t"] })).toEqual([]);
    expect(find(request, {})).toEqual([]);
  });

  it("is looked for in any request without a throw", () => {
    const places = {
      ...defaultPlaces,
      cookies: ["s"],
      headers: [...defaultPlaces.headers, { name: "x", prefix: "" }],
    };
    const hostile = fc.string({ unit: fc.constantFrom(...'Bearer a.=;&?%7\0"\xff'), maxLength: 30 });
    fc.assert(
      fc.property(hostile, hostile, hostile, (path, authorization, cookies) => {
        const request = aRequest().get(path).header("authorization", authorization).header("cookie", cookies);
        expect(find(request.header("x", path), places).length).toBeGreaterThan(0);
      }),
      { numRuns: 200 },
    );
  });
});
