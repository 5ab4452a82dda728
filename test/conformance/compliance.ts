import { createHash, randomBytes } from "node:crypto";
import { setImmediate as pause } from "node:timers/promises";
import { builtins, jsonText, parseValue, type Value, valueText } from "../../src/builtins/index.js";
import { compareValues } from "../../src/builtins/value.js";
import type { BuildRequest, BuildResult } from "../../src/rego/index.js";
import type { Program } from "../../src/rego/program.js";
import {
  createEvaluator,
  type EvaluationOutcome,
  missingBuiltins,
  splitData,
  toProgram,
} from "../../src/rego/runtime.js";
import type { ComplianceCase } from "./compliance-case.js";
import type { ComplianceException } from "./compliance-exceptions.js";

/** What came of a run. */
export interface ComplianceReport {
  readonly cases: number;
  readonly passed: number;
  /** How many were left out, by reason. */
  readonly leftOut: ReadonlyMap<string, number>;
  /** Failed cases, those left out that pass, and exceptions without a case. */
  readonly wrong: readonly { readonly id: string; readonly why: string }[];
}

/** The part of OPA that the cases need. */
type Build = (request: BuildRequest) => Promise<BuildResult>;

/** Generous: the machine may be busy, and time limits are tested elsewhere. */
const limits = { timeoutMs: 20_000, memoryBytes: 64 * 1024 * 1024 };

/** OPA's own runs of the cases know nothing of a server around them. */
const pack = { ...builtins, "opa.runtime": () => new Map() };

/** So many cases are compiled ahead of the one that is evaluated. */
const ahead = 24;

/** Runs all cases, also those that are left out, which must not pass. */
export async function runCompliance(
  cases: readonly ComplianceCase[],
  exceptions: readonly ComplianceException[],
  build: Build,
): Promise<ComplianceReport> {
  const reasons = new Map(
    exceptions.flatMap(({ reason, cases }) => cases.map((id) => [id, reason] as const)),
  );
  const unused = new Set(reasons.keys());
  const leftOut = new Map<string, number>();
  const wrong: { id: string; why: string }[] = [];
  const known = new Map<string, Known>();
  const builds: Promise<BuildResult>[] = [];
  let passed = 0;
  for (const [i, one] of cases.entries()) {
    for (const next of cases.slice(builds.length, i + ahead)) {
      const building = build(next.build);
      // It is awaited when its turn comes.
      building.catch(() => {});
      builds.push(building);
    }
    const built = await builds[i];
    delete builds[i];
    const why = built === undefined ? "not compiled" : await failureOf(one, built, known);
    const name = one.id.slice(one.id.indexOf("/") + 1);
    const reason = reasons.get(name);
    unused.delete(name);
    if (why !== undefined && reason !== undefined) leftOut.set(reason, (leftOut.get(reason) ?? 0) + 1);
    else if (why !== undefined) wrong.push({ id: one.id, why });
    else if (reason !== undefined) wrong.push({ id: one.id, why: "left out, but passes" });
    else passed++;
    await pause();
  }
  for (const id of unused) wrong.push({ id, why: "left out, but there is no such case" });
  return { cases: cases.length, passed, leftOut, wrong };
}

/** Why a case fails; undefined when it passes. */
async function failureOf(
  one: ComplianceCase,
  built: BuildResult,
  known: Map<string, Known>,
): Promise<string | undefined> {
  if (built.wasm === undefined) return `refused: ${JSON.stringify(built.findings)}`;
  try {
    const { program, outcomes } = programOf(built.wasm, known);
    // A builtin that is only mentioned, since every call of it is replaced (`with http.send as …`), may be missing.
    const missing = missingBuiltins(program.builtins);
    if (missing.length > 0) return `refused: no builtin ${missing.join(", ")}`;
    const asked = JSON.stringify([one.data, one.input, [...one.environment]]);
    const outcome = outcomes.get(asked) ?? (await evaluate(one, program));
    outcomes.set(asked, outcome);
    return disagreement(one, outcome);
  } catch (error) {
    return `failed: ${error instanceof Error ? error.message : String(error)}`;
  }
}

