import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { BuiltinError, builtins, parseValue } from "../../../src/builtins/index.js";
import { LimitError } from "../../../src/builtins/limit.js";
import { anEvaluation, replay } from "./replay.js";

function render(template: string, variables = "{}"): unknown {
  return builtins["strings.render_template"]?.([template, parseValue(variables)], anEvaluation());
}

describe("strings.render_template", () => {
  it("answers every recorded call as OPA does", () => {
    const { calls, deviations } = replay(builtins, "template.jsonl.gz");
    expect(deviations).toEqual([]);
    expect(calls).toBeGreaterThan(500);
  });

  it("renders fields, conditions and lists", () => {
    const template = "{{range $i, $x := .list}}{{if $i}}, {{end}}{{$i}}={{$x}}{{else}}none{{end}}";
    expect(render(template, '{"list": ["a", "b"]}')).toBe("0=a, 1=b");
    expect(render(template, '{"list": []}')).toBe("none");
    expect(render("{{.missing}}")).toBe("<undefined>");
  });

  it("refuses what is not supported, and variables that are not JSON", () => {
    expect(() => render('{{define "a"}}x{{end}}')).toThrow(BuiltinError);
    expect(() => render("{{call .f}}")).toThrow(BuiltinError);
    expect(() => render("{{.a}}", '{"a": {1, 2}}')).toThrow(BuiltinError);
  });

  it("ends loops that would take long", () => {
    expect(() => render("{{range 1000000000}}{{end}}")).toThrow(LimitError);
    expect(() => render('{{range 1000}}{{printf "%10000d" 1}}{{end}}')).toThrow(LimitError);
  });

  it("gives a text or a BuiltinError for any template", () => {
    const pieces = fc.constantFrom(
      "{{",
      "}}",
      ".",
      "a",
      "|",
      "(",
      ")",
      "if ",
      "range ",
      "end",
      "$x",
      ":=",
      '"',
      " ",
    );
    fc.assert(
      fc.property(fc.array(pieces, { maxLength: 20 }), (parts) => {
        try {
          expect(typeof render(parts.join(""))).toBe("string");
        } catch (error) {
          expect(error).toBeInstanceOf(BuiltinError);
        }
      }),
    );
  });
});
