/**
 * `npm run bench:micro:quota [-- --write] [--rounds N]`: what quotas add to a Check, and what a ShouldRateLimit takes,
 * from bytes to bytes without transport, with the memory store. `--only NAME --seconds N`: that one alone, for a profile.
 */
import { Buffer } from "node:buffer";
import { randomUUID } from "node:crypto";
import { parseArgs } from "node:util";
import { stringify } from "yaml";
import type * as Config from "../../src/config/index.js";
import type * as Envoy from "../../src/envoy/index.js";
import type * as Quotas from "../../src/quota/index.js";
import type * as RateLimits from "../../src/ratelimit/index.js";
import { loadProtos } from "../../src/server/protos.js";
import type * as Telemetry from "../../src/telemetry/index.js";
import { telemetryPorts } from "../../test/support/telemetry-ports.js";
import { fastest, type Runs } from "../micro/fastest.js";
import { benchConfig, benchWorkload } from "../policies.js";
import { benchRequest } from "../request.js";
import { table, writeResults } from "../results.js";
import { cases, limits } from "./cases.js";

/** As it is built: what runs the sources for a benchmark makes every function made per request dearer. */
const built = <Module>(name: string): Promise<Module> =>
  import(new URL(`../../dist/${name}/index.js`, import.meta.url).href) as Promise<Module>;
const { createAssembler, createCatalog } = await built<typeof Config>("config");
const { createAuthorization, createRateLimitService } = await built<typeof Envoy>("envoy");
const { createMetrics } = await built<typeof Telemetry>("telemetry");
const { createLedger, createMemoryStore } = await built<typeof Quotas>("quota");
const { createRateLimits, defaultRateLimitSettings, parseRateLimitFile } =
  await built<typeof RateLimits>("ratelimit");

const protos = loadProtos();
const pause = async (): Promise<void> => {};
const now = (): number => performance.now();
const rethrow = (error: unknown): never => {
  throw error;
};
const nothing = (): void => {};
const never = (): never => {
  throw new Error("not asked for here");
};

const store = createMemoryStore({ now: Date.now });
const metrics = createMetrics({ processMetrics: false });
const observer = metrics.quotas;
const rateLimitPorts = {
  settings: defaultRateLimitSettings,
  store,
  now: Date.now,
  random: Math.random,
  observer: metrics.rateLimits,
  localCache: undefined,
};

const tenant = "request.headers['x-tenant']";
const net = "ipPrefix(remote.ip, 24, 64)";
const match = "request.method == 'GET' && request.url_path.startsWith('/api/')";

/** The first is what the target speaks of; the others count in other ways. */
const quotas: readonly object[] = [
  { dimensions: { tenant, net }, limit: 1_000_000_000, window: "1h" },
  { match, dimensions: { tenant }, limit: 1_000_000_000, window: "1m", algorithm: "slidingWindow" },
  {
    dimensions: { net },
    limit: 1_000_000_000,
    window: "1s",
    algorithm: "tokenBucket",
    cost: "request.size + 1",
  },
].map((spec, i) => ({
  apiVersion: "gatehouse.dev/v1alpha1",
  kind: "Quota",
  metadata: { name: `quota-${i}`, namespace: benchWorkload.namespace },
  spec,
}));

type Service = ReturnType<typeof Envoy.createAuthorization>;

/** Ten policies and so many quotas. */
async function serviceWith(count: number): Promise<Service> {
  const documents = [
    ...benchConfig({ applicable: 10, loaded: 10 }),
    ...quotas.slice(0, count).map((quota) => stringify(quota)),
  ];
  const files = [{ path: "bench.yaml", text: documents.join("---\n"), root: "." }];
  const update = await createCatalog({ pause }).update({ files, diagnostics: [], roots: [] });
  const snapshot = await createAssembler({
    pause,
    providers: () => undefined,
    jwt: { keys: never, verifier: { known: never, verify: never } },
    introspection: never,
    onAuthenticated: nothing,
    rego: never,
    quota: { ledger: createLedger({ store, local: store, observer }), observer },
    rateLimit: rateLimitPorts,
    telemetry: telemetryPorts(),
  }).apply(update);
  return createAuthorization({
    current: () => snapshot,
    decisionId: randomUUID,
    encode: protos.check.responseSerialize,
    now,
    wallClock: Date.now,
    observe: ({ allowed, reason, quota }) => {
      if (!allowed) throw new Error(`the benchmark's request is refused: ${reason}`);
      if (quota.facts.length !== count) throw new Error(`${quota.facts.length} quotas count, not ${count}`);
    },
    onError: rethrow,
  });
}

