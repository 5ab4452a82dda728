import { Buffer } from "node:buffer";
import { createHash } from "node:crypto";
import { LRUCache } from "lru-cache";
import { codes, type Finding, finding, hasErrors, type Path, show } from "../diagnostics/index.js";
import type { Parsed } from "../documents/index.js";
import type { BuildResult, OpenBundle, RegoCompiler, RegoFinding } from "./compiler.js";
import { createInputWriter } from "./input.js";
import { withData } from "./parse-rego-policy.js";
import type { Program } from "./program.js";
import { refusalOf } from "./refused-builtins.js";
import type { BundleSource, RegoPolicy } from "./rego-policy.js";
import { missingBuiltins, splitData, toProgram } from "./runtime.js";

/**
 * Makes a complete RegoPolicy ready to run: opens its bundle, compiles its modules, prepares the program and cuts the
 * data. A compiler that fails is a finding. A bundle that has not arrived leaves the policy without a program; one from
 * a URL that cannot be used leaves what `previous` ran, the policy of this name as it was last: nobody far away may
 * hold up the rest of the configuration.
 */
export async function prepareRegoPolicy(
  spec: RegoPolicy,
  compiler: RegoCompiler,
  previous?: RegoPolicy,
): Promise<Parsed<RegoPolicy>> {
  const { source } = spec;
  const wrong = wrongDescriptors(spec);
  if (wrong !== undefined) return { spec: undefined, findings: [wrong] };
  try {
    if (source.kind !== "bundle") return finish(await compile(spec, compiler));
    if (source.content === "") {
      const message = "the bundle has not arrived, requests that the policy is asked about are refused";
      const allowed = "the bundle has not arrived, requests pass meanwhile as `failOpen` says";
      const path = ["spec", "bundle", source.field];
      const missing = finding(codes.regoBundleMissing, path, spec.failOpen ? allowed : message);
      return { spec, findings: [missing] };
    }
    const opened = await openAndCompile(spec, source, compiler);
    if (source.field === "url" && hasErrors(opened.findings)) return staying(spec, opened.findings, previous);
    return finish(opened);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    return { spec: undefined, findings: [finding(codes.regoCompiler, ["spec"], why)] };
  }
}

function staying(
  spec: RegoPolicy,
  findings: readonly Finding[],
  { program, data = [], modules = {} }: Partial<RegoPolicy> = {},
): Parsed<RegoPolicy> {
  const source = spec.source.kind === "bundle" ? { ...spec.source, content: "" } : spec.source;
  const stays = program === undefined ? "there is none to stay" : "what it gave before stays";
  const warnings = findings.map(({ code, message, path }) =>
    finding(codes.bundleRefused, path, `${code.code}: ${message}; ${stays}`),
  );
  return { spec: { ...spec, source, program, data, modules, baseData: "{}" }, findings: warnings };
}

function wrongDescriptors({ parseBody, protoDescriptor }: RegoPolicy): Finding | undefined {
  try {
    createInputWriter({ parseBody, protoDescriptor });
    return undefined;
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    return finding(codes.invalidValue, ["spec", "protoDescriptor"], why);
  }
}

/** The texts are not needed any more where the policy runs. */
function finish({ spec, findings }: Parsed<RegoPolicy>): Parsed<RegoPolicy> {
  if (spec === undefined || hasErrors(findings)) return { spec: undefined, findings };
  const source = spec.source.kind === "bundle" ? { ...spec.source, content: "" } : spec.source;
  return { spec: { ...spec, source, data: splitData(spec.baseData), baseData: "{}" }, findings };
}

async function openAndCompile(
  spec: RegoPolicy,
  source: BundleSource,
  compiler: RegoCompiler,
): Promise<Parsed<RegoPolicy>> {
  const path = ["spec", "bundle", source.field];
  const { maxBytes, verification } = source;
  const bundle = Buffer.from(source.content, "base64");
  const opened = await compiler.openBundle({ bundle, maxBytes, verification });
  if (!opened.ok) return { spec: undefined, findings: [finding(codes.regoBundle, path, opened.message)] };
  const { modules, regoVersion, data, wasm } = opened.bundle;
  const filled = withData({ ...spec, modules, regoVersion }, data, path);
  if (filled.spec === undefined) return filled;
  return wasm.length > 0 ? precompiled(filled.spec, wasm, path) : compile(filled.spec, compiler);
}

