/**
 * `npm run bench:als [-- --write] [--rounds N] [--count N] [--rate N] [--only entries|reading|checks|logs|observing] [--case TEXT]`:
 * what an entry of an access log costs, what it does to checks, and what keeping a decision costs a check. Numbers of
 * one run compare, those of two runs do not.
 */
import { parseArgs } from "node:util";
import { writeResults } from "../results.js";
import { measureChecks } from "./checks.js";
import { measureDecisionLogs } from "./decision-logs.js";
import {
  describeChecks,
  describeDecisionLogs,
  describeEntries,
  describeObserving,
  describeReading,
} from "./describe.js";
import { measureObserving, measureReading } from "./in-process.js";
import { startGenerator } from "./job.js";
import { measureEntries } from "./measure.js";
import { startLogTargets } from "./targets.js";

const { values } = parseArgs({
  options: {
    write: { type: "boolean", default: false },
    rounds: { type: "string", default: "5" },
    count: { type: "string", default: "10000" },
    rate: { type: "string", default: "5000" },
    case: { type: "string", default: "" },
    only: { type: "string" },
  },
});
// Each server that is started is ended with this process.
process.setMaxListeners(50);
const effort = { rounds: Number(values.rounds), count: Number(values.count), rate: Number(values.rate) };
const parts: { readonly name: string; readonly text: string; readonly data: object }[] = [];
const wants = (part: string): boolean => values.only === undefined || values.only === part;

if (wants("entries")) {
  const generator = startGenerator();
  const { targets, stop } = await startLogTargets(values.case);
  try {
    const results = await measureEntries(generator, targets, effort);
    parts.push({ name: "entries", text: describeEntries(results, effort), data: results });
  } finally {
    generator.stop();
    await stop();
  }
}
if (wants("reading")) {
  const results = await measureReading(values.case);
  parts.push({ name: "reading", text: describeReading(results), data: results });
}
if (wants("checks")) {
  const results = await measureChecks(effort);
  parts.push({ name: "checks", text: describeChecks(results, effort), data: results });
}
if (wants("logs")) {
  const results = await measureDecisionLogs(effort.rounds);
  parts.push({ name: "decisionLogs", text: describeDecisionLogs(results), data: results });
}
if (wants("observing")) {
  const results = await measureObserving();
  parts.push({ name: "observing", text: describeObserving(results), data: results });
}
console.log(parts.map(({ text }) => text).join("\n\n"));
if (values.write) {
  const text = parts.map((part) => part.text).join("\n\n");
  const data = Object.fromEntries(parts.map(({ name, data }) => [name, data]));
  writeResults("als", "Access logs: what an entry and a decision cost", { ...effort, ...data }, text);
}
