import { pino } from "pino";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type RunningServer, startServer } from "../../src/server/index.js";
import { checkCluster, directRoutes, extAuthz, router } from "../support/cases-differential.js";
import { type Envoy, startEnvoy } from "../support/envoy.js";
import { issuerA, makeJwtKit } from "../support/jwt-kit.js";
import { jwtAuthn, type Rule } from "../support/jwt-native.js";
import { rawRequest, sendRaw } from "../support/raw-http.js";
import { type ConfigFolder, makeConfigFolder } from "../support/server-fixture.js";

// Envoy verifies, we decide: its jwt_authn filter stands before ext_authz and leaves the payload in the dynamic
// metadata, which the CheckRequest carries.

const kit = makeJwtKit();
const rule: Rule = { issuer: issuerA, jwks: kit.jwks(kit.jwk("rsa", { kid: "rsa", alg: "RS256" })) };
/** Whose key nobody has: what it would judge, it would refuse. */
const otherRule: Rule = { issuer: issuerA, jwks: kit.jwks(kit.jwk("rsa2", { kid: "rsa2", alg: "RS256" })) };

const servers = { trusting: { enabled: true }, plain: { enabled: false } };
type Name = keyof typeof servers;

const folders: ConfigFolder[] = [];
const running = new Map<Name, RunningServer>();
let envoy: Envoy;

beforeAll(async () => {
  for (const [name, trustEnvoyJwt] of Object.entries(servers)) {
    const folder = makeConfigFolder();
    folders.push(folder);
    folder.write("config.yaml", documents(trustEnvoyJwt));
    const server = await startServer(
      { configPaths: [folder.path], grpcAddress: "127.0.0.1:0", adminAddress: "127.0.0.1:0" },
      { logger: pino({ level: "silent" }), now: Date.now },
    );
    running.set(name as Name, server);
  }
  const jwt = "envoy.filters.http.jwt_authn";
  envoy = await startEnvoy({
    bootstrap: {
      static_resources: {
        listeners: [
          listener("verifying", [jwtAuthn([rule]), extAuthz("trusting", [jwt])]),
          listener("silent", [jwtAuthn([rule]), extAuthz("trusting")]),
          listener("bare", [extAuthz("trusting", [jwt])]),
          listener("distrusted", [jwtAuthn([rule]), extAuthz("plain", [jwt])]),
        ],
        clusters: Object.keys(servers).map(checkCluster),
      },
    },
    clusters: Object.fromEntries(
      [...running].map(([name, { grpcAddress }]) => [name, Number(grpcAddress.split(":").at(-1))]),
    ),
  });
});
afterAll(async () => {
  await envoy.stop();
  for (const server of running.values()) await server.close();
  for (const folder of folders) folder.remove();
});

describe("a listener whose own filter has verified the token", () => {
  test("lets the caller whom the claims allow do so", async () => {
    expect(
      await ask("verifying", "/orders", kit.token({ payload: kit.claims({ groups: ["buyers"] }) })),
    ).toBe(200);
    expect(await ask("verifying", "/orders", kit.token({ payload: kit.claims({ scope: "read buy" }) }))).toBe(
      200,
    );
    expect(await ask("verifying", "/mine", kit.token())).toBe(200);
  });

  test("refuses the one whom they do not", async () => {
    expect(await ask("verifying", "/orders", kit.token())).toBe(403);
    expect(await ask("verifying", "/mine", kit.token({ payload: kit.claims({ sub: "bob" }) }))).toBe(403);
  });

  test("takes who has no token for anonymous", async () => {
    expect(await ask("verifying", "/open")).toBe(200);
    expect(await ask("verifying", "/mine")).toBe(403);
  });

  test("refuses a bad token itself, with the body that we would give", async () => {
    expect(await ask("verifying", "/open", kit.token({ payload: kit.claims({ exp: 1 }) }))).toBe(
      "401 Jwt is expired",
    );
  });
});

describe("RequestAuthentication is not evaluated", () => {
  test("so that a token which its keys do not verify is no reason to refuse", async () => {
    expect(await ask("bare", "/open", kit.token())).toBe(200);
    expect(await ask("bare", "/open", "garbage")).toBe(200);
  });

  test("and a token which they do verify makes nobody known", async () => {
    expect(await ask("bare", "/mine", kit.token({ key: "rsa2" }))).toBe(403);
  });

  test("and a warning says so", () => {
    const { diagnostics } = running.get("trusting")?.configuration() ?? { diagnostics: [] };
    expect(diagnostics).toContainEqual(
      expect.objectContaining({ severity: "warning", message: expect.stringContaining("trustEnvoyJwt") }),
    );
  });
});

describe("no payload is taken", () => {
  test("where the listener does not send the metadata", async () => {
    expect(await ask("silent", "/open", kit.token())).toBe(200);
    expect(await ask("silent", "/mine", kit.token())).toBe(403);
  });

  test("from headers that look like it", async () => {
    const payload = Buffer.from(JSON.stringify(kit.claims())).toString("base64url");
    const lines = [
      `x-jwt-payload: ${payload}`,
      `x-envoy-peer-metadata: ${payload}`,
      `envoy.filters.http.jwt_authn: ${payload}`,
    ];
    expect(await ask("verifying", "/mine", undefined, lines)).toBe(403);
  });

  test("where the Mesh does not trust it", async () => {
    // The token is gone when we see the request, so that our own rule finds none.
    expect(await ask("distrusted", "/open", kit.token())).toBe(200);
    expect(await ask("distrusted", "/mine", kit.token())).toBe(403);
  });
});

async function ask(
  listenerName: string,
  path: string,
  token?: string,
  lines: readonly string[] = [],
): Promise<number | string> {
  const authorization = token === undefined ? [] : [`Authorization: Bearer ${token}`];
  const bytes = rawRequest(path, [...authorization, ...lines]);
  const { status, body } = await sendRaw({ port: envoy.ports[listenerName] ?? 0, bytes });
  return status === 401 ? `401 ${body}` : status;
}

function documents(trustEnvoyJwt: object): string {
  const document = (kind: string, name: string, spec: object): string =>
    JSON.stringify({
      apiVersion: kind === "Mesh" ? "gatehouse.dev/v1alpha1" : "security.istio.io/v1",
      kind,
      metadata: { name, namespace: "istio-system" },
      spec,
    });
  const to = (path: string): object => ({ operation: { paths: [path] } });
  const claim = (key: string, value: string): object => ({ key, values: [value] });
  const rules = [
    { to: [to("/open")] },
    { to: [to("/mine")], when: [claim("request.auth.claims[sub]", "alice")] },
    { to: [to("/orders")], when: [claim("request.auth.claims[groups]", "buyers")] },
    { to: [to("/orders")], when: [claim("request.auth.claims[scope]", "buy")] },
  ];
  return [
    document("Mesh", "mesh", { trustEnvoyJwt }),
    document("RequestAuthentication", "tokens", { jwtRules: [otherRule] }),
    document("AuthorizationPolicy", "callers", { rules }),
  ].join("\n---\n");
}

function listener(name: string, filters: readonly unknown[]): unknown {
  const manager = {
    "@type":
      "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
    stat_prefix: name,
    http_filters: [...filters, router],
    route_config: directRoutes(),
  };
  const filter = { name: "envoy.filters.network.http_connection_manager", typed_config: manager };
  return {
    name,
    address: { socket_address: { address: "127.0.0.1", port_value: 0 } },
    filter_chains: [{ filters: [filter] }],
  };
}
