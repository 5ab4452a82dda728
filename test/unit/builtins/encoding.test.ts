import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { bytesOf, textOf } from "../../../src/builtins/bytes.js";
import { hashBuiltins } from "../../../src/builtins/crypto-hash.js";
import { encodingBuiltins } from "../../../src/builtins/encoding.js";
import { urlQueryBuiltins } from "../../../src/builtins/encoding-url.js";
import { uuidBuiltins } from "../../../src/builtins/uuid.js";
import { anEvaluation, replay } from "./replay.js";

const builtins = { ...encodingBuiltins, ...urlQueryBuiltins, ...hashBuiltins, ...uuidBuiltins };

function call(name: string, ...args: string[]): unknown {
  return builtins[name]?.(args, anEvaluation());
}

describe("encodings", () => {
  it("answer every recorded call as OPA does", () => {
    const { calls, deviations } = replay(builtins, "encoding.jsonl.gz");
    expect(deviations).toEqual([]);
    expect(calls).toBeGreaterThan(800);
  });

  it("refuse base64 with the other alphabet, without padding, or with a blank", () => {
    for (const text of ["_w==", "/w", "/w= =", "A===", "=", "/w==x"]) {
      expect(() => call("base64.decode", text)).toThrow("illegal base64");
      expect(call("base64.is_valid", text)).toBe(false);
    }
  });

  it("keep bytes that are no UTF-8 from one builtin to the next", () => {
    const decoded = call("base64.decode", "/4Dw8fLz") as string;
    expect(call("hex.encode", decoded)).toBe("ff80f0f1f2f3");
    expect(call("base64.encode", decoded)).toBe("/4Dw8fLz");
  });

  it("give a string for any bytes, from which the bytes come back", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
        expect([...bytesOf(textOf(bytes))]).toEqual([...bytes]);
      }),
    );
  });

  it("leave text that is UTF-8 as it is", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary", maxLength: 64 }), (text) => {
        expect(textOf(Buffer.from(text, "utf8"))).toBe(Buffer.from(text, "utf8").toString("utf8"));
      }),
    );
  });

  it("make the escapes of a query undone", () => {
    fc.assert(
      fc.property(fc.string({ unit: "grapheme", maxLength: 40 }), (text) => {
        expect(call("urlquery.decode", call("urlquery.encode", text) as string)).toBe(text);
      }),
    );
  });
});
