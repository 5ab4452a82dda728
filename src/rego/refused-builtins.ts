import { codes, type Diagnostic, show } from "../diagnostics/index.js";
import type { BuiltinUse } from "./compiler.js";
import { missingBuiltins } from "./runtime.js";

/** What stands in for a builtin that waits for the network. */
const alternatives: ReadonlyMap<string, string> = new Map([
  ["http.send", "put what it fetches into `data` or a polled bundle, an issuer's keys as JWKS into `data`"],
  ["net.lookup_ip_addr", "put the addresses into `data`"],
]);

/** Those calls that no policy may make here. */
function missingUses(builtins: readonly BuiltinUse[]): BuiltinUse[] {
  const missing = new Set(missingBuiltins(builtins.map(({ name }) => name)));
  return builtins.filter(({ name }) => missing.has(name));
}

/** Why a policy that calls this builtin is not loaded. */
export function refusalOf(name: string): string {
  const instead = alternatives.get(name);
  return `builtin ${show(name)} cannot be called here${instead === undefined ? "" : `: ${instead}`}`;
}

/** What would be said of modules in files, were they a policy. */
export function refusedBuiltins(builtins: readonly BuiltinUse[]): Diagnostic[] {
  const { code, severity } = codes.regoBuiltin;
  return missingUses(builtins).map(({ name, file, line, column }) => {
    return { code, severity, message: refusalOf(name), file, line, column };
  });
}
