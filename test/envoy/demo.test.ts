import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { REQUESTS } from "../../demo/requests.js";
import { startChild } from "../support/child.js";

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

test("without --exit the demo stays up until it is interrupted, then ends with 0", async () => {
  const child = await demo();
  await new Promise<void>((resolve, reject) => {
    child.onLine((line) => line.startsWith("Everything stays up") && resolve());
    child.exited.then(() => reject(new Error(child.output())));
  });
  child.kill("SIGINT");
  expect(await child.exited).toEqual({ code: 0, signal: null });
});
