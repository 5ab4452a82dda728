import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { memoryPages, type PrepareOptions, prepareWasm, WasmError } from "../../../src/wasm/index.js";
import { compiledCases } from "./fixture.js";

interface Exports {
  readonly fuel: { value: number };
  readonly f: (argument: number) => number;
}

interface Api {
  readonly validate: (bytes: Uint8Array) => boolean;
  readonly Module: new (bytes: Uint8Array) => object;
  readonly Memory: new (limits: { initial: number }) => { readonly buffer: ArrayBuffer };
  readonly Instance: new (module: object, imports: object) => { readonly exports: Exports };
}
const wasm = (globalThis as unknown as { WebAssembly: Api }).WebAssembly;

const options: PrepareOptions = {
  refillId: 77,
  fuelExport: "fuel",
  initialFuel: 1_000_000,
  redirects: [],
  exports: ["opa_value_compare"],
};
const original = compiledCases();

function codeOf(bytes: Uint8Array, changed: Partial<PrepareOptions> = {}): string {
  try {
    prepareWasm(bytes, { ...options, ...changed });
    return "prepared";
  } catch (error) {
    if (error instanceof WasmError) return error.code;
    throw error;
  }
}

/** A module of one function `f: i32 -> i32` with the body given, the imports of OPA's, and names. */
function moduleOf(body: readonly number[], name = "f"): Uint8Array {
  const text = (value: string): number[] => [value.length, ...Buffer.from(value)];
  const section = (id: number, content: readonly number[]): number[] => [id, content.length, ...content];
  return Uint8Array.from([
    ...[0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
    ...section(1, [2, 0x60, 2, 0x7f, 0x7f, 1, 0x7f, 0x60, 1, 0x7f, 1, 0x7f]),
    ...section(2, [
      2,
      ...text("env"),
      ...text("memory"),
      2,
      0,
      1,
      ...text("env"),
      ...text("opa_builtin0"),
      0,
      0,
    ]),
    ...section(3, [1, 1]),
    ...section(6, [1, 0x7f, 0, 0x41, 0, 0x0b]),
    ...section(7, [1, ...text("f"), 0, 1]),
    ...section(10, [1, body.length + 1, 0, ...body]),
    ...section(0, [...text("name"), 1, 3 + name.length, 1, 1, ...text(name)]),
  ]);
}

function run(bytes: Uint8Array, argument: number, refills: number): number | "stopped" {
  let left = refills;
  const memory = new wasm.Memory({ initial: 1 });
  const { exports } = new wasm.Instance(new wasm.Module(bytes), {
    env: {
      memory,
      opa_builtin0: () => {
        if (left-- <= 0) throw new Error("stopped");
        exports.fuel.value = 10_000;
        return 0;
      },
    },
  });
  try {
    return exports.f(argument);
  } catch (error) {
    if (error instanceof Error && error.message === "stopped") return "stopped";
    throw error;
  }
}

const small = { exports: [] };
// loop (br 0) end
const endless = [0x03, 0x40, 0x0c, 0, 0x0b, 0x41, 0, 0x0b];
// A sum 1 + … + n: block loop { if n == 0 leave; s += n; n -= 1; continue }, with one local.
const sum = [
  ...[0x02, 0x40, 0x03, 0x40, 0x20, 0, 0x45, 0x0d, 1, 0x20, 1, 0x20, 0, 0x6a, 0x21, 1],
  ...[0x20, 0, 0x41, 1, 0x6b, 0x21, 0, 0x0c, 0, 0x0b, 0x0b, 0x20, 1, 0x0b],
];

describe("prepareWasm", () => {
  it("makes a valid module of what OPA's compiler made, and has its memory's size", () => {
    const { wasm: prepared } = prepareWasm(original, options);
    expect(wasm.validate(prepared)).toBe(true);
    expect(memoryPages(prepared)).toBe(memoryPages(original));
    expect(memoryPages(prepared)).toBeGreaterThan(1);
  });

  it("stops an endless loop when the host gives no more fuel", () => {
    expect(run(prepareWasm(moduleOf(endless), { ...options, ...small }).wasm, 0, 3)).toBe("stopped");
  });

  it("stops an endless recursion", () => {
    const recursive = moduleOf([0x20, 0, 0x10, 1, 0x41, 0, 0x0d, 0, 0x0b]);
    const prepared = prepareWasm(recursive, { ...options, ...small, initialFuel: 1_000 }).wasm;
    expect(run(prepared, 0, 3)).toBe("stopped");
  });

  it("computes the same as before, and leaves loops by the right door", () => {
    const prepared = prepareWasm(moduleWithLocal(sum), { ...options, ...small }).wasm;
    for (const n of [0, 1, 31, 32, 33, 1_000]) expect(run(prepared, n, 1_000)).toBe((n * (n + 1)) / 2);
    expect(run(prepared, 1_000_000_000, 5)).toBe("stopped");
  });

  it("refuses a module without names of functions", () => {
    const bytes = moduleOf(endless);
    const nameSection = 13;
    expect(codeOf(bytes.subarray(0, bytes.length - nameSection), small)).toBe("not-opa");
  });

  it("refuses a module that lacks a function that has to be exported", () => {
    expect(codeOf(moduleOf(endless))).toBe("not-opa");
  });

  it("refuses a redirected function of another type, and a module that was prepared already", () => {
    expect(codeOf(moduleOf(endless), { ...small, redirects: [{ name: "f", id: 1 }] })).toBe("not-opa");
    expect(codeOf(prepareWasm(original, options).wasm)).toBe("not-opa");
  });

  it("refuses instructions that it does not know", () => {
    for (const unknown of [0x06, 0x12, 0x25, 0xd0, 0xfd, 0xfe, 0xff]) {
      expect(codeOf(moduleOf([unknown, 0, 0x41, 0, 0x0b]), small)).toBe("unsupported");
    }
    // memory.fill
    expect(codeOf(moduleOf([0xfc, 0x0b, 0, 0x41, 0, 0x0b]), small)).toBe("unsupported");
  });

  it("never fails but with a code, nor hangs, on bytes that are not as OPA writes them", () => {
    const bytes = fc.oneof(
      fc.uint8Array({ maxLength: 200 }),
      fc
        .uint8Array({ maxLength: 200 })
        .map((rest) => Uint8Array.from([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, ...rest])),
      fc.array(fc.nat(255), { maxLength: 60 }).map((body) => moduleOf(body.slice(0, 60))),
    );
    fc.assert(
      fc.property(bytes, (hostile) => {
        expect(["prepared", "malformed", "unsupported", "not-opa"]).toContain(codeOf(hostile, small));
      }),
      { numRuns: 2_000 },
    );
  });

  it("gives a valid module or a code for a valid one with bytes changed", () => {
    const base = moduleWithLocal(sum);
    fc.assert(
      fc.property(fc.nat(base.length - 1), fc.nat(255), (at, value) => {
        const changed = Uint8Array.from(base);
        changed[at] = value;
        if (!wasm.validate(changed)) return;
        const code = codeOf(changed, small);
        if (code !== "prepared") return;
        expect(wasm.validate(prepareWasm(changed, { ...options, ...small }).wasm)).toBe(true);
      }),
      { numRuns: 3_000 },
    );
  });
});

/** As moduleOf, of a function with one local. */
function moduleWithLocal(body: readonly number[]): Uint8Array {
  const plain = [...moduleOf([...body, 0, 0])];
  const text = String.fromCharCode(...plain);
  const at = text.indexOf(String.fromCharCode(1, body.length + 3, 0, ...body));
  plain.splice(at + 2, body.length + 3, 1, 1, 0x7f, ...body);
  return Uint8Array.from(plain);
}