function precompiled(spec: RegoPolicy, wasm: OpenBundle["wasm"], path: Path): Parsed<RegoPolicy> {
  const refuse = (message: string): Parsed<RegoPolicy> => ({
    spec: undefined,
    findings: [finding(codes.regoModule, path, message)],
  });
  const entrypoint = spec.query
    .replace(/^data/, "")
    .replace(/\["([^"]*)"\]|\.([A-Za-z_]\w*)/g, "/$1$2")
    .replace(/^\//, "");
  const found = wasm.find((one) => one.entrypoint === entrypoint);
  if (found === undefined) {
    const known = wasm.map((one) => `\`${one.entrypoint}\``).join(", ");
    return refuse(`the bundle's module does not answer ${show(entrypoint)}, expected one of ${known}`);
  }
  const made = programOf(found.wasm, entrypoint);
  if (typeof made === "string") return refuse(made);
  const missing = missingBuiltins(made.builtins);
  const [first] = missing;
  if (first !== undefined) return refuse(`it calls ${show(first)}, which cannot be called here`);
  return { spec: { ...spec, program: made }, findings: [] };
}

/** Making one takes some hundred milliseconds, and after an edit of data alone it is the same again. */
const programs = new LRUCache<string, Program>({ max: 64 });

/** Or why there is none. */
function programOf(wasm: Uint8Array, entrypoint: string | undefined): Program | string {
  const key = `${createHash("sha256").update(wasm).digest("hex")} ${entrypoint ?? ""}`;
  try {
    const program = programs.get(key) ?? toProgram(wasm, entrypoint);
    programs.set(key, program);
    return program;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

async function compile(spec: RegoPolicy, compiler: RegoCompiler): Promise<Parsed<RegoPolicy>> {
  const { modules, query, regoVersion } = spec;
  const built = await compiler.build({ modules, query, regoVersion });
  const findings = built.findings.map((one) => toFinding(one, spec));
  if (built.wasm === undefined || hasErrors(findings)) return { spec: undefined, findings };
  const made = programOf(built.wasm, undefined);
  if (typeof made === "string") {
    return { spec: undefined, findings: [...findings, finding(codes.regoModule, ["spec"], made)] };
  }
  const refused = refusedCalls(made, built, spec);
  if (refused.length > 0) return { spec: undefined, findings: [...findings, ...refused] };
  return { spec: { ...spec, program: made }, findings };
}

function toFinding({ severity, code, message, file, line, column }: RegoFinding, spec: RegoPolicy): Finding {
  const kind = severity === "error" ? codes.regoCompile : codes.regoWarning;
  const text = `${code}: ${message}`;
  if (file === undefined) return finding(kind, ["spec", spec.queryField], text);
  return placed(finding(kind, pathOf(file, spec), text), file, line, column, spec);
}

/** The finding at a place of a module. */
function placed(
  found: Finding,
  module: string,
  line: number,
  column: number,
  { source }: RegoPolicy,
): Finding {
  if (source.kind === "bundle") return { ...found, message: `${module}:${line}: ${found.message}` };
  return { ...found, place: { file: source.kind === "folder" ? module : undefined, line, column } };
}

function pathOf(module: string, { source }: RegoPolicy): Path {
  if (source.kind === "inline") return ["spec", "modules", module];
  return source.kind === "folder" ? ["spec", "path"] : ["spec", "bundle", source.field];
}

/** What the program itself calls counts: a builtin that only unused rules name, or that `with` replaces, is no call. */
function refusedCalls(program: Program, { builtins }: BuildResult, spec: RegoPolicy): Finding[] {
  return missingBuiltins(program.builtins).flatMap((name): Finding[] => {
    const uses = builtins.filter((use) => use.name === name);
    if (uses.length === 0) return [finding(codes.regoBuiltin, ["spec"], refusalOf(name))];
    return uses.map(({ file, line, column }) => {
      const found = finding(codes.regoBuiltin, pathOf(file, spec), refusalOf(name));
      return placed(found, file, line, column, spec);
    });
  });
}
