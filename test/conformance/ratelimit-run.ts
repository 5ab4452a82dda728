/**
 * `npm run conformance:ratelimit -- FILE.jsonl[.gz]… [--redis-url URL] [--shared-keys] [--workers N]`: replays corpora of
 * envoyproxy/ratelimit's answers through running servers and prints every disagreement and the count. The Redis must be
 * empty, and is emptied after each config. Exit code 1 on a disagreement.
 */
import { parseArgs } from "node:util";
import { Redis } from "ioredis";
import { disagreements } from "./ratelimit-agreement.js";
import { readRateLimitCorpus } from "./ratelimit-case.js";

const { values, positionals: files } = parseArgs({
  allowPositionals: true,
  options: {
    "redis-url": { type: "string" },
    "shared-keys": { type: "boolean", default: false },
    workers: { type: "string", default: "1" },
  },
});
if (files.length === 0) {
  console.error("usage: npm run conformance:ratelimit -- FILE.jsonl[.gz]… [--redis-url URL] [--shared-keys]");
  process.exit(2);
}
const redisUrl = values["redis-url"];
const redis = redisUrl === undefined ? undefined : new Redis(redisUrl);
for (const file of files) {
  const corpus = readRateLimitCorpus(file);
  let wrong = 0;
  for (const one of corpus) {
    const found = await disagreements(one, {
      sharedKeys: values["shared-keys"],
      workers: Number(values.workers),
      ...(redisUrl !== undefined && { redisUrl }),
    });
    await redis?.flushall();
    wrong += found.length;
    for (const { id, step, expected, got } of found) {
      console.log(
        `disagreed: ${id} step ${step}\n  expected ${JSON.stringify(expected)}\n  got ${JSON.stringify(got)}`,
      );
    }
  }
  const steps = corpus.reduce((sum, { steps }) => sum + steps.length, 0);
  console.log(`${file}: ${corpus.length} configs, ${steps - wrong} of ${steps} steps agreed`);
  if (wrong > 0) process.exitCode = 1;
}
redis?.disconnect();
