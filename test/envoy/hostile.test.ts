import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  checkCluster,
  type Decider,
  directRoutes,
  enforcedFilter,
  extAuthz,
  nativeRbac,
  router,
  snapshotOf,
  startDecider,
} from "../support/cases-differential.js";
import { hostileBytes, readHostileCases, type Verdict } from "../support/cases-hostile.js";
import { type Envoy, startEnvoy } from "../support/envoy.js";
import { rawRequest, sendRaw } from "../support/raw-http.js";

const { rules, requests } = readHostileCases();
const settings = {
  raw: { normalize_path: false },
  normalized: { normalize_path: true, merge_slashes: true },
};
type Setting = keyof typeof settings;

let ours: Decider;
let strict: Decider;
let envoy: Envoy;

beforeAll(async () => {
  const filters = rules.map(enforcedFilter);
  ours = await startDecider(snapshotOf(filters));
  strict = await startDecider(snapshotOf(filters, { strictRequests: true }));
  const listeners = Object.entries(settings).flatMap(([name, manager]) => [
    listener(`native-${name}`, rules.map(nativeRbac), manager),
    listener(`ours-${name}`, [extAuthz("ours")], manager),
    listener(`strict-${name}`, [extAuthz("strict")], manager),
  ]);
  envoy = await startEnvoy({
    bootstrap: { static_resources: { listeners, clusters: [checkCluster("ours"), checkCluster("strict")] } },
    clusters: { ours: ours.port, strict: strict.port },
  });
});
afterAll(async () => {
  await envoy.stop();
  await ours.stop();
  await strict.stop();
});

describe.each(["raw", "normalized"] as const)("hostile requests, paths %s", (setting) => {
  test.each(requests.map((request) => [request.name, request] as const))("%s", async (_, request) => {
    const bytes = hostileBytes(request);
    const native = await verdict("native", setting, bytes);
    expect(native).toBe(request.verdicts[setting]);
    expect(await verdict("ours", setting, bytes)).toBe(native);
  });
});

describe("strictRequests", () => {
  test.each(requests.map((request) => [request.name, request] as const))("%s", async (_, request) => {
    const before = strict.last();
    const answer = await verdict("strict", "raw", hostileBytes(request));
    const refused = strict.last() !== before && strict.last()?.reason === "ambiguous_request";
    expect(refused ? "refused" : "same").toBe(request.verdicts.strict);
    expect(answer).toBe(refused ? "deny" : request.verdicts.raw);
  });
});

test("none of it was an internal error, and a plain request is still answered", async () => {
  expect([...ours.errors, ...strict.errors]).toEqual([]);
  for (const side of ["native", "ours", "strict"] as const)
    expect(await verdict(side, "raw", rawRequest("/public/a"))).toBe("allow");
});

async function verdict(
  side: "native" | "ours" | "strict",
  setting: Setting,
  bytes: string,
): Promise<Verdict> {
  const { status } = await sendRaw({ port: envoy.ports[`${side}-${setting}`] ?? 0, bytes });
  if (status === 200) return "allow";
  return status === 403 ? "deny" : status;
}

function listener(name: string, filters: readonly unknown[], settings: object): unknown {
  const manager = {
    "@type":
      "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
    stat_prefix: name,
    max_request_headers_kb: 96,
    upgrade_configs: [{ upgrade_type: "CONNECT" }],
    ...settings,
    http_filters: [...filters, router],
    route_config: directRoutes(),
  };
  return {
    name,
    address: { socket_address: { address: "127.0.0.1", port_value: 0 } },
    filter_chains: [
      { filters: [{ name: "envoy.filters.network.http_connection_manager", typed_config: manager }] },
    ],
  };
}
