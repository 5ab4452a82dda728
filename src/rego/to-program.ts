import { createHash } from "node:crypto";
import { type Builtins, isObject, builtins as ownPack } from "../builtins/index.js";
import { memoryPages, WasmError } from "../wasm/index.js";
import { freshMemory, instantiate } from "./engine.js";
import { builtinsOf } from "./evaluator.js";
import { prepareModule } from "./natives.js";
import type { Program } from "./program.js";
import { pageBytes, webAssembly } from "./web-assembly.js";

/** Memory that a module may use to tell what it calls. */
const maxPages = 1_024;

/**
 * Makes a module of OPA's compiler a program. `entrypoint` is its name, `envoy/authz/allow`; the module's first one
 * when undefined. Takes some hundred milliseconds. Throws a WasmError for a module that cannot be made safe to run,
 * is of another version of OPA's interface, or does not have the entrypoint.
 */
export function toProgram(wasm: Uint8Array, entrypoint?: string, pack: Builtins = ownPack): Program {
  if (!webAssembly.validate(wasm)) throw new WasmError("malformed", "the module is no valid WebAssembly");
  const prepared = prepareModule(wasm, pack);
  const engine = start(prepared, pack);
  const { opa_wasm_abi_version: version, opa_wasm_abi_minor_version: minor } = engine.exports;
  if (version?.value !== 1 || minor === undefined || minor.value < 2) {
    throw new WasmError("not-opa", "the module is not of version 1.2 or later of OPA's interface");
  }
  const found = engine.memory.read(engine.exports.entrypoints());
  const entrypoints = isObject(found) ? found : new Map();
  const id = entrypoint === undefined ? 0 : entrypoints.get(entrypoint);
  if (typeof id !== "number")
    throw new WasmError("not-opa", `the module has no entrypoint \`${entrypoint}\``);
  const hash = createHash("sha256").update(prepared).digest("hex");
  return { hash, wasm: prepared, entrypoint: id, builtins: [...builtinsOf(engine).values()] };
}

/** No clock is at hand, so that the module may start for as long as its initial fuel lasts, and a little more. */
function start(prepared: Uint8Array, pack: Builtins): ReturnType<typeof instantiate> {
  try {
    const code = new webAssembly.Module(prepared);
    const parts = { code, pack, now: () => 0, maxPages, kept: new Map() };
    const engine = instantiate(parts, freshMemory(parts, memoryPages(prepared) * pageBytes));
    engine.begin(-1, undefined);
    return engine;
  } catch (error) {
    throw new WasmError("malformed", error instanceof Error ? error.message : String(error));
  }
}
