import type { Resource } from "../../src/config/index.js";
import { type CounterStore, createMemoryStore, parseQuota } from "../../src/quota/index.js";
import { defaultRateLimitSettings, parseRateLimitFile } from "../../src/ratelimit/index.js";
import { parseAddress } from "../../src/server/address.js";
import { servePages } from "../../src/server/admin.js";
import { createAdminGuard } from "../../src/server/admin-guard.js";
import { adminActions, adminPages, type Observable } from "../../src/server/pages.js";
import { createQuotaDesk } from "../../src/server/quota-desk.js";

/** An admin address with some quotas and rate limits behind it, and nothing else. */
export interface QuotaAdmin {
  readonly port: number;
  readonly store: CounterStore;
  /** Milliseconds since the epoch, for all that counts. */
  now: number;
  /** Thrown by whatever the store is asked. */
  fault: Error | undefined;
  close(): Promise<void>;
}

function aQuota(name: string, spec: unknown): Resource {
  const document = {
    apiVersion: "gatehouse.dev/v1alpha1",
    kind: "Quota",
    name,
    namespace: "shop",
    annotations: new Map<string, string>(),
    spec,
  };
  const parsed = parseQuota(document);
  if (parsed.spec === undefined) throw new Error(parsed.findings.map(({ message }) => message).join("; "));
  return aResource("Quota", "shop", name, parsed.spec);
}

function aResource(kind: string, namespace: string, name: string, spec: unknown): Resource {
  const origin = { file: `${name}.yaml`, line: 1 };
  return { id: `${kind}/${namespace}/${name}`, kind, namespace, name, origin, hash: name, spec };
}

const rateLimits = `
domain: edge
descriptors:
  - key: client
    rate_limit: {unit: hour, requests_per_unit: 5, name: per-client}
  - key: path
    value: /free
    rate_limit: {unlimited: true}
  - key: tenant
    descriptors:
      - key: user_id
        shadow_mode: true
        rate_limit: {unit: minute, requests_per_unit: 2}
`;

/** The resources that are in force there. */
const resources: readonly Resource[] = [
  aQuota("per-client", {
    dimensions: [{ name: "client", value: "request.headers['x-client']" }, "request.method == 'GET'"],
    limit: 3,
    window: "1m",
    overrides: [
      { dimensions: { client: "gold" }, limit: 10 },
      { dimensions: { client: "us" }, unlimited: true },
    ],
  }),
  aQuota("all", { limit: 100, window: "10s", algorithm: "tokenBucket", burst: 20, dryRun: true }),
  aQuota("mapped", {
    dimensions: [{ name: "user", value: "request.headers['x-user']" }],
    limit: 7,
    window: "1h",
    rateLimitService: { domain: "users", descriptor: [{ key: "user_id", dimension: "user" }] },
  }),
  aResource("RateLimitConfig", "", "edge", parseRateLimitFile(rateLimits).spec),
];

/** Starts it with a memory store, on a free port of this machine unless `where` says otherwise. */
export async function startQuotaAdmin(
  given: Partial<Observable> & { readonly tokenFile?: string } = {},
  where = "127.0.0.1:0",
): Promise<QuotaAdmin> {
  const memory = createMemoryStore({ now: () => admin.now });
  const store = new Proxy(memory, {
    get(target, name, receiver) {
      if (admin.fault !== undefined) throw admin.fault;
      return Reflect.get(target, name, receiver) as unknown;
    },
  });
  const observable = {
    quota: createQuotaDesk({
      resources: () => resources,
      store,
      settings: defaultRateLimitSettings,
      now: () => admin.now,
    }),
    ...given,
  } as Observable;
  const address = parseAddress(where);
  const server = await servePages({
    address,
    pages: adminPages(observable),
    actions: adminActions(observable),
    guard: createAdminGuard({ address, hosts: [], tokenFile: given.tokenFile }),
    onError: () => {},
  });
  const admin: QuotaAdmin = {
    port: server.address.kind === "tcp" ? server.address.port : 0,
    store: memory,
    now: 1_700_000_000_000,
    fault: undefined,
    close: server.close,
  };
  return admin;
}
