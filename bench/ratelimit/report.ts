import { median, table } from "../results.js";
import type { Measured, Sample } from "./measure.js";

/** The most that the memory store may add to the transport, in microseconds. */
const MEMORY_LIMIT = 10;

/** Ours beside the peer's, then what the memory store adds to an empty answer. */
export function describe(results: readonly Measured[]): string {
  return [costs(results), "", targetTable(results), "", loops(results)].join("\n");
}

function costs(results: readonly Measured[]): string {
  const rows = results.map((one) => {
    const { name, server, samples } = one;
    const peer = find(results, name, "peer");
    const ratio = server === "gatehouse" && peer ? ratioOf(samples, peer.samples).toFixed(2) : "";
    const of = (pick: (sample: Sample) => number): readonly number[] => samples.map(pick);
    const service = of(({ serviceMicros }) => serviceMicros);
    const redis = of(({ redisMicros }) => redisMicros);
    return [
      name,
      server,
      median(service).toFixed(1),
      range(service),
      ratio,
      median(redis).toFixed(1),
      range(redis),
      median(of(({ questions }) => questions)).toFixed(2),
      median(of(({ reads }) => reads)).toFixed(2),
      median(of(({ requestsPerSecond }) => requestsPerSecond)).toFixed(0),
    ];
  });
  const header = [
    "case",
    "server",
    "CPU µs",
    "rounds",
    "of the peer's",
    "Redis CPU µs",
    "rounds",
    "questions to Redis",
    "reads by Redis",
    "requests/s",
  ];
  return table(header, rows);
}

function targetTable(results: readonly Measured[]): string {
  const rows: string[][] = [];
  for (const { name, server, samples } of results) {
    const peer = find(results, name, "peer");
    const echo = find(results, name, "echo");
    if (server === "gatehouse" && peer !== undefined) {
      const ratio = ratioOf(samples, peer.samples);
      rows.push([`${name}: CPU no higher than the peer's`, "<= 1", ratio.toFixed(2), verdict(ratio <= 1)]);
    }
    if (server === "gatehouse") {
      const most = Math.max(...samples.map(({ questions }) => questions));
      const isMet = most <= 1.001;
      rows.push([`${name}: questions to Redis`, "<= 1", most.toFixed(3), verdict(isMet)]);
    }
    if (server === "gatehouse in memory" && echo !== undefined) {
      const added = median(paired(samples, echo.samples, (ours, empty) => ours - empty));
      const isMet = added <= MEMORY_LIMIT;
      const text = `${name}: memory store over the transport`;
      rows.push([text, `<= ${MEMORY_LIMIT} µs`, `${added.toFixed(1)} µs`, verdict(isMet)]);
    }
  }
  return table(["target", "limit", "measured", ""], rows);
}

function loops(results: readonly Measured[]): string {
  const all = results.flatMap(({ samples }) => samples.map(({ loopMs }) => loopMs));
  return `A fixed loop before each round of a line took ${median(all).toFixed(1)} ms of CPU (${range(all)}).`;
}

function find(results: readonly Measured[], name: string, server: string): Measured | undefined {
  return results.find((one) => one.name === name && one.server === server);
}

/** The median of the rounds' own ratios. */
function ratioOf(ours: readonly Sample[], theirs: readonly Sample[]): number {
  return median(paired(ours, theirs, (one, other) => one / other));
}

function paired(
  ours: readonly Sample[],
  theirs: readonly Sample[],
  join: (one: number, other: number) => number,
): number[] {
  return ours.map(({ serviceMicros }, round) =>
    join(serviceMicros, theirs[round]?.serviceMicros ?? Number.NaN),
  );
}

function range(values: readonly number[]): string {
  return `${Math.min(...values).toFixed(1)}–${Math.max(...values).toFixed(1)}`;
}

function verdict(isMet: boolean): string {
  return isMet ? "met" : "not met";
}
