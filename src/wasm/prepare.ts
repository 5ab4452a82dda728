import { chargesOf, readBody } from "./costs.js";
import { type Chunk, join, leb, name, signedLeb, sized } from "./encode.js";
import { WasmError } from "./error.js";
import { i32, noResult, op } from "./instructions.js";
import { ambiguous, readModule, section, type WasmModule } from "./module.js";
import { readerOf, unsigned } from "./reader.js";
import { type Meter, meterFunctions, rewriteBody } from "./rewrite.js";

/** A function of the module that the host shall answer instead. */
export interface Redirect {
  /** As the module's name section has it; a module without the function has no use for it. */
  readonly name: string;
  /** The first argument of the import `opa_builtinN` that is called, before 0 and the function's own arguments. */
  readonly id: number;
  /** Answer only when this argument is a value of one of these types, and large enough; else the native one does. */
  readonly when?: {
    readonly parameter: number;
    /** Numbers of OPA's wasm/src/value.h. */
    readonly types: readonly number[];
    /** Of objects and sets. */
    readonly minLength?: number;
  };
}

/** What shall be changed in a module. */
export interface PrepareOptions {
  /** First argument of the import `opa_builtin0` that is called when the counter is below 0. */
  readonly refillId: number;
  /** The counter is exported by this name: a mutable i32, which the host sets before each call and each refill. */
  readonly fuelExport: string;
  /** What the counter is at first: instructions until the first refill, those of instantiation included. */
  readonly initialFuel: number;
  readonly redirects: readonly Redirect[];
  /** Functions by name that have to be there, and are exported by that name. */
  readonly exports: readonly string[];
}

/**
 * Makes a module of OPA's compiler safe to run: it counts what it executes and asks the host when its counter is used
 * up, at the latest after as many instructions as the counter held (see {@link chargesOf}); and functions of OPA's
 * runtime are answered by the host. Pure; throws a WasmError for whatever it does not know. The module has to be a
 * valid one (`WebAssembly.validate`): indexes are not checked, and one that is out of range would name what is added.
 */
export function prepareWasm(bytes: Uint8Array, options: PrepareOptions): { readonly wasm: Uint8Array } {
  const module = readModule(bytes);
  const { names, imports, functions, bodies } = module;
  if (names === undefined)
    throw new WasmError("not-opa", "the module does not tell the names of its functions");
  const all = imports.length + functions.length;
  const meter: Meter = { fuel: module.globals, refill: all, charge: all + 1 };
  const prefixes = new Map(options.redirects.flatMap((redirect) => prefixOf(module, names, redirect)));
  const read = bodies.map((place) => readBody(module, place));
  const charges = chargesOf(read, imports.length, module.elements);
  const rewritten: Chunk[] = [leb(bodies.length + 2)];
  for (const [i, body] of read.entries()) {
    const parameters = typeOf(module, imports.length + i).parameters.length;
    const prefix = prefixes.get(imports.length + i) ?? [];
    const charge = charges[i] ?? { entry: 0, loop: 0 };
    rewritten.push(...sized(rewriteBody(bytes, body, { charge, meter, parameters, prefix })));
  }
  rewritten.push(meterFunctions(meter, { function: hostFunction(module, 0), id: options.refillId }));
  const types = [0x60, 0, 0, 0x60, 1, i32, 0];
  const typeIndex = module.types.length;
  const exports = [...name(options.fuelExport), 3, ...leb(meter.fuel)];
  let exported = 1;
  for (const wanted of options.exports) {
    const index = names.get(wanted);
    if (index === undefined || index === ambiguous) throw missing(wanted);
    if (module.exports.has(wanted)) continue;
    exports.push(...name(wanted), 0, ...leb(index));
    exported++;
  }
  if (module.exports.has(options.fuelExport))
    throw new WasmError("not-opa", "the module is prepared already");
  const added = new Map<number, Chunk[]>([
    [section.type, grown(module, section.type, 2, types)],
    [section.function, grown(module, section.function, 2, [...leb(typeIndex), ...leb(typeIndex + 1)])],
    [
      section.global,
      grown(module, section.global, 1, [i32, 1, op.i32Const, ...signedLeb(options.initialFuel), op.end]),
    ],
    [section.export, grown(module, section.export, exported, exports)],
    [section.code, rewritten],
  ]);
  return { wasm: assembled(module, added) };
}

