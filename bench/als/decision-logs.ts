import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { loadProtos } from "../../src/server/protos.js";
import { startGenerator } from "../load/job.js";
import { type Line, type Measured, measure } from "../load/measure.js";
import { startBuiltGatehouse } from "../load/targets.js";
import { benchRequest } from "../request.js";

/** What the others are held against. */
export const UNLOGGED = "no decision log";

const COUNT = 2_000;

/** CPU of whole checks with and without their record on disk. */
export async function measureDecisionLogs(rounds: number): Promise<Measured[]> {
  const folder = await mkdtemp(join(tmpdir(), "gatehouse-bench-decisions-"));
  const file = (name: string, strict: boolean): object => ({
    sinks: [{ name: "file", file: { path: join(folder, name) }, strict }],
  });
  const meshes: Readonly<Record<string, object>> = {
    [UNLOGGED]: {},
    "decision log to a file": { decisionLog: file("log", false) },
    "decision log to a file, strict": { decisionLog: file("strict", true) },
    "audit file": { audit: { path: join(folder, "audit") } },
    "audit file, strict": { audit: { path: join(folder, "audit-strict"), strict: true } },
  };
  const bytes = loadProtos().check.requestSerialize(benchRequest({ certificate: true, headers: "raw" }));
  const generator = startGenerator();
  const stops: (() => Promise<void>)[] = [];
  try {
    const lines: Line[] = [];
    for (const [name, mesh] of Object.entries(meshes)) {
      const { pid, port, stop } = await startBuiltGatehouse({ applicable: 10, loaded: 10 }, { mesh });
      stops.push(stop);
      const payloads = [bytes.toString("base64")];
      lines.push({
        name,
        job: { kind: "grpc", port, count: COUNT, parallel: 32, payloads },
        pids: { server: pid },
      });
    }
    return await measure(generator, lines, rounds);
  } finally {
    generator.stop();
    for (const stop of stops) await stop();
    await rm(folder, { recursive: true, force: true });
  }
}
