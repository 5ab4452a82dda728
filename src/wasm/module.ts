import { WasmError } from "./error.js";
import { byte, count, part, type Reader, readerOf, skipNumber, text, unsigned } from "./reader.js";

/** Section ids that the pass looks at. */
export const section = {
  custom: 0,
  type: 1,
  import: 2,
  function: 3,
  table: 4,
  memory: 5,
  global: 6,
  export: 7,
  start: 8,
  element: 9,
  code: 10,
  data: 11,
} as const;

/** Parameters and results of a function. */
export interface FunctionType {
  readonly parameters: readonly number[];
  readonly results: readonly number[];
}

/** A wasm binary, taken apart as far as the pass needs it. Functions are numbered imports first. */
export interface WasmModule {
  readonly bytes: Uint8Array;
  /** In order, the places of their contents. */
  readonly sections: readonly { readonly id: number; readonly start: number; readonly end: number }[];
  readonly types: readonly FunctionType[];
  /** Imported functions in order. */
  readonly imports: readonly { readonly name: string; readonly type: number }[];
  /** The type of each function of its own. */
  readonly functions: readonly number[];
  readonly globals: number;
  readonly exports: ReadonlySet<string>;
  /** Functions in tables. */
  readonly elements: readonly number[];
  /** The place of each function's body: its locals and instructions. */
  readonly bodies: readonly { readonly start: number; readonly end: number }[];
  /** Functions by the name that the name section gives them, {@link ambiguous} for several of one name. */
  readonly names: ReadonlyMap<string, number> | undefined;
}

/** Stands for the functions of a name that several have. */
export const ambiguous = -1;

const header = [0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00];

/** Takes a binary apart. Throws a WasmError for what is none, or has sections or imports that OPA's do not have. */
export function readModule(bytes: Uint8Array): WasmModule {
  if (header.some((expected, i) => bytes[i] !== expected)) {
    throw new WasmError("malformed", "the file is no wasm module");
  }
  const reader = readerOf(bytes, header.length);
  const module = {
    bytes,
    sections: [] as { id: number; start: number; end: number }[],
    types: [] as FunctionType[],
    imports: [] as { name: string; type: number }[],
    functions: [] as number[],
    globals: 0,
    exports: new Set<string>(),
    elements: [] as number[],
    bodies: [] as { start: number; end: number }[],
    names: undefined as ReadonlyMap<string, number> | undefined,
  };
  let last = 0;
  while (reader.at < reader.end) {
    const id = byte(reader);
    const content = part(reader);
    module.sections.push({ id, start: content.at, end: content.end });
    if (id > section.data) throw new WasmError("unsupported", `section ${id} of the module is not known`);
    if (id !== section.custom) {
      if (id <= last) throw new WasmError("malformed", "the sections of the module are not in order");
      last = id;
    }
    if (id === section.type) module.types = list(content, functionType);
    else if (id === section.import)
      for (const found of list(content, functionImport)) module.imports.push(...found);
    else if (id === section.function) module.functions = list(content, unsigned);
    else if (id === section.global) module.globals = unsigned(content);
    else if (id === section.export) module.exports = new Set(list(content, exported));
    else if (id === section.element) module.elements = list(content, element).flat();
    else if (id === section.code) module.bodies = list(content, body);
    else if (id === section.custom && text(content) === "name") module.names = functionNames(content);
  }
  if (module.bodies.length !== module.functions.length) {
    throw new WasmError("malformed", "the module has another number of functions than of bodies");
  }
  return module;
}

function list<T>(reader: Reader, read: (reader: Reader) => T): T[] {
  const items: T[] = [];
  for (let rest = count(reader); rest > 0; rest--) items.push(read(reader));
  return items;
}

function functionType(reader: Reader): FunctionType {
  if (byte(reader) !== 0x60) throw new WasmError("unsupported", "a type of the module is no function type");
  return { parameters: list(reader, byte), results: list(reader, byte) };
}

/** One function, or none for the memory. */
function functionImport(reader: Reader): { name: string; type: number }[] {
  const from = text(reader);
  const name = text(reader);
  const kind = byte(reader);
  if (from === "env" && kind === 0) return [{ name, type: unsigned(reader) }];
  if (from !== "env" || kind !== 2) throw new WasmError("not-opa", `the module imports \`${from}.${name}\``);
  const bounded = byte(reader);
  if (bounded > 1) throw new WasmError("unsupported", "the module's memory is of an unknown kind");
  for (let i = 0; i <= bounded; i++) skipNumber(reader, 5);
  return [];
}

function exported(reader: Reader): string {
  const name = text(reader);
  byte(reader);
  skipNumber(reader, 5);
  return name;
}

/** A segment of functions at a constant place in the first table. */
function element(reader: Reader): number[] {
  if (unsigned(reader) !== 0 || byte(reader) !== 0x41) throw notKnownElement();
  skipNumber(reader, 5);
  if (byte(reader) !== 0x0b) throw notKnownElement();
  return list(reader, unsigned);
}

function notKnownElement(): WasmError {
  return new WasmError("unsupported", "an element segment of the module is of an unknown kind");
}

function body(reader: Reader): { start: number; end: number } {
  const content = part(reader);
  return { start: content.at, end: content.end };
}

function functionNames(reader: Reader): ReadonlyMap<string, number> {
  const names = new Map<string, number>();
  while (reader.at < reader.end) {
    const id = byte(reader);
    const content = part(reader);
    if (id !== 1) continue;
    for (let rest = count(content); rest > 0; rest--) {
      const index = unsigned(content);
      const name = text(content);
      names.set(name, names.has(name) ? ambiguous : index);
    }
  }
  return names;
}

/** How many pages of memory a module needs at least. */
export function memoryPages(bytes: Uint8Array): number {
  const reader = readerOf(bytes, header.length);
  while (reader.at < reader.end) {
    const id = byte(reader);
    const content = part(reader);
    if (id !== section.import) continue;
    for (let rest = count(content); rest > 0; rest--) {
      text(content);
      text(content);
      if (byte(content) === 0) skipNumber(content, 5);
      else {
        byte(content);
        return unsigned(content);
      }
    }
  }
  return 0;
}
