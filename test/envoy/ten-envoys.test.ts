import { afterAll, beforeAll, expect, test } from "vitest";
import type { Envoy } from "../support/envoy.js";
import { sendH2 } from "../support/h2-load.js";
import {
  countBy,
  type Gatehouse,
  makeRecordFolder,
  REFUSED,
  type RecordFolder,
  startGatehouse,
} from "../support/record-stage.js";
import { logCountersOf, startReportingEnvoy } from "../support/reporting-envoy.js";
import { eventually } from "../support/server-fixture.js";

// Ten Envoys, each of another workload, ask and tell one Gatehouse at once.

const COUNT = 10;
const workloadOf = (i: number): string => `shelf-${i}`;
/** Each sends another number of requests, so that none can stand for another. */
const requestsOf = (i: number): number => 200 + 20 * i;

let folder: RecordFolder;
let gatehouse: Gatehouse;
let envoys: Envoy[] = [];

beforeAll(async () => {
  folder = makeRecordFolder();
  gatehouse = await startGatehouse(folder.config);
  const starting = Array.from({ length: COUNT }, (_, i) =>
    startReportingEnvoy({
      gatehouse: [gatehouse.port],
      concurrency: 1,
      namesWorkload: false,
      log: { grpc_stream_retry_policy: { num_retries: 20 } },
      node: {
        id: `sidecar~192.0.2.${i}~${workloadOf(i)}-0.bookshop~bookshop.svc.cluster.local`,
        metadata: {
          NAMESPACE: "bookshop",
          WORKLOAD_NAME: workloadOf(i),
          LABELS: { app: workloadOf(i) },
        },
      },
    }),
  );
  envoys = await Promise.all(starting);
});
afterAll(async () => {
  await Promise.all(envoys.map((envoy) => envoy.stop()));
  await gatehouse?.kill();
  folder?.remove();
});

test("each one's requests count as its own workload's, exactly, and none is lost", async () => {
  const outcomes = await Promise.all(
    envoys.map((envoy, i) =>
      sendH2({
        port: envoy.ports["http"] ?? 0,
        requests: requestsOf(i),
        connections: 1,
        streams: 8,
        pathOf: (n) => (n % (i + 2) === 0 ? REFUSED : `/${workloadOf(i)}/${n}`),
      }),
    ),
  );
  const refusedOf = (i: number): number => Math.ceil(requestsOf(i) / (i + 2));
  for (const [i, { statuses }] of outcomes.entries()) {
    expect(statuses).toEqual({ 200: requestsOf(i) - refusedOf(i), 403: refusedOf(i) });
  }
  const all = envoys.reduce((sum, _, i) => sum + requestsOf(i), 0);
  await eventually(() => gatehouse.total("gatehouse_log_entries_total"), all, 20_000);
  const delivered = (): Promise<number> =>
    gatehouse.total("gatehouse_sink_delivered_total", `sink="access/envoy"`);
  await eventually(delivered, all, 20_000);

  const ofAll = (countOf: (i: number) => number): Record<string, number> =>
    Object.fromEntries(envoys.map((_, i) => [workloadOf(i), countOf(i)]));
  const counted = (code: number): Promise<Readonly<Record<string, number>>> =>
    gatehouse.sums("istio_requests_total", "destination_workload", `response_code="${code}"`);
  expect(await counted(200)).toEqual(ofAll((i) => requestsOf(i) - refusedOf(i)));
  expect(await counted(403)).toEqual(ofAll(refusedOf));
  expect(await gatehouse.sums("istio_requests_total", "reporter")).toEqual({ destination: all });
  expect(await gatehouse.total("gatehouse_log_streams")).toBe(COUNT);
  expect(await gatehouse.total("gatehouse_log_entries_dropped_total")).toBe(0);
  for (const [i, envoy] of envoys.entries()) {
    expect(await logCountersOf(envoy)).toMatchObject({ logs_written: requestsOf(i), logs_dropped: 0 });
  }
  const { lines, values } = await countBy(folder.access, "decision_id");
  expect([lines, values.size]).toEqual([all, all]);
});
