import { describe, expect, test } from "vitest";
import type { JsonObject } from "../../../src/attributes/index.js";
import type { BodyReport } from "../../../src/body/index.js";
import { bodyRecord } from "../../../src/envoy/ext-proc/body-record.js";
import type { ReportCheck } from "../../../src/report/index.js";
import { decision, type Plain, reportOf, struct } from "./als-messages.js";

const authorization = "envoy.filters.http.ext_authz";
const processing = "envoy.filters.http.ext_proc";

/** Metadata of both filters; `gatehouse` of each. */
function both(authorized: Plain, processed: Plain, ids: readonly [string, string] = ["d-1", "d-1"]): Plain {
  return {
    filter_metadata: {
      [authorization]: struct({ decision_id: ids[0], gatehouse: authorized }),
      [processing]: struct({ decision_id: ids[1], gatehouse: processed }),
    },
  };
}

interface Entry {
  readonly metadata: Plain;
  readonly details?: string;
  readonly attempts?: number;
  readonly more?: Plain;
}

function checkOf({ metadata, details = "via_upstream", attempts = 1, more = {} }: Entry): ReportCheck {
  return reportOf({
    common_properties: { metadata, upstream_request_attempt_count: attempts, ...more },
    response: { response_code_details: details },
  }).check;
}

const allowed = { allowed: true, code: 0, stage: "authorize", policy: "shop/readers" };
const asking = { ...allowed, obligations: ["shop/mask", "shop/scan"] };
const done: BodyReport = {
  policies: ["shop/mask", "shop/scan"],
  fulfilled: ["shop/mask", "shop/scan"],
  changes: new Map([
    ["shop/mask/card", 2],
    ["shop/mask/__proto__", 1],
  ]),
  refused: undefined,
  dryRun: [{ policy: "shop/trial", reason: "sensitive_data" }],
  requestBytes: 20,
  responseBytes: 14_000,
  usage: [{ quota: "shop/tokens", units: 812 }],
  unscanned: false,
};
const bodyOf = (report: Partial<BodyReport>): Plain =>
  bodyRecord({ ...done, ...report }) as JsonObject as Plain;

describe("what body policies did", () => {
  test("is read as ext_proc writes it", () => {
    const { body } = checkOf({ metadata: decision({ ...allowed, body: bodyOf({}) }, processing) });
    expect(body).toEqual({ ...done, changed: 3 });
  });

  test("is undefined where none applied, and empty where it has another form", () => {
    expect(checkOf({ metadata: decision(allowed, processing) }).body).toBeUndefined();
    expect(checkOf({ metadata: decision({ ...allowed, body: "none" }, processing) }).body).toBeUndefined();
    const body = {
      policies: "a",
      changes: -1,
      rules: [1],
      refused: 3,
      dry_run: [1],
      usage: {},
      unscanned: 1,
    };
    expect(checkOf({ metadata: decision({ ...allowed, body }, processing) }).body).toEqual({
      policies: [],
      fulfilled: [],
      changes: new Map(),
      changed: 0,
      refused: undefined,
      dryRun: [],
      requestBytes: 0,
      responseBytes: 0,
      usage: [],
      unscanned: false,
    });
  });

  test("counts also what there was no room to name", () => {
    const changes = new Map(
      Array.from({ length: 100 }, (_, i) => [`shop/mask/a-rule-with-a-long-name-${i}`, 1]),
    );
    const { body } = checkOf({ metadata: decision({ ...allowed, body: bodyOf({ changes }) }, processing) });
    expect(body?.changed).toBe(100);
    expect(body?.changes.size).toBeLessThan(100);
  });
});

describe("the decision of a request that ext_proc saw", () => {
  test("is ext_proc's where ext_authz has none of ours", () => {
    expect(checkOf({ metadata: decision(allowed, processing) })).toMatchObject({
      outcome: "allowed",
      decisionId: "d-1",
      policy: "shop/readers",
    });
    const foreign = { filter_metadata: { [authorization]: struct({ other: 1 }), ...processed(allowed) } };
    expect(checkOf({ metadata: foreign }).policy).toBe("shop/readers");
  });

  test("is ext_authz's where ext_proc carries it on", () => {
    const metadata = both(allowed, { ...allowed, stage: "none", policy: "", carried: true });
    expect(checkOf({ metadata })).toMatchObject({
      outcome: "allowed",
      stage: "authorize",
      policy: "shop/readers",
    });
  });

  test("is ext_proc's where it did not take the other's word, and refused", () => {
    const refusal = { allowed: false, code: 7, stage: "authn", reason: "jwt_expired" };
    expect(
      checkOf({
        metadata: both(allowed, refusal, ["d-1", "d-2"]),
        details: "gatehouse_denied",
        attempts: 0,
      }),
    ).toMatchObject({ outcome: "denied", decisionId: "d-2", reason: "jwt_expired" });
  });

  test("is not what another ext_proc says", () => {
    const foreign = { filter_metadata: { [processing]: struct({ decision_id: "x", allowed: true }) } };
    expect(checkOf({ metadata: foreign })).toMatchObject({
      outcome: "none",
      decisionId: "",
      body: undefined,
    });
  });
});

function processed(gatehouse: Plain): Plain {
  return { [processing]: struct({ decision_id: "d-1", gatehouse }) };
}

