import { startCli } from "../../test/support/cli.js";
import { startOidc } from "../../test/support/oidc.js";
import { mostInInterval, runRotationDrill } from "../../test/support/rotation-drill.js";
import { makeConfigFolder, tokensOf } from "../../test/support/server-fixture.js";

/**
 * `npm run drill`: keys rotate three times and cannot be reached for a minute, at the times of operation and with two
 * workers, while clients show fresh tokens. Takes two and a half minutes; ends with 1 when an answer was wrong.
 */
const intervalMs = 10_000;
const times = { pauseMs: 15_000, outageMs: 60_000 };

const oidc = await startOidc({ cacheControl: "max-age=60", keep: 3 });
const folder = makeConfigFolder();
folder.write("authn.yaml", tokensOf(oidc.issuer));
const flags = ["--grpc-address", "127.0.0.1:0", "--admin-address", "127.0.0.1:0", "--workers", "2"];
const server = startCli(["serve", "--config", folder.path, ...flags]);
try {
  const { grpc, admin } = await server.listening;
  while ((await fetch(`http://${admin}/readyz`)).status !== 200) {
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  const result = await runRotationDrill({ oidc, grpc, times });
  const { wrong, fetches, ...counts } = result;
  const seconds = fetches.map((at) => Math.round(at / 100) / 10);
  const most = mostInInterval(fetches, intervalMs);
  process.stdout.write(
    `${JSON.stringify({ ...counts, wrong: wrong.length, fetchesAtSeconds: seconds, mostFetchesInInterval: most }, null, 2)}\n`,
  );
  for (const line of wrong.slice(0, 20)) process.stdout.write(`wrong: ${line}\n`);
  const isTooOften = most > 2 || fetches.length > 1 + result.elapsedMs / intervalMs;
  process.exitCode = wrong.length > 0 || isTooOften ? 1 : 0;
} finally {
  server.process.kill("SIGTERM");
  await server.finished;
  await oidc.stop();
  folder.remove();
}
