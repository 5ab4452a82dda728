import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";

const ticksPerSecond = Number(execFileSync("getconf", ["CLK_TCK"], { encoding: "utf8" }));

/** CPU time that a process and its living descendants have used (utime + stime), in microseconds, by process id. Linux only. */
export function cpuMicros(pid: number): Map<number, number> {
  const used = new Map<number, number>();
  for (const id of family(pid)) {
    // Fields are counted behind the name, which may contain anything.
    const fields = readFileSync(`/proc/${id}/stat`, "utf8")
      .replace(/^.*\) /s, "")
      .split(" ");
    used.set(id, ((Number(fields[11]) + Number(fields[12])) / ticksPerSecond) * 1e6);
  }
  return used;
}

function family(pid: number): number[] {
  const children = readdirSync(`/proc/${pid}/task`).flatMap((task) =>
    readFileSync(`/proc/${pid}/task/${task}/children`, "utf8").split(" ").filter(Boolean).map(Number),
  );
  return [pid, ...children.flatMap(family)];
}
