import type { Coverage, TestOutcome, TestResult } from "../adapters/index.js";
import { GatehouseError } from "../diagnostics/index.js";
import { findingLines, pretty, type RegoOptions, versionOf, wantsJson, withOpa } from "./rego-opa.js";
import { readSources, someModules } from "./rego-sources.js";
import { type ExitCode, exit, type Streams } from "./streams.js";

/** Options of `gatehouse rego test`. */
export interface RegoTestOptions extends RegoOptions {
  /** Regular expression (RE2) over `data.package.test_name`. */
  readonly run?: string;
  readonly coverage?: boolean;
  /** Least coverage in percent. */
  readonly threshold?: string;
  readonly verbose?: boolean;
  readonly output: string;
}

/** Runs the tests of modules; 1 when one fails, when none is found, and when too little is covered. */
export async function testRego(
  paths: readonly string[],
  options: RegoTestOptions,
  streams: Streams,
): Promise<ExitCode> {
  const isJson = wantsJson(options.output);
  const threshold = readThreshold(options.threshold);
  const coverage = options.coverage === true || threshold !== undefined;
  const sources = await readSources(paths, { withData: true }, streams);
  const modules = someModules(sources);
  const request = {
    modules,
    data: sources.data,
    regoVersion: versionOf(options),
    run: options.run,
    coverage,
  };
  const result = await withOpa(streams, (opa) => opa.test(request));
  const problem = problemOf(result, threshold);
  if (isJson) streams.out(pretty(toJson(result)));
  else streams.out(describeTests(result, options.verbose === true));
  if (problem !== undefined) streams.err(`error: ${problem}\n`);
  const failed = result.results.some(({ outcome }) => outcome === "fail" || outcome === "error");
  return failed || result.findings.length > 0 || problem !== undefined ? exit.findings : exit.fine;
}

function readThreshold(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const percent = Number(text);
  if (text.trim() !== "" && percent >= 0 && percent <= 100) return percent;
  throw new GatehouseError("bad_flag", `bad threshold \`${text}\`, expected a percentage from 0 to 100`);
}

function problemOf(
  { results, findings, coverage }: TestResult,
  threshold: number | undefined,
): string | undefined {
  if (findings.length > 0) return undefined;
  if (results.length === 0) return "no test was found, expected rules whose names begin with `test_`";
  if (threshold === undefined || coverage === undefined || coverage.percent >= threshold) return undefined;
  return `${percentText(coverage.percent)} of the lines are covered, expected ${percentText(threshold)}`;
}

function toJson({ results, coverage, findings }: TestResult): unknown {
  const tally = tallyOf(results);
  return { ...tally, results, ...(coverage !== undefined && { coverage }), findings };
}

function tallyOf(results: readonly TestOutcome[]): {
  readonly passed: number;
  readonly failed: number;
  readonly errors: number;
  readonly skipped: number;
  readonly total: number;
} {
  const of = (wanted: TestOutcome["outcome"]): number =>
    results.filter(({ outcome }) => outcome === wanted).length;
  const total = results.length;
  return { passed: of("pass"), failed: of("fail"), errors: of("error"), skipped: of("skip"), total };
}

/** What `gatehouse rego test` prints: tests that did not pass, with `verbose` all, then the sums. */
export function describeTests({ results, coverage, findings }: TestResult, verbose: boolean): string {
  if (findings.length > 0) return findingLines(findings);
  const lines: string[] = [];
  let file: string | undefined;
  for (const result of results) {
    if (!verbose && result.outcome === "pass") continue;
    if (file !== result.file) lines.push(`${result.file}:`);
    file = result.file;
    lines.push(...describeTest(result));
  }
  if (lines.length > 0) lines.push("-".repeat(80));
  const { passed, failed, errors, skipped, total } = tallyOf(results);
  lines.push(`PASS: ${passed}/${total}`);
  if (failed > 0) lines.push(`FAIL: ${failed}/${total}`);
  if (errors > 0) lines.push(`ERROR: ${errors}/${total}`);
  if (skipped > 0) lines.push(`SKIPPED: ${skipped}/${total}`);
  if (coverage !== undefined) lines.push(...describeCoverage(coverage));
  return `${lines.join("\n")}\n`;
}

const words = { pass: "PASS", fail: "FAIL", error: "ERROR", skip: "SKIPPED" } as const;

function describeTest(result: TestOutcome): string[] {
  const { package: of, name, outcome, durationNs, failedAt, message, cases, output } = result;
  const took = outcome === "skip" ? "" : ` (${durationText(durationNs)})`;
  const lines = [`data.${of}.${name}: ${words[outcome]}${took}`];
  for (const one of cases) lines.push(`  ${one.name}: ${one.pass ? "PASS" : "FAIL"}`);
  if (failedAt !== undefined) {
    const [text = "", ...more] = failedAt.text.split("\n");
    const place = `${failedAt.file}:${failedAt.line}:${failedAt.column}`;
    lines.push(`  ${place}: not true: ${text}`, ...more.map((line) => `    ${line.trim()}`));
  } else if (outcome === "fail") lines.push(`  ${result.file}:${result.line}`);
  if (message !== undefined) lines.push(`  ${result.file}:${result.line}: ${message}`);
  if (output !== "")
    lines.push(
      ...output
        .replace(/\n$/, "")
        .split("\n")
        .map((line) => `  print: ${line}`),
    );
  return lines;
}

/** Lines of files that are whole are not named. */
function describeCoverage({ files, percent }: Coverage): string[] {
  const lines = Object.entries(files)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([file, { percent: own, notCovered }]) => {
      const missing = notCovered.map(({ from, to }) => (from === to ? `${from}` : `${from}-${to}`));
      return `${file}: ${percentText(own)}${missing.length > 0 ? `, not covered: ${missing.join(", ")}` : ""}`;
    });
  return [...lines, `COVERAGE: ${percentText(percent)}`];
}

/** Never rounded up: 100% is all. */
function percentText(percent: number): string {
  return `${Math.floor(percent * 100 + 1e-9) / 100}%`;
}

function durationText(ns: number): string {
  return ns < 1_000_000 ? `${(ns / 1_000).toFixed(0)}µs` : `${(ns / 1_000_000).toFixed(1)}ms`;
}
