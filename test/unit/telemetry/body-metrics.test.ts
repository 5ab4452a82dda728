import { describe, expect, it } from "vitest";
import type { ReportBody } from "../../../src/report/index.js";
import { type BodyObservation, createMetrics, renderMetrics } from "../../../src/telemetry/index.js";
import { nothingDone } from "../traces/reports.js";
import { anObservation, masked, refusal } from "./body-kit.js";

describe("metrics of body policies", () => {
  const linesOf = async (
    observations: readonly Partial<BodyObservation>[],
    prefix: string,
  ): Promise<string[]> => {
    const metrics = createMetrics({ processMetrics: false });
    for (const changes of observations) metrics.bodiesDone(anObservation(changes));
    const text = await renderMetrics([await metrics.values()]);
    return text.split("\n").filter((line) => line.startsWith(prefix) && !line.endsWith(" 0"));
  };

  it("say what each policy did", async () => {
    const report: ReportBody = {
      ...nothingDone,
      policies: ["a/changes", "a/trial", "a/nothing", "a/refuses"],
      changes: new Map([["a/changes/cards", 2]]),
      dryRun: [{ policy: "a/trial", reason: "sensitive_data" }],
    };
    expect(
      await linesOf(
        [
          { report, refusal: { ...refusal, policy: "a/refuses" } },
          { report: undefined, refusal: { ...refusal, policy: "a/begins" } },
        ],
        "gatehouse_body_policies_total",
      ),
    ).toEqual([
      'gatehouse_body_policies_total{policy="a/refuses",result="refused"} 1',
      'gatehouse_body_policies_total{policy="a/changes",result="changed"} 1',
      'gatehouse_body_policies_total{policy="a/trial",result="trial_refused"} 1',
      'gatehouse_body_policies_total{policy="a/nothing",result="passed"} 1',
      'gatehouse_body_policies_total{policy="a/begins",result="refused"} 1',
    ]);
  });

  it("count findings, bytes, usage, and what was not looked at", async () => {
    const report = {
      ...masked,
      requestBytes: 5,
      usage: [{ quota: "shop/tokens", units: 812 }],
      unscanned: true,
    };
    expect(await linesOf([{ report }, { report }], "gatehouse_body_")).toEqual([
      'gatehouse_body_policies_total{policy="shop/customers",result="changed"} 2',
      'gatehouse_body_findings_total{policy="shop/customers",rule="card"} 4',
      'gatehouse_body_findings_total{policy="shop/customers",rule="iban"} 2',
      'gatehouse_body_bytes_total{direction="request"} 10',
      'gatehouse_body_bytes_total{direction="response"} 28000',
      "gatehouse_body_unscanned_total 2",
      'gatehouse_body_usage_total{quota="shop/tokens"} 1624',
    ]);
  });
});

describe("metrics of ext_proc", () => {
  it("count each stream once, and those that are open", async () => {
    const { extProc, values } = createMetrics({ processMetrics: false });
    for (let i = 0; i < 4; i += 1) extProc.opened();
    extProc.received("request_headers");
    extProc.received("request_headers");
    extProc.answered("immediate_response");
    extProc.failed("closing");
    for (let i = 0; i < 3; i += 1) extProc.closed();
    extProc.violated("response", "out_of_order");
    const text = await renderMetrics([await values()]);
    for (const line of [
      'gatehouse_ext_proc_streams_total{result="finished"} 2',
      'gatehouse_ext_proc_streams_total{result="closing"} 1',
      'gatehouse_ext_proc_streams_total{result="internal_error"} 0',
      'gatehouse_ext_proc_messages_total{part="request_headers"} 2',
      "gatehouse_ext_proc_streams_open 1",
      'gatehouse_ext_proc_violations_total{direction="response",what="out_of_order"} 1',
    ])
      expect(text).toContain(`${line}\n`);
  });
});
