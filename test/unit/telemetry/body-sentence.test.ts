import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { ReportBody } from "../../../src/report/index.js";
import {
  adviseOn,
  type BodyObservation,
  type BodyRecord,
  bodyEventOf,
  createDecisionRing,
  describeDecision,
  isNoteworthy,
} from "../../../src/telemetry/index.js";
import { aRequest } from "../../support/request.js";
import { aDecision, aServed } from "../../support/served.js";
import { nothingDone } from "../traces/reports.js";
import { anAmendment, anObservation, masked, only, refusal, refused } from "./body-kit.js";

describe("in one sentence", () => {
  const sentence = (changes: Partial<BodyObservation>, served = aServed()): string => {
    const ring = createDecisionRing(1);
    ring.push(aDecision());
    ring.amend(anAmendment("d-1", changes));
    ring.served(served);
    return describeDecision(only(ring));
  };

  it("stands what was changed by whom", () => {
    expect(sentence({})).toBe(
      "GET example.com/cart from 10.0.0.1: allowed by policy shop/only rule 2 in 0.41 ms, 3 values changed by" +
        " shop/customers, upstream answered 200 in 82 ms, 14 KB",
    );
    const changes = new Map(Array.from({ length: 70 }, (_, i) => [`shop/p/r${i}`, 1]));
    expect(sentence({ report: { ...masked, changes, changed: 70 } })).toContain(
      "64 values changed by shop/p, 6 changes by other body policies,",
    );
    expect(sentence({ report: { ...masked, changes: new Map([["shop/p/r", 1]]), changed: 1 } })).toContain(
      "1 value changed by shop/p,",
    );
  });

  it.each<[string, Readonly<Record<string, number>>]>([
    ["2 headers changed by shop/p", { "shop/p/request.headers[0]": 1, "shop/p/response.headers[1]": 1 }],
    ["3 values and 1 header changed by shop/p", { "shop/p/card": 3, "shop/p/response.headers[0]": 1 }],
    ["body replaced by shop/p", { "shop/p/response.replaceErrors": 1 }],
    [
      "body replaced and 1 header changed by shop/p, 1 value changed by shop/q",
      { "shop/p/response.replaceErrors": 1, "shop/p/response.headers[0]": 1, "shop/q/request.rules[0]": 1 },
    ],
  ])("stands what it was that changed: %s", (expected, rules) => {
    const changes = new Map(Object.entries(rules));
    expect(sentence({ report: { ...nothingDone, changes } })).toContain(` in 0.41 ms, ${expected}, upstream`);
  });

  it("stands what was refused after it was allowed", () => {
    const served = aServed({
      check: { outcome: "denied", body: refused },
      response: { code: 502, codeDetails: "gatehouse_denied" },
    });
    expect(sentence({ report: refused, refusal }, served)).toBe(
      "GET example.com/cart from 10.0.0.1: allowed by policy shop/only rule 2 in 0.41 ms, its response refused by" +
        " body policy shop/scan (sensitive_data), Envoy answered 502",
    );
    const missing = { ...refusal, policy: "", reason: "body_not_sent", direction: "request" } as const;
    expect(sentence({ report: nothingDone, refusal: missing }, served)).toContain(
      ", its request refused (body_not_sent),",
    );
  });

  it("stands who refused where only the log knows, and that once", () => {
    const ring = createDecisionRing(1);
    const check = {
      outcome: "denied",
      allowed: false,
      code: 7,
      stage: "body",
      reason: "sensitive_data",
    } as const;
    ring.served(aServed({ check: { ...check, policy: "shop/scan", rule: undefined, body: refused } }));
    expect(describeDecision(only(ring))).toContain(
      ": refused by policy shop/scan (body: sensitive_data) in 1.5 ms (as Envoy saw it) as user",
    );
    expect(describeDecision(only(ring)).match(/sensitive_data/g)).toHaveLength(1);
  });

  it("stands what was tried, charged and not looked at", () => {
    const report: ReportBody = {
      ...nothingDone,
      dryRun: [{ policy: "shop/trial", reason: "body_too_large" }],
      usage: [{ quota: "shop/tokens", units: 812 }],
      unscanned: true,
    };
    expect(sentence({ report })).toContain(
      ", body policy shop/trial on trial would refuse it (body_too_large), quota shop/tokens was charged 812" +
        " in all, not all of the body was looked at, upstream",
    );
  });

  it("stands loudly what nobody carried out, with what to look at", () => {
    const ring = createDecisionRing(1);
    ring.served(aServed({ check: { obligations: ["shop/mask"], unmet: ["shop/mask"] } }));
    expect(describeDecision(only(ring))).toContain(
      "ALARM, body policy shop/mask was asked for and did not act",
    );
    expect(adviseOn(only(ring)).join("\n")).toContain("`metadata_options` let our metadata in");
  });

  it.each([
    ["error", "ext_proc_error_gRPC_error_14", "which had no answer that it could use about a later part"],
    [
      "timeout",
      "ext_proc_error_per-message_timeout_exceeded",
      "which had no answer in time about a later part",
    ],
  ] as const)("stands that a later answer was missing (%s)", (outcome, codeDetails, expected) => {
    const served = aServed({ check: { outcome }, response: { code: 500, codeDetails } });
    const ring = createDecisionRing(1);
    ring.push(aDecision());
    ring.served(served);
    expect(describeDecision(only(ring))).toContain(`in 0.41 ms, then refused by Envoy, ${expected}`);
    expect(adviseOn(only(ring))[0]).toContain("`message_timeout`");
  });

  it("stands nothing that moves a cursor, whatever names come", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), fc.string({ unit: "binary" }), (policy, reason) => {
        const report = {
          ...nothingDone,
          changes: new Map([[policy, 1]]),
          changed: 1,
          dryRun: [{ policy, reason }],
          refused: { policy, reason, phase: "request" as const },
        };
        expect(sentence({ report })).not.toMatch(/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u);
      }),
      { numRuns: 50 },
    );
  });
});

describe("the event of an exchange", () => {
  it("says who asked for what, and what became of it, without a query", () => {
    const event = bodyEventOf(
      anObservation({
        report: refused,
        refusal,
        attributes: aRequest().get("/cart?token=hush").claims({ iss: "https://id", sub: "ann" }).build(),
      }),
      17,
    );
    expect(event).toMatchObject({
      time: 17,
      event: "body",
      decision_id: "d-1",
      allowed: false,
      code: 7,
      stage: "body",
      policy: "shop/scan",
      reason: "sensitive_data",
      path: "/cart",
      request_principal: "https://id/ann",
      snapshot: 4,
    });
    expect(JSON.stringify(event)).not.toContain("hush");
  });

  it.each<[string, Partial<BodyObservation>, boolean]>([
    ["changed something", {}, true],
    ["refused", { report: undefined, refusal }, true],
    ["would refuse on trial", { report: { ...nothingDone, dryRun: [{ policy: "a/b", reason: "x" }] } }, true],
    ["did not look at all", { report: { ...nothingDone, unscanned: true } }, true],
    ["only looked", { report: { ...nothingDone, policies: ["a/b"], responseBytes: 9 } }, false],
  ])("is worth a line or not: %s", (_, changes, expected) => {
    expect(isNoteworthy(bodyEventOf(anObservation(changes), 0))).toBe(expected);
  });

  it("has rules of any name", () => {
    const changes = new Map([["__proto__", 1]]);
    const { body }: { body: BodyRecord } = bodyEventOf(anObservation({ report: { ...masked, changes } }), 0);
    expect(Object.keys(body.rules)).toEqual(["__proto__"]);
  });
});
