import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { stringify } from "yaml";
import { queriesOf, readDashboards, substitute } from "../support/dashboards.js";
import { istioPanels } from "../support/istio-panels.js";
import { promtool } from "../support/prometheus.js";

const DEPLOY = fileURLToPath(new URL("../../deploy", import.meta.url));
const RULES = join(DEPLOY, "prometheus-rules.yaml");
let folder: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "gatehouse-promtool-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** promtool's word on a YAML file of ours. */
function ask(command: readonly string[], name: string, content: object): ReturnType<typeof promtool> {
  const file = join(folder, name);
  writeFileSync(file, stringify(content));
  return promtool([...command, file], { folders: [folder, DEPLOY] });
}

describe("promtool", () => {
  test("takes the configuration of Prometheus and its alerts", async () => {
    const { ok, output } = await promtool(["check", "config", join(DEPLOY, "prometheus.yaml")], {
      folders: [DEPLOY],
    });
    expect(output).toContain("is valid prometheus config file syntax");
    expect(output).toMatch(/\d+ rules found/);
    expect(ok).toBe(true);
  });

  test("takes every query of the dashboards, and those that stand for Istio's", async () => {
    const queries = [
      ...readDashboards()
        .flatMap(queriesOf)
        .map(({ expression }) => substitute(expression)),
      ...istioPanels.map(({ query }) => query.replaceAll(/\$i?rate/g, "1m")),
    ];
    const rules = queries.map((expr, i) => ({ record: `query:${i}`, expr }));
    const { ok, output } = await ask(["check", "rules"], "queries.yaml", {
      groups: [{ name: "all", rules }],
    });
    expect(output).toContain(`${queries.length} rules found`);
    expect(ok).toBe(true);
  });

  test("names a query that is none", async () => {
    const rules = [{ record: "broken", expr: "sum(rate(x_total)" }];
    const { ok, output } = await ask(["check", "rules"], "broken.yaml", { groups: [{ name: "all", rules }] });
    expect(output).toContain("could not parse expression");
    expect(ok).toBe(false);
  });
});

/** Whether an alert fires after ten minutes in which the series were so. */
async function fires(alertname: string, series: Readonly<Record<string, string>>): Promise<boolean> {
  const { ok, output } = await ask(["test", "rules"], "alert.yaml", {
    rule_files: [RULES],
    evaluation_interval: "1m",
    tests: [
      {
        interval: "1m",
        input_series: Object.entries(series).map(([name, values]) => ({ series: name, values })),
        alert_rule_test: [{ eval_time: "12m", alertname, exp_alerts: [] }],
      },
    ],
  });
  if (!ok && !output.includes(`alertname: ${alertname}, time: 12m`)) throw new Error(output);
  return !ok;
}

describe("an alert", () => {
  const envoy = "envoy_access_logs_grpc_access_log_";
  test.each<[name: string, series: Readonly<Record<string, string>>, isFiring: boolean]>([
    ["GatehouseDeniedButServed", { "gatehouse_denied_but_served_total{instance='a'}": "0x11 1x5" }, true],
    ["GatehouseDeniedButServed", { "gatehouse_denied_but_served_total{instance='a'}": "0x20" }, false],
    [
      "GatehouseObligationsUnmet",
      { "gatehouse_obligations_total{instance='a',result='unmet'}": "0x11 1x5" },
      true,
    ],
    [
      "GatehouseObligationsUnmet",
      { "gatehouse_obligations_total{instance='a',result='met'}": "0+5x20" },
      false,
    ],
    ["GatehouseProcessingFails", { "envoy_http_ext_proc_streams_failed{instance='e'}": "0+5x20" }, true],
    ["GatehouseProcessingFails", { "envoy_http_ext_proc_message_timeouts{instance='e'}": "0+5x20" }, true],
    [
      "GatehouseProcessingFails",
      { "gatehouse_ext_proc_streams_total{instance='a',result='internal_error'}": "0+5x20" },
      true,
    ],
    [
      "GatehouseProcessingFails",
      {
        "gatehouse_ext_proc_violations_total{instance='a',direction='request',what='body_not_sent'}":
          "0+5x20",
      },
      true,
    ],
    [
      "GatehouseProcessingFails",
      {
        "envoy_http_ext_proc_streams_failed{instance='e'}": "5x20",
        "gatehouse_ext_proc_streams_total{instance='a',result='finished'}": "0+500x20",
        "gatehouse_ext_proc_streams_total{instance='a',result='closing'}": "0+5x20",
      },
      false,
    ],
    ["GatehouseDown", { "up{job='gatehouse',instance='a'}": "1x9 0x9" }, true],
    ["GatehouseDown", { "up{job='gatehouse',instance='a'}": "1x20" }, false],
    ["GatehouseConfigRefused", { "gatehouse_config_last_reload_success{instance='a'}": "1x5 0x9" }, true],
    ["GatehouseConfigRefused", { "gatehouse_config_last_reload_success{instance='a'}": "1x20" }, false],
    ["GatehouseChecksWithoutAnswer", { "envoy_http_ext_authz_error{instance='e'}": "0+5x20" }, true],
    ["GatehouseChecksWithoutAnswer", { "envoy_http_ext_authz_error{instance='e'}": "5x20" }, false],
    ["GatehouseLogEntriesLost", { [`${envoy}logs_dropped{instance='e'}`]: "0x9 7x9" }, true],
    ["GatehouseLogEntriesLost", { [`${envoy}logs_dropped{instance='e'}`]: "7x20" }, false],
    [
      "GatehouseLogEntriesDropped",
      { "gatehouse_log_entries_dropped_total{instance='a',reason='queue_full'}": "0x9 7x9" },
      true,
    ],
    [
      "GatehouseLogEntriesDropped",
      { "gatehouse_log_entries_dropped_total{instance='a',reason='upstream'}": "0x9 7x9" },
      false,
    ],
    [
      "GatehouseLogEntriesNotReceived",
      {
        [`${envoy}grpc_entries_flushed{instance='e'}`]: "0+1000x20",
        "gatehouse_log_entries_total{instance='a',protocol='http',event='close'}": "0+900x20",
        "gatehouse_log_entries_dropped_total{instance='a',reason='queue_full'}": "0x20",
      },
      true,
    ],
    [
      "GatehouseLogEntriesNotReceived",
      {
        [`${envoy}grpc_entries_flushed{instance='e'}`]: "0+1000x20",
        "gatehouse_log_entries_total{instance='a',protocol='http',event='close'}": "0+600x20",
        "gatehouse_log_entries_dropped_total{instance='a',reason='queue_full'}": "0+400x20",
      },
      false,
    ],
    [
      "GatehouseSinkLosesLines",
      { "gatehouse_sink_dropped_total{instance='a',sink='otlp',reason='retries'}": "0x9 3x9" },
      true,
    ],
    [
      "GatehouseSinkLosesLines",
      { "gatehouse_sink_dropped_total{instance='a',sink='otlp',reason='retries'}": "3x20" },
      false,
    ],
  ])("%s, given %j: %s", async (name, series, isFiring) => {
    expect(await fires(name, series)).toBe(isFiring);
  });
});
