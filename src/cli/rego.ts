import type { Command } from "commander";
import type { RegoBuildOptions } from "./rego-build.js";
import type { RegoCheckOptions } from "./rego-check.js";
import type { RegoDepsOptions, RegoInspectOptions } from "./rego-describe.js";
import type { RegoEvalOptions } from "./rego-eval.js";
import type { RegoFmtOptions } from "./rego-fmt.js";
import type { RegoTestOptions } from "./rego-test.js";
import type { ExitCode, Streams } from "./streams.js";

type Done = (code: ExitCode) => void;

const ENTRYPOINT = "envoy/authz/allow";
const anyPaths = "files or folders of .rego, - reads standard input";

/** `gatehouse rego …`: the tools of the embedded OPA. */
export function addRego(program: Command, streams: Streams, done: Done): void {
  const rego = program.command("rego").description("check, format, test and try policies in Rego");
  addCheck(rego, streams, done);
  addTest(rego, streams, done);
  addEval(rego, streams, done);
  addBuild(rego, streams, done);
}

function tool(rego: Command, name: string, description: string): Command {
  return rego
    .command(name)
    .description(description)
    .option("--v0", "modules are in Rego v0, as OPA's --v0-compatible");
}

function addCheck(rego: Command, streams: Streams, done: Done): void {
  tool(rego, "check", "print what is wrong with modules")
    .argument("<paths...>", anyPaths)
    .option("--strict", "unused imports and variables and the like are errors")
    .option("--output <format>", "text or json", "text")
    .action(async (paths: string[], options: RegoCheckOptions) => {
      const { checkRego } = await import("./rego-check.js");
      done(await checkRego(paths, options, streams));
    });
  tool(rego, "fmt", "print modules as OPA formats them")
    .argument("[paths...]", anyPaths)
    .option("-w, --write", "rewrite the files that differ and print their names")
    .option("-d, --diff", "print the differences instead")
    .option("-l, --list", "print the names of files that differ instead")
    .option("--fail", "exit with 1 when a file differs")
    .action(async (paths: string[], options: RegoFmtOptions) => {
      const { formatRego } = await import("./rego-fmt.js");
      done(await formatRego(paths, options, streams));
    });
}

function addTest(rego: Command, streams: Streams, done: Done): void {
  tool(rego, "test", "run the rules named test_...")
    .argument("<paths...>", "files or folders of .rego and data")
    .option("-r, --run <regex>", "only tests whose data.package.test_name it matches")
    .option("-c, --coverage", "print which lines no test evaluates")
    .option("--threshold <percent>", "exit with 1 when less is covered")
    .option("-v, --verbose", "print tests that pass as well")
    .option("--output <format>", "text or json", "text")
    .action(async (paths: string[], options: RegoTestOptions) => {
      const { testRego } = await import("./rego-test.js");
      done(await testRego(paths, options, streams));
    });
}

function addEval(rego: Command, streams: Streams, done: Done): void {
  tool(rego, "eval", "print the value of a term, for example data.envoy.authz.allow")
    .argument("[query]", "one term of Rego")
    .option("-d, --data <paths...>", "files or folders of .rego and data, may be repeated", append)
    .option("-i, --input <file>", "JSON or YAML; - reads standard input")
    .option("--fail", "exit with 1 when the value is undefined")
    .action(async (query: string | undefined, options: RegoEvalOptions) => {
      const { evalRego } = await import("./rego-eval.js");
      done(await evalRego(query, options, streams));
    });
}

function addBuild(rego: Command, streams: Streams, done: Done): void {
  tool(rego, "build", "compile modules to wasm")
    .argument("<paths...>", anyPaths)
    .option("-e, --entrypoint <path>", "rule or package that answers", ENTRYPOINT)
    .requiredOption("-o, --out <file>", "wasm file to write")
    .action(async (paths: string[], options: RegoBuildOptions) => {
      const { buildRego } = await import("./rego-build.js");
      done(await buildRego(paths, options, streams));
    });
  tool(rego, "deps", "print the documents that an answer may depend on")
    .argument("<paths...>", anyPaths)
    .option("-e, --entrypoint <path>", "rule or package that answers", ENTRYPOINT)
    .option("--output <format>", "text or json", "text")
    .action(async (paths: string[], options: RegoDepsOptions) => {
      const { listDependencies } = await import("./rego-describe.js");
      done(await listDependencies(paths, options, streams));
    });
  tool(rego, "inspect", "print packages, rules, builtins and annotations")
    .argument("<paths...>", "files or folders of .rego, or one bundle (.tar.gz)")
    .option("--output <format>", "text or json", "text")
    .action(async (paths: string[], options: RegoInspectOptions) => {
      const { inspectRego } = await import("./rego-describe.js");
      done(await inspectRego(paths, options, streams));
    });
}

function append(value: string, before: readonly string[] | undefined): readonly string[] {
  return [...(before ?? []), value];
}
