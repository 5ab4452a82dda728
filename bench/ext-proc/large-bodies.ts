import { readFileSync, writeFileSync } from "node:fs";
import type { Target } from "../load/targets.js";
import { median, table } from "../results.js";
import { customers, masking } from "./documents.js";
import { type Generator, type Job, startGenerator } from "./job.js";
import { startGatehouse, startNoop, startReportingGatehouse } from "./targets.js";
import { portsOf, withEnvoy, withServers } from "./through-envoy.js";

/** Bytes that may be held of a body that streams. */
export const HELD_LIMIT: number = 256 * 1024;

const BODY_BYTES = 10_000_000;
const STREAMS = 20;
/** So much of each body is sent, then nothing more. */
const SENT_BYTES = 3_000_000;

/** What a stream in the middle of its body costs, in bytes. */
export interface Held {
  readonly name: string;
  readonly chunkBytes: number;
  /** Of heap and buffers, over that of a stream whose body has not begun; one value a round. */
  readonly perStream: readonly number[];
  /** Bytes of a body that went in and have not come out. */
  readonly behind: readonly number[];
}

/** Bytes that a process was larger at its peak than before. */
export interface Peak {
  readonly name: string;
  readonly parallel: number;
  readonly rises: readonly number[];
  /** Megabytes of bodies a second, through Envoy. */
  readonly megabytesPerSecond: readonly number[];
}

/** Streams that stop in the middle of 10 MB, all at one time, without Envoy. */
export async function measureHeld(rounds: number): Promise<Held[]> {
  const cases = [
    { name: "masks as it streams", chunkBytes: 16_384, reads: true },
    { name: "masks as it streams", chunkBytes: 65_536, reads: true },
    { name: "masks as it streams", chunkBytes: 1 << 20, reads: true },
    { name: "masks as it streams, nobody reads what comes out", chunkBytes: 16_384, reads: false },
  ];
  const target = await startReportingGatehouse(masking("streamed"));
  const generator = startGenerator();
  try {
    const results = cases.map((one) => ({ ...one, perStream: [] as number[], behind: [] as number[] }));
    const job = { kind: "held", port: target.port, parallel: STREAMS, count: STREAMS } as const;
    for (let round = 0; round < rounds; round++) {
      for (const { chunkBytes, reads, perStream, behind } of results) {
        await generator.run({ ...job, bodyBytes: 0, chunkBytes, reads });
        const before = await target.memory();
        const { sent, received } = await generator.run({ ...job, bodyBytes: SENT_BYTES, chunkBytes, reads });
        perStream.push(((await target.memory()) - before) / STREAMS);
        if (reads) behind.push((sent - received) / STREAMS);
      }
    }
    return results;
  } finally {
    generator.stop();
    await target.stop();
  }
}

/** Whole bodies of 10 MB through Envoy, beside the no-op that passes them. */
export async function measurePeaks(rounds: number): Promise<Peak[]> {
  const body = Buffer.concat([...customers(BODY_BYTES, 1 << 20)]);
  const servers = { noop: startNoop, streamed: () => startGatehouse(masking("streamed")) };
  // Configured so: after an answer to response headers that asks for pieces the first may be larger than gRPC takes.
  const pieces = { responseHeaders: "SEND", responseBody: "FULL_DUPLEX_STREAMED" } as const;
  const ways = (["noop", "streamed"] as const).map((name) => ({
    name,
    upstream: "json",
    proc: { cluster: name, ...pieces },
  }));
  return withServers<Target, Peak[]>(servers, (targets) =>
    withEnvoy(
      { ways, servers: portsOf(targets), upstreams: { json: body.toString() } },
      async ({ ports }) => {
        const generator = startGenerator();
        try {
          const cases = ways.flatMap(({ name }) => [1, 4].map((parallel) => ({ name, parallel })));
          const lines = cases.map(({ name, parallel }) => ({
            name: name === "noop" ? "no-op passes it" : "Gatehouse masks it",
            parallel,
            target: targets[name] as Target,
            job: {
              kind: "http2",
              port: ports[name] ?? 0,
              count: parallel * 2,
              parallel,
              expected: {},
            } as const,
            rises: [] as number[],
            megabytesPerSecond: [] as number[],
          }));
          for (let round = 0; round <= rounds; round++) {
            for (const { target, job, rises, megabytesPerSecond } of lines) {
              const { rise, seconds } = await peakOf(target, generator, job);
              // The first is until everything is compiled.
              if (round === 0) continue;
              rises.push(rise);
              megabytesPerSecond.push((job.count * body.length) / 1e6 / seconds);
            }
          }
          return lines.map(({ name, parallel, rises, megabytesPerSecond }) => ({
            name,
            parallel,
            rises,
            megabytesPerSecond,
          }));
        } finally {
          generator.stop();
        }
      },
    ),
  );
}

async function peakOf(
  { pid }: Target,
  generator: Generator,
  job: Job,
): Promise<{ readonly rise: number; readonly seconds: number }> {
  // Of Linux: the highest resident size begins anew.
  writeFileSync(`/proc/${pid}/clear_refs`, "5");
  const before = residentKib(pid, "VmRSS");
  const { seconds } = await generator.run(job);
  return { rise: (residentKib(pid, "VmHWM") - before) * 1024, seconds };
}

function residentKib(pid: number, name: "VmRSS" | "VmHWM"): number {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  return Number(new RegExp(`^${name}:\\s+(\\d+) kB$`, "m").exec(status)?.[1]);
}

/** Both. */
export function describeLarge(held: readonly Held[], peaks: readonly Peak[]): string {
  const kib = (bytes: number): string => (bytes / 1024).toFixed(1);
  const rows = held.map(({ name, chunkBytes, perStream, behind }) => [
    name,
    `${chunkBytes / 1024} KiB`,
    kib(median(perStream)),
    `${kib(Math.min(...perStream))}–${kib(Math.max(...perStream))}`,
    behind.length === 0 ? "" : kib(median(behind)),
    median(perStream) <= HELD_LIMIT ? "met" : "not met",
  ]);
  const header = [
    "Gatehouse",
    "pieces",
    "KiB a stream",
    "rounds",
    "KiB not yet given back",
    `<= ${HELD_LIMIT / 1024} KiB`,
  ];
  const peakRows = peaks.map(({ name, parallel, rises, megabytesPerSecond }) => [
    name,
    String(parallel),
    (median(rises) / 2 ** 20).toFixed(1),
    median(megabytesPerSecond).toFixed(0),
  ]);
  return [
    `${STREAMS} streams stop after ${SENT_BYTES / 1e6} of 10 MB. Memory is heap and buffers after garbage was collected,` +
      " over that of the same streams before their bodies.",
    "",
    table(header, rows),
    "",
    "Whole bodies of 10 MB through Envoy, twice as many as go at one time: how much larger the process is at its peak," +
      " garbage included.",
    "",
    table(["server", "at one time", "MiB at the peak", "MB/s"], peakRows),
  ].join("\n");
}
