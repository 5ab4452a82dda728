import { pino } from "pino";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type RunningServer, startServer } from "../../src/server/index.js";
import { istioPanels, type Panel } from "../support/istio-panels.js";
import { type Load, makeLoad, sendLoad } from "../support/mesh-load.js";
import { type PrometheusServer, promtool, type Sample, startPrometheus } from "../support/prometheus.js";
import { allowOnly, type ConfigFolder, eventually, makeConfigFolder } from "../support/server-fixture.js";

/** Ranges of `rate` and `irate` in seconds. */
const RATE = 4;
const IRATE = 60;
const load = makeLoad(311);

let folder: ConfigFolder;
let server: RunningServer;
let prometheus: PrometheusServer;
/** How often the load was sent, and the scrapes around the last time. */
let rounds = 0;
let before = 0;
let after = 0;

beforeAll(async () => {
  folder = makeConfigFolder();
  folder.write("policy.yaml", allowOnly("/open"));
  server = await startServer(
    { configPaths: [folder.path], grpcAddress: "127.0.0.1:0", adminAddress: "127.0.0.1:0" },
    { logger: pino({ level: "silent" }), now: Date.now },
  );
  prometheus = await startPrometheus(server.adminAddress);
  // A series begins with its first value: what came before is not in a rate.
  await send();
  for (let attempt = 0; attempt < 5 && before === 0; attempt += 1) {
    await prometheus.scrapes(RATE + 1);
    await send();
    [before, after] = await lastJump();
  }
});

afterAll(async () => {
  await prometheus?.stop();
  await server?.close();
  folder?.remove();
});

/** What each load adds to: by both proxies of each call and connection. */
const COUNTED = "istio_requests_total|istio_tcp_connections_(opened|closed)_total|istio_tcp_sent_bytes_total";
const ofOneLoad =
  2 * load.calls.length +
  2 * load.connections.reduce((sum, { isClosed, sentBytes }) => sum + 1 + (isClosed ? 1 : 0) + sentBytes, 0);

async function send(): Promise<void> {
  await sendLoad(server.grpcAddress, load);
  rounds += 1;
  const total = `sum({__name__=~"${COUNTED}"})`;
  await eventually(async () => (await prometheus.query(total))[0]?.value, rounds * ofOneLoad, 20_000);
}

/** The scrapes before and after the last load; zeros when one came in between, or is missing. */
async function lastJump(): Promise<[before: number, after: number]> {
  const tracks = await prometheus.points(`{__name__=~"${COUNTED}"}[10s]`);
  const totals = new Map<number, number>();
  for (const { seconds, value } of tracks.flatMap(({ points }) => points))
    totals.set(seconds, (totals.get(seconds) ?? 0) + value);
  const sorted = [...totals].sort(([one], [other]) => one - other);
  const inRange = sorted.filter(([time]) => time > (sorted.at(-1)?.[0] ?? 0) - RATE);
  // A scrape that came late or failed: `rate` would guess more than it has to.
  if (inRange.length < RATE) return [0, 0];
  const at = sorted.findIndex(([, total]) => total === rounds * ofOneLoad);
  const [from, to] = [sorted[at - 1], sorted[at]];
  if (from === undefined || to === undefined) return [0, 0];
  return from[1] === (rounds - 1) * ofOneLoad ? [from[0], to[0]] : [0, 0];
}

/** What a second of the last load is: of `irate` two scrapes, of `rate` those of its range, stretched to all of it. */
async function seconds(query: string): Promise<number> {
  if (query.includes("$irate")) return after - before;
  const points = (await prometheus.points(`istio_requests_total[${RATE}s]`, after))[0]?.points ?? [];
  const [first, last] = [points[0]?.seconds ?? 0, points.at(-1)?.seconds ?? 0];
  const [sampled, step] = [last - first, (last - first) / (points.length - 1)];
  const reach = (gap: number): number => (gap < step * 1.1 ? gap : step / 2);
  return (RATE * sampled) / (sampled + reach(first - (after - RATE)) + reach(after - last));
}

async function expectedOf(panel: Panel, given: Load): Promise<readonly Sample[]> {
  const samples = panel.expected(given);
  if (panel.kind === "plain") return samples;
  const factor = panel.kind === "total" ? rounds : 1 / (await seconds(panel.query));
  return samples.map(({ labels, value }) => ({ labels, value: value * factor }));
}

const keyOf = ({ labels }: Sample): string => JSON.stringify(Object.entries(labels).sort());

describe("Prometheus", () => {
  test("sees the load between two of its scrapes", () => {
    expect(after - before).toBeGreaterThan(0.5);
    expect(after - before).toBeLessThan(2);
  });

  test.each(istioPanels.map((panel) => [panel.title, panel] as const))("%s", async (_, panel) => {
    const query = panel.query.replaceAll("$irate", `${IRATE}s`).replaceAll("$rate", `${RATE}s`);
    const answer = new Map((await prometheus.query(query, after)).map((each) => [keyOf(each), each.value]));
    const expected = await expectedOf(panel, load);
    expect(expected.length).toBeGreaterThan(0);
    expect([...answer.keys()].sort()).toEqual(expected.map(keyOf).sort());
    for (const sample of expected) {
      const off = Math.abs((answer.get(keyOf(sample)) ?? Number.NaN) - sample.value);
      expect(off, keyOf(sample)).toBeLessThanOrEqual((panel.within ?? 0) + Math.abs(sample.value) * 1e-6);
    }
  });

  test.each([
    ["istio_requests_total", "counter"],
    ["istio_request_duration_milliseconds", "histogram"],
    ["istio_request_bytes", "histogram"],
    ["istio_response_bytes", "histogram"],
    ["istio_tcp_connections_opened_total", "counter"],
  ])("takes %s for a %s", async (metric, type) => {
    expect(await prometheus.typeOf(metric)).toBe(type);
  });

  test("has, by promtool, one thing to say about the page: the unit in a name that is Istio's", async () => {
    const input = await (await fetch(`http://${server.adminAddress}/metrics`)).text();
    expect(input).toContain("istio_requests_total{");
    const { output } = await promtool(["check", "metrics"], { input });
    expect(output.trim().split("\n")).toEqual([
      'istio_request_duration_milliseconds use base unit "seconds" instead of "milliseconds"',
    ]);
  });
});
