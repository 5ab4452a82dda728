import type { InspectResult } from "../adapters/index.js";
import { queryOf } from "./rego-build.js";
import { count, findingLines, pretty, type RegoOptions, versionOf, wantsJson, withOpa } from "./rego-opa.js";
import { readBytes, readSources, someModules } from "./rego-sources.js";
import { type ExitCode, exit, type Streams } from "./streams.js";

/** Options of `gatehouse rego deps`. */
export interface RegoDepsOptions extends RegoOptions {
  /** `envoy/authz/allow`. */
  readonly entrypoint: string;
  readonly output: string;
}

/** Prints the documents that an entrypoint's answer may depend on. */
export async function listDependencies(
  paths: readonly string[],
  options: RegoDepsOptions,
  streams: Streams,
): Promise<ExitCode> {
  const isJson = wantsJson(options.output);
  const modules = someModules(await readSources(paths, { withData: false }, streams));
  const request = { modules, query: queryOf(options.entrypoint), regoVersion: versionOf(options) };
  const { base, virtual, findings } = await withOpa(streams, (opa) => opa.deps(request));
  streams.err(findingLines(findings));
  if (findings.length > 0) return exit.findings;
  if (isJson) streams.out(pretty({ base, virtual }));
  else streams.out(section("base documents", base) + section("rules", virtual));
  return exit.fine;
}

/** Options of `gatehouse rego inspect`. */
export interface RegoInspectOptions extends RegoOptions {
  readonly output: string;
}

/** Of a bundle, unpacked. */
const MAX_BUNDLE_BYTES = 512 * 1024 * 1024;

/** Prints what files, folders or one bundle (`.tar.gz`) hold. */
export async function inspectRego(
  paths: readonly string[],
  options: RegoInspectOptions,
  streams: Streams,
): Promise<ExitCode> {
  const isJson = wantsJson(options.output);
  const [first = ""] = paths;
  const isBundle = paths.length === 1 && /\.(?:tar\.gz|tgz)$/.test(first);
  const request = isBundle
    ? { bundle: readBytes(first), maxBytes: MAX_BUNDLE_BYTES }
    : {
        modules: someModules(await readSources(paths, { withData: false }, streams)),
        regoVersion: versionOf(options),
      };
  const result = await withOpa(streams, (opa) => opa.inspect(request));
  streams.err(findingLines(result.findings));
  if (result.findings.length > 0) return exit.findings;
  streams.out(isJson ? pretty(toJson(result)) : describe(result));
  return exit.fine;
}

function toJson({ findings: _, ...rest }: InspectResult): unknown {
  return rest;
}

function describe({ packages, annotations, builtins, manifest }: InspectResult): string {
  const text = Object.entries(packages)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(
      ([name, { files, rules, tests }]) =>
        `${name}\n` +
        files.map((file) => `  file   ${file}\n`).join("") +
        rules.map((rule) => `  rule   ${rule}\n`).join("") +
        (tests.length > 0 ? `  ${count(tests.length, "test")}\n` : ""),
    )
    .join("");
  const titles = annotations.map(({ path, file, line, annotations: { title } }) => {
    const named = typeof title === "string" ? `: ${title}` : "";
    return `${path} at ${file}:${line}${named}`;
  });
  const names = [...new Set(builtins.map(({ name }) => name))].sort();
  return (
    text +
    section("builtins", names) +
    (titles.length > 0 ? section("annotations", titles) : "") +
    (manifest === undefined ? "" : `manifest\n  ${JSON.stringify(manifest)}\n`)
  );
}

function section(title: string, lines: readonly string[]): string {
  return `${title}\n${lines.length === 0 ? "  none\n" : lines.map((line) => `  ${line}\n`).join("")}`;
}
