/**
 * `npm run conformance -- [--context] FILE.jsonl[.gz]…`: replays corpora through a running server and prints
 * every disagreement and the count. Exit code 1 on a disagreement, 2 on wrong usage.
 */
import { parseArgs } from "node:util";
import { readCorpus } from "./corpus-case.js";
import { type Report, replay } from "./replay.js";

function print(file: string, report: Report): void {
  for (const { case: one, points } of report.disagreed) {
    console.log(`disagreed: ${one.id}`);
    for (const point of points) console.log(`  ${point}`);
  }
  const { cases, sets, agreed, disagreed, outOfScope } = report;
  const skipped = [...outOfScope].map(([reason, count]) => `, ${count} out of scope (${reason})`).join("");
  console.log(
    `${file}: ${cases} cases, ${sets} sets asked, ${agreed} agreed, ${disagreed.length} disagreed${skipped}`,
  );
}

const { values, positionals } = parseArgs({
  options: { context: { type: "boolean", default: false } },
  allowPositionals: true,
});
if (positionals.length === 0) {
  console.error("usage: npm run conformance -- [--context] FILE.jsonl[.gz]…");
  process.exit(2);
}
let total = { cases: 0, agreed: 0, disagreed: 0, outOfScope: 0 };
for (const file of positionals) {
  const report = await replay(readCorpus(file), values.context ? "context" : "mesh");
  print(file, report);
  total = {
    cases: total.cases + report.cases,
    agreed: total.agreed + report.agreed,
    disagreed: total.disagreed + report.disagreed.length,
    outOfScope: total.outOfScope + [...report.outOfScope.values()].reduce((sum, count) => sum + count, 0),
  };
}
const { cases, agreed, disagreed, outOfScope } = total;
console.log(`${cases} cases, ${agreed} agreed, ${disagreed} disagreed, ${outOfScope} out of scope`);
process.exitCode = disagreed === 0 ? 0 : 1;
