import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { pino } from "pino";
import { startServer } from "../../src/server/index.js";
import { checkCluster, extAuthz, router } from "./cases-differential.js";
import { type Envoy, startEnvoy } from "./envoy.js";
import { nativeFilters, type RuleSet, type RuleSets } from "./jwt-native.js";
import { type RawAnswer, rawRequest, sendRaw } from "./raw-http.js";
import { eventually, makeConfigFolder } from "./server-fixture.js";
import { startUpstream } from "./upstream.js";

/** One request; bytes as characters. */
export interface Ask {
  readonly method?: string;
  readonly path?: string;
  readonly lines?: readonly string[];
}

/** All that a client and an upstream can see of an answer. */
export interface Seen {
  readonly status: number;
  readonly body: string;
  /** Headers of the answer that differ between requests. */
  readonly headers: Readonly<Record<string, string>>;
  /** What the upstream got; undefined when it was not asked. */
  readonly upstream:
    | { readonly path: string; readonly headers: Readonly<Record<string, string>> }
    | undefined;
}

/** Which listener is asked. */
export type Side = "native" | "ours";

/** Envoy with two listeners for each rule set: its own jwt_authn filter, and our ext_authz server. */
export interface JwtStage {
  /** One request at a time for each side. */
  readonly ask: (side: Side, set: string, request: Ask) => Promise<Seen>;
  readonly envoy: Envoy;
  /** Of our gRPC server; undefined when it was not asked for. */
  readonly grpcAddress: string | undefined;
  readonly stop: () => Promise<void>;
}

