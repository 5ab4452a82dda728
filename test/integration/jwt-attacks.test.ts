import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { pino } from "pino";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type RunningServer, startServer } from "../../src/server/index.js";
import {
  type AttackRequest,
  bearer,
  issuerWithoutKeys,
  jwtAttacks,
  withSignature,
} from "../support/cases-jwt-attacks.js";
import { checkOver } from "../support/grpc-client.js";
import { issuerA, issuerB, makeJwtKit } from "../support/jwt-kit.js";
import { type ConfigFolder, makeConfigFolder, requestFor, statusOf } from "../support/server-fixture.js";

// What a real Envoy says of the like, and of a thousand others, is in test/envoy/jwt-differential.test.ts.

const kit = makeJwtKit();
/** Somewhere that a token may point to. */
let trap: Server;
let trapUrl: string;
let trapped = 0;
let folder: ConfigFolder;
let server: RunningServer;

beforeAll(async () => {
  trap = createServer((_, response) => {
    trapped++;
    response.end(kit.jwks(kit.jwk("rsa2", { kid: "rsa2" })));
  });
  await new Promise<void>((resolve) => trap.listen(0, "127.0.0.1", resolve));
  trapUrl = `http://127.0.0.1:${(trap.address() as AddressInfo).port}/keys`;
  folder = makeConfigFolder();
  folder.write("tokens.yaml", documents());
  server = await startServer(
    { configPaths: [folder.path], grpcAddress: "127.0.0.1:0", adminAddress: "127.0.0.1:0" },
    { logger: pino({ level: "silent" }), now: Date.now },
  );
});
afterAll(async () => {
  await server.close();
  folder.remove();
  trap.close();
});

/** Tokens of `issuerA`; who shows none may do nothing, who shows a good one everything. */
function documents(): string {
  const bare = kit.jwks(kit.jwk("rsa"), kit.jwk("p256"));
  const named = kit.jwks(kit.jwk("rsa2", { kid: "rsa2", alg: "RS256" }));
  return JSON.stringify({
    apiVersion: "v1",
    kind: "List",
    items: [
      {
        apiVersion: "security.istio.io/v1",
        kind: "RequestAuthentication",
        metadata: { name: "tokens", namespace: "istio-system" },
        spec: {
          jwtRules: [
            { issuer: issuerA, jwks: bare, outputClaimToHeaders: [{ header: "x-sub", claim: "sub" }] },
            { issuer: issuerB, jwks: named, fromHeaders: [{ name: "x-token" }] },
            { issuer: issuerWithoutKeys, jwks: kit.jwks() },
          ],
        },
      },
      {
        apiVersion: "security.istio.io/v1",
        kind: "AuthorizationPolicy",
        metadata: { name: "known", namespace: "istio-system" },
        spec: { rules: [{ from: [{ source: { requestPrincipals: ["*"] } }] }] },
      },
    ],
  });
}

describe("attacks with tokens", () => {
  test.each(Object.entries(jwtAttacks))("%s", async (_, [attack, verdict]) => {
    const answer = await checkOver(server.grpcAddress, requestOf(attack(kit, trapUrl)));
    const status = statusOf(answer);
    expect(status === 200 ? 200 : `${status} ${answer.denied_response?.body}`).toBe(verdict);
  });

  test("none of them made the server fetch anything", () => {
    expect(trapped).toBe(0);
  });

  test("1 MB tokens are answered in no time", async () => {
    const started = performance.now();
    for (const text of [".".repeat(1 << 20), "A.".repeat(1 << 19), `${"A".repeat(1 << 20)}.A.A`]) {
      expect(statusOf(await checkOver(server.grpcAddress, requestOf(bearer(text))))).toBe(401);
    }
    expect(performance.now() - started).toBeLessThan(2_000);
  });

  test("200 bad tokens at once are all refused, and a good one still passes", async () => {
    const bad = bearer(withSignature(kit.token(), Buffer.alloc(256, 1)));
    const asked = Array.from({ length: 200 }, () => checkOver(server.grpcAddress, requestOf(bad)));
    for (const answer of await Promise.all(asked)) expect(statusOf(answer)).toBe(401);
    expect(statusOf(await checkOver(server.grpcAddress, requestOf(bearer(kit.token()))))).toBe(200);
  });
});

function requestOf({ path = "/", headers = {} }: AttackRequest): ReturnType<typeof requestFor> {
  const request = requestFor(path);
  Object.assign(request.attributes?.request?.http?.headers ?? {}, headers);
  return request;
}