/** A section with items added at its end. */
function grown(module: WasmModule, id: number, items: number, content: readonly number[]): Chunk[] {
  const place = module.sections.find((found) => found.id === id);
  if (place === undefined) throw new WasmError("not-opa", `the module has no section ${id}`);
  const reader = readerOf(module.bytes, place.start, place.end);
  const before = unsigned(reader);
  return [leb(before + items), module.bytes.subarray(reader.at, place.end), content];
}

function assembled({ bytes, sections }: WasmModule, changed: ReadonlyMap<number, Chunk[]>): Uint8Array {
  const chunks: Chunk[] = [bytes.subarray(0, 8)];
  for (const { id, start, end } of sections) {
    const content = changed.get(id) ?? [bytes.subarray(start, end)];
    chunks.push([id], ...sized(join(content)));
  }
  return join(chunks);
}

function typeOf(
  module: WasmModule,
  index: number,
): { readonly parameters: readonly number[]; readonly text: string } {
  const own = index - module.imports.length;
  const type = module.types[(own < 0 ? module.imports[index]?.type : module.functions[own]) ?? -1];
  if (type === undefined) throw new WasmError("malformed", "a function of the module has no type");
  return { parameters: type.parameters, text: `${type.parameters}>${type.results}` };
}

/** The import that calls a builtin of so many arguments. */
function hostFunction(module: WasmModule, parameters: number): number {
  const wanted = `opa_builtin${parameters}`;
  const index = module.imports.findIndex((found) => found.name === wanted);
  if (index < 0 || typeOf(module, index).text !== ofIntegers(parameters + 2)) throw missing(wanted);
  return index;
}

/** The type of a function of so many integers, which gives one. */
function ofIntegers(parameters: number): string {
  return `${new Array(parameters).fill(i32)}>${i32}`;
}

function missing(wanted: string): WasmError {
  return new WasmError("not-opa", `the module has not the function \`${wanted}\` of OPA's runtime`);
}

/** The instructions that a redirected function begins with, by its index; none when the module has no such one. */
function prefixOf(
  module: WasmModule,
  names: ReadonlyMap<string, number>,
  { name: wanted, id, when }: Redirect,
): [number, readonly number[]][] {
  const index = names.get(wanted);
  if (index === undefined) return [];
  if (index === ambiguous || index < module.imports.length) throw missing(wanted);
  const { parameters, text } = typeOf(module, index);
  if (text !== ofIntegers(parameters.length) || parameters.length > 4) {
    throw new WasmError(
      "not-opa",
      `the function \`${wanted}\` of the module is not of the type that it has in OPA's`,
    );
  }
  const host = hostFunction(module, parameters.length);
  const answer = [
    ...[
      op.i32Const,
      ...signedLeb(id),
      op.i32Const,
      0,
      ...parameters.flatMap((_, i) => [op.localGet, ...leb(i)]),
    ],
    ...[op.call, ...leb(host), op.return],
  ];
  if (when === undefined) return [[index, answer]];
  const argument = [op.localGet, ...leb(when.parameter)];
  const ofType = when.types.flatMap((type, i) => [
    ...[...argument, op.i32Load8u, 0, 0, op.i32Const, type, op.i32Eq],
    ...(i === 0 ? [] : [op.i32Or]),
  ]);
  // Objects and sets both have their length 12 bytes from their start.
  const longEnough = [
    ...argument,
    op.i32Load,
    2,
    12,
    op.i32Const,
    ...signedLeb(when.minLength ?? 0),
    op.i32GeU,
  ];
  const inner = when.minLength === undefined ? answer : [...longEnough, op.if, noResult, ...answer, op.end];
  const guarded = [...ofType, op.if, noResult, ...inner, op.end];
  return [[index, [...argument, op.if, noResult, ...guarded, op.end]]];
}
