import { describe, expect, it } from "vitest";
import { BuiltinError, parseValue, type Value, valueText } from "../../../src/builtins/index.js";
import { json } from "../../../src/builtins/json.js";
import { jsonPatch } from "../../../src/builtins/json-patch.js";
import { jsonSchema } from "../../../src/builtins/json-schema.js";
import { jsonSelect } from "../../../src/builtins/json-select.js";
import { anEvaluation, replay } from "./replay.js";

const builtins = { ...json, ...jsonPatch, ...jsonSchema, ...jsonSelect };

function call(name: string, ...args: Value[]): Value | undefined {
  return builtins[name]?.(args, anEvaluation());
}

describe("json builtins", () => {
  it("answer every recorded call as OPA does", () => {
    const { calls, deviations } = replay(builtins, "json.jsonl.gz");
    expect(deviations).toEqual([]);
    expect(calls).toBeGreaterThan(2_800);
  }, 30_000);

  it("refuse what is nested too deeply instead of running out of stack", () => {
    const deep = "[".repeat(1_000_000);
    expect(() => call("json.unmarshal", deep)).toThrow(BuiltinError);
    expect(call("json.is_valid", deep + "]".repeat(1_000_000))).toBe(false);
    expect(call("json.is_valid", "[".repeat(9_999) + "]".repeat(9_999))).toBe(true);
  });

  it("refuse an indentation that would multiply a small document", () => {
    const nested = parseValue("[".repeat(400) + "]".repeat(400));
    expect(() =>
      call("json.marshal_with_options", nested, new Map([["indent", "x".repeat(100_000)]])),
    ).toThrow("too long");
  });

  it("patch a document that was replaced as a whole, where OPA panics", () => {
    const patch = parseValue('[{"op":"add","path":"","value":[1]},{"op":"add","path":"/0","value":0}]');
    expect(valueText(call("json.patch", "s", patch) ?? null)).toBe("[0,1]");
  });

  it("refuse a patch that moves too many elements", () => {
    const add = parseValue('{"op":"add","path":"/0","value":1}');
    expect(() => call("json.patch", Array(50_000).fill(1), Array(20_000).fill(add))).toThrow("too long");
  });

  it("never ask the network for a schema", () => {
    const schema = parseValue('{"$ref":"http://127.0.0.1:1/schema.json"}');
    expect(() => call("json.match_schema", new Map(), schema)).toThrow("remote reference loading disabled");
    expect(call("json.verify_schema", schema)).toEqual([
      false,
      "jsonschema: remote reference loading disabled: http://127.0.0.1:1/schema.json",
    ]);
  });

  it("refuse a schema that refers to itself without end, which kills OPA", () => {
    for (const reference of ["#", "#nope"]) {
      expect(() => call("json.match_schema", new Map(), parseValue(`{"$ref":"${reference}"}`))).toThrow(
        BuiltinError,
      );
    }
  });

  it("refuse a check that takes exponentially many steps", () => {
    const branch = '{"properties":{"a":{"$ref":"#"}},"required":["z"]}';
    const document = parseValue(`${'{"a":'.repeat(40)}1${"}".repeat(40)}`);
    expect(() => call("json.match_schema", document, parseValue(`{"anyOf":[${branch},${branch}]}`))).toThrow(
      "too long",
    );
  });
});
