import { randomBytes } from "node:crypto";
import { setImmediate as nextTurn } from "node:timers/promises";
import type { RegoPorts } from "../rego/index.js";
import type { Metrics } from "../telemetry/index.js";
import type { ServerPorts } from "./options.js";

/** At most one line for each policy and reason in this many milliseconds. */
const LOG_MS = 10_000;
/** So many policies are told apart before the memory of lines starts anew. */
const MAX_QUIET = 10_000;

interface RegoSurroundings extends Pick<ServerPorts, "now" | "environment"> {
  readonly logger: { warn(fields: object, message: string): void };
  readonly metrics: Pick<Metrics, "regoFailed">;
}

/** Clock, randomness, environment and record keeping of the policies in Rego of one process. */
export function createRegoPorts({ logger, metrics, now, environment = {} }: RegoSurroundings): RegoPorts {
  const quietUntil = new Map<string, number>();
  const variables = Object.entries(environment).flatMap(([name, value]): [string, string][] =>
    value === undefined ? [] : [[name, value]],
  );
  const shown = new Map(variables.sort(([a], [b]) => (a < b ? -1 : 1)));
  return {
    now: () => performance.now(),
    wallClockNs: () => BigInt(now()) * 1_000_000n,
    random: Math.random,
    randomBytes: (count) => randomBytes(count),
    environment: shown,
    pause: () => nextTurn(),
    onFailure(policy, reason, message) {
      metrics.regoFailed(reason);
      const key = `${policy} ${reason}`;
      if (now() < (quietUntil.get(key) ?? 0)) return;
      if (quietUntil.size > MAX_QUIET) quietUntil.clear();
      quietUntil.set(key, now() + LOG_MS);
      logger.warn({ policy, reason, why: message }, "policy in Rego gave no answer");
    },
  };
}