describe("the outcome of a request that ext_proc saw", () => {
  const refusal = { allowed: false, code: 7, stage: "authorize", reason: "denied_by_policy" };

  test("denied: our immediate response", () => {
    const entry = { metadata: decision(refusal, processing), details: "gatehouse_denied", attempts: 0 };
    expect(checkOf(entry).outcome).toBe("denied");
    expect(checkOf({ ...entry, metadata: {} }).outcome).toBe("denied");
  });

  test("denied but served: Envoy asked an upstream nevertheless", () => {
    expect(checkOf({ metadata: decision(refusal, processing) }).outcome).toBe("denied_but_served");
  });

  test.each([
    ["ext_proc_error_per-message_timeout_exceeded", "timeout"],
    ["ext_proc_error_gRPC_error_13{boom{via_upstream}}", "error"],
    ["ext_proc_error_gRPC_error_14", "error"],
  ])("%s is %s, also of what was allowed", (details, outcome) => {
    expect(checkOf({ metadata: {}, details, attempts: 0 }).outcome).toBe(outcome);
    expect(checkOf({ metadata: decision(allowed, processing), details }).outcome).toBe(outcome);
  });

  const later = { allowed: false, code: 7, stage: "body", reason: "sensitive_data", policy: "shop/scan" };
  const refused = { policy: "shop/scan", reason: "sensitive_data", phase: "response" } as const;

  test.each(["gatehouse_denied", "via_upstream"])(
    "denied: the response was refused, although an upstream was asked (%s)",
    (details) => {
      const body = bodyOf({ refused });
      for (const metadata of [decision({ ...later, body }, processing), both(allowed, { ...later, body })]) {
        expect(checkOf({ metadata, details })).toMatchObject({ outcome: "denied", body: { refused } });
      }
    },
  );

  test("denied by a refusal that no report of a run tells of: the record itself does", () => {
    const metadata = decision({ ...later, reason: "body_not_sent", policy: "" }, processing);
    expect(checkOf({ metadata })).toMatchObject({
      outcome: "denied",
      body: { policies: [], refused: { policy: "", reason: "body_not_sent", phase: undefined } },
    });
  });
});

describe("obligations", () => {
  const unmetOf = (entry: Entry): readonly string[] => checkOf(entry).unmet;

  test("are those of the decision", () => {
    expect(checkOf({ metadata: decision(asking) }).obligations).toEqual(["shop/mask", "shop/scan"]);
    expect(checkOf({ metadata: decision({ ...asking, obligations: "x" }) }).obligations).toEqual([]);
  });

  test("are met where ext_proc says so", () => {
    expect(unmetOf({ metadata: both(asking, { ...allowed, body: bodyOf({}) }) })).toEqual([]);
    expect(unmetOf({ metadata: decision({ ...asking, body: bodyOf({}) }, processing) })).toEqual([]);
  });

  test("are met where it did more than it has room to name, and unmet where that is not enough", () => {
    const obligations = Array.from({ length: 32 }, (_, i) => `shop/a-policy-with-a-rather-long-name-${i}`);
    const asked = { ...allowed, obligations };
    const entry = (fulfilled: readonly string[]): Entry => ({
      metadata: both(asked, { ...allowed, body: bodyOf({ policies: obligations, fulfilled }) }),
    });
    expect(unmetOf(entry(obligations))).toEqual([]);
    expect(checkOf(entry(obligations)).body?.fulfilled.toSorted()).toEqual(obligations.toSorted());
    expect(unmetOf(entry(obligations.slice(1)))).toContain(obligations[0]);
  });

  test("are unmet where it says nothing of them, and the request was served", () => {
    const body = bodyOf({ fulfilled: ["shop/scan"] });
    expect(unmetOf({ metadata: both(asking, { ...allowed, body }) })).toEqual(["shop/mask"]);
    expect(unmetOf({ metadata: both(asking, allowed) })).toEqual(asking.obligations);
    expect(unmetOf({ metadata: both({ ...asking, obligations: ["shop/mask"] }, { other: 1 }) })).toEqual([
      "shop/mask",
    ]);
  });

  test("are unmet where ext_proc was not there, however the response ended", () => {
    for (const details of ["via_upstream", "upstream_reset_after_response_started{x}", ""]) {
      expect(unmetOf({ metadata: decision(asking), details })).toEqual(asking.obligations);
    }
  });

  test("could not be met where nothing was served, or it was cut short", () => {
    const cut = both(asking, { ...allowed, body: bodyOf({ fulfilled: [] }) });
    expect(unmetOf({ metadata: decision(asking), details: "direct_response", attempts: 0 })).toEqual([]);
    expect(unmetOf({ metadata: decision(asking), details: "ext_proc_error_gRPC_error_14" })).toEqual([]);
    expect(unmetOf({ metadata: cut, details: "upstream_reset_after_response_started{x}" })).toEqual([]);
    const more = { response_flags: { downstream_connection_termination: true } };
    expect(unmetOf({ metadata: cut, more })).toEqual([]);
    expect(unmetOf({ metadata: decision(asking), more })).toEqual(asking.obligations);
  });

  test("are not judged before the request is over", () => {
    expect(unmetOf({ metadata: decision(asking), more: { access_log_type: 2 } })).toEqual([]);
    expect(unmetOf({ metadata: decision(asking), more: { access_log_type: 3 } })).toEqual(asking.obligations);
  });
});
