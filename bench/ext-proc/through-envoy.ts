import { type Envoy, startEnvoy } from "../../test/support/envoy.js";
import { startEcho, type Target } from "../load/targets.js";
import { customerDocument, elsewhere, headerRules, masking, secrets } from "./documents.js";
import { bootstrapOf, type Way, type Ways } from "./envoy-bootstrap.js";
import { type Expected, startGenerator } from "./job.js";
import { type Against, type Effort, type Line, type Measured, measure } from "./measure.js";
import { startGatehouse, startNoop } from "./targets.js";

/** Of its no-op's CPU time, at the most, where policies look at headers only. */
export const HEADERS_LIMIT = 1.3;
/** CPU microseconds that masking may add. */
export const MASKING_LIMIT = 150;
/** Of the JSON body that is masked. */
export const JSON_BYTES = 10_240;

/** Whole: the document; masked: without what is masked. */
export const wholeBody: Expected = { bytes: JSON_BYTES, has: secrets };
export const maskedBody: Expected = { has: ['"note":"x', "withheld"], lacks: secrets };

/** A line through Envoy: who is asked, and what is expected. */
interface Case extends Omit<Way, "name"> {
  readonly name: string;
  /** The server whose CPU time counts. */
  readonly server?: string;
  readonly expected: Expected;
  readonly against?: readonly Against[];
}

const proc = (
  cluster: string,
  responseHeaders: "SEND" | "SKIP",
  responseBody: "NONE" | "BUFFERED" | "FULL_DUPLEX_STREAMED" = "NONE",
): Pick<Case, "proc" | "server"> => ({
  server: cluster,
  proc: { cluster, responseHeaders, responseBody },
});

const NOOP_ONE = "no-op ext_proc, request headers";
const NOOP_TWO = "no-op ext_proc, request and response headers";
const AUTHZ = "Gatehouse ext_authz";
const AUTHZ_ECHO = "no-op ext_authz";
const ok: Expected = { bytes: 2, has: ["ok"] };

const headerCases: readonly Case[] = [
  { name: "Envoy alone", expected: ok },
  { name: NOOP_ONE, ...proc("noop", "SKIP"), expected: ok },
  { name: NOOP_TWO, ...proc("noop", "SEND"), expected: ok },
  {
    name: "Gatehouse ext_proc, request headers",
    ...proc("gatehouse", "SKIP"),
    expected: ok,
    against: [{ name: NOOP_ONE, times: HEADERS_LIMIT }, { name: AUTHZ }],
  },
  {
    name: "Gatehouse ext_proc, response headers turned off by its answer",
    ...proc("gatehouse", "SEND"),
    expected: ok,
    against: [{ name: NOOP_ONE, times: HEADERS_LIMIT }, { name: NOOP_TWO }],
  },
  {
    name: "Gatehouse ext_proc, header rules on the response",
    ...proc("headers", "SEND"),
    expected: ok,
    against: [{ name: NOOP_TWO, times: HEADERS_LIMIT }],
  },
  { name: AUTHZ_ECHO, authz: "echo", server: "echo", expected: ok },
  { name: AUTHZ, authz: "gatehouse", server: "gatehouse", expected: ok, against: [{ name: AUTHZ_ECHO }] },
  {
    name: "Gatehouse ext_authz, then ext_proc with header rules",
    authz: "headers",
    ...proc("headers", "SEND"),
    expected: ok,
    against: [{ name: AUTHZ }, { name: "Gatehouse ext_proc, header rules on the response" }],
  },
];

const PASSED = "no-op ext_proc, passes the body in pieces";
const PASSED_WHOLE = "no-op ext_proc, lets the whole body pass";
const UNMATCHED = "Gatehouse ext_proc, no policy matches";
const json = { upstream: "json", expected: wholeBody } as const;

