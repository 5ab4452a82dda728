import { pino } from "pino";
import { afterAll, beforeAll, expect, it } from "vitest";
import { type RunningServer, startServer } from "../../src/server/index.js";
import { type OidcServer, startOidc } from "../support/oidc.js";
import { mostInInterval, runRotationDrill } from "../support/rotation-drill.js";
import { type ConfigFolder, eventually, makeConfigFolder, tokensOf } from "../support/server-fixture.js";

/** The times of operation, made shorter; `npm run drill` takes the real ones. */
const keyTimes = { intervalMs: 500, minFreshMs: 1500, retryMs: 100 };

let folder: ConfigFolder;
let oidc: OidcServer;
let server: RunningServer;

beforeAll(async () => {
  oidc = await startOidc({ cacheControl: "max-age=1", keep: 3 });
  folder = makeConfigFolder();
  folder.write("authn.yaml", tokensOf(oidc.issuer));
  server = await startServer(
    { configPaths: [folder.path], grpcAddress: "127.0.0.1:0", adminAddress: "127.0.0.1:0" },
    { logger: pino({ level: "silent" }), now: Date.now, keyTimes },
  );
  await eventually(async () => (await fetch(`http://${server.adminAddress}/readyz`)).status, 200);
});
afterAll(async () => {
  await server.close();
  await oidc.stop();
  folder.remove();
});

it("keys rotate and cannot be reached for a while: every good token passes, and no other", async () => {
  const times = { pauseMs: 1500, outageMs: 4000 };
  const { good, bad, wrong, fetches, fetchesInOutage, elapsedMs } = await runRotationDrill({
    oidc,
    grpc: server.grpcAddress,
    times,
  });
  expect(wrong).toEqual([]);
  expect(good).toBeGreaterThan(100);
  expect(bad).toBeGreaterThan(50);
  expect(fetchesInOutage).toBeGreaterThan(2);
  // What tokens cause is one in an interval; one in the background may stand beside it.
  expect(mostInInterval(fetches, keyTimes.intervalMs)).toBeLessThanOrEqual(2);
  expect(fetches.length).toBeLessThanOrEqual(1 + elapsedMs / keyTimes.intervalMs);
});
