import {
  DECISION_REQUESTS,
  decisionRequestLabels,
  decisionRequestsHelp,
} from "../src/report/decision-requests.js";
import { istioLabels } from "../src/report/istio-labels.js";
import { istioBuckets, shapes } from "../src/report/istio-shapes.js";
import { createSeriesStore, type SeriesMetric } from "../src/series/index.js";
import { type MetricChapter, type MetricDefinition, metricCatalogue } from "../src/telemetry/index.js";

/** The text of `docs/metrics.md`. Throws when a name stands twice. */
export function renderMetricsPage(): string {
  const chapters: readonly MetricChapter[] = [
    ...metricCatalogue,
    { title: "Decisions as the mesh sees them", metrics: [decisionDefinition()] },
    { title: "Series", metrics: storeDefinitions() },
  ];
  const names = [...chapters.flatMap(({ metrics }) => metrics), ...istioDefinitions()].map(
    ({ name }) => name,
  );
  const twice = names.find((name, i) => names.indexOf(name) !== i);
  if (twice !== undefined) throw new Error(`metric ${twice} stands twice in the catalogue`);
  return [intro, istioPart(), ownIntro, ...chapters.map(renderChapter), processes].join("\n");
}

const intro = `# Metrics

<!-- Generated from src/telemetry, src/series and src/report by \`npm run docs\`. Do not edit. -->

All that \`/metrics\` shows, on the admin address and on \`--metrics-address\`, for all workers together. A counter starts
again at zero when its worker is replaced. Units are at the end of names; times are in seconds but for Istio's.
`;

const ownIntro = `## Gatehouse's own

Values of labels come from closed sets or from the configuration: never a path, a principal, a user or a host; only
\`detailed_metric\` and \`value_to_metric\` of a rate limit's config file ask for values of requests, and are bounded. An
issuer that leaves the configuration takes its series along.
`;

const processes = `### Of the processes

prom-client's \`process_*\` and \`nodejs_*\`: CPU, memory, open files, garbage collection, and the event loop. CPU and memory
are added up over all processes; the gauges of the event loop are averages over them (\`_max\` the largest, \`_min\` the
smallest), which is why there is a histogram of its lag above. The gauges \`nodejs_active_handles_total\`,
\`nodejs_active_requests_total\` and \`nodejs_active_resources_total\` are left out: Prometheus keeps that ending for counters,
and the same by kind is in \`nodejs_active_handles\` and its siblings.
`;

function istioPart(): string {
  return `## Of the mesh

Istio's standard metrics, from the access logs of proxies, with exactly its names, labels and buckets; and those of
\`Metric\` resources, which have the names, labels and buckets that they say. Each label and each metric is bounded
(\`gatehouse_series_limited_total\`).

| metric | type | meaning |
|---|---|---|
${istioDefinitions()
  .map(({ name, type, help }) => `| \`${name}\` | ${type} | ${lower(help)} |`)
  .join("\n")}

- Labels of all: ${code(istioLabels.messages)}
- Of connections besides: ${code(besides(istioLabels.tcp))}
- Of requests besides: ${code(besides(istioLabels.http))}
- Buckets: ${istioBuckets.map(String).join(", ")}
`;
}

function besides(labels: readonly string[]): readonly string[] {
  return labels.filter((label) => !istioLabels.messages.includes(label));
}

function istioDefinitions(): MetricDefinition[] {
  return Object.values(shapes).map(({ name, help, buckets }) => ({
    name,
    type: buckets === undefined ? "counter" : "histogram",
    help,
    labels: [],
  }));
}

/** Its values come from the configuration and from what proxies are. */
function decisionDefinition(): MetricDefinition {
  const labels = decisionRequestLabels.map((name) => ({ name, values: `a ${name.replaceAll("_", " ")}` }));
  return { name: DECISION_REQUESTS, type: "counter", help: decisionRequestsHelp, labels };
}

/** The store shows each of its metrics only when there is something to show: here there is. */
function storeDefinitions(): MetricDefinition[] {
  let now = 0;
  const store = createSeriesStore({ now: () => now });
  const things = { name: "things_total", help: "", labels: ["a"], expiryMs: 1, maxValues: 1, maxSeries: 1 };
  const counter = store.counter(things);
  for (const value of ["x", "y", "z"]) counter.add([value], 1);
  now = 10;
  store.values();
  const metrics = store.values() as unknown as readonly SeriesMetric[];
  return metrics
    .filter(({ name }) => name.startsWith("gatehouse_"))
    .map(({ name, type, help, labelNames }) => ({
      name,
      type,
      help,
      labels: labelNames.map((label) => ({ name: label, values: `a ${label}'s name` })),
    }));
}

function renderChapter({ title, metrics }: MetricChapter): string {
  return `### ${title}

| metric | type | labels | meaning |
|---|---|---|---|
${metrics.map(renderMetric).join("\n")}
`;
}

function renderMetric({ name, type, help, labels, more }: MetricDefinition): string {
  const texts = labels.map((label) => {
    const values = typeof label.values === "string" ? label.values : code(label.values);
    return `\`${label.name}\`: ${values}`;
  });
  const meaning = more === undefined ? lower(help) : `${lower(help)}. ${more.replace(/\.$/, "")}`;
  return `| \`${name}\` | ${type} | ${texts.join("; ")} | ${meaning} |`;
}

function code(values: readonly string[]): string {
  return values.map((value) => `\`${value}\``).join(", ");
}

/** A sentence as it stands in a table here: no capital, no full stop. */
function lower(help: string): string {
  const text = help.replace(/\.$/, "");
  return /^[A-Z][a-z]/.test(text) && !/^(?:Istio|Envoy|Redis)/.test(text)
    ? `${text.charAt(0).toLowerCase()}${text.slice(1)}`
    : text;
}
