import { existsSync, readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import { DECISION_REQUESTS, decisionRequestLabels } from "../../src/report/decision-requests.js";
import { istioMetrics } from "../../src/report/istio-metrics.js";
import { metricCatalogue } from "../../src/telemetry/index.js";
import { labelNames, metricNames, queriesOf, readDashboards, substitute } from "../support/dashboards.js";

const ROOT = new URL("../../", import.meta.url);
const text = (path: string): string => readFileSync(new URL(path, ROOT), "utf8");
const dashboards = readDashboards();

/** Envoy's counters that docs and dashboards rely on; found on a real Envoy 1.40. */
const ofEnvoy: readonly string[] = [
  ...["ok", "denied", "error", "failure_mode_allowed", "shadow_denied", "shadow_error"].map(
    (name) => `envoy_http_ext_authz_${name}`,
  ),
  ...["streams_failed", "message_timeouts"].map((name) => `envoy_http_ext_proc_${name}`),
  ...["logs_written", "logs_dropped", "grpc_entries_flushed", "grpc_entries_flush_failed"].map(
    (name) => `envoy_access_logs_grpc_access_log_${name}`,
  ),
];
const ofProcesses = ["process_cpu_seconds_total", "process_resident_memory_bytes", "up"];
const ofSeries = ["gatehouse_series", "gatehouse_series_limited_total", "gatehouse_series_expired_total"];
const ofTargets = ["job", "instance", "le"];

/** Every metric that may be asked for, with its labels. */
function knownMetrics(): ReadonlyMap<string, readonly string[]> {
  const known = new Map<string, readonly string[]>();
  const add = (name: string, labels: readonly string[], isHistogram: boolean): void => {
    for (const suffix of isHistogram ? ["_bucket", "_sum", "_count"] : [""]) known.set(name + suffix, labels);
  };
  for (const { name, type, labels } of metricCatalogue.flatMap(({ metrics }) => metrics))
    add(
      name,
      labels.map((label) => label.name),
      type === "histogram",
    );
  for (const { name, labels } of istioMetrics.values()) add(name, labels, !name.endsWith("_total"));
  add(DECISION_REQUESTS, decisionRequestLabels, false);
  for (const name of [...ofEnvoy, ...ofProcesses]) add(name, [], false);
  for (const name of ofSeries) add(name, ["metric", "label"], false);
  return known;
}

const known = knownMetrics();

/** What an expression asks for that nobody has. */
function strangers(expression: string): string[] {
  const names = metricNames(expression);
  const labels = new Set([...names.flatMap((name) => known.get(name) ?? []), ...ofTargets]);
  return [
    ...names.filter((name) => !known.has(name)),
    ...labelNames(expression).filter((label) => !labels.has(label)),
  ];
}

describe("reading PromQL", () => {
  test.each([
    [
      'sum by (a,b) (rate(x_total{c="d{e}",f=~"g"}[5m])) / on (h) y > 0',
      ["x_total", "y"],
      ["c", "f", "a", "b", "h"],
    ],
    ["histogram_quantile(0.5, sum by (le) (rate(z_bucket[1m]))) or vector(0)", ["z_bucket"], ["le"]],
  ])("finds names in %s", (expression, names, labels) => {
    expect(metricNames(expression)).toEqual(names);
    expect(labelNames(expression)).toEqual(labels);
  });

  test("knows a name that nobody has", () => {
    expect(strangers('sum by (policy) (gatehouse_checks_totl{stage="x"})')).toEqual([
      "gatehouse_checks_totl",
      "stage",
      "policy",
    ]);
  });
});

describe("the dashboards", () => {
  test("are two, each with an id, a title and a link to the other", () => {
    const uids = dashboards.map(({ uid }) => uid);
    expect(uids.sort()).toEqual(["gatehouse-mesh", "gatehouse-policy"]);
    expect(new Set(dashboards.map(({ title }) => title)).size).toBe(2);
    for (const { uid, links } of dashboards)
      expect(links.map(({ url }) => url)).toEqual(
        uids.filter((other) => other !== uid).map((other) => `/d/${other}`),
      );
  });

  test.each(dashboards)(
    "$file asks the data source that its variable names, everywhere",
    ({ panels, templating }) => {
      expect(templating.list[0]).toMatchObject({
        name: "datasource",
        type: "datasource",
        query: "prometheus",
      });
      for (const { type, datasource, targets = [] } of panels) {
        if (type === "row") continue;
        for (const each of [{ datasource }, ...targets])
          expect(each.datasource?.uid).toMatch(/^\$\{datasource\}$/);
        expect(targets.length).toBeGreaterThan(0);
      }
    },
  );

  test.each(dashboards)("$file uses only variables that it has", ({ templating, ...dashboard }) => {
    const names = new Set(templating.list.map(({ name }) => name));
    const used = queriesOf({ templating, ...dashboard }).flatMap(({ expression }) =>
      [...expression.matchAll(/\$(\w+)/g)].map(([, name = ""]) => name),
    );
    expect(used.filter((name) => !names.has(name) && !["__rate_interval", "__range"].includes(name))).toEqual(
      [],
    );
    for (const name of names) if (name !== "datasource") expect(used).toContain(name);
  });

  test.each(dashboards)("$file has panels with ids of their own that do not overlap", ({ panels }) => {
    expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length);
    const cells = panels.flatMap(({ gridPos: { x, y, w, h } }) =>
      Array.from({ length: w * h }, (_, i) => `${x + (i % w)},${y + Math.floor(i / w)}`),
    );
    expect(new Set(cells).size).toBe(cells.length);
    expect(Math.max(...panels.map(({ gridPos: { x, w } }) => x + w))).toBeLessThanOrEqual(24);
  });

  test.each(dashboards.flatMap(queriesOf))(
    "$where asks for metrics and labels that there are",
    ({ expression }) => {
      expect(strangers(expression)).toEqual([]);
    },
  );

  test("leave no variable when they are filled in", () => {
    for (const { expression } of dashboards.flatMap(queriesOf))
      expect(substitute(expression)).not.toContain("$");
  });
});

