import { describe, expect, it } from "vitest";
import {
  type Edits,
  invalidEdit,
  mergeEdits,
  noEdits,
  resolveEdits,
  withEdits,
} from "../../../src/engine/edits.js";
import { aRequest } from "../../support/request.js";

const put = (
  name: string,
  value: string,
  action: Edits["requestHeaders"][number]["action"] = "OVERWRITE_IF_EXISTS_OR_ADD",
): Edits => ({
  ...noEdits,
  requestHeaders: [{ name, value, action }],
});

describe("edits", () => {
  it.each([
    ["host", "x"],
    [":path", "/x"],
    ["Transfer-Encoding", "chunked"],
    ["a b", "x"],
    ["", "x"],
    ["x", "a\0b"],
    ["x", "a\nb"],
    ["x", "\xff"],
  ])("of header %j to %j are refused", (name, value) => {
    expect(invalidEdit(put(name, value))).toBeDefined();
  });

  it("of ordinary headers pass", () => {
    expect(invalidEdit(put("x-user", "\xc3\xa9 b"))).toBeUndefined();
  });

  it("put headers by their append action", () => {
    const request = aRequest().header("x", "1").build();
    const lines = (edits: Edits): readonly string[] | undefined =>
      withEdits(request, edits).request?.headers.get("x");
    expect(lines(put("X", "2"))).toEqual(["2"]);
    expect(lines(put("x", "2", "APPEND_IF_EXISTS_OR_ADD"))).toEqual(["1", "2"]);
    expect(lines(put("x", "2", "ADD_IF_ABSENT"))).toEqual(["1"]);
    expect(withEdits(request, put("y", "2", "OVERWRITE_IF_EXISTS")).request?.headers.has("y")).toBe(false);
    expect(request.request?.headers.get("x")).toEqual(["1"]);
  });

  it("are sent as final values, since Envoy ignores how they were to be put", () => {
    const request = aRequest().header("x", "1").header("z", "kept").build();
    const requestHeaders = [
      { name: "X", value: "2", action: "APPEND_IF_EXISTS_OR_ADD" },
      { name: "z", value: "0", action: "ADD_IF_ABSENT" },
      { name: "y", value: "0", action: "OVERWRITE_IF_EXISTS" },
    ] as const;
    const edits = { ...noEdits, requestHeaders };
    expect(resolveEdits(edits, withEdits(request, edits)).requestHeaders).toEqual([
      { name: "x", value: "1,2", action: "OVERWRITE_IF_EXISTS_OR_ADD" },
      { name: "z", value: "kept", action: "OVERWRITE_IF_EXISTS_OR_ADD" },
    ]);
  });

  it("change only the query parameters that they name", () => {
    const edits = {
      ...noEdits,
      queryParametersToSet: [["b", "x%20y"] as const],
      queryParametersToRemove: ["a"],
    };
    const edited = withEdits(aRequest().get("/p?a=1&%62=2&c=%zz").build(), edits);
    expect(edited.request?.path).toBe("/p?%62=2&c=%zz&b=x%20y");
    expect(edited.request?.headers.get(":path")).toEqual(["/p?%62=2&c=%zz&b=x%20y"]);
  });

  it("leave of a query parameter what Envoy leaves: the last value, and nothing where it is removed too", () => {
    const edits = {
      ...noEdits,
      queryParametersToSet: [["role", "a"] as const, ["role", "b"] as const, ["gone", "1"] as const],
      queryParametersToRemove: ["gone"],
    };
    expect(withEdits(aRequest().get("/p?role=x&gone=0").build(), edits).request?.path).toBe("/p?role=b");
  });

  it("of one stage remove what they set, whether another stage was before it or not", () => {
    const both = { ...put("x-user", "1"), requestHeadersToRemove: ["x-user"] };
    const merged = mergeEdits(put("y", "1"), both);
    expect(merged.requestHeadersToRemove).toEqual(["x-user"]);
  });

  it("of a later stage win: a header that it sets is not removed by an earlier one", () => {
    const merged = mergeEdits({ ...noEdits, requestHeadersToRemove: ["X", "y"] }, put("x", "1"));
    expect(merged.requestHeadersToRemove).toEqual(["y"]);
  });

  it("of a later stage win: a query parameter that it sets is not removed by an earlier one", () => {
    const merged = mergeEdits(
      { ...noEdits, queryParametersToRemove: ["a", "b"] },
      { ...noEdits, queryParametersToSet: [["a", "1"]], queryParametersToRemove: ["c"] },
    );
    expect(merged.queryParametersToSet).toEqual([["a", "1"]]);
    expect(merged.queryParametersToRemove).toEqual(["b", "c"]);
  });

  it("of two stages together are not those of a token any more, whatever is remembered of it", () => {
    const lasting = { ...put("x", "1"), isLasting: true } as const;
    expect(mergeEdits(lasting, put("y", "1")).isLasting).toBeUndefined();
    expect(mergeEdits(put("y", "1"), lasting).isLasting).toBeUndefined();
    expect(mergeEdits(noEdits, lasting)).toBe(lasting);
  });
});
