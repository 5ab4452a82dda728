import { describe, expect, it } from "vitest";
import { aggregates } from "../../../src/builtins/aggregates.js";
import { cast } from "../../../src/builtins/cast.js";
import { graph } from "../../../src/builtins/graph.js";
import { BuiltinError, parseValue, type Value, valueText } from "../../../src/builtins/index.js";
import { internal } from "../../../src/builtins/internal.js";
import { object } from "../../../src/builtins/object.js";
import { runtime } from "../../../src/builtins/runtime.js";
import { subset } from "../../../src/builtins/subset.js";
import { uri } from "../../../src/builtins/uri.js";
import { anEvaluation, replay } from "./replay.js";

const builtins = { ...aggregates, ...cast, ...graph, ...internal, ...object, ...subset, ...uri };

function call(name: string, ...args: Value[]): Value | undefined {
  return builtins[name]?.(args, anEvaluation());
}

describe("object, graph, cast, uri and aggregate builtins", () => {
  it("answer every recorded call as OPA does", () => {
    const { calls, deviations } = replay(builtins, "object.jsonl.gz");
    expect(deviations).toEqual([]);
    expect(calls).toBeGreaterThan(1_700);
  }, 30_000);

  it("refuse to list exponentially many paths", () => {
    const nodes = Array.from({ length: 14 }, (_, i) => i);
    const complete = new Map(nodes.map((node) => [node, nodes]));
    expect(() => call("graph.reachable_paths", complete, [0])).toThrow(BuiltinError);
  });

  it("follow a long chain without running out of stack", () => {
    const chain = new Map(Array.from({ length: 50_000 }, (_, i) => [i, [i + 1]]));
    expect((call("graph.reachable", chain, [0]) as ReadonlySet<Value>).size).toBe(50_000);
    expect((call("graph.reachable_paths", chain, [0]) as ReadonlySet<Value>).size).toBe(1);
  });

  it.each([
    ["sum", `[${"1e9999,".repeat(500)}1]`],
    ["product", `[${"1e9999,".repeat(500)}1]`],
    ["product", `[${"9007199254740991,".repeat(50_000)}1]`],
    ["sum", `[${`${"9".repeat(20_000)},`.repeat(100)}1]`],
  ])("refuse a %s of numbers that are too large", (name, numbers) => {
    expect(() => call(name, parseValue(numbers))).toThrow(BuiltinError);
  });

  it("search long arrays in linear time", () => {
    const haystack: Value[] = Array(100_000).fill(1);
    expect(call("object.subset", haystack, [...Array<Value>(50_000).fill(1), 2])).toBe(false);
  });
});

describe("runtime builtins", () => {
  it("show the environment that the evaluation allows, and nothing else", () => {
    const evaluation = { ...anEvaluation(), environment: new Map([["STAGE", "test"]]) };
    const found = runtime["opa.runtime"]?.([], evaluation) ?? null;
    expect(valueText(found)).toBe('{"commit":"","config":{},"env":{"STAGE":"test"},"version":"1.22.0"}');
  });

  it("let trace and print hold", () => {
    expect(runtime["trace"]?.(["note"], anEvaluation())).toBe(true);
    expect(runtime["print"]?.([["a"]], anEvaluation())).toBe(true);
  });
});
