import { type ConfigUpdate, meshOf, trustDomainsOf } from "../config/index.js";
import { formatDiagnostic, GatehouseError } from "../diagnostics/index.js";
import { toRbac } from "../istio/index.js";
import type { EnvoyRbac } from "../rbac/index.js";
import { type ConfigPaths, readConfig } from "./load.js";
import { writtenPolicies } from "./policies.js";
import { type ExitCode, exit, type Streams } from "./streams.js";

/**
 * Reads configuration and prints its findings; 1 when one is an error. `text`: a line for each; `json`:
 * {valid, diagnostics}; `rbac`: what each policy compiles to for HTTP, findings then go to standard error.
 */
export async function validate(paths: ConfigPaths, output: string, streams: Streams): Promise<ExitCode> {
  if (output !== "text" && output !== "json" && output !== "rbac") {
    throw new GatehouseError("bad_flag", `unknown output \`${output}\`, expected text, json or rbac`);
  }
  const update = await readConfig(paths, streams.env);
  const lines = update.diagnostics.map((diagnostic) => `${formatDiagnostic(diagnostic)}\n`).join("");
  if (output === "json") streams.out(pretty({ valid: update.ok, diagnostics: update.diagnostics }));
  if (output === "text") streams.out(lines + summary(update));
  if (output === "rbac") {
    streams.err(lines);
    if (update.ok) streams.out(pretty(rbacOf(update)));
  }
  return update.ok ? exit.fine : exit.findings;
}

function summary({ ok, upserts, diagnostics }: ConfigUpdate): string {
  const errors = diagnostics.filter(({ severity }) => severity === "error").length;
  const findings = `${errors} errors, ${diagnostics.length - errors} warnings`;
  return ok ? `valid: ${upserts.length} resources, ${findings}\n` : `invalid: ${findings}\n`;
}

/**
 * Of policies that are what they are for every workload; the legacy roles depend on the workload that is
 * asked.
 */
function rbacOf(update: ConfigUpdate): unknown {
  const trustDomains = trustDomainsOf(meshOf(update.upserts));
  const istio = writtenPolicies(update).map(({ policy, resource: { origin } }) => ({
    policy: `${policy.namespace}/${policy.name}`,
    action: policy.action,
    file: origin.file,
    line: origin.line,
    rbac: toRbac(policy, "http", trustDomains),
  }));
  const envoy = update.upserts
    .filter(({ kind }) => kind === "EnvoyRbac")
    .map(({ spec, namespace, name, origin }) => {
      const { rules } = spec as EnvoyRbac;
      const action = rules?.action ?? null;
      return {
        policy: `${namespace}/${name}`,
        action,
        file: origin.file,
        line: origin.line,
        rbac: rules ?? null,
      };
    });
  return [...istio, ...envoy];
}

function pretty(value: unknown): string {
  return `${JSON.stringify(value, null, 2)}\n`;
}
