/**
 * `npm run bench:rego [-- --write] [--rounds N]`: evaluations of policies in Rego here, beside `opa bench` of the same
 * version of OPA with the same policy, data and input, in turn; and what the input costs.
 */
import { execFile } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setImmediate as nextTurn } from "node:timers/promises";
import { parseArgs, promisify } from "node:util";
import { createOpaCompiler } from "../../src/adapters/index.js";
import { createEvaluator, type Evaluator } from "../../src/rego/evaluator.js";
import { createInputWriter } from "../../src/rego/input.js";
import { splitData, toProgram } from "../../src/rego/runtime.js";
import { loadProtos } from "../../src/server/protos.js";
import { median, table, writeResults } from "../results.js";
import { findOpa } from "./opa.js";
import { type MeasuredPolicy, measuredPolicies, measuredRequest } from "./policies.js";

const { values } = parseArgs({
  options: {
    write: { type: "boolean", default: false },
    rounds: { type: "string", default: "5" },
    opa: { type: "string" },
  },
});
const rounds = Number(values.rounds);
const run = promisify(execFile);
const query = "data.envoy.authz.allow";

/** CPU time of one call in microseconds, over about 200 ms, once the engine has compiled what it runs. */
function cpuMicros(work: () => void): number {
  const warm = performance.now() + 1_000;
  while (performance.now() < warm) work();
  let calls = 0;
  const before = process.cpuUsage();
  const until = performance.now() + 200;
  while (performance.now() < until) {
    for (let i = 0; i < 50; i++) work();
    calls += 50;
  }
  const { user, system } = process.cpuUsage(before);
  return (user + system) / calls;
}

async function prepare({ module, data }: MeasuredPolicy): Promise<Evaluator> {
  const compiler = createOpaCompiler();
  try {
    const { wasm, findings } = await compiler.build({
      modules: { "policy.rego": module },
      query,
      regoVersion: "v1",
    });
    if (wasm === undefined) throw new Error(findings.map(({ message }) => message).join("\n"));
    return await createEvaluator({
      program: toProgram(wasm),
      data: splitData(data),
      limits: { timeoutMs: 5_000, memoryBytes: 1024 * 1024 * 1024 },
      ports: {
        now: () => performance.now(),
        wallClockNs: () => BigInt(Date.now()) * 1_000_000n,
        random: Math.random,
        randomBytes: (count) => new Uint8Array(count),
        environment: new Map(),
        pause: () => nextTurn(),
      },
    });
  } finally {
    await compiler.close();
  }
}

/** Nanoseconds of one evaluation, as `opa bench` has them. */
async function native(opa: string, folder: string): Promise<number> {
  const files = ["policy.rego", "data.json"].flatMap((name) => ["--data", join(folder, name)]);
  const args = [
    "bench",
    ...files,
    "--input",
    join(folder, "input.json"),
    "--format",
    "json",
    "--metrics=false",
    query,
  ];
  const { stdout } = await run(opa, args, { timeout: 120_000, maxBuffer: 16 * 1024 * 1024 });
  const { N: count, T: time } = JSON.parse(stdout) as { N: number; T: number };
  return time / count;
}

const opa = values.opa ?? (await findOpa());
const request = loadProtos().check.requestSerialize(measuredRequest());
const writeInput = createInputWriter({ parseBody: true, protoDescriptor: undefined });
const input = writeInput(request);
if (!input.ok) throw new Error(input.message);
const rows: string[][] = [];
const results: object[] = [];
for (const policy of measuredPolicies()) {
  const folder = mkdtempSync(join(tmpdir(), "gatehouse-bench-"));
  try {
    writeFileSync(join(folder, "policy.rego"), policy.module);
    writeFileSync(join(folder, "data.json"), policy.data);
    writeFileSync(join(folder, "input.json"), input.json);
    const evaluator = await prepare(policy);
    const outcome = evaluator.evaluate(input.json);
    if (outcome.kind !== "value" || outcome.value !== true) throw new Error(`${policy.name} does not allow`);
    const ours: number[] = [];
    const theirs: number[] = [];
    const conversions: number[] = [];
    for (let round = 0; round < rounds; round++) {
      ours.push(cpuMicros(() => evaluator.evaluate(input.json)));
      conversions.push(cpuMicros(() => writeInput(request)));
      theirs.push((await native(opa, folder)) / 1000);
    }
    const [mine, peer, conversion] = [median(ours), median(theirs), median(conversions)];
    const name = policy.name;
    rows.push([name, mine.toFixed(1), peer.toFixed(1), (mine / peer).toFixed(2), conversion.toFixed(1)]);
    results.push({ name, evaluationMicros: ours, opaMicros: theirs, inputMicros: conversions });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
const header = ["policy", "here, µs of CPU", "opa bench, µs", "ratio", "making the input, µs of CPU"];
const note =
  "Medians of rounds in turn. An evaluation here takes the input as JSON text; `opa bench` has read its input before.";
const text = `${table(header, rows)}\n\n${note}`;
console.log(text);
if (values.write) writeResults("rego", "Policies in Rego, beside OPA", { results }, text);
process.exit(0);