interface Rules {
  groups: { rules: { alert: string; expr: string; labels: { severity: string }; annotations: object }[] }[];
}

describe("alerts", () => {
  const rules = (parse(text("deploy/prometheus-rules.yaml")) as Rules).groups.flatMap((group) => group.rules);

  test.each(rules)("$alert asks for metrics and labels that there are, and says what to do", (rule) => {
    expect(strangers(rule.expr)).toEqual([]);
    expect(rule.annotations).toEqual({ summary: expect.any(String), description: expect.any(String) });
    expect(["critical", "warning"]).toContain(rule.labels.severity);
  });

  test.each([
    ["requests that were denied and served", "gatehouse_denied_but_served_total"],
    ["obligations that nobody carried out", 'gatehouse_obligations_total{result="unmet"}'],
  ])("one is for %s", (_, metric) => {
    expect(rules.find(({ expr }) => expr.includes(metric))?.labels.severity).toBe("critical");
  });
});

interface Service {
  image?: string;
  command?: string[];
  volumes?: string[];
  ports?: string[];
  network_mode?: string;
  profiles?: string[];
  environment?: Record<string, string>;
}

describe("docker-compose.yml's telemetry", () => {
  const services = (parse(text("docker-compose.yml")) as { services: Record<string, Service> }).services;
  const telemetry = Object.entries(services).filter(([, { profiles }]) => profiles !== undefined);
  const named = (name: string): Service => services[name] ?? {};

  test("starts only when it is asked for, from images of a version", () => {
    expect(telemetry.map(([name]) => name)).toEqual(["prometheus", "grafana", "otel-collector", "jaeger"]);
    for (const [, { profiles, image }] of telemetry) {
      expect(profiles).toEqual(["telemetry"]);
      expect(image).toMatch(/:v?\d+\.\d+\.\d+$/);
    }
  });

  test("publishes ports on the host's loopback only", () => {
    const ports = Object.values(services).flatMap(({ ports = [] }) => ports);
    for (const port of ports) expect(port).toMatch(/^127\.0\.0\.1:(\d+):\1$/);
    expect(new Set(ports).size).toBe(ports.length);
  });

  test("gives each the files that its command or environment names", () => {
    const mount = (name: string): [from: string, to: string] => {
      const [from = "", to = ""] = named(name).volumes?.[0]?.split(":") ?? [];
      return [from, to];
    };
    for (const name of ["prometheus", "otel-collector"]) {
      const [from, to] = mount(name);
      const file = /=(\/\S+\.yaml)/.exec(named(name).command?.join(" ") ?? "")?.[1] ?? "";
      expect(file.startsWith(`${to}/`)).toBe(true);
      expect(existsSync(fileURLToPath(new URL(file.replace(to, from), ROOT)))).toBe(true);
    }
    const [, dashboardsAt = ""] =
      named("grafana")
        .volumes?.find((each) => each.includes("dashboards:"))
        ?.split(":") ?? [];
    const provider = parse(text("deploy/grafana/provisioning/dashboards/gatehouse.yaml")) as {
      providers: { options: { path: string } }[];
    };
    expect(provider.providers[0]?.options.path).toBe(dashboardsAt);
    const home = named("grafana").environment?.["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"] ?? "";
    expect(readdirSync(new URL("deploy/grafana/dashboards/", ROOT))).toContain(
      home.replace(`${dashboardsAt}/`, ""),
    );
  });

  test("scrapes Gatehouse and Envoy where they listen", () => {
    const { rule_files, scrape_configs } = parse(text("deploy/prometheus.yaml")) as {
      rule_files: string[];
      scrape_configs: {
        job_name: string;
        metrics_path?: string;
        params?: { filter: string[] };
        static_configs: { targets: string[] }[];
      }[];
    };
    for (const file of rule_files)
      expect(existsSync(fileURLToPath(new URL(`deploy/${file}`, ROOT)))).toBe(true);
    const targets = Object.fromEntries(
      scrape_configs.map((job) => [job.job_name, job.static_configs[0]?.targets]),
    );
    const flag = "--admin-address=";
    const admin = services["gatehouse"]?.command
      ?.find((argument) => argument.startsWith(flag))
      ?.slice(flag.length);
    const bootstrap = parse(text("envoy/ratelimit.yaml")) as {
      admin: { address: { socket_address: { address: string; port_value: number } } };
    };
    const { address, port_value } = bootstrap.admin.address.socket_address;
    expect(targets).toEqual({ gatehouse: [admin], envoy: [`${address}:${port_value}`] });
    for (const name of ["prometheus", "otel-collector"])
      expect(named(name).network_mode).toBe("service:envoy");
    const filter = new RegExp(scrape_configs[1]?.params?.filter[0] ?? "^$");
    for (const name of [
      "access_logs.grpc_access_log.logs_dropped",
      "http.http.ext_authz.error",
      "http.http.ext_proc.streams_failed",
    ])
      expect(filter.test(name)).toBe(true);
    expect(filter.test("http.http.downstream_cx_total")).toBe(false);
  });

  test("lets Grafana, which is elsewhere, reach what it asks", () => {
    const { datasources } = parse(text("deploy/grafana/provisioning/datasources/prometheus.yaml")) as {
      datasources: { type: string; url: string }[];
    };
    expect(named("grafana").network_mode).toBeUndefined();
    expect(named("prometheus").command).toContain("--web.listen-address=0.0.0.0:9090");
    expect(datasources.map(({ url }) => url)).toEqual(["http://envoy:9090", "http://jaeger:16686"]);
  });

  test("has a collector whose pipelines are made of parts that it has", () => {
    const collector = parse(text("deploy/otel-collector.yaml")) as Record<string, Record<string, unknown>> & {
      service: { pipelines: Record<string, Record<string, string[]>> };
    };
    expect(Object.keys(collector.service.pipelines)).toEqual(["logs", "traces"]);
    for (const pipeline of Object.values(collector.service.pipelines))
      for (const [kind, parts] of Object.entries(pipeline))
        for (const part of parts) expect(Object.keys(collector[kind] ?? {})).toContain(part);
  });
});
