import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { text as readText } from "node:stream/consumers";
import { pino } from "pino";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { CheckRequest, CheckResponse__Output } from "../../src/proto/index.js";
import { type RunningServer, startServer } from "../../src/server/index.js";
import { runCli } from "../support/cli.js";
import { checkOver } from "../support/grpc-client.js";
import { send } from "../support/http.js";
import {
  type ConfigFolder,
  eventually,
  makeConfigFolder,
  requestFor,
  statusOf,
} from "../support/server-fixture.js";

let folder: ConfigFolder;
let endpoint: Server;
let server: RunningServer;
const asked: string[] = [];

const policies = `apiVersion: gatehouse.dev/v1alpha1
kind: Mesh
metadata: {name: mesh}
spec: {unknownWorkload: meshPolicies}
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: callers, namespace: istio-system}
spec:
  rules:
    - to: [{operation: {paths: [/partners]}}]
      from: [{source: {requestPrincipals: [gatehouse.dev/istio-system/partners/alice]}}]
      when: [{key: "request.auth.claims[labels][team]", values: [blue]}]
    - to: [{operation: {paths: [/tokens]}}]
      from: [{source: {requestPrincipals: ["https://op/*"]}}]
      when: [{key: "request.auth.claims[scope]", values: [write]}]
    - to: [{operation: {paths: [/open]}}]
`;

const introspection = (port: number): string => `apiVersion: gatehouse.dev/v1alpha1
kind: TokenIntrospection
metadata: {name: opaque, namespace: istio-system}
spec:
  endpoint: http://127.0.0.1:${port}/introspect
  issuer: https://op
  clientId: gate
  clientSecretFile: _secret.txt
  requiredScopes: [read]
  outputClaimToHeaders: [{header: x-user, claim: sub}]
`;

const answers = new Map<string, unknown>([
  ["alice", { active: true, sub: "alice", scope: "read write" }],
  ["bob", { active: true, sub: "bob", scope: "read" }],
  ["carol", { active: true, sub: "carol", scope: "other" }],
  ["text", { active: "true", sub: "alice", scope: "read write" }],
]);

beforeAll(async () => {
  endpoint = createServer(async (request, response) => {
    const token = new URLSearchParams(await readText(request)).get("token") ?? "";
    asked.push(`${request.headers.authorization} ${token}`);
    if (token === "html") response.end("<h1>hello</h1>");
    else if (token === "down") response.writeHead(500).end();
    else response.end(JSON.stringify(answers.get(token) ?? { active: false }));
  });
  await new Promise<void>((resolve) => endpoint.listen(0, "127.0.0.1", resolve));
  folder = makeConfigFolder();
  folder.write("policies.yaml", policies);
  folder.write("_secret.txt", "s3cret\n");
  folder.write("tokens.yaml", introspection((endpoint.address() as AddressInfo).port));
  server = await startServer(
    { configPaths: [folder.path], grpcAddress: "127.0.0.1:0", adminAddress: "127.0.0.1:0" },
    { logger: pino({ level: "silent" }), now: Date.now },
  );
});
afterAll(async () => {
  await server.close();
  endpoint.closeAllConnections();
  endpoint.close();
  folder.remove();
});

function ask(path: string, headers: Readonly<Record<string, string>> = {}): Promise<CheckResponse__Output> {
  const request: CheckRequest = requestFor(path);
  Object.assign(request.attributes?.request?.http?.headers ?? {}, headers);
  return checkOver(server.grpcAddress, request);
}

const bearer = (token: string): Record<string, string> => ({ authorization: `Bearer ${token}` });

interface Refused {
  readonly status: number;
  readonly body: string | undefined;
  readonly challenge: string | undefined;
}

async function refusal(path: string, headers: Readonly<Record<string, string>>): Promise<Refused> {
  const response = await ask(path, headers);
  const lines = response.denied_response?.headers ?? [];
  const challenge = lines.find(({ header }) => header?.key === "www-authenticate")?.header;
  const raw = challenge?.raw_value;
  return {
    status: statusOf(response),
    body: response.denied_response?.body,
    challenge: challenge?.value || (raw === undefined ? undefined : Buffer.from(raw).toString()) || undefined,
  };
}

