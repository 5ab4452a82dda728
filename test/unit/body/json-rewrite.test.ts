import { Buffer } from "node:buffer";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type JsonChange, rewriteJson } from "../../../src/body/json-rewrite.js";
import { type PathStep, parsePath } from "../../../src/redaction/index.js";

type Json = null | boolean | number | string | Json[] | { [name: string]: Json };

function stepsOf(path: string): readonly PathStep[] {
  const parsed = parsePath(path);
  if ("message" in parsed) throw new Error(parsed.message);
  return parsed.steps;
}

function rewritten(text: string, path: string, change: JsonChange): string {
  return Buffer.from(rewriteJson(Buffer.from(text), stepsOf(path), change)?.body ?? text).toString();
}
const set = (value: unknown): JsonChange => ({ kind: "set", value: JSON.stringify(value) });
const remove: JsonChange = { kind: "remove" };

describe("rewriting JSON", () => {
  it.each([
    ["adds a member behind the last", '{"a": 1 }', "$.b", set(2), '{"a": 1,"b":2 }'],
    ["adds a member to an empty object", "{ }", "$.b", set(2), '{"b":2 }'],
    [
      "keeps white space, order and the text of numbers",
      '{ "a" : 1.00,\n"b":1e2 }',
      "$.a",
      set("x"),
      '{ "a" : "x",\n"b":1e2 }',
    ],
    ["makes no parents", '{"a":1}', "$.x.y", set(1), '{"a":1}'],
    ["sets every item", "[1, 2]", "$[*]", set(0), "[0, 0]"],
    ["sets one item and adds none", "[1,2]", "$[1]", set(0), "[1,0]"],
    ["adds no item", "[1,2]", "$[2]", set(0), "[1,2]"],
    [
      "sets at every depth where it is there",
      '{"a":1,"b":{"a":{"a":2}}}',
      "$..a",
      set(0),
      '{"a":0,"b":{"a":0}}',
    ],
    ["sets both of a name that stands twice", '{"a":1,"a":2}', "$.a", set(0), '{"a":0,"a":0}'],
    ["finds a name behind its escapes", '{"\\u0061":1}', "$.a", set(0), '{"\\u0061":0}'],
    ["finds a name beyond ASCII", '{"é":1}', "$['é']", set("ü"), '{"é":"ü"}'],
    ["replaces the whole document", " [1] ", "$", set({}), " {} "],
    ["removes the first member with its comma", '{"a":1, "b":2}', "$.a", remove, '{"b":2}'],
    ["removes the last member with its comma", '{"a":1, "b":2}', "$.b", remove, '{"a":1}'],
    ["removes one between", '{"a":1,"b":2,"c":3}', "$.b", remove, '{"a":1,"c":3}'],
    ["removes all", '{"a":1,"b":2}', "$.*", remove, "{}"],
    ["removes items from both ends", "[1,2,3]", "$[0]", remove, "[2,3]"],
    ["removes at every depth", '[{"s":1,"k":[{"s":2}]}]', "$..s", remove, '[{"k":[{}]}]'],
    ["removes both of a name that stands twice", '{"s":1,"k":0,"s":2}', "$.s", remove, '{"k":0}'],
    ["takes `__proto__` as a name", '{"__proto__":1,"a":2}', "$.__proto__", remove, '{"a":2}'],
    ["is not fooled by brackets in texts", '{"a":"}]","b":"\\"{"}', "$.b", remove, '{"a":"}]"}'],
  ] as const)("%s", (_, text, path, change, expected) => {
    expect(rewritten(text, path, change)).toBe(expected);
  });

  it("says that nothing changed", () => {
    expect(rewriteJson(Buffer.from('{"a":1}'), stepsOf("$.b"), remove)).toBeUndefined();
  });

  const name = fc.constantFrom("a", "b", "__proto__", "é", 'q"', "");
  const { value } = fc.letrec<{ value: Json }>((tie) => ({
    value: fc.oneof(
      { maxDepth: 4 },
      fc.constantFrom<Json>(null, true, "x", "{[,]}", '"', 1.5, "é"),
      fc.array(tie("value"), { maxLength: 4 }),
      fc
        .array(fc.tuple(name, tie("value")), { maxLength: 4 })
        .map((entries) => Object.fromEntries(entries) as Json),
    ),
  }));
  const step: fc.Arbitrary<PathStep> = fc.oneof(
    name.map((one): PathStep => ({ kind: "member", name: one })),
    fc.nat(3).map((index): PathStep => ({ kind: "item", index })),
    fc.constant<PathStep>({ kind: "all" }),
  );
  const path = fc
    .tuple(fc.array(step, { minLength: 1, maxLength: 3 }), fc.option(fc.nat(2), { nil: undefined }))
    .map(([steps, at]): PathStep[] =>
      at === undefined
        ? steps
        : [
            ...steps.slice(0, at),
            { kind: "descend" },
            ...steps.slice(at),
            ...(at >= steps.length ? [{ kind: "all" } as const] : []),
          ],
    );

  it("removes what a reference on parsed values removes", () => {
    fc.assert(
      fc.property(value, path, fc.constantFrom(undefined, 2), (document, steps, indent) => {
        const text = JSON.stringify(document, undefined, indent);
        const found = rewriteJson(Buffer.from(text), steps, remove);
        const after = JSON.parse(Buffer.from(found?.body ?? text).toString()) as Json;
        expect(after).toEqual(changed(JSON.parse(text) as Json, steps, undefined));
      }),
      { numRuns: 500 },
    );
  });

  it("sets what a reference on parsed values sets, and counts it", () => {
    fc.assert(
      fc.property(value, path, value, (document, steps, given) => {
        const text = JSON.stringify(document);
        const found = rewriteJson(Buffer.from(text), steps, set(given));
        const after = JSON.parse(Buffer.from(found?.body ?? text).toString()) as Json;
        expect(after).toEqual(changed(JSON.parse(text) as Json, steps, { put: given }));
      }),
      { numRuns: 500 },
    );
  });

  it("leaves every byte outside of what it touched as it was", () => {
    fc.assert(
      fc.property(fc.json({ maxDepth: 3 }), fc.json({ maxDepth: 3 }), (before, behind) => {
        const text = `{ "p": ${before} , "t" : 1,"q":${behind}\n}`;
        expect(rewritten(text, "$.t", set("new"))).toBe(`{ "p": ${before} , "t" : "new","q":${behind}\n}`);
      }),
    );
  });

  it("walks as deep as a policy lets JSON be", () => {
    const text = `${'{"a":['.repeat(250)}1${"]}".repeat(250)}`;
    expect(rewritten(text, "$..b", remove)).toBe(text);
  });
});