/** A module, and what it was asked already. */
interface Known {
  readonly program: Program;
  readonly outcomes: Map<string, EvaluationOutcome>;
}

/** Neighbours are often the same module: one case in both versions of the language. */
function programOf(wasm: Uint8Array, known: Map<string, Known>): Known {
  const key = createHash("sha256").update(wasm).digest("hex");
  const found = known.get(key) ?? { program: toProgram(wasm), outcomes: new Map() };
  known.set(key, found);
  for (const oldest of [...known.keys()].slice(0, -64)) known.delete(oldest);
  return found;
}

async function evaluate(
  { data, input, environment }: ComplianceCase,
  program: Program,
): Promise<EvaluationOutcome> {
  const evaluator = await createEvaluator({
    program,
    pack,
    data: splitData(data),
    limits,
    ports: {
      now: () => performance.now(),
      wallClockNs: () => BigInt(Date.now()) * 1_000_000n,
      random: Math.random,
      randomBytes,
      environment,
      pause: async () => {},
    },
  });
  return evaluator.evaluate(input);
}

/** How an outcome differs from what is wanted. */
function disagreement({ want, variable }: ComplianceCase, outcome: EvaluationOutcome): string | undefined {
  const got = outcome.kind === "value" ? valueText(outcome.value) : JSON.stringify(outcome);
  if (want.kind === "error") {
    const failed = outcome.kind === "failed" && outcome.reason === reasonOf(want.code);
    return failed ? undefined : `expected ${want.code}, got ${got}`;
  }
  const rows = rowsOf(outcome, variable);
  if (want.kind === "undefined") {
    return rows?.length === 0 ? undefined : `expected no answer, got ${got}`;
  }
  const wanted = `expected ${jsonText(want.rows)}, got ${got}`;
  if (rows === undefined) return wanted;
  const plain = rows.map((row) => asJson(row, want.sorted)).sort(compareValues);
  return compareValues(distinct(plain), distinct([...want.rows].sort(compareValues))) === 0
    ? undefined
    : wanted;
}

function reasonOf(code: string): string {
  return code === "eval_conflict_error" ? "conflict" : code;
}

/** The bindings; undefined when the evaluation failed. */
function rowsOf(outcome: EvaluationOutcome, variable: string | undefined): readonly Value[] | undefined {
  if (outcome.kind === "failed") return undefined;
  if (outcome.kind === "undefined") return [];
  if (variable !== undefined) return [new Map([[variable, outcome.value]])];
  if (!Array.isArray(outcome.value)) throw new Error("a list of bindings was asked for");
  return outcome.value;
}

/** As a caller gets it: sets are arrays. */
function asJson(row: Value, sorted: boolean): Value {
  const plain = parseValue(jsonText(row));
  if (!sorted || !(plain instanceof Map)) return plain;
  return new Map(
    [...plain].map(([name, value]) => [name, Array.isArray(value) ? value.toSorted(compareValues) : value]),
  );
}

function distinct(sorted: readonly Value[]): readonly Value[] {
  return sorted.filter((value, i) => i === 0 || compareValues(value, sorted[i - 1] ?? null) !== 0);
}

/** In one line, and one for each reason. */
export function summaryOf({ cases, passed, leftOut, wrong }: ComplianceReport): string {
  const out = [...leftOut.values()].reduce((sum, count) => sum + count, 0);
  const failed = wrong.length === 0 ? "" : `, ${wrong.length} wrong`;
  const lines = [...leftOut].map(([reason, count]) => `  ${reason}: ${count}`);
  return [`${cases} cases, ${passed} passed, ${out} left out${failed}`, ...lines].join("\n");
}
