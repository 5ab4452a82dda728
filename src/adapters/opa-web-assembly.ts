/** Compiled code; may be sent to another thread, which then shares it. */
export type WasmModule = object;

/** Linear memory: the buffer is another one after it grew. */
export interface WasmMemory {
  readonly buffer: ArrayBuffer;
}

/** Functions that a module imports. */
export type WasmImports = Record<string, (...args: never[]) => number>;

interface WebAssemblyApi {
  readonly compile: (bytes: Uint8Array) => Promise<WasmModule>;
  readonly instantiate: (
    module: WasmModule,
    imports: Readonly<Record<string, WasmImports>>,
  ) => Promise<{ readonly exports: unknown }>;
  readonly Module: {
    readonly imports: (module: WasmModule) => readonly { readonly module: string; readonly name: string }[];
  };
}

/** What is used here of the API that the types of Node do not declare. */
export const webAssembly: WebAssemblyApi = (globalThis as unknown as { readonly WebAssembly: WebAssemblyApi })
  .WebAssembly;
