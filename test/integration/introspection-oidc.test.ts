import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createIntrospectionClient } from "../../src/adapters/index.js";
import type { CredentialCheck } from "../../src/authn/index.js";
import {
  completeTokenIntrospection,
  createIntrospectionCheck,
  parseTokenIntrospection,
} from "../../src/credentials/index.js";
import {
  type AuthorizationServer,
  introspector,
  startAuthorizationServer,
} from "../support/oidc-introspection.js";

let server: AuthorizationServer;
const client = createIntrospectionClient();

beforeAll(async () => {
  server = await startAuthorizationServer();
});
afterAll(async () => {
  await client.close();
  await server.close();
});

function aCheck(spec: Readonly<Record<string, unknown>> = {}, secret = introspector.secret): CredentialCheck {
  const head = { apiVersion: "gatehouse.dev/v1alpha1", kind: "TokenIntrospection", annotations: new Map() };
  const parsed = parseTokenIntrospection({
    ...head,
    name: "opaque",
    namespace: "shop",
    spec: {
      endpoint: server.introspectionEndpoint,
      issuer: server.issuer,
      clientId: introspector.id,
      clientSecretEnv: "S",
      ...spec,
    },
  });
  const whole = parsed.spec && completeTokenIntrospection(parsed.spec, [secret]).spec;
  if (whole === undefined) throw new Error(JSON.stringify(parsed.findings));
  return createIntrospectionCheck(whole, { introspect: client.introspect(whole), observe: () => {} });
}

const reasonOf = async (check: CredentialCheck, token: string, nowMs = Date.now()): Promise<string> =>
  (await check.judge(token, nowMs)).refusal?.reason ?? "good";

describe("oidc-provider as introspection endpoint", () => {
  it.each(["basic", "post"])("knows its opaque tokens, asked with the client in %s", async (clientAuth) => {
    const token = await server.issue("read write");
    expect(token).not.toContain(".");
    const { payload } = await aCheck({ clientAuth }).judge(token, Date.now());
    expect(payload).toMatchObject({
      iss: server.issuer,
      sub: "orders",
      client_id: "orders",
      scope: "read write",
      exp: expect.any(Number),
    });
    expect(payload).not.toHaveProperty("active");
  });

  it("says of made-up tokens that they are not active", async () => {
    expect(await reasonOf(aCheck(), "made-up")).toBe("introspection_inactive");
  });

  it("is believed about scopes", async () => {
    const token = await server.issue("read");
    expect(await reasonOf(aCheck({ requiredScopes: ["read"] }), token)).toBe("good");
    expect(await reasonOf(aCheck({ requiredScopes: ["read", "write"] }), token)).toBe(
      "introspection_scope_missing",
    );
  });

  it("revokes a token: it is good as long as it is remembered", async () => {
    const [token, check] = [await server.issue("read"), aCheck({ cacheTtl: "2s" })];
    const start = Date.now();
    expect(await reasonOf(check, token, start)).toBe("good");
    await server.revoke(token);
    expect(await reasonOf(check, token, start + 1999)).toBe("good");
    expect(await reasonOf(check, token, start + 2000)).toBe("introspection_inactive");
  });

  it("gives a token an end: it is not good any more, remembered or not", async () => {
    const [token, check] = [await server.issue("read", 3), aCheck({ cacheTtl: "5m" })];
    const { payload } = await check.judge(token, Date.now());
    const end = Number(payload?.["exp"]) * 1000;
    expect(await reasonOf(check, token, end - 1)).toBe("good");
    expect(await reasonOf(check, token, end)).toBe("introspection_inactive");
  });

  it("refuses a wrong client secret: nobody can say, so nobody gets in", async () => {
    expect(await reasonOf(aCheck({}, "wrong"), await server.issue("read"))).toBe("introspection_failed");
  });
});
