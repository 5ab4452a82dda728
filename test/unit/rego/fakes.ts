import { readFileSync } from "node:fs";
import { brotliDecompressSync } from "node:zlib";
import type {
  BuildRequest,
  BuildResult,
  BundleRequest,
  BundleResult,
  RegoCompiler,
} from "../../../src/rego/compiler.js";

/** What OPA's compiler made of fixtures/decide.rego. */
export const decideWasm: Uint8Array = brotliDecompressSync(
  readFileSync(new URL("fixtures/decide.wasm.br", import.meta.url)),
);

/** The same of fixtures/send.rego, which calls `http.send`. */
export const sendWasm: Uint8Array = brotliDecompressSync(
  readFileSync(new URL("fixtures/send.wasm.br", import.meta.url)),
);

/** A compiler whose answers are set, and that tells what it was asked. */
export interface FakeCompiler extends RegoCompiler {
  readonly builds: BuildRequest[];
  readonly opened: BundleRequest[];
  answer: BuildResult | Error;
  bundle: BundleResult | Error;
}

/** Answers everything with the module of fixtures/decide.rego. */
export function fakeCompiler(answer: Partial<BuildResult> = {}): FakeCompiler {
  const builds: BuildRequest[] = [];
  const opened: BundleRequest[] = [];
  const fake: FakeCompiler = {
    builds,
    opened,
    answer: { wasm: decideWasm, findings: [], builtins: [], ...answer },
    bundle: new Error("no bundle is set"),
    build: async (request) => {
      builds.push(request);
      if (fake.answer instanceof Error) throw fake.answer;
      return fake.answer;
    },
    openBundle: async (request) => {
      opened.push(request);
      if (fake.bundle instanceof Error) throw fake.bundle;
      return fake.bundle;
    },
  };
  return fake;
}
