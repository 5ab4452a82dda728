/**
 * `npm run bench:ratelimit [-- --write] [--rounds N] [--count N] [--case TEXT]`: CPU time of a ShouldRateLimit, here
 * and by envoyproxy/ratelimit on the same Redis, in one run. Numbers of one run compare, those of two runs do not.
 */
import { parseArgs } from "node:util";
import { startGenerator } from "../load/job.js";
import { writeResults } from "../results.js";
import { type Case, cases } from "./cases.js";
import { measure } from "./measure.js";
import { describe } from "./report.js";
import { type Server, startTargets } from "./targets.js";

const { values } = parseArgs({
  options: {
    write: { type: "boolean", default: false },
    rounds: { type: "string", default: "5" },
    count: { type: "string", default: "20000" },
    "warm-up": { type: "string", default: "10000" },
    case: { type: "string", default: "" },
    "without-peer": { type: "boolean", default: false },
  },
});
const effort = {
  rounds: Number(values.rounds),
  count: Number(values.count),
  warmUp: Number(values["warm-up"]),
};
const onRedis: readonly Server[] = values["without-peer"] ? ["gatehouse"] : ["gatehouse", "peer"];
const servers: readonly Server[] = [...onRedis, "gatehouse in memory", "echo"];
/** An echo answers one status, so it is held against cases of one only. */
const serversOf = ({ name }: Case): readonly Server[] =>
  name.startsWith("1 descriptor") ? servers : servers.filter((server) => server !== "echo");
const method =
  "CPU time is utime + stime of the service's process, and of Redis', over a fixed number of requests, 32 under way at one" +
  " time over two connections; the lines take turns, round by round. Each number is the median of the rounds, each ratio" +
  " the median of the rounds' ratios. Statistics and tracing of the peer are off; here the metrics are on.";

const generator = startGenerator();
const targets = await startTargets(servers);
try {
  const chosen = cases().filter(({ name }) => name.includes(values.case));
  const results = await measure(generator, targets, chosen, serversOf, effort);
  const text = `${method}\n\n${describe(results)}`;
  console.log(text);
  if (values.write) {
    writeResults("ratelimit", "ShouldRateLimit beside envoyproxy/ratelimit", { ...effort, results }, text);
  }
} finally {
  generator.stop();
  await targets.stop();
}
