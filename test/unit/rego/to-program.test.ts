import { describe, expect, test } from "vitest";
import { toProgram } from "../../../src/rego/runtime.js";
import { join, leb, sized } from "../../../src/wasm/encode.js";
import { readModule, section, type WasmModule } from "../../../src/wasm/module.js";
import { decideWasm } from "./fakes.js";

/** The module with another body of the function that is called `eval`. */
function evaluating(module: WasmModule, body: readonly number[]): Uint8Array {
  const { bytes, sections, bodies, imports, names } = module;
  const index = (names?.get("eval") ?? 0) - imports.length;
  const code = bodies.flatMap(({ start, end }, i) =>
    sized(i === index ? new Uint8Array(body) : bytes.subarray(start, end)),
  );
  const parts = sections.flatMap(({ id, start, end }) => [
    [id],
    ...sized(id === section.code ? join([leb(bodies.length), ...code]) : bytes.subarray(start, end)),
  ]);
  return join([bytes.subarray(0, 8), ...parts]);
}

describe("a module that reaches for the counter of its instructions", () => {
  const module = readModule(decideWasm);
  const functions = module.imports.length + module.functions.length;
  const { globals } = module;

  test.each([
    ["sets it", [0x41, 0xe4, 0x00, 0x24, ...leb(globals)]],
    ["takes a negative charge from it", [0x41, 0x40, 0x10, ...leb(functions + 1)]],
    ["asks for more", [0x10, ...leb(functions)]],
  ])("is no program when it %s", (_, instructions) => {
    const hostile = evaluating(module, [0, ...instructions, 0x41, 0, 0x0b]);
    expect(() => toProgram(hostile)).toThrow("no valid WebAssembly");
  });

  test("is the same as any other when its own functions are as they were", () => {
    expect(toProgram(evaluating(module, [0, 0x41, 0, 0x0b])).entrypoint).toBe(0);
  });
});
