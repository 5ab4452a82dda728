import { readdirSync, readFileSync } from "node:fs";

/**
 * CPU time that a process and its living descendants have used, in microseconds, by process id. Linux only.
 * It is utime + stime, read from `schedstat`, since `stat` counts in steps of 10 ms.
 */
export function cpuMicros(pid: number): Map<number, number> {
  return new Map(family(pid).map((id) => [id, ownMicros(id)]));
}

function ownMicros(pid: number): number {
  const tasks = readdirSync(`/proc/${pid}/task`);
  return tasks.reduce((sum, task) => sum + taskNanos(`/proc/${pid}/task/${task}/schedstat`), 0) / 1000;
}

/** The first field is the time on a CPU; a thread may end while it is read. */
function taskNanos(file: string): number {
  try {
    return Number(readFileSync(file, "utf8").split(" ")[0]);
  } catch {
    return 0;
  }
}

function family(pid: number): number[] {
  const children = readdirSync(`/proc/${pid}/task`).flatMap((task) =>
    readFileSync(`/proc/${pid}/task/${task}/children`, "utf8").split(" ").filter(Boolean).map(Number),
  );
  return [pid, ...children.flatMap(family)];
}
