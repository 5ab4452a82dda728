import { afterEach, describe, expect, onTestFailed, test } from "vitest";
import type { Envoy } from "../support/envoy.js";
import { sendH2 } from "../support/h2-load.js";
import { freePort } from "../support/ports.js";
import {
  countBy,
  type Gatehouse,
  type GatehouseStart,
  makeRecordFolder,
  REFUSED,
  type RecordFolder,
  startGatehouse,
} from "../support/record-stage.js";
import { logCountersOf, startReportingEnvoy } from "../support/reporting-envoy.js";
import { eventually } from "../support/server-fixture.js";

// What a real Envoy lost of its access log, by its own counters and Gatehouse's together.

const undo: (() => unknown)[] = [];
afterEach(async () => {
  for (const step of undo.splice(0).reverse()) await step();
});

const THREADS = 2;
/** Of the log's common_config: a stream that gets no connection tries again, instead of losing its first message. */
const retried = { grpc_stream_retry_policy: { num_retries: 20 } };
/** `buffer_size_bytes` of envoy/ext-authz.yaml. */
const BUFFER = 16_384;
const pathOf = (i: number): string => (i % 8 === 0 ? REFUSED : `/books/${i}`);

async function start(
  options: GatehouseStart = {},
): Promise<{ readonly folder: RecordFolder; readonly gatehouse: Gatehouse }> {
  const folder = makeRecordFolder();
  undo.push(folder.remove);
  const gatehouse = await startGatehouse(folder.config, options);
  undo.push(gatehouse.kill);
  onTestFailed(() => console.log(gatehouse.child.output()));
  return { folder, gatehouse };
}

/** The most entries that one buffer holds, by the bytes that were sent for so many. */
async function entriesPerBuffer(envoy: Envoy, written: number): Promise<number> {
  const text = await envoy.adminText("/stats?filter=^cluster.logs.upstream_cx_tx_bytes_total");
  const bytes = Number(/: (\d+)/.exec(text)?.[1]);
  return Math.ceil(BUFFER / ((bytes / written) * 0.9)) + 1;
}

describe("over a SIGTERM in the middle of a load, after another Gatehouse has come,", () => {
  test.each([
    ["one process", []],
    ["two workers", ["--workers", "2"]],
  ] as const)("%s: at most two buffers of each of Envoy's threads are lost", async (_, flags) => {
    const first = await start({ flags });
    const next = await freePort();
    const envoy = await startReportingEnvoy({
      gatehouse: [first.gatehouse.port, next],
      logsTo: [first.gatehouse.port, next],
      checksHealth: true,
      concurrency: THREADS,
      log: retried,
    });
    undo.push(envoy.stop);
    const port = envoy.ports["http"] ?? 0;
    let sent = 0;
    let goesOn = true;
    const load = sendH2({
      port,
      requests: 1_000_000,
      while: () => {
        sent += 1;
        return goesOn;
      },
      pathOf,
    });
    await eventually(() => sent > 2_000, true, 60_000);
    expect(await first.gatehouse.total("gatehouse_log_entries_total")).toBeGreaterThan(0);
    const second = await start({ flags, port: next });
    await eventually(
      () => second.gatehouse.total("gatehouse_checks_total").then((n) => n > 100),
      true,
      20_000,
    );
    expect(await second.gatehouse.total("gatehouse_log_entries_total")).toBe(0);
    await first.gatehouse.end();
    const until = sent + 2_000;
    await eventually(() => sent > until, true, 60_000);
    goesOn = false;
    const { statuses, sent: requests } = await load;

    await eventually(async () => (await logCountersOf(envoy)).grpc_entries_flushed, requests, 10_000);
    const counters = await logCountersOf(envoy);
    expect(counters).toMatchObject({ logs_written: requests, logs_dropped: 0 });
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    await second.gatehouse.end();
    const [before, after] = await Promise.all([
      countBy(first.folder.access, "decision_id"),
      countBy(second.folder.access, "decision_id"),
    ]);
    const lost = requests - before.lines - after.lines;
    // What is on its way when a stream ends, and what was handed to the next one before it had a connection.
    const bound = 2 * THREADS * (await entriesPerBuffer(envoy, requests));
    console.info({ requests, statuses, before: before.lines, after: after.lines, lost, bound });
    expect(before.lines).toBeGreaterThan(0);
    expect(after.lines).toBeGreaterThan(0);
    expect(lost).toBeGreaterThanOrEqual(0);
    expect(lost).toBeLessThanOrEqual(bound);

    // Each request that was answered by a decision has that decision on record, before as after.
    const decisions = [
      await countBy(first.folder.decisions, "decision_id"),
      await countBy(second.folder.decisions, "decision_id"),
    ];
    const decided = new Set(decisions.flatMap(({ values }) => [...values.keys()]));
    const reported = [...before.values.keys(), ...after.values.keys()].filter((id) => id !== "null");
    expect(reported.filter((id) => !decided.has(id))).toEqual([]);
    const undecided = (before.values.get("null") ?? 0) + (after.values.get("null") ?? 0);
    expect(decisions.reduce((sum, { lines }) => sum + lines, 0)).toBeGreaterThanOrEqual(
      requests - undecided - lost,
    );
  });
});

test("what Envoy throws away while nobody reads its log stands in its logs_dropped, and all else arrives", async () => {
  const requests = 10_000;
  const [checks, logs] = await Promise.all([start(), start()]);
  const envoy = await startReportingEnvoy({
    gatehouse: [checks.gatehouse.port],
    logsTo: [logs.gatehouse.port],
    concurrency: 1,
    keepsLittle: true,
    log: retried,
  });
  undo.push(envoy.stop);
  const port = envoy.ports["http"] ?? 0;
  await sendH2({ port, requests: 100, pathOf, streams: 2 });
  await eventually(() => logs.gatehouse.total("gatehouse_log_entries_total"), 100, 20_000);
  logs.gatehouse.child.kill("SIGSTOP");
  const { statuses } = await sendH2({ port, requests: requests - 100, pathOf });
  const counters = await logCountersOf(envoy);
  logs.gatehouse.child.kill("SIGCONT");
  expect(statuses).toEqual({ 200: expect.any(Number), 403: Math.ceil((requests - 100) / 8) });
  expect(counters.logs_dropped).toBeGreaterThan(0);
  expect(counters.logs_written + counters.logs_dropped).toBe(requests);
  await eventually(() => logs.gatehouse.total("gatehouse_log_entries_total"), counters.logs_written, 20_000);
  expect((await logCountersOf(envoy)).grpc_entries_flushed).toBe(counters.logs_written);
});
