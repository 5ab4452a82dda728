import { describe, expect, it } from "vitest";
import { randBuiltins } from "../../../src/builtins/rand.js";
import { uuidBuiltins } from "../../../src/builtins/uuid.js";
import { anEvaluation } from "./replay.js";

const intn = randBuiltins["rand.intn"];
const uuid = uuidBuiltins["uuid.rfc4122"];

function fresh(...numbers: number[]): ReturnType<typeof anEvaluation> {
  let at = 0;
  const random = (): number => numbers[at++] ?? 0;
  return { ...anEvaluation(), random, randomBytes: (count) => new Uint8Array(count).fill(random() * 256) };
}

describe("rand.intn", () => {
  it("is the same for the same name and limit within an evaluation", () => {
    const evaluation = fresh(0.5, 0.9);
    expect(intn?.(["a", 10], evaluation)).toBe(5);
    expect(intn?.(["a", 10], evaluation)).toBe(5);
    expect(intn?.(["b", 10], evaluation)).toBe(9);
  });

  it("stays below its limit, and takes a negative one for positive", () => {
    expect(intn?.(["a", 7], fresh(1 - 2 ** -53))).toBe(6);
    expect(intn?.(["a", -7], fresh(1 - 2 ** -53))).toBe(6);
    expect(intn?.(["a", { exact: "9223372036854775807" }], fresh(1 - 2 ** -53))).toEqual({
      exact: "9223372036854774783",
    });
  });

  it("is 0 for the limit 0, and nothing for what is no integer", () => {
    expect(intn?.(["a", 0], fresh(0.5))).toBe(0);
    expect(() => intn?.(["a", 1.5], fresh(0.5))).toThrow();
    expect(() => intn?.(["a", { exact: "-9223372036854775808" }], fresh(0.5))).toThrow();
  });
});

describe("uuid.rfc4122", () => {
  it("gives one UUID of version 4 for each name within an evaluation", () => {
    const evaluation = fresh(0.5, 0.25);
    const first = uuid?.(["a"], evaluation);
    expect(first).toBe("80808080-8080-4080-8080-808080808080");
    expect(uuid?.(["a"], evaluation)).toBe(first);
    expect(uuid?.(["b"], evaluation)).toBe("40404040-4040-4040-8040-404040404040");
  });
});