describe("opaque tokens at a served endpoint", () => {
  it("are an identity that policies ask for, with the scope as words", async () => {
    expect(statusOf(await ask("/tokens", bearer("alice")))).toBe(200);
    expect(statusOf(await ask("/tokens", bearer("bob")))).toBe(403);
    expect(statusOf(await ask("/tokens"))).toBe(403);
    expect(asked).toContain(`Basic ${Buffer.from("gate:s3cret").toString("base64")} alice`);
  });

  it("may begin with any character of a token, behind the scheme in any case", async () => {
    for (const [header, token] of [
      ["Bearer /a+b", "/a+b"],
      ["bearer  +ab==", "+ab=="],
      ["BEARER ~", "~"],
    ] as const) {
      expect(statusOf(await ask("/open", { authorization: header }))).toBe(401);
      expect(asked.at(-1)).toMatch(new RegExp(` ${token.replace(/[+]/g, "\\+")}$`));
    }
  });

  it("stand behind their scheme and no other", async () => {
    const before = asked.length;
    for (const header of ["Basic Bearer x", "BearerX abc", "Bearer"]) {
      expect(statusOf(await ask("/open", { authorization: header }))).toBe(200);
    }
    expect(asked).toHaveLength(before);
  });

  it("are asked about once while they are remembered", async () => {
    for (let i = 0; i < 5; i++) await ask("/tokens", bearer("alice"));
    expect(asked.filter((line) => line.endsWith(" alice"))).toHaveLength(1);
  });

  it("set the headers that they are to set, and never reach the upstream", async () => {
    const response = await ask("/tokens", { ...bearer("alice"), "x-user": "mallory" });
    const set = response.ok_response?.headers?.map(({ header }) => [header?.key, header?.value]);
    expect(set).toContainEqual(["x-user", "alice"]);
    expect(response.ok_response?.headers_to_remove).toContain("authorization");
  });

  it("are needed by nobody who is anonymous, whose forged headers are removed", async () => {
    const response = await ask("/open", { "x-user": "mallory" });
    expect(statusOf(response)).toBe(200);
    expect(response.ok_response?.headers_to_remove).toContain("x-user");
  });

  it.each([
    ["not known", "mallory", 401, "Token is not active", 'Bearer error="invalid_token"'],
    ['active: "true"', "text", 401, "Token is not active", 'Bearer error="invalid_token"'],
    [
      "for something else",
      "carol",
      403,
      "Scope of the token is not sufficient",
      'Bearer error="insufficient_scope", scope="read"',
    ],
    ["malformed", "a b", 401, "Token is malformed", 'Bearer error="invalid_token"'],
    ["answered with HTML", "html", 500, "", undefined],
    ["answered with 500", "down", 500, "", undefined],
  ])("are refused everywhere when they are %s", async (_what, token, status, body, challenge) => {
    expect(await refusal("/open", bearer(token))).toEqual({ status, body, challenge });
  });
});

describe("API keys in a served folder", () => {
  const file = (): string => join(folder.path, "keys.yaml");
  const create = async (...args: string[]): Promise<string> => {
    const target = ["--file", file(), "--name", "partners", "--namespace", "istio-system"];
    const { stdout } = await runCli(["apikey", "create", ...target, "--owner", "alice", ...args]);
    return stdout.trim();
  };
  const statusWith = async (key: string, path = "/partners"): Promise<number> =>
    statusOf(await ask(path, { "x-api-key": key }));

  it("are good as soon as they are made, and bad as soon as they are revoked", async () => {
    const key = await create("--label", "team=blue");
    await eventually(() => statusWith(key), 200);
    const other = await create("--label", "team=red");
    await eventually(() => statusWith(other, "/open"), 200);
    expect(await statusWith(other)).toBe(403);
    const { code } = await runCli(["apikey", "revoke", "--file", file(), key.split("_")[1] ?? ""]);
    expect(code).toBe(0);
    await eventually(() => statusWith(key), 401);
    expect(await statusWith(other, "/open")).toBe(200);
  });

  it("are refused with one answer for all reasons", async () => {
    const key = await create();
    await eventually(() => statusWith(key, "/open"), 200);
    const wrong = `${key.slice(0, -1)}${key.endsWith("a") ? "b" : "a"}`;
    for (const bad of [wrong, "gh_AAAAAAAAAA_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", "hello", ""]) {
      expect(await refusal("/open", { "x-api-key": bad })).toEqual({
        status: 401,
        body: "API key is not valid",
        challenge: "ApiKey",
      });
    }
  });

  it("do not reach the upstream", async () => {
    const key = await create();
    await eventually(() => statusWith(key, "/open"), 200);
    const response = await ask("/open", { "x-api-key": key });
    expect(response.ok_response?.headers_to_remove).toContain("x-api-key");
  });
});

describe("what an operator sees", () => {
  it("names resources and results, and no secret", async () => {
    const { port } = new URL(`http://${server.adminAddress}`);
    const pages = await Promise.all(
      ["/metrics", "/config", "/decisions"].map((path) => send({ port: Number(port), path })),
    );
    const [metrics = "", config = "", decisions = ""] = pages.map(({ body }) => body);
    expect(metrics).toContain(
      'gatehouse_introspection_requests_total{resource="istio-system/opaque",result="active"} 2',
    );
    expect(metrics).toContain(
      'gatehouse_introspection_requests_total{resource="istio-system/opaque",result="status"} 1',
    );
    expect(metrics).toMatch(
      /gatehouse_introspection_saved_total\{resource="istio-system\/opaque",result="hit"\} [1-9]/,
    );
    expect(decisions).toContain("introspection_failed");
    for (const page of [metrics, config, decisions]) {
      for (const secret of ["s3cret", "sha256$", "mallory", "gh_"]) expect(page).not.toContain(secret);
    }
  });
});
