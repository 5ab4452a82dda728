import { stringify } from "yaml";
import { loadProtos } from "../../src/server/protos.js";
import { benchWorkload } from "../policies.js";
import { benchRequest } from "../request.js";
import { median, table } from "../results.js";
import { benchAuthentication, benchSigners, requestWithToken } from "../tokens.js";
import type { Generator } from "./job.js";
import { type Line, type Measured, measure } from "./measure.js";
import { startBuiltGatehouse, startEcho, type Target } from "./targets.js";

/** How much is asked. */
export interface Effort {
  readonly rounds: number;
  /** Requests a line and round. */
  readonly count: number;
}

/** The most that a whole Check may cost, in times of the echo server. */
export const LIMIT = 1.35;

const ECHO = "echo";
/** What lines with tokens are held against: the same requests where no rule looks at tokens. */
const TOKENS_UNREAD = "gatehouse, 10 policies, tokens that nobody reads";

/** Gatehouse beside an echo server on the same gRPC library, over one connection, without Envoy. */
export async function measureDirect(generator: Generator, effort: Effort): Promise<Measured[]> {
  const targets: Record<string, Target> = {};
  const stops: (() => Promise<void>)[] = [];
  try {
    targets[ECHO] = await startEcho(false);
    targets["echo, with a decision record"] = await startEcho(true);
    targets["gatehouse, no policy"] = await startBuiltGatehouse({ applicable: 0, loaded: 0 });
    targets["gatehouse, 10 policies"] = await startBuiltGatehouse({ applicable: 10, loaded: 10 });
    targets["gatehouse, 5 of 1,000 policies"] = await startBuiltGatehouse({ applicable: 5, loaded: 1_000 });
    const policies = { applicable: 10, loaded: 10 };
    const [signer] = benchSigners();
    if (signer === undefined) throw new Error("no signer");
    const documents = [stringify(benchAuthentication([signer], benchWorkload.namespace))];
    const remembering = await startBuiltGatehouse(policies, { documents });
    const forgetting = await startBuiltGatehouse(policies, { documents, flags: ["--token-cache", "0"] });
    stops.push(remembering.stop, forgetting.stop);
    const tokens = await Promise.all(Array.from({ length: 256 }, (_, i) => signer.sign(String(1000 + i))));
    const payloads = tokens.map((token) => requestWithToken(token).toString("base64"));
    const withTokens = (name: string, { pid, port }: Target): Line => ({
      name,
      job: { kind: "grpc", port, count: effort.count, parallel: 32, payloads },
      pids: { server: pid },
    });
    const identified = [
      withTokens(TOKENS_UNREAD, targets["gatehouse, 10 policies"] as Target),
      withTokens("gatehouse, 10 policies, 256 remembered RS256 tokens", remembering),
      withTokens("gatehouse, 10 policies, RS256 tokens verified each time", forgetting),
    ];
    const lines = [false, true].flatMap((certificate) => {
      const bytes = loadProtos().check.requestSerialize(benchRequest({ certificate, headers: "raw" }));
      const payload = bytes.toString("base64");
      return Object.entries(targets).map(
        ([name, { pid, port }]): Line => ({
          name: named(name, certificate),
          job: { kind: "grpc", port, count: effort.count, parallel: 32, payloads: [payload] },
          pids: { server: pid },
        }),
      );
    });
    return await measure(generator, [...lines, ...identified], effort.rounds);
  } finally {
    await Promise.all([
      ...Object.values(targets).map((target) => target.stop()),
      ...stops.map((stop) => stop()),
    ]);
  }
}

function named(name: string, certificate: boolean): string {
  return certificate ? `${name}; with peer certificate` : name;
}

/** Each line with its ratio to the echo server on the same request: the median of the rounds' own ratios. */
export function describeDirect(results: readonly Measured[]): string {
  const rows = results.map((one) => {
    const ratio = ratioToEcho(one, results);
    const isJudged = !one.name.startsWith(ECHO) && !one.name.includes("tokens");
    const verdict = isJudged ? (ratio <= LIMIT ? "met" : "not met") : "";
    const range = `${Math.min(...one.rounds).toFixed(0)}–${Math.max(...one.rounds).toFixed(0)}`;
    const cpu = median(one.rounds).toFixed(1);
    return [one.name, cpu, range, ratio.toFixed(2), verdict, one.requestsPerSecond.toFixed(0)];
  });
  return table(["server", "CPU µs a Check", "rounds", "of echo", `<= ${LIMIT}`, "requests/s"], rows);
}

function ratioToEcho(one: Measured, results: readonly Measured[]): number {
  const name = named(ECHO, one.name.endsWith("certificate"));
  const echo = results.find((other) => other.name === name)?.rounds ?? [];
  return median(one.rounds.map((micros, round) => micros / (echo[round] ?? Number.NaN)));
}
