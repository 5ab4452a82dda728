import { describe, expect, it } from "vitest";
import {
  auditSettings,
  compileDecisionLog,
  decisionLogSettings,
  type LogLine,
} from "../../../src/logs/index.js";
import type { BodyObservation } from "../../../src/telemetry/index.js";
import { aRequest } from "../../support/request.js";
import { nothingDone } from "../traces/reports.js";

const attributes = aRequest()
  .get("/cart?access_token=s3cret")
  .header("authorization", "Bearer s3cret")
  .header("x-tenant", "acme")
  .header("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
  .build();

const changed: BodyObservation = {
  decisionId: "d-1",
  generation: 4,
  attributes,
  workload: undefined,
  obligations: ["shop/mask"],
  report: {
    ...nothingDone,
    policies: ["shop/mask"],
    fulfilled: ["shop/mask"],
    changes: new Map([["shop/mask/card", 2]]),
  },
  refusal: undefined,
};
const refused: BodyObservation = {
  ...changed,
  refusal: { policy: "shop/scan", reason: "sensitive_data", code: 7, direction: "response" },
};
const passed: BodyObservation = { ...changed, report: { ...nothingDone, policies: ["shop/mask"] } };

const stdout = { name: "out", stdout: {} };

function write(spec: unknown, observation: BodyObservation, audit?: unknown): readonly LogLine[] {
  const log = compileDecisionLog(
    decisionLogSettings.parse(spec),
    audit === undefined ? undefined : auditSettings.parse(audit),
    { places: [], failed: () => {} },
  );
  return log?.bodyLines(observation, 17) ?? [];
}

function recordsOf(lines: readonly LogLine[]): readonly Record<string, unknown>[] {
  return lines.map(({ text }) => JSON.parse(text) as Record<string, unknown>);
}

describe("the line of body policies", () => {
  it("is a second one of the decision, which says what was changed", () => {
    const lines = write({ sinks: [stdout] }, changed);
    expect(lines).toMatchObject([{ sink: "decisions/out", severity: "info", time: 17 }]);
    expect(lines[0]?.text).toMatch(
      /^\{"level":30,"time":17,"event":"body","decision_id":"d-1","allowed":true,/,
    );
    expect(recordsOf(lines)).toMatchObject([
      {
        stage: "body",
        policy: null,
        path: "/cart",
        body: { changes: 2, rules: { "shop/mask/card": 2 } },
        msg: "body",
      },
    ]);
  });

  it("is not written where nothing was done", () => {
    expect(write({ sinks: [stdout] }, passed)).toEqual([]);
  });

  it("says what was refused by whom, and how bad it is", () => {
    expect(recordsOf(write({ sinks: [stdout] }, refused))).toMatchObject([
      { level: 40, allowed: false, code: 7, policy: "shop/scan", reason: "sensitive_data" },
    ]);
    const fault = { policy: "", reason: "body_not_sent", code: 13, direction: "request" } as const;
    expect(recordsOf(write({ sinks: [stdout] }, { ...refused, refusal: fault }))).toMatchObject([
      { level: 50 },
    ]);
    const unscanned = { ...nothingDone, unscanned: true };
    expect(recordsOf(write({ sinks: [stdout] }, { ...changed, report: unscanned }))).toMatchObject([
      { level: 40 },
    ]);
  });

  it.each<[filter: string, ofRefused: number, ofChanged: number]>([
    ["!check.allowed", 1, 0],
    ["check.event == 'body'", 1, 1],
    ["check.event == 'decision'", 0, 0],
    ["check.body.changes > 1", 1, 1],
    ["'shop/mask' in check.body.policies && 'shop/mask' in check.obligations", 1, 1],
    ["has(check.duration)", 0, 0],
    ["has(check.reason) && check.policy == 'shop/scan'", 1, 0],
    ["request.url_path == '/cart'", 1, 1],
  ])("is taken by a sink whose filter says so: %s", (filter, ofRefused, ofChanged) => {
    const spec = { sinks: [{ ...stdout, filter }] };
    expect([write(spec, refused).length, write(spec, changed).length]).toEqual([ofRefused, ofChanged]);
  });

  it("is dropped, but for refusals, and never from the audit file", () => {
    const spec = { sinks: [stdout], drop: ["check.event == 'body'"] };
    expect(write(spec, changed)).toEqual([]);
    expect(write(spec, refused)).toHaveLength(1);
    expect(write(spec, changed, { path: "audit.jsonl", strict: true }).map(({ sink }) => sink)).toEqual([
      "audit",
    ]);
  });

  it("is masked, and has what is included, as any other", () => {
    const rules = [{ fields: ["path", "body"] }, { fields: ["obligations"], op: "remove" }];
    const include = { requestHeaders: ["authorization", "x-tenant"], query: true };
    const lines = write({ sinks: [stdout], include, mask: { rules } }, changed);
    const [record] = recordsOf(lines);
    expect(record).toMatchObject({
      path: "***",
      body: "***",
      headers: { authorization: "***", "x-tenant": "acme" },
      query: "access_token=***",
    });
    expect(record).not.toHaveProperty("obligations");
    expect(lines[0]?.text).not.toContain("s3cret");
  });

  it("goes to a collector with its event and trace", () => {
    const otlp = { name: "otlp", otlp: { service: "otel", port: 4317 } };
    expect(write({ sinks: [otlp] }, refused)).toMatchObject([
      {
        traceId: "0af7651916cd43dd8448eb211c80319c",
        fields: { "gatehouse.event": "body", "gatehouse.policy": "shop/scan", "gatehouse.allowed": false },
      },
    ]);
  });
});