const bodyCases: readonly Case[] = [
  { name: NOOP_ONE, ...proc("noop", "SKIP"), ...json },
  { name: PASSED, ...proc("noop", "SEND", "FULL_DUPLEX_STREAMED"), ...json, against: [{ name: NOOP_ONE }] },
  { name: PASSED_WHOLE, ...proc("noop", "SEND", "BUFFERED"), ...json, against: [{ name: NOOP_ONE }] },
  { name: UNMATCHED, ...proc("elsewhere", "SEND"), ...json, against: [{ name: NOOP_ONE }] },
  {
    name: "Gatehouse ext_proc, masks as it streams",
    ...proc("streamed", "SEND"),
    ...json,
    expected: maskedBody,
    against: [
      { name: PASSED, more: MASKING_LIMIT },
      { name: UNMATCHED, more: MASKING_LIMIT },
    ],
  },
  {
    name: "Gatehouse ext_proc, masks the whole",
    ...proc("whole", "SEND"),
    ...json,
    expected: maskedBody,
    against: [
      { name: PASSED_WHOLE, more: MASKING_LIMIT },
      { name: UNMATCHED, more: MASKING_LIMIT },
    ],
  },
];

/** Policies over headers, through one Envoy with one thread that answers by itself. */
export function measureHeaders(effort: Effort): Promise<Measured[]> {
  const servers = {
    noop: startNoop,
    echo: () => startEcho(false),
    gatehouse: startGatehouse,
    headers: () => startGatehouse(headerRules),
  };
  return throughEnvoy(headerCases, servers, 32, effort);
}

/** A JSON body of 10 KiB, from an upstream that is a listener of the same Envoy. */
export function measureMasking(effort: Effort): Promise<Measured[]> {
  const servers = {
    noop: startNoop,
    elsewhere: () => startGatehouse(elsewhere),
    streamed: () => startGatehouse(masking("streamed")),
    whole: () => startGatehouse(masking("whole")),
  };
  return throughEnvoy(bodyCases, servers, 16, effort);
}

async function throughEnvoy(
  cases: readonly Case[],
  servers: Readonly<Record<string, () => Promise<Target>>>,
  parallel: number,
  effort: Effort,
): Promise<Measured[]> {
  const ways = cases.map((one, index) => ({ ...one, name: `way-${index}` }));
  return withServers(servers, async (targets) => {
    const upstreams = { json: customerDocument(JSON_BYTES) };
    return withEnvoy({ ways, servers: portsOf(targets), upstreams }, async (envoy) => {
      const lines = cases.map(({ name, server, expected, against }, index): Line => {
        const port = envoy.ports[`way-${index}`];
        const pid = server === undefined ? undefined : targets[server]?.pid;
        if (port === undefined || envoy.pid === undefined) throw new Error("Envoy does not listen");
        return {
          name,
          job: { kind: "http2", port, count: effort.requests, parallel, expected },
          pids: { envoy: envoy.pid, ...(pid !== undefined && { server: pid }) },
          ...(against !== undefined && { against }),
        };
      });
      const generator = startGenerator();
      try {
        return await measure(generator, lines, effort);
      } finally {
        generator.stop();
      }
    });
  });
}

/** Ports by name. */
export function portsOf(targets: Readonly<Record<string, Target>>): Record<string, number> {
  return Object.fromEntries(Object.entries(targets).map(([name, { port }]) => [name, port]));
}

/** Starts servers for as long as they are used. */
export async function withServers<Started extends Target, Result>(
  servers: Readonly<Record<string, () => Promise<Started>>>,
  use: (targets: Readonly<Record<string, Started>>) => Promise<Result>,
): Promise<Result> {
  const targets: Record<string, Started> = {};
  try {
    for (const [name, start] of Object.entries(servers)) targets[name] = await start();
    return await use(targets);
  } finally {
    for (const target of Object.values(targets)) await target.stop();
  }
}

/** Starts an Envoy for as long as it is used. */
export async function withEnvoy<Result>(ways: Ways, use: (envoy: Envoy) => Promise<Result>): Promise<Result> {
  const envoy = await startEnvoy({ bootstrap: bootstrapOf(ways) });
  try {
    return await use(envoy);
  } finally {
    await envoy.stop();
  }
}
