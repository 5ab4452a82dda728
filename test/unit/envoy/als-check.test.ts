import { describe, expect, test } from "vitest";
import type { ReportCheck } from "../../../src/report/index.js";
import { decision, listening, type Plain, reportOf, tcp } from "./als-messages.js";

/** The check of an HTTP entry. */
function checkOf(details: string, properties: Plain = {}): ReportCheck {
  return reportOf({ common_properties: properties, response: { response_code_details: details } }).check;
}

function checkOfTcp(properties: Plain, connection: Plain = {}): ReportCheck | undefined {
  const entry = { common_properties: properties, connection_properties: connection };
  return listening().receive(tcp(entry))[0]?.check;
}

const allowed = decision({ allowed: true });
const denied = decision({ allowed: false });
const shadow = (result: number): Plain => ({
  filter_state_objects: {
    "envoy.filters.http.ext_authz.shadow": { value: Buffer.of(8, result, 16, 0x93, 3) },
  },
});
const latency = (ms: number, timeoutMs?: number): Plain => ({
  custom_tags: {
    check_latency_us: String(ms * 1000),
    ...(timeoutMs !== undefined && { check_timeout_ms: String(timeoutMs) }),
  },
});

describe("what became of a check", () => {
  test("allowed: its metadata say so", () => {
    expect(checkOf("via_upstream", { metadata: allowed, upstream_request_attempt_count: 1 }).outcome).toBe(
      "allowed",
    );
  });

  test("denied: Envoy says so", () => {
    expect(checkOf("ext_authz_denied", { metadata: denied }).outcome).toBe("denied");
    expect(checkOf("ext_authz_denied").outcome).toBe("denied");
  });

  test("denied: the client went away before it was told", () => {
    expect(checkOf("downstream_remote_disconnect", { metadata: denied }).outcome).toBe("denied");
  });

  test("denied but served: an upstream was asked nevertheless", () => {
    const entry = { metadata: denied, upstream_request_attempt_count: 1 };
    expect(checkOf("via_upstream", entry).outcome).toBe("denied_but_served");
  });

  test("denied in shadow mode: Envoy let the request pass on purpose", () => {
    const entry = { metadata: denied, upstream_request_attempt_count: 1, ...shadow(2) };
    expect(checkOf("via_upstream", entry).outcome).toBe("shadow_denied");
  });

  test("failed, and allowed, in shadow mode", () => {
    expect(checkOf("via_upstream", { upstream_request_attempt_count: 1, ...shadow(3) }).outcome).toBe(
      "shadow_error",
    );
    expect(checkOf("via_upstream", { upstream_request_attempt_count: 1, ...shadow(1) }).outcome).toBe(
      "allowed",
    );
  });

  test("failed: Envoy got no answer, or one that says so", () => {
    expect(checkOf("ext_authz_error").outcome).toBe("error");
    expect(checkOf("ext_authz_error", { metadata: denied })).toMatchObject({
      outcome: "error",
      decisionId: "d-1",
    });
  });

  test("timed out: it took as long as it may", () => {
    expect(checkOf("ext_authz_error", latency(297.2, 300)).outcome).toBe("timeout");
    expect(checkOf("ext_authz_error", latency(280, 300)).outcome).toBe("error");
    expect(checkOf("ext_authz_error", latency(400)).outcome).toBe("error");
  });

  test("none: nobody was asked", () => {
    expect(checkOf("via_upstream")).toMatchObject({
      outcome: "none",
      failedOpen: false,
      latencyMs: undefined,
    });
  });

  test("none, and failed open: Envoy asked, got nothing, and went on", () => {
    const entry = { ...latency(3), upstream_request_attempt_count: 1 };
    expect(checkOf("via_upstream", entry)).toMatchObject({ outcome: "none", failedOpen: true, latencyMs: 3 });
  });

  test("a client's headers say nothing about it", () => {
    const request_headers = {
      "x-gatehouse": "allowed",
      check_latency_us: "1",
      gatehouse: "{}",
      decision_id: "d",
    };
    const { check } = reportOf({ request: { request_headers } });
    expect(check).toMatchObject({ outcome: "none", decisionId: "", latencyMs: undefined });
  });

  test("metadata of the wrong protocol's filter, or of another one, say nothing about it", () => {
    for (const filter of ["envoy.filters.network.ext_authz", "gatehouse", "envoy.lua"]) {
      expect(checkOf("via_upstream", { metadata: decision({ allowed: true }, filter) }).outcome).toBe("none");
    }
  });
});

