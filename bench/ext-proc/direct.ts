import { elsewhere, headerRules, masking } from "./documents.js";
import { type Expected, type Job, startGenerator } from "./job.js";
import { type Against, type Effort, type Line, type Measured, measure } from "./measure.js";
import { startGatehouse, startNoop } from "./targets.js";
import {
  HEADERS_LIMIT,
  JSON_BYTES,
  MASKING_LIMIT,
  maskedBody,
  wholeBody,
  withServers,
} from "./through-envoy.js";

type Streams = Extract<Job, { kind: "streams" }>;

interface Case extends Partial<Pick<Streams, "responseHeaders" | "responseBody" | "bodyBytes">> {
  readonly name: string;
  readonly server: string;
  readonly expected?: Expected;
  readonly against?: readonly Against[];
}

const NOOP_ONE = "no-op, request headers";
const NOOP_TWO = "no-op, request and response headers";
const PASSED = "no-op, passes 10 KiB in pieces";
const PASSED_WHOLE = "no-op, lets whole 10 KiB pass";
const UNMATCHED = "Gatehouse, 10 KiB, no policy matches";
const json = { bodyBytes: JSON_BYTES, expected: wholeBody } as const;
const masked = { bodyBytes: JSON_BYTES, expected: maskedBody } as const;

const cases: readonly Case[] = [
  { name: NOOP_ONE, server: "noop", responseHeaders: "SKIP" },
  {
    name: "Gatehouse, request headers",
    server: "gatehouse",
    against: [{ name: NOOP_ONE, times: HEADERS_LIMIT }],
  },
  { name: NOOP_TWO, server: "noop" },
  {
    name: "Gatehouse, header rules on the response",
    server: "headers",
    against: [{ name: NOOP_TWO, times: HEADERS_LIMIT }],
  },
  { name: PASSED, server: "noop", responseBody: "FULL_DUPLEX_STREAMED", ...json },
  { name: PASSED_WHOLE, server: "noop", responseBody: "BUFFERED", ...json },
  { name: UNMATCHED, server: "elsewhere", ...json, against: [{ name: NOOP_ONE }] },
  {
    name: "Gatehouse, masks 10 KiB as it streams",
    server: "streamed",
    ...masked,
    against: [
      { name: PASSED, more: MASKING_LIMIT },
      { name: UNMATCHED, more: MASKING_LIMIT },
    ],
  },
  {
    name: "Gatehouse, masks whole 10 KiB",
    server: "whole",
    ...masked,
    against: [
      { name: PASSED_WHOLE, more: MASKING_LIMIT },
      { name: UNMATCHED, more: MASKING_LIMIT },
    ],
  },
];

/** What Envoy would send, from a process that speaks HTTP/2 itself: steadier than through Envoy. */
export function measureDirect(effort: Effort): Promise<Measured[]> {
  const servers = {
    noop: startNoop,
    gatehouse: startGatehouse,
    headers: () => startGatehouse(headerRules),
    elsewhere: () => startGatehouse(elsewhere),
    streamed: () => startGatehouse(masking("streamed")),
    whole: () => startGatehouse(masking("whole")),
  };
  return withServers<Awaited<ReturnType<typeof startGatehouse>>, Measured[]>(servers, async (targets) => {
    const lines = cases.map(({ name, server, against, expected = {}, ...more }): Line => {
      const target = targets[server];
      if (target === undefined) throw new Error(`no server \`${server}\``);
      const job: Streams = {
        kind: "streams",
        port: target.port,
        count: effort.requests,
        parallel: 16,
        responseHeaders: "SEND",
        responseBody: "NONE",
        bodyBytes: 0,
        expected,
        ...more,
      };
      return { name, job, pids: { server: target.pid }, ...(against !== undefined && { against }) };
    });
    const generator = startGenerator();
    try {
      return await measure(generator, lines, effort);
    } finally {
      generator.stop();
    }
  });
}
