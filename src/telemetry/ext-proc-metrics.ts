import type { MetricObject } from "prom-client";
import type { MetricDefinition } from "./definition.js";
import { createNumberFamily } from "./family.js";

/** Why Gatehouse ended a stream, or refused on it, by itself. */
type Failure = "malformed" | "internal_error" | "closing" | "send_failed";
type Part = (typeof parts)[number];
type Violation = "body_not_sent" | "out_of_order";

/** What streams of ext_proc count; `extProc` is the observer of their service. */
export interface ExtProcMetrics {
  readonly extProc: {
    opened(): void;
    received(part: Part): void;
    answered(part: Part | "immediate_response"): void;
    violated(direction: "request" | "response", what: Violation): void;
    failed(why: Failure): void;
    /** Once for each that was opened. */
    closed(): void;
  };
  values(): MetricObject[];
}

const results = ["finished", "malformed", "internal_error", "closing", "send_failed"] as const;
const parts = [
  "request_headers",
  "request_body",
  "request_trailers",
  "response_headers",
  "response_body",
  "response_trailers",
] as const;

const streams: MetricDefinition = {
  name: "gatehouse_ext_proc_streams_total",
  type: "counter",
  help: "Streams of ext_proc that are over, one for each HTTP request, by how they ended.",
  labels: [{ name: "result", values: results }],
  startsAtZero: true,
  more:
    "`finished`: Envoy needed no more, refusals included. `malformed`: what came was no message. `internal_error`: a fault" +
    " of ours, answered with 500. `closing`: the server ended. `send_failed`: the connection took no answer.",
};

const violations: MetricDefinition = {
  name: "gatehouse_ext_proc_violations_total",
  type: "counter",
  help: "Requests and responses that were refused since Envoy did not send what policies have to see.",
  labels: [
    { name: "direction", values: ["request", "response"] },
    { name: "what", values: ["body_not_sent", "out_of_order"] },
  ],
  more: "`gatehouse doctor` finds what is wrong with its configuration.",
};

const messages: MetricDefinition = {
  name: "gatehouse_ext_proc_messages_total",
  type: "counter",
  help: "Messages of ext_proc that came, by part of the request or response.",
  labels: [{ name: "part", values: parts }],
  startsAtZero: true,
};

const open: MetricDefinition = {
  name: "gatehouse_ext_proc_streams_open",
  type: "gauge",
  help: "Streams of ext_proc that are open.",
  labels: [],
};

/** The metrics of ext_proc. */
export const extProcDefinitions: readonly MetricDefinition[] = [streams, messages, open, violations];

/** Counts streams of ext_proc and their messages. */
export function createExtProcMetrics(): ExtProcMetrics {
  const ended = createNumberFamily(streams);
  const came = createNumberFamily(messages);
  const now = createNumberFamily(open);
  const wrong = createNumberFamily(violations);
  /** Which of those that are open have failed is of no account: each is closed once. */
  let failedOpen = 0;
  return {
    extProc: {
      opened: () => now.add(1),
      received: (part) => came.add(1, part),
      answered: () => {},
      violated: (direction, what) => wrong.add(1, direction, what),
      failed(why) {
        failedOpen += 1;
        ended.add(1, why);
      },
      closed() {
        now.add(-1);
        if (failedOpen > 0) failedOpen -= 1;
        else ended.add(1, "finished");
      },
    },
    values: () => [ended, came, now, wrong].map((family) => family.object()),
  };
}
