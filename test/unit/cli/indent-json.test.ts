import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { indentJson } from "../../../src/cli/indent-json.js";

describe("JSON over several lines", () => {
  it("is what JSON.stringify gives", () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        expect(indentJson(JSON.stringify(value))).toBe(JSON.stringify(value, null, 2));
      }),
    );
  });

  it("has numbers as they were written", () => {
    expect(indentJson('{"a":12345678901234567890,"b":1.0}')).toBe(
      '{\n  "a": 12345678901234567890,\n  "b": 1.0\n}',
    );
  });
});
