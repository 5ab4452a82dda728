import { readFileSync } from "node:fs";
import { brotliDecompressSync } from "node:zlib";

/** What OPA's compiler made of fixtures/cases.rego. */
export function compiledCases(): Uint8Array {
  return brotliDecompressSync(readFileSync(new URL("fixtures/cases.wasm.br", import.meta.url)));
}
