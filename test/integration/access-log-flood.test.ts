import { afterEach, beforeEach, expect, test } from "vitest";
import { openAccessLog } from "../support/access-log-client.js";
import { createCheckClient } from "../support/grpc-client.js";
import {
  type Gatehouse,
  givenTo,
  makeRecordFolder,
  type RecordFolder,
  startGatehouse,
} from "../support/record-stage.js";
import { eventually, requestFor, statusOf } from "../support/server-fixture.js";

let folder: RecordFolder;
let gatehouse: Gatehouse;

beforeEach(async () => {
  folder = makeRecordFolder();
  gatehouse = await startGatehouse(folder.config);
});
afterEach(async () => {
  await gatehouse?.kill();
  folder?.remove();
});

test("what comes faster than it can be read is dropped and counted, and checks are answered all the while", async () => {
  // HTTP/2's window holds one stream back, so that it takes many.
  const [streams, messages, entries] = [40, 10, 400];
  const all = streams * messages * entries;
  const address = `127.0.0.1:${gatehouse.port}`;
  const checks = createCheckClient(address);
  const floods = Array.from({ length: streams }, (_, i) => openAccessLog(address, `flood-${i}`));
  const statuses: number[] = [];
  let isOver = false;
  const asking = (async (): Promise<void> => {
    while (!isOver) statuses.push(statusOf(await checks.check(requestFor("/books"))));
  })();
  const codes = await Promise.all(
    floods.map((flood) => {
      for (let i = 0; i < messages; i += 1) void flood.write(entries);
      return flood.end();
    }),
  );
  expect(new Set(codes)).toEqual(new Set([0]));
  isOver = true;
  await asking;
  const known = async (): Promise<number> => {
    const sums = await Promise.all([
      gatehouse.total("gatehouse_log_entries_total"),
      gatehouse.total("gatehouse_log_entries_dropped_total"),
    ]);
    return sums[0] + sums[1];
  };
  await eventually(known, all, 30_000);
  const dropped = await gatehouse.sums("gatehouse_log_entries_dropped_total", "reason");
  const reported = await gatehouse.total("gatehouse_log_entries_total");
  expect(dropped["queue_full"]).toBeGreaterThan(0);
  expect(reported + (dropped["queue_full"] ?? 0)).toBe(all);
  expect(await gatehouse.total("istio_requests_total")).toBe(reported);
  expect(await gatehouse.total("gatehouse_log_queue_entries")).toBe(0);
  const access = (await gatehouse.sinks())["access/envoy"];
  expect(access === undefined ? 0 : givenTo(access)).toBe(reported);

  expect(statuses.length).toBeGreaterThan(0);
  expect(new Set(statuses)).toEqual(new Set([200]));
  expect(await gatehouse.total("gatehouse_checks_total")).toBe(statuses.length);
  console.info({ dropped, reported, checks: statuses.length });
  checks.close();
  for (const flood of floods) flood.close();
});
