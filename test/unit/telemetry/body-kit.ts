import type { ReportBody } from "../../../src/report/index.js";
import {
  type Amendment,
  type BodyObservation,
  bodyEventOf,
  type DecisionRing,
  type JoinedRecord,
} from "../../../src/telemetry/index.js";
import { aRequest } from "../../support/request.js";
import { nothingDone } from "../traces/reports.js";

/** Three fields were changed, as an obligation. */
export const masked: ReportBody = {
  ...nothingDone,
  policies: ["shop/customers"],
  fulfilled: ["shop/customers"],
  changes: new Map([
    ["shop/customers/card", 2],
    ["shop/customers/iban", 1],
  ]),
  changed: 3,
  responseBytes: 14_000,
};
/** Of a response. */
export const refusal: NonNullable<BodyObservation["refusal"]> = {
  policy: "shop/scan",
  reason: "sensitive_data",
  code: 7,
  direction: "response",
};
/** The same as the run has it. */
export const refused: ReportBody = {
  ...nothingDone,
  policies: ["shop/scan"],
  refused: { policy: "shop/scan", reason: "sensitive_data", phase: "response" },
};

/** An exchange in which three fields were changed, until told otherwise. */
export function anObservation(changes: Partial<BodyObservation> = {}): BodyObservation {
  return {
    decisionId: "d-1",
    generation: 4,
    attributes: aRequest().get("/cart?token=hush").build(),
    workload: undefined,
    obligations: [],
    report: masked,
    refusal: undefined,
    ...changes,
  };
}

/** What is told of it. */
export function anAmendment(id: string, changes: Partial<BodyObservation> = {}): Amendment {
  return { decision_id: id, body: bodyEventOf(anObservation(changes), 0).body };
}

/** The one record of a ring. */
export function only(ring: DecisionRing): JoinedRecord {
  const [record, ...others] = ring.list({});
  if (record === undefined || others.length > 0) throw new Error("expected one record");
  return record;
}
