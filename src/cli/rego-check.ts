import { count, findingLines, pretty, type RegoOptions, versionOf, wantsJson, withOpa } from "./rego-opa.js";
import { readSources, someModules } from "./rego-sources.js";
import { type ExitCode, exit, type Streams } from "./streams.js";

/** Options of `gatehouse rego check`. */
export interface RegoCheckOptions extends RegoOptions {
  readonly strict?: boolean;
  readonly output: string;
}

/** Compiles modules and prints what OPA says of them; 1 when something is an error. */
export async function checkRego(
  paths: readonly string[],
  options: RegoCheckOptions,
  streams: Streams,
): Promise<ExitCode> {
  const isJson = wantsJson(options.output);
  const modules = someModules(await readSources(paths, { withData: false }, streams));
  const { strict } = options;
  const request = { modules, regoVersion: versionOf(options), strict };
  const { findings } = await withOpa(streams, (opa) => opa.check(request));
  const errors = findings.filter(({ severity }) => severity === "error").length;
  if (isJson) streams.out(pretty({ valid: errors === 0, findings }));
  else {
    const total = `${count(errors, "error")}, ${count(findings.length - errors, "warning")}`;
    const verdict =
      errors === 0 ? `valid: ${count(Object.keys(modules).length, "module")}, ${total}` : `invalid: ${total}`;
    streams.out(`${findingLines(findings)}${verdict}\n`);
  }
  return errors === 0 ? exit.fine : exit.findings;
}
