import { describe, expect, it } from "vitest";
import { graphql } from "../../../src/builtins/graphql.js";
import { LimitError, type Value } from "../../../src/builtins/index.js";
import { anEvaluation, replay } from "./replay.js";

function isValid(query: Value, schema: Value): unknown {
  return graphql["graphql.is_valid"]?.([query, schema], anEvaluation());
}

describe("graphql builtins", () => {
  it("answer every recorded call as OPA does, but for an Int that is none of 32 bits", () => {
    const { calls, deviations } = replay(graphql, "graphql.jsonl.gz");
    const known = deviations.filter((text) => text.includes("2147483648"));
    expect(deviations.filter((text) => !known.includes(text))).toEqual([]);
    expect(known.filter((text) => !/ours (?:false|\[false,\{\},\{\}\])/.test(text))).toEqual([]);
    expect(known).toHaveLength(2);
    expect(calls).toBeGreaterThan(700);
  }, 30_000);

  const schema = "type Query { a(x: [Int]): Query b: Int }";

  it.each([
    ["many fields", `{${" b".repeat(301)}}`],
    ["many tokens", `{ a(x: [${"1 ".repeat(3_000)}]) { b } }`],
    ["deep selections", `${"{ a".repeat(1_000)}`],
    ["deep values", `{ a(x: ${"[".repeat(2_900)}`],
    ["deep types", `query ($a: ${"[".repeat(2_900)}`],
  ])("give up on a query of %s, which is not said to be invalid", (_, query) => {
    expect(() => isValid(query, schema)).toThrow(LimitError);
    expect(() => graphql["graphql.parse"]?.([query, schema], anEvaluation())).toThrow(LimitError);
  });

  it("find a schema again, and no other in its place", () => {
    const schemas = Array.from({ length: 30 }, (_, i) => `type Query { f${i}: Int }`);
    for (const round of [0, 1]) {
      for (const [i, text] of schemas.entries()) {
        expect(isValid(`{ f${i} }`, text), `round ${round}`).toBe(true);
        expect(isValid(`{ f${i + 1} }`, text), `round ${round}`).toBe(false);
      }
    }
  });
});