/** Starts all of it. `sides` without `ours` starts no server of ours. */
export async function startJwtStage(
  sets: RuleSets,
  sides: readonly Side[] = ["native", "ours"],
): Promise<JwtStage> {
  const folder = makeConfigFolder();
  const stops: (() => unknown)[] = [() => folder.remove()];
  const stop = async (): Promise<void> => {
    for (const end of stops.splice(0).reverse()) await end();
  };
  try {
    const upstreams = { native: await startUpstream(), ours: await startUpstream() };
    stops.push(() => upstreams.native.stop());
    stops.push(() => upstreams.ours.stop());
    let grpcAddress: string | undefined;
    if (sides.includes("ours")) {
      const keys = await serveKeys(sets);
      stops.push(keys.stop);
      for (const [name, set] of Object.entries(sets)) {
        folder.write(`${name}.yaml`, documents(name, set, keys.uri));
      }
      const server = await startServer(
        { configPaths: [folder.path], grpcAddress: "127.0.0.1:0", adminAddress: "127.0.0.1:0" },
        { logger: pino({ level: "silent" }), now: Date.now },
      );
      stops.push(() => server.close());
      grpcAddress = server.grpcAddress;
      const ready = `http://${server.adminAddress}/readyz`;
      // Keys are fetched in the background.
      await eventually(async () => (await fetch(ready)).status, 200);
    }
    const listeners = Object.entries(sets).flatMap(([name, set]) =>
      sides.map((side) => listener(side, name, side === "native" ? nativeFilters(set) : [extAuthz("check")])),
    );
    const envoy = await startEnvoy({
      bootstrap: {
        static_resources: {
          listeners,
          clusters: [
            checkCluster("check"),
            ...Object.entries(upstreams).map(([side, { port }]) => upstreamCluster(side as Side, port)),
          ],
        },
      },
      clusters: { check: Number(grpcAddress?.split(":").at(-1) ?? 1) },
    });
    stops.push(() => envoy.stop());
    return {
      envoy,
      grpcAddress,
      stop,
      async ask(side, set, { method = "GET", path = "/", lines = [] }) {
        const { received } = upstreams[side];
        const before = received.length;
        const port = envoy.ports[`${side}-${set}`] ?? 0;
        const host = lines.some((line) => /^host\b/i.test(line)) ? [] : ["Host: gate.test"];
        const answer = await sendRaw({ port, bytes: rawRequest(path, [...host, ...lines], method) });
        return seen(answer, received[before]);
      },
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

const sameForAll = new Set(["date", "server", "x-envoy-upstream-service-time"]);

function seen(
  { status, body, headers }: RawAnswer,
  got: { readonly path: string; readonly headers: readonly (readonly [string, string])[] } | undefined,
): Seen {
  return {
    status,
    // The upstream's own answer tells nothing beyond what it received.
    body: got === undefined ? body : "",
    headers: Object.fromEntries([...headers].filter(([name]) => got === undefined && !sameForAll.has(name))),
    upstream: got === undefined ? undefined : { path: got.path, headers: joinLines(got.headers) },
  };
}

/**
 * By name, several lines of one name as one value (RFC 9110 section 5.2): an ext_authz server cannot make Envoy
 * add a second line.
 */
function joinLines(lines: readonly (readonly [string, string])[]): Record<string, string> {
  const joined = new Map<string, string>();
  for (const [name, value] of lines) {
    const known = joined.get(name);
    joined.set(name, known === undefined ? value : `${known},${value}`);
  }
  return Object.fromEntries(joined);
}

interface ServedKeys {
  readonly uri: (set: string, rule: number) => string;
  readonly stop: () => Promise<void>;
}

async function serveKeys(sets: RuleSets): Promise<ServedKeys> {
  const server = createServer(({ url = "" }, response) => {
    const [, set = "", rule = ""] = url.split("/");
    response.end(sets[set]?.rules[Number(rule)]?.jwks);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    uri: (set, rule) => `http://127.0.0.1:${port}/${set}/${rule}`,
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function documents(
  namespace: string,
  { rules, refusedSubject }: RuleSet,
  uri: (set: string, rule: number) => string,
): string {
  const jwtRules = rules.map(({ jwks, served = false, issuer, ...rule }, index) => ({
    ...(issuer === "" ? {} : { issuer }),
    ...(served ? { jwksUri: uri(namespace, index) } : { jwks }),
    ...rule,
  }));
  const document = (kind: string, name: string, spec: unknown): string =>
    JSON.stringify({ apiVersion: "security.istio.io/v1", kind, metadata: { name, namespace }, spec });
  const tokens = document("RequestAuthentication", "tokens", { jwtRules });
  if (refusedSubject === undefined) return tokens;
  const when = [{ key: "request.auth.claims[sub]", values: [refusedSubject] }];
  return `${tokens}\n---\n${document("AuthorizationPolicy", "subject", { action: "DENY", rules: [{ when }] })}`;
}

function listener(side: Side, namespace: string, filters: readonly unknown[]): unknown {
  const name = `${side}-${namespace}`;
  const workload = { "destination.namespace": namespace, "destination.workload.name": "web" };
  const perRoute = {
    "envoy.filters.http.ext_authz": {
      "@type": "type.googleapis.com/envoy.extensions.filters.http.ext_authz.v3.ExtAuthzPerRoute",
      check_settings: { context_extensions: workload },
    },
  };
  const manager = {
    "@type":
      "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
    stat_prefix: name,
    generate_request_id: false,
    http_filters: [...filters, router],
    route_config: {
      name,
      virtual_hosts: [
        {
          name,
          domains: ["*"],
          routes: [{ match: { prefix: "/" }, route: { cluster: side } }],
          ...(side === "ours" ? { typed_per_filter_config: perRoute } : {}),
        },
      ],
    },
  };
  return {
    name,
    address: { socket_address: { address: "127.0.0.1", port_value: 0 } },
    filter_chains: [
      { filters: [{ name: "envoy.filters.network.http_connection_manager", typed_config: manager }] },
    ],
  };
}

function upstreamCluster(name: Side, port: number): unknown {
  return {
    name,
    type: "STATIC",
    connect_timeout: "1s",
    load_assignment: {
      cluster_name: name,
      endpoints: [
        {
          lb_endpoints: [
            { endpoint: { address: { socket_address: { address: "127.0.0.1", port_value: port } } } },
          ],
        },
      ],
    },
  };
}
