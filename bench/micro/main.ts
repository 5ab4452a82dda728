/** `npm run bench:micro [-- --write]`: what each stage of a Check costs, without the transport. */
import { parseArgs } from "node:util";
import { table, writeResults } from "../results.js";
import { measureStages } from "./measure.js";
import { attributeStages, authorizeStages, decodeStages, encodeStages, wholeStages } from "./stages.js";

const { values } = parseArgs({ options: { write: { type: "boolean", default: false } } });
const results = await measureStages([
  ...decodeStages(),
  ...(await attributeStages()),
  ...(await authorizeStages()),
  ...(await encodeStages()),
  ...(await wholeStages()),
]);
const of = (name: string): number => results.find((one) => one.name === name)?.medianMicros ?? Number.NaN;
const ten = of("authorize, 10 of 10 apply");
const verdict = (good: boolean): string => (good ? "met" : "not met");
const rows = results.map((one) => [one.name, one.medianMicros.toFixed(2), one.p99Micros.toFixed(2)]);
const ratio = of("authorize, 10 of 1000 apply") / ten;
const targets = [
  ["authorize with 10 applicable policies", "<= 5 µs", `${ten.toFixed(2)} µs`, verdict(ten <= 5)],
  ["10 of 1,000 against 10 of 10", "<= 1.1", ratio.toFixed(2), verdict(ratio <= 1.1)],
];
const text = [
  table(["stage", "median µs", "p99 µs"], rows),
  "",
  table(["target", "limit", "measured", ""], targets),
].join("\n");
console.log(text);
if (values.write) {
  const title = "Micro benchmarks: the stages of a Check";
  writeResults("micro", title, { stages: results }, text);
}
