import { fork } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { monitorEventLoopDelay } from "node:perf_hooks";
import { setImmediate as nextTurn } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import type { Workload } from "../../src/attributes/index.js";
import { type ConfigUpdate, createAssembler } from "../../src/config/index.js";
import type { Snapshot } from "../../src/engine/index.js";
import { startConfigThread } from "../../src/server/config-thread.js";
import { authnOptions } from "../../test/support/authn.js";
import { benchConfig, benchWorkload } from "../policies.js";
import { table, writeResults } from "../results.js";

/** How the policies lie on disk. */
const layouts = ["one file", "a file each"] as const;
type Layout = (typeof layouts)[number];

/** One edit, from the write to the snapshot in which it counts. */
interface Edit {
  readonly what: string;
  readonly ms: number;
  /** Longest delay of this process's event loop meanwhile. */
  readonly delayMs: number;
}

interface Result {
  readonly layout: Layout;
  readonly policies: number;
  readonly coldMs: number;
  readonly coldDelayMs: number;
  readonly rssMb: number;
  readonly peakRssMb: number;
  readonly heapMb: number;
  readonly edits: readonly Edit[];
}

const POLICIES = 10_000;
const workload: Workload = {
  namespace: benchWorkload.namespace,
  name: benchWorkload.name,
  type: "sidecar",
  labels: new Map(Object.entries(benchWorkload.labels)),
  services: [],
};

/** Loads and edits in this process, as a serving process does. */
async function measure(layout: Layout, folder: string): Promise<Result> {
  const texts = benchConfig({ applicable: 10, loaded: POLICIES });
  const fileOf = (i: number): string =>
    layout === "one file" ? "all.yaml" : `p${String(i).padStart(5, "0")}.yaml`;
  const write = (i: number, text: string): void => {
    texts[i] = text;
    writeFileSync(join(folder, fileOf(i)), layout === "one file" ? texts.join("---\n") : text);
  };
  if (layout === "one file") writeFileSync(join(folder, fileOf(0)), texts.join("---\n"));
  else for (const [i, text] of texts.entries()) write(i, text);

  // The writing above is over for the event loop, too.
  await new Promise((resolve) => setTimeout(resolve, 100));
  const delay = monitorEventLoopDelay({ resolution: 1 });
  delay.enable();
  const start = performance.now();
  const assembler = createAssembler({
    pause: () => nextTurn(),
    providers: () => undefined,
    ...authnOptions,
  });
  const thread = startConfigThread({ paths: [folder], allowEmpty: false });
  let queue: Promise<unknown> = Promise.resolve();
  let tell: (snapshot: Snapshot) => void = () => {};
  thread.onUpdate((update: ConfigUpdate) => {
    if (!update.ok) throw new Error(JSON.stringify(update.diagnostics[0]));
    queue = queue.then(async () => tell(await assembler.apply(update)));
  });
  const inForce = (): Promise<Snapshot> =>
    new Promise((resolve) => {
      tell = resolve;
    });

  const first = await inForce();
  const coldMs = performance.now() - start;
  const coldDelayMs = delay.max / 1e6;
  first.plan(workload);

  const edits: Edit[] = [];
  const edit = async (what: string, i: number, text: string): Promise<void> => {
    // So that no edit profits from what the one before it left unsettled.
    await new Promise((resolve) => setTimeout(resolve, 3000));
    const waiting = inForce();
    delay.reset();
    const begin = performance.now();
    write(i, text);
    const writing = performance.now() - begin;
    // Writing blocks this process, which is the benchmark's own doing.
    delay.reset();
    await waiting;
    edits.push({ what, ms: performance.now() - begin - writing, delayMs: delay.max / 1e6 });
  };
  const middle = POLICIES / 2;
  for (const value of ["one", "two", "three"]) {
    await edit("one policy", middle, (texts[middle] ?? "").replace(/action: .*/, `action: DENY # ${value}`));
  }
  await edit("one line more at the top", 0, `# more\n${texts[0]}`);
  const { rss, heapUsed } = process.memoryUsage();
  await thread.close();
  return {
    layout,
    policies: POLICIES,
    coldMs,
    coldDelayMs,
    rssMb: rss / 1e6,
    peakRssMb: (process.resourceUsage().maxRSS * 1024) / 1e6,
    heapMb: heapUsed / 1e6,
    edits,
  };
}

/** Each layout in a process of its own, so that memory is its own. */
async function measureApart(layout: Layout): Promise<Result> {
  const folder = mkdtempSync(join(tmpdir(), "gatehouse-bench-"));
  try {
    const child = fork(fileURLToPath(import.meta.url), [layout, folder]);
    return await new Promise((resolve, reject) => {
      child.on("message", (result) => resolve(result as Result));
      child.on("exit", (code) => reject(new Error(`the measuring process ended with ${code}`)));
    });
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function report(results: readonly Result[]): string {
  const ms = (value: number): string => value.toFixed(0);
  const rows = results.map((r) => [
    `${r.policies} policies, ${r.layout}`,
    ms(r.coldMs),
    ms(r.coldDelayMs),
    `${ms(r.rssMb)} (peak ${ms(r.peakRssMb)})`,
    r.edits.map((edit) => `${edit.what}: ${ms(edit.ms)} (${ms(edit.delayMs)})`).join("; "),
  ]);
  const header = ["configuration", "cold load, ms", "longest delay, ms", "RSS, MB", "edits: ms (delay, ms)"];
  return table(header, rows);
}

const [layout, folder] = process.argv.slice(2);
if (layout !== undefined && folder !== undefined) {
  process.send?.(await measure(layout as Layout, folder), () => process.exit(0));
} else {
  const results: Result[] = [];
  for (const one of layouts) results.push(await measureApart(one));
  const text = report(results);
  writeResults("config-load", "Loading the configuration", { results }, text);
  console.log(text);
}
