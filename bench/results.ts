import { mkdirSync, writeFileSync } from "node:fs";
import { availableParallelism, cpus, release, totalmem } from "node:os";
import { fileURLToPath } from "node:url";

/** What the numbers depend on. */
export interface Machine {
  readonly cpu: string;
  readonly cores: number;
  readonly memoryGib: number;
  readonly kernel: string;
  readonly node: string;
  readonly date: string;
}

/** Describes this machine, without any name or path of it. */
export function describeMachine(): Machine {
  return {
    cpu: cpus()[0]?.model.trim() ?? "unknown",
    cores: availableParallelism(),
    memoryGib: Math.round(totalmem() / 2 ** 30),
    kernel: `${process.platform} ${release().split("-")[0]} ${process.arch}`,
    node: process.version,
    date: new Date().toISOString().slice(0, 10),
  };
}

/** A markdown table. */
export function table(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(" | ")} |`;
  return [line(header), line(header.map(() => "---")), ...rows.map(line)].join("\n");
}

/** Writes `bench/results/NAME.json` and `NAME.md`. */
export function writeResults(name: string, title: string, data: object, text: string): void {
  const folder = fileURLToPath(new URL("results/", import.meta.url));
  const machine = describeMachine();
  mkdirSync(folder, { recursive: true });
  writeFileSync(`${folder}${name}.json`, `${JSON.stringify({ machine, ...data }, undefined, 2)}\n`);
  const { cpu, cores, memoryGib, kernel, node, date } = machine;
  const about = `${date}, ${cpu}, ${cores} cores, ${memoryGib} GiB, ${kernel}, Node ${node}.`;
  writeFileSync(`${folder}${name}.md`, `# ${title}\n\n${about}\n\n${text}\n`);
}

/** The middle of the sorted values; NaN of none. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2;
}
