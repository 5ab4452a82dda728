import { createServer } from "node:net";
import { fileURLToPath } from "node:url";
import { expect, onTestFinished, test } from "vitest";
import { JWKS_URI } from "../../demo/login.js";
import { REQUESTS } from "../../demo/requests.js";
import { startChild } from "../support/child.js";
import { send } from "../support/http.js";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));

/** Runs what `npm run demo` runs, on the `dist/` that `npm test` has built. */
function demo(...flags: string[]): ReturnType<typeof startChild> {
  const args = ["--import", "tsx", "demo/main.ts", "--built", ...flags];
  return startChild(process.execPath, args, { cwd: ROOT, env: process.env });
}

test("the demo's requests are all answered as expected, by the expected policy, and it ends with 0", async () => {
  const child = await demo("--exit");
  const { code } = await child.exited;
  expect(child.output()).toContain(`${REQUESTS.length} of ${REQUESTS.length} as expected`);
  expect(code).toBe(0);
});

test("it prints the joined record of an allowed, a refused and a masked request, and what the metrics counted", async () => {
  const child = await demo("--exit");
  await child.exited;
  const output = child.output();
  expect(output).toMatch(
    /GET \S+\/account from \S+: allowed by policy bookshop\/account rule 0 in [\d.]+ ms as user https:\/\/login\.bookshop\.example\/ann, upstream answered 200 in /,
  );
  expect(output).toMatch(
    /POST \S+\/reviews from \S+: refused by policy bookshop\/reviews .*quota bookshop\/reviews had 0 of 2 for 1, Envoy answered 429/,
  );
  expect(output).toMatch(
    /GET \S+\/readers\/7 from \S+: allowed by policy bookshop\/readers rule 0 .* as user \S+\/bob, 3 values changed by bookshop\/contacts, upstream answered 200 in /,
  );
  expect(output).toMatch(/http:\/\/127\.0\.0\.1:\d+\/metrics/);
  const counts = [...output.matchAll(/^istio_requests_total\{.*\} +(\d+)$/gm)].map(([, count]) =>
    Number(count),
  );
  expect(counts.reduce((sum, count) => sum + count, 0)).toBe(REQUESTS.length);
});

test("without --exit the demo stays up until it is interrupted, then ends with 0", async () => {
  const child = await stayingUp();
  child.kill("SIGINT");
  expect(await child.exited).toEqual({ code: 0, signal: null });
});

test("where the port of the keys is taken, the printed token is good all the same", async () => {
  await occupy(Number(new URL(JWKS_URI).port));
  const child = await stayingUp();
  const [, token = "", url = ""] = /curl -i -H 'authorization: (.+)' (\S+)/.exec(child.output()) ?? [];
  const { port, pathname } = new URL(url);
  const answer = await send({ port: Number(port), path: pathname, headers: { authorization: token } });
  child.kill("SIGINT");
  expect(answer.status).toBe(200);
  expect(await child.exited).toEqual({ code: 0, signal: null });
});

/** A demo whose requests have been sent. */
async function stayingUp(): ReturnType<typeof startChild> {
  const child = await demo();
  await new Promise<void>((resolve, reject) => {
    child.onLine((line) => line.startsWith("Gatehouse  http") && resolve());
    child.exited.then(() => reject(new Error(child.output())));
  });
  return child;
}

/** Somebody listens on the port, if nobody did. */
async function occupy(port: number): Promise<void> {
  const server = createServer();
  onTestFinished(() => void server.close());
  await new Promise<void>((resolve) => {
    server.once("error", () => resolve());
    server.listen(port, "127.0.0.1", () => resolve());
  });
}
