/**
 * `npm run conformance:rego -- FILE.jsonl[.gz]…`: replays corpora of OPA-Envoy's answers through a running server and
 * prints every disagreement and the count. Descriptors are looked for beside each file. Exit code 1 on a disagreement.
 */
import { dirname } from "node:path";
import { readRegoCorpus } from "./rego-case.js";
import { replayRego } from "./rego-replay.js";

const files = process.argv.slice(2);
if (files.length === 0) {
  console.error("usage: npm run conformance:rego -- FILE.jsonl[.gz]…");
  process.exit(2);
}
for (const file of files) {
  const { agreed, disagreed, sensitive } = await replayRego(readRegoCorpus(file), dirname(file));
  for (const { id, points } of disagreed) {
    console.log(`disagreed: ${id}`);
    for (const point of points) console.log(`  ${point}`);
  }
  const left = `${sensitive} left out: OPA's own versions differ there`;
  console.log(`${file}: ${agreed} agreed, ${disagreed.length} disagreed, ${left}`);
  if (disagreed.length > 0) process.exitCode = 1;
}
