/** `tsx bench/micro/report-metrics.ts [--write]`: what Istio's standard metrics cost for one report. */
import { parseArgs } from "node:util";
import type { Party, Report } from "../../src/report/index.js";
import { createIstioMetrics, istioMetrics, type MetricOverride } from "../../src/report/istio-metrics.js";
import { createSeriesStore, type SeriesStore } from "../../src/series/index.js";
import { renderMetrics } from "../../src/telemetry/index.js";
import { aServed, bookinfo, principalOf } from "../../test/unit/report/istio-kit.js";
import { table, writeResults } from "../results.js";
import { measureStages, type Stage } from "./measure.js";

const { values } = parseArgs({ options: { write: { type: "boolean", default: false } } });
const untouched: MetricOverride = { disabled: false, tagOverrides: new Map() };
const parties = Array.from({ length: 40 }, (_, i) => bookinfo(`app-${i}`));
const party = (i: number): Party => parties[i % parties.length] ?? bookinfo("none");

/** 1,000 calls between 40 workloads, as they come: each report is a new object with new texts. */
function aReport(i: number): Report {
  const from = i % 40;
  const to = Math.floor(i / 40) % 25;
  const host = `app-${to}.bookinfo.svc.cluster.local`;
  return aServed({
    source: party(from),
    destination: party(to),
    service: { name: `app-${to}`, namespace: "bookinfo", host },
    tls: { version: "", peerPrincipal: principalOf(`app-${from}`), localPrincipal: principalOf(`app-${to}`) },
  });
}

function recording(store: SeriesStore, override: MetricOverride): (report: Report) => void {
  const metrics = createIstioMetrics(store);
  const recorders = [...istioMetrics.keys()].map((metric) => metrics.compile(metric, override));
  return (report) => {
    for (const record of recorders) record(report);
  };
}

let turn = 0;
const reports = Array.from({ length: 1000 }, (_, i) => aReport(i));
const next = (): Report => {
  turn = (turn + 1) % reports.length;
  return reports[turn] ?? aServed();
};
const warm = createSeriesStore({ now: Date.now });
const record = recording(warm, untouched);
const one = createIstioMetrics(createSeriesStore({ now: Date.now })).compile("REQUEST_COUNT", untouched);
const without = recording(createSeriesStore({ now: Date.now }), {
  disabled: false,
  tagOverrides: new Map([["response_code", { remove: true }]]),
});
const adding = recording(createSeriesStore({ now: Date.now }), {
  disabled: false,
  tagOverrides: new Map([["tenant", { value: () => "acme" }]]),
});
const attacked = recording(createSeriesStore({ now: Date.now }), untouched);
let attacker = 0;
const attack = (): Report => {
  attacker += 1;
  const host = `host-${attacker}.example.com`;
  return aServed({
    service: { name: host, namespace: "x", host },
    tls: { version: "", peerPrincipal: principalOf(`sa-${attacker}`), localPrincipal: "y" },
    flags: `F${attacker}`,
  });
};
const stages: Stage[] = [
  { name: "the next report, nothing counted", run: next },
  { name: "all metrics, 1,000 known calls", run: () => record(next()) },
  { name: "the request counter alone", run: () => one(next()) },
  { name: "all metrics, a label removed", run: () => without(next()) },
  { name: "all metrics, a label added by an expression", run: () => adding(next()) },
  { name: "making a report of an attack", run: attack },
  { name: "all metrics, every report another host, principal and flag", run: () => attacked(attack()) },
];
const results = await measureStages(stages);
const rows = results.map((stage) => [stage.name, stage.medianMicros.toFixed(2), stage.p99Micros.toFixed(2)]);
const began = performance.now();
const plain = warm.values();
const collected = performance.now();
const text = await renderMetrics([plain, plain]);
const rendered = performance.now();
const output = [
  table(["what", "median µs", "p99 µs"], rows),
  "",
  `A scrape of 1,000 calls in two processes: ${(collected - began).toFixed(0)} ms to collect in each, ` +
    `${(rendered - collected).toFixed(0)} ms to render ${(text.length / 1e6).toFixed(1)} MB; ` +
    `${(JSON.stringify(plain).length / 1e6).toFixed(1)} MB between them.`,
].join("\n");
console.log(output);
if (values.write) {
  writeResults(
    "micro-report-metrics",
    "Micro benchmarks: Istio's standard metrics",
    { stages: results },
    output,
  );
}
