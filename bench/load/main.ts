/**
 * `npm run bench:load [-- --write] [--rounds N] [--count N] [--only direct|envoy]`: CPU time a Check and
 * requests a second, side by side in one run. Numbers of one run compare, those of two runs do not.
 */
import { parseArgs } from "node:util";
import { writeResults } from "../results.js";
import { describeDirect, measureDirect } from "./direct.js";
import { startGenerator } from "./job.js";
import { describeThroughEnvoy, measureThroughEnvoy } from "./through-envoy.js";

const { values } = parseArgs({
  options: {
    write: { type: "boolean", default: false },
    rounds: { type: "string", default: "80" },
    count: { type: "string", default: "500" },
    only: { type: "string" },
  },
});
const method =
  "CPU time is utime + stime of the server's processes over a fixed number of requests, 32 under way at one time; the lines" +
  " take turns, round by round. Each number is the median of the rounds, each ratio the median of the rounds' ratios.";
const effort = { rounds: Number(values.rounds), count: Number(values.count) };
const generator = startGenerator();
try {
  if (values.only !== "envoy") {
    const results = await measureDirect(generator, effort);
    const text = describeDirect(results);
    console.log(text);
    if (values.write) {
      writeResults(
        "load-direct",
        "Load: Gatehouse beside an echo server",
        { ...effort, lines: results },
        `${method}\n\n${text}`,
      );
    }
  }
  if (values.only !== "direct") {
    const results = await measureThroughEnvoy(generator, effort);
    const text = describeThroughEnvoy(results);
    console.log(text);
    if (values.write) {
      writeResults(
        "load-envoy",
        "Load: through one Envoy with one thread",
        { ...effort, lines: results },
        `${method}\n\n${text}`,
      );
    }
  }
} finally {
  generator.stop();
}
