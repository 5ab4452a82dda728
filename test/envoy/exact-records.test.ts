import { afterEach, describe, expect, onTestFailed, test } from "vitest";
import { verifyAudit } from "../../src/cli/audit.js";
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

// A real Envoy and `gatehouse serve`: of so many requests there are so many records of each kind.

/** GATEHOUSE_SOAK=100000 sends as many. */
const soak = Number(process.env["GATEHOUSE_SOAK"] ?? 20_000);

const undo: (() => unknown)[] = [];
afterEach(async () => {
  for (const step of undo.splice(0).reverse()) await step();
});

async function arrange(
  folder: RecordFolder,
  flags: readonly string[] = [],
): Promise<{ gatehouse: Gatehouse; envoy: Envoy; port: number }> {
  undo.push(folder.remove);
  const gatehouse = await startGatehouse(folder.config, { flags });
  undo.push(gatehouse.kill);
  onTestFailed(() => console.log(gatehouse.child.output()));
  const envoy = await startReportingEnvoy({ gatehouse: [gatehouse.port] });
  undo.push(envoy.stop);
  return { gatehouse, envoy, port: envoy.ports["http"] ?? 0 };
}

/** One of eight is refused. */
const pathOf = (i: number): string => (i % 8 === 0 ? REFUSED : `/books/${i}`);

describe("so many requests, so many records:", () => {
  test.each([
    ["one process", soak, []],
    ["two workers", soak / 4, ["--workers", "2"]],
  ] as const)("%s, %i requests", { timeout: 120_000 + 3 * soak }, async (_, requests, flags) => {
    const folder = makeRecordFolder();
    const { gatehouse, envoy, port } = await arrange(folder, flags);
    const { statuses, seconds } = await sendH2({ port, requests, pathOf });
    const refused = Math.ceil(requests / 8);
    const byCode = { 200: requests - refused, 403: refused };
    expect(statuses).toEqual(byCode);
    console.info(`${requests} requests in ${seconds.toFixed(1)} s: ${Math.round(requests / seconds)}/s`);

    await eventually(() => gatehouse.total("gatehouse_log_entries_total"), requests, 20_000);
    for (const sink of ["access/envoy", "decisions/file", "audit"]) {
      const delivered = (): Promise<number> =>
        gatehouse.total("gatehouse_sink_delivered_total", `sink="${sink}"`);
      await eventually(delivered, requests, 20_000);
    }
    expect(await gatehouse.sums("istio_requests_total", "response_code")).toEqual(byCode);
    expect(await gatehouse.sums("gatehouse_checks_total", "allowed")).toEqual({
      true: requests - refused,
      false: refused,
    });
    expect(await gatehouse.total("istio_request_duration_milliseconds_count")).toBe(requests);
    expect(await gatehouse.sums("gatehouse_check_outcomes_total", "outcome")).toMatchObject({
      allowed: requests - refused,
      denied: refused,
      denied_but_served: 0,
      error: 0,
      none: 0,
    });
    expect(await gatehouse.total("gatehouse_log_entries_dropped_total")).toBe(0);
    expect(await gatehouse.total("gatehouse_sink_dropped_total")).toBe(0);
    expect(await logCountersOf(envoy)).toEqual({
      logs_written: requests,
      logs_dropped: 0,
      grpc_entries_flushed: requests,
      grpc_entries_flush_failed: 0,
    });
    await gatehouse.end();

    const decisions = await countBy(folder.decisions, "decision_id");
    const access = await countBy(folder.access, "decision_id");
    expect([decisions.lines, decisions.values.size]).toEqual([requests, requests]);
    expect([access.lines, access.values.size]).toEqual([requests, requests]);
    const unjoined = [...access.values.keys()].filter((id) => !decisions.values.has(id));
    expect(unjoined).toEqual([]);
    expect(Object.fromEntries((await countBy(folder.access, "code")).values)).toEqual(byCode);
    expect(await audited(folder.audit)).toEqual({ code: 0, records: requests });
  });
});

/** What `gatehouse audit verify` says of the file. */
async function audited(file: string): Promise<{ readonly code: number; readonly records: number }> {
  let out = "";
  const streams = {
    out: (text: string) => {
      out += text;
    },
    err: () => {},
    stdin: async () => "",
    env: {},
  };
  const code = await verifyAudit([file], { output: "json" }, streams);
  return { code, records: Number((JSON.parse(out) as { records: number }).records) };
}