/** The reference: `put` undefined removes. */
function changed(
  document: Json,
  steps: readonly PathStep[],
  change: { readonly put: Json } | undefined,
): Json {
  const result = at(document, [0]);
  return result === gone ? null : result;

  function at(current: Json, given: readonly number[]): Json | typeof gone {
    if (given.includes(steps.length)) return change === undefined ? gone : change.put;
    const states = [...given];
    for (const state of states) {
      if (steps[state]?.kind === "descend" && !states.includes(state + 1)) states.push(state + 1);
    }
    const next = (fits: (step: PathStep) => boolean): number[] =>
      states.flatMap((state) => {
        const step = steps[state];
        if (step === undefined) return [];
        if (step.kind === "descend") return [state];
        return fits(step) ? [state + 1] : [];
      });
    if (Array.isArray(current)) {
      return current
        .map((item, i) =>
          at(
            item,
            next((s) => s.kind === "all" || (s.kind === "item" && s.index === i)),
          ),
        )
        .filter((item): item is Json => item !== gone);
    }
    if (typeof current !== "object" || current === null) return current;
    const entries: [string, Json][] = [];
    for (const [key, member] of Object.entries(current)) {
      const found = at(
        member,
        next((s) => s.kind === "all" || (s.kind === "member" && s.name === key)),
      );
      if (found !== gone) entries.push([key, found]);
    }
    const last = steps.at(-1);
    const adds =
      last?.kind === "member" && steps.at(-2)?.kind !== "descend" && states.includes(steps.length - 1);
    if (change !== undefined && adds && !Object.hasOwn(current, last.name))
      entries.push([last.name, change.put]);
    return Object.fromEntries(entries) as Json;
  }
}
const gone = Symbol("gone");