/** The same request of so many tenants, so that not one counter alone is charged. */
function requestsOf(tenants: number): Buffer[] {
  return Array.from({ length: tenants }, (_, i) => {
    const request = benchRequest({ headers: "raw", certificate: false });
    const lines = request.attributes?.request?.http?.header_map?.headers ?? [];
    const raw_value = Buffer.from(`tenant-${1000 + i}`);
    const headers = lines.map((line) => (line.key === "x-tenant" ? { ...line, raw_value } : line));
    const http = { ...request.attributes?.request?.http, header_map: { headers } };
    const attributes = { ...request.attributes, request: { ...request.attributes?.request, http } };
    return protos.check.requestSerialize({ attributes });
  });
}

const requests = requestsOf(256);
let turn = 0;
const check = (service: Service) => (): unknown => {
  turn = (turn + 1) % requests.length;
  const bytes = requests[turn] ?? Buffer.alloc(0);
  return service.check(protos.check.requestDeserialize(bytes), bytes);
};

const { spec: file } = parseRateLimitFile(limits);
if (file === undefined) throw new Error("the limits are not valid");
const rateLimits = createRateLimits([file], undefined, rateLimitPorts);
const rateLimit = createRateLimitService({
  current: () => rateLimits,
  now,
  observe: metrics.rateLimited,
  onError: rethrow,
});

const runs: Record<string, () => unknown> = {};
for (const count of [0, 1, 3]) runs[`Check, ${count} quotas`] = check(await serviceWith(count));
for (const { name, payload, hasLocalCache } of cases()) {
  if (hasLocalCache) continue;
  const bytes = Buffer.from(payload, "base64");
  runs[`ShouldRateLimit, ${name.replace(", new key each time", "")}`] = () =>
    rateLimit.shouldRateLimit(bytes);
}

const { values } = parseArgs({
  options: {
    write: { type: "boolean", default: false },
    rounds: { type: "string", default: "400" },
    only: { type: "string" },
    seconds: { type: "string", default: "5" },
  },
});

function report(all: Runs): void {
  const of = fastest(all, Number(values.rounds));
  const base = of("Check, 0 quotas");
  const rows = Object.keys(all).map((name) => [
    name,
    of(name).toFixed(2),
    name.startsWith("Check") ? (of(name) - base).toFixed(2) : "",
  ]);
  const target = (text: string, limit: number, micros: number): string[] => {
    return [text, `<= ${limit} µs`, `${micros.toFixed(2)} µs`, micros <= limit ? "met" : "not met"];
  };
  const targets = [
    target("one quota adds to a Check", 15, of("Check, 1 quotas") - base),
    target("three quotas add to a Check", 15, of("Check, 3 quotas") - base),
    ...Object.keys(all)
      .filter((name) => name.startsWith("Should") && !name.includes("10 descriptors"))
      .map((name) => target(name, 10, of(name))),
  ];
  const text = [
    table(["bytes to bytes, memory store", "µs", "quotas add, µs"], rows),
    "",
    table(["target", "limit", "measured", ""], targets),
    "",
    "Ten policies, headers on, 256 tenants; the first quota has two dimensions, the second `match`, the third `cost`.",
  ].join("\n");
  console.log(text);
  if (values.write) writeResults("micro-quota", "Micro benchmarks: quotas and rate limits", { rows }, text);
}

if (values.only === undefined) report(runs);
else {
  const run = runs[values.only];
  if (run === undefined) throw new Error(`expected one of ${Object.keys(runs).join("; ")}`);
  const until = performance.now() + Number(values.seconds) * 1000;
  while (performance.now() < until) for (let i = 0; i < 1000; i++) run();
}
