import type { Measured as CheckLine } from "../load/measure.js";
import { median, table } from "../results.js";
import { type ChecksMeasured, noise, places } from "./checks.js";
import { STANDARD } from "./configs.js";
import { UNLOGGED } from "./decision-logs.js";
import type { InProcess } from "./in-process.js";
import type { Effort, Measured } from "./measure.js";
import { COUNTING } from "./targets.js";

/** The most that an entry may cost with Istio's standard metrics, in microseconds. */
const LIMIT = 40;

/** Of each server what an entry costs, and what of it is not the transport's. */
export function describeEntries(results: readonly Measured[], { count, rate, rounds }: Effort): string {
  const counting = results.find(({ name }) => name === COUNTING);
  const rows = results.map(({ name, samples }) => {
    const cpu = samples.map((one) => one.cpuMicros);
    const more = cpu.map((micros, round) => micros - (counting?.samples[round]?.cpuMicros ?? Number.NaN));
    const verdict = name === STANDARD ? (median(cpu) <= LIMIT ? "met" : "not met") : "";
    return [
      name,
      median(cpu).toFixed(1),
      `${Math.min(...cpu).toFixed(1)}–${Math.max(...cpu).toFixed(1)}`,
      name === COUNTING ? "" : median(more).toFixed(1),
      verdict,
      median(samples.map((one) => one.perSecond)).toFixed(0),
      String(samples.reduce((sum, { lost }) => sum + lost, 0)),
    ];
  });
  const header = [
    "server",
    "CPU µs an entry",
    "rounds",
    "over the transport",
    `<= ${LIMIT} µs`,
    "entries/s",
    "lost",
  ];
  return [
    `Ten proxies stream ${count} entries at ${rate}/s (${rounds} rounds), in messages of 16 KiB as Envoy's, from 50` +
      " pairs of workloads, each with its own path, ids and trace. CPU is utime + stime of the server's process, until" +
      " 1.3 s after the last entry. `entries/s`: 15,000 that come as fast as they are taken, until all are read." +
      " The lines take turns; each number is the median of the rounds.",
    "",
    table(header, rows),
  ].join("\n");
}

/** What reading costs without transport. */
export function describeReading(results: readonly InProcess[]): string {
  const rows = results.map(({ name, micros }) => [name, micros.toFixed(2)]);
  return [
    "The same in one process, from the bytes of a message to metrics, lines and spans, which are thrown away; the best" +
      " of many short batches in turn.",
    "",
    table(["configuration", "µs an entry"], rows),
  ].join("\n");
}

/** Checks while entries stream. */
export function describeChecks(results: readonly ChecksMeasured[], { rate, rounds }: Effort): string {
  const quiet = results.find(({ place }) => place === places[0]);
  const elsewhere = results.find(({ place }) => place === places[1]);
  const rise = (of: ChecksMeasured, base: ChecksMeasured | undefined): number =>
    median(of.p99.map((value, round) => value - (base?.p99[round] ?? Number.NaN)));
  const rows = results.map((one) => [
    one.place,
    median(one.p50).toFixed(2),
    median(one.p99).toFixed(2),
    `${Math.min(...one.p99).toFixed(2)}–${Math.max(...one.p99).toFixed(2)}`,
    noise(one.p99).toFixed(2),
    one === quiet ? "" : rise(one, quiet).toFixed(2),
    one === quiet || one === elsewhere ? "" : rise(one, elsewhere).toFixed(2),
  ]);
  const header = [
    "entries go",
    "p50 ms",
    "p99 ms",
    "p99 of the rounds",
    "noise of p99",
    "p99 over nowhere",
    "p99 over elsewhere",
  ];
  return [
    `500 checks a second, while ten proxies stream ${rate} entries a second: nowhere, to a process that only counts` +
      ` bytes (what it does to the machine), or to the Gatehouse that answers the checks. ${rounds} rounds of 2,000` +
      " checks in turn; noise is the median distance of a round from the median.",
    "",
    table(header, rows),
  ].join("\n");
}

/** Checks whose decisions are kept. */
export function describeDecisionLogs(results: readonly CheckLine[]): string {
  const base = results.find(({ name }) => name === UNLOGGED)?.rounds ?? [];
  const rows = results.map(({ name, rounds, requestsPerSecond }) => [
    name,
    median(rounds).toFixed(1),
    name === UNLOGGED ? "" : median(rounds.map((cpu, round) => cpu - (base[round] ?? Number.NaN))).toFixed(1),
    requestsPerSecond.toFixed(0),
  ]);
  return [
    "Whole checks, 32 under way at one time, each decision on record.",
    "",
    table(["kept", "CPU µs a Check", "more than without", "requests/s"], rows),
  ].join("\n");
}

/** The most that a check may wait for its record, in microseconds. */
const OBSERVING_LIMIT = 5;

/** What keeping a decision costs. */
export function describeObserving(results: readonly InProcess[]): string {
  const rows = results.map(({ name, micros }) => [
    name,
    micros.toFixed(2),
    name.endsWith("answer") ? (micros <= OBSERVING_LIMIT ? "met" : "not met") : "",
  ]);
  return [
    "Keeping a decision, without transport and disk: metrics, the record behind /decisions and, after the answer was" +
      " given, the line of the log. The best of many short batches in turn.",
    "",
    table(["decision kept", "µs", `<= ${OBSERVING_LIMIT} µs`], rows),
  ].join("\n");
}
