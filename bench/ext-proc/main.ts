/**
 * `npm run bench:ext-proc [-- --write] [--only headers|masking|direct|large|in-process] [--rounds N] [--requests N]`:
 * what external processing costs beside a server that does nothing on the same gRPC library, and beside ext_authz. Numbers
 * of one run compare, those of two runs do not.
 */
import { parseArgs } from "node:util";
import { writeResults } from "../results.js";
import { measureDirect } from "./direct.js";
import { describeInProcess, measureHeldBack, measureInProcess } from "./in-process.js";
import { describeLarge, measureHeld, measurePeaks } from "./large-bodies.js";
import { describe } from "./measure.js";
import { measureHeaders, measureMasking } from "./through-envoy.js";

const { values } = parseArgs({
  options: {
    write: { type: "boolean", default: false },
    rounds: { type: "string", default: "20" },
    requests: { type: "string", default: "300" },
    only: { type: "string" },
  },
});
// Each server that is started is ended with this process.
process.setMaxListeners(50);
const effort = { rounds: Number(values.rounds), requests: Number(values.requests) };
const parts: { readonly name: string; readonly text: string; readonly data: object }[] = [];
const wants = (part: string): boolean => values.only === undefined || values.only === part;
const add = (name: string, title: string, text: string, data: object): void => {
  parts.push({ name, text: `## ${title}\n\n${text}`, data });
  console.log(`\n${text}`);
};

if (wants("headers")) {
  const results = await measureHeaders(effort);
  add("headers", "Headers only, through Envoy", describe(results), results);
}
if (wants("masking")) {
  const results = await measureMasking(effort);
  add("masking", "A JSON body of 10 KiB, through Envoy", describe(results), results);
}
if (wants("direct")) {
  const results = await measureDirect(effort);
  add("direct", "Without Envoy", describe(results), results);
}
if (wants("large")) {
  const rounds = Math.max(1, Math.round(effort.rounds / 7));
  const held = await measureHeld(rounds);
  const peaks = await measurePeaks(rounds);
  add("large", "A body of 10 MB", describeLarge(held, peaks), { held, peaks });
}
if (wants("in-process")) {
  const results = await measureInProcess(effort.rounds * 5);
  const held = await measureHeldBack();
  add("inProcess", "In process", describeInProcess(results, held), { results, held });
}
if (parts.length === 0) throw new Error(`no part \`${values.only}\``);
if (values.write) {
  const method =
    "CPU time is utime + stime of the server's process over a fixed number of requests; the lines take turns, every other" +
    " round in the opposite order. Each number is the median of the rounds, each ratio and difference the median of the" +
    " rounds' own. The no-op is grpc-js with proto-loader and answers each message with CONTINUE. One Envoy with one" +
    " thread, which asks all servers with the same attributes and metadata; 10 AuthorizationPolicies apply.";
  const data = Object.fromEntries(parts.map(({ name, data }) => [name, data]));
  const text = [method, ...parts.map((part) => part.text)].join("\n\n");
  writeResults("ext-proc", "External processing: what it costs", { ...effort, ...data }, text);
}
