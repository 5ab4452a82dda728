import { describe, expect, it } from "vitest";
import { createHeaderLines } from "../../../src/body/header-lines.js";
import { askForReadable } from "../../../src/body/response-request.js";

function edited(headers: Record<string, string>, encodings: "decode" | "deny" = "decode"): unknown {
  const lines = createHeaderLines(new Map(Object.entries(headers).map(([name, value]) => [name, [value]])));
  askForReadable(lines, encodings);
  return Object.fromEntries([...lines.lines].map(([name, values]) => [name, values.join()]));
}

describe("a request whose response will be looked at", () => {
  it("does not ask for a part", () => {
    expect(edited({ range: "bytes=0-1", "if-range": "x", accept: "a/b" })).toEqual({ accept: "a/b" });
  });

  it.each([
    ["gzip, deflate, br, zstd", "gzip, deflate, br"],
    ["gzip;q=0.5, *;q=0.1", "gzip;q=0.5"],
    ["zstd", "identity"],
    ["GZIP", "GZIP"],
  ])("asks of %s for what can be decoded", (given, expected) => {
    expect(edited({ "accept-encoding": given })).toEqual({ "accept-encoding": expected });
  });

  it("asks for no encoding where it is refused", () => {
    expect(edited({}, "deny")).toEqual({ "accept-encoding": "identity" });
  });
});