describe("the facts of a check", () => {
  test("are those of the decision's metadata", () => {
    const metadata = decision({
      allowed: true,
      code: 0,
      stage: "authorize",
      reason: "allow_rule",
      policy: "shop/web",
      rule: 2,
      snapshot: 7,
      failed_open: true,
      authn: { method: "jwt", principal: "issuer/alice" },
      quota: [{ quota: "shop/per-user", cost: 1, limit: 100, remaining: 99 }],
      dry_run: [{ action: "DENY", result: "would_deny", policy: "shop/next" }],
    });
    expect(checkOf("via_upstream", { metadata, ...latency(0.4) })).toEqual({
      outcome: "allowed",
      decisionId: "d-1",
      allowed: true,
      code: 0,
      stage: "authorize",
      reason: "allow_rule",
      policy: "shop/web",
      rule: 2,
      snapshot: 7,
      failedOpen: true,
      principal: "issuer/alice",
      quota: [{ quota: "shop/per-user", cost: 1, limit: 100, remaining: 99 }],
      dryRun: [{ action: "DENY", result: "would_deny", policy: "shop/next" }],
      obligations: [],
      unmet: [],
      body: undefined,
      latencyMs: 0.4,
    });
  });

  test("of another form are left out", () => {
    const metadata = decision({
      allowed: "true",
      code: 1.5,
      stage: 7,
      rule: "2",
      failed_open: "yes",
      authn: "alice",
      quota: { quota: "a" },
      dry_run: ["x", null, 1],
    });
    expect(checkOf("via_upstream", { metadata })).toMatchObject({
      outcome: "none",
      allowed: undefined,
      code: undefined,
      stage: "",
      rule: undefined,
      failedOpen: false,
      principal: "",
      quota: [],
      dryRun: [],
    });
  });

  test("have a latency of the metadata where no tag has it", () => {
    const metadata = {
      filter_metadata: {
        "envoy.filters.http.ext_authz": { fields: { ext_authz_duration: { numberValue: 34 } } },
      },
    };
    expect(checkOf("via_upstream", { metadata }).latencyMs).toBe(34);
    const custom_tags = { check_latency_us: "-" };
    expect(checkOf("via_upstream", { metadata, custom_tags }).latencyMs).toBe(34);
  });
});

test.each([Number.POSITIVE_INFINITY, Number.NaN, -1, 1e300])("a latency of %s ms is none", (numberValue) => {
  const metadata = {
    filter_metadata: { "envoy.filters.http.ext_authz": { fields: { ext_authz_duration: { numberValue } } } },
  };
  expect(checkOf("via_upstream", { metadata }).latencyMs).toBeUndefined();
});

describe("the check of a connection", () => {
  const network = (gatehouse: Plain): Plain => decision(gatehouse, "envoy.filters.network.ext_authz");
  const uaex = { response_flags: { unauthorized_details: { reason: 1 } } };

  test("is denied though Envoy reached for the upstream meanwhile", () => {
    const entry = { metadata: network({ allowed: false }), upstream_request_attempt_count: 1, ...uaex };
    expect(checkOfTcp(entry, { received_bytes: 3 })?.outcome).toBe("denied");
  });

  test("is denied but served where bytes came back", () => {
    const entry = { metadata: network({ allowed: false }), upstream_request_attempt_count: 1 };
    expect(checkOfTcp(entry, { received_bytes: 3, sent_bytes: 5 })?.outcome).toBe("denied_but_served");
    expect(checkOfTcp(entry, { received_bytes: 3 })?.outcome).toBe("denied");
  });

  test("failed, or timed out, without metadata", () => {
    const custom_tags = { check_timeout_ms: "300" };
    expect(checkOfTcp({ ...uaex, custom_tags, duration: { nanos: 2e6 } })?.outcome).toBe("error");
    expect(checkOfTcp({ ...uaex, custom_tags, duration: { nanos: 302e6 } })?.outcome).toBe("timeout");
  });

  test("is allowed by its metadata, and unknown before it is over", () => {
    expect(checkOfTcp({ metadata: network({ allowed: true }) })?.outcome).toBe("allowed");
    expect(checkOfTcp({ access_log_type: 14 })?.outcome).toBe("none");
  });
});
