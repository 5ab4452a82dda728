import { describe, expect, it } from "vitest";
import { servedOf } from "../../../src/telemetry/index.js";
import { aReport, aServed } from "../../support/served.js";

const noCheck = {
  decisionId: "",
  allowed: undefined,
  code: undefined,
  stage: "",
  reason: "",
  policy: "",
  rule: undefined,
  snapshot: undefined,
  principal: "",
} as const;

describe("what a report adds to a decision", () => {
  it("says what the proxy answered, when, and what the upstream took", () => {
    expect(aServed().response).toEqual({
      time: 1_700_000_000_000,
      reporter: "sidecar~1",
      log_name: "gatehouse",
      side: "server",
      request_id: "s-1",
      event: "close",
      response_code: 200,
      code_details: "via_upstream",
      flags: null,
      duration_ms: 90,
      upstream_ms: 82,
      request_bytes: 120,
      response_bytes: 14_000,
      upstream_cluster: "books",
      upstream_address: "10.1.0.9:8080",
      upstream_failure: null,
      attempts: 1,
      grpc_status: null,
      check_latency_ms: 1.5,
      route: "default",
      termination: null,
      source_workload: null,
      destination_workload: "foo/httpbin",
    });
  });

  it("has the decision's facts as Envoy's metadata hold them", () => {
    const quota = [{ quota: "shop/q", cost: 1, limit: 100, remaining: 37 }];
    const dryRun = [{ action: "DENY", result: "denied", policy: "shop/trial" }, { action: "NEW" }];
    const { decision } = aServed({ check: { quota, dryRun } });
    expect(decision).toMatchObject({
      decision_id: "d-1",
      allowed: true,
      policy: "shop/only",
      rule: 2,
      quota,
      dry_run: [{ action: "DENY", result: "denied", policy: "shop/trial" }],
      request_principal: "https://id.example/ann",
      path: "/cart",
      duration_ms: null,
      authn_refused: null,
    });
  });

  it("counts the bytes of a connection as its report does, and has no status", () => {
    const { response } = aServed({ response: undefined, bytes: { received: 7, sent: 9 } });
    expect(response).toMatchObject({ response_code: null, request_bytes: 7, response_bytes: 9 });
  });

  it("holds no query and survives the way to another process", () => {
    const served = aServed();
    expect(JSON.stringify(served)).not.toContain("hush");
    expect(structuredClone(served)).toEqual(served);
  });

  it("is nothing where no check was asked", () => {
    expect(servedOf(aReport({ check: { ...noCheck, outcome: "none" } }))).toBeUndefined();
  });

  it("is a check without an answer once its request is over", () => {
    const check = { ...noCheck, outcome: "timeout" } as const;
    expect(servedOf(aReport({ check, event: "open" }))).toBeUndefined();
    expect(servedOf(aReport({ check }))).toMatchObject({
      decision_id: null,
      outcome: "timeout",
      decision: { decision_id: null, allowed: null, stage: null, reason: null, policy: null },
    });
  });

  it("is bounded, whatever a proxy says", () => {
    const long = "x".repeat(100_000);
    const fact = { quota: long, cost: 1, limit: 1, remaining: 0 };
    const served = aServed({
      check: {
        decisionId: long,
        stage: long,
        reason: long,
        policy: long,
        principal: long,
        quota: Array.from({ length: 1000 }, () => fact),
        dryRun: Array.from({ length: 1000 }, () => ({ action: "DENY", result: "denied", policy: long })),
      },
      response: { codeDetails: long },
      routeName: long,
      terminationDetails: long,
      flags: long,
      upstream: { cluster: long, transportFailure: long },
      times: { start: Number.POSITIVE_INFINITY },
    });
    expect(JSON.stringify(served).length).toBeLessThan(30_000);
    expect(served.response.time).toBe(0);
  });

  it("is not misled by metadata with the names of Object's own members", () => {
    const dryRun = [JSON.parse('{"__proto__": {"action": "DENY", "result": "denied"}}') as never];
    expect(aServed({ check: { dryRun } }).decision.dry_run).toEqual([]);
  });
});
