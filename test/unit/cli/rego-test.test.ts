import { describe, expect, it } from "vitest";
import type { TestOutcome, TestResult } from "../../../src/adapters/index.js";
import { describeTests } from "../../../src/cli/rego-test.js";

function outcome(name: string, more: Partial<TestOutcome> = {}): TestOutcome {
  return {
    package: "a_test",
    name,
    file: "a_test.rego",
    line: 3,
    outcome: "pass",
    durationNs: 1_200_000,
    output: "",
    message: undefined,
    failedAt: undefined,
    cases: [],
    ...more,
  };
}

function result(results: readonly TestOutcome[], more: Partial<TestResult> = {}): TestResult {
  return { results, coverage: undefined, findings: [], ...more };
}

describe("the report of tests", () => {
  it("is the sum alone when all pass", () => {
    expect(describeTests(result([outcome("test_a"), outcome("test_b")]), false)).toBe("PASS: 2/2\n");
  });

  it("shows what was not true, where, and what was printed", () => {
    const failedAt = { file: "a_test.rego", line: 4, column: 2, text: "every x in [1] {\n\tx > 1\n}" };
    const text = describeTests(
      result([outcome("test_a"), outcome("test_b", { outcome: "fail", failedAt, output: "x is 1\n" })]),
      false,
    );
    expect(text).toBe(
      "a_test.rego:\n" +
        "data.a_test.test_b: FAIL (1.2ms)\n" +
        "  a_test.rego:4:2: not true: every x in [1] {\n    x > 1\n    }\n" +
        "  print: x is 1\n" +
        `${"-".repeat(80)}\nPASS: 1/2\nFAIL: 1/2\n`,
    );
  });

  it("shows each case of a test with cases, errors, and tests that were skipped", () => {
    const cases = [
      { name: "one", pass: true },
      { name: "two", pass: false },
    ];
    const text = describeTests(
      result([
        outcome("test_c", { outcome: "fail", cases }),
        outcome("test_d", { outcome: "error", message: "timed out" }),
        outcome("todo_test_e", { outcome: "skip", file: "b_test.rego" }),
      ]),
      false,
    );
    expect(text).toBe(
      "a_test.rego:\n" +
        "data.a_test.test_c: FAIL (1.2ms)\n  one: PASS\n  two: FAIL\n  a_test.rego:3\n" +
        "data.a_test.test_d: ERROR (1.2ms)\n  a_test.rego:3: timed out\n" +
        "b_test.rego:\ndata.a_test.todo_test_e: SKIPPED\n" +
        `${"-".repeat(80)}\nPASS: 0/3\nFAIL: 1/3\nERROR: 1/3\nSKIPPED: 1/3\n`,
    );
  });

  it("names lines that were not covered, and never rounds up to all", () => {
    const coverage = {
      files: {
        "a.rego": {
          covered: [],
          notCovered: [
            { from: 3, to: 3 },
            { from: 7, to: 9 },
          ],
          percent: 99.999,
        },
      },
      percent: 99.999,
    };
    expect(describeTests(result([outcome("test_a")], { coverage }), false)).toBe(
      "PASS: 1/1\na.rego: 99.99%, not covered: 3, 7-9\nCOVERAGE: 99.99%\n",
    );
  });
});
