import { afterEach, describe, expect, it } from "vitest";
import type { JsonObject } from "../../src/attributes/index.js";
import { type BothServices, type Said, startBothServices } from "../support/both-services.js";
import { aSigner, jwks } from "../support/tokens.js";
import type { Described } from "../unit/envoy/ext-proc/described.js";

// One server behind both filters of one Envoy: ext_authz is asked first, and ext_proc with what that left.

const signer = aSigner("k");

const identity = `
apiVersion: security.istio.io/v1
kind: RequestAuthentication
metadata: {name: tokens, namespace: bookshop}
spec: {jwtRules: [{issuer: https://a, jwks: '${jwks(signer)}', forwardOriginalToken: FORWARD}]}
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: with-token, namespace: bookshop}
spec: {rules: [{from: [{source: {requestPrincipals: ["*"]}}]}]}
`;

const quota = (name: string): string => `---
apiVersion: gatehouse.dev/v1alpha1
kind: Quota
metadata: {name: ${name}, namespace: bookshop}
spec: {limit: 100, window: 1h}
`;

const reading = `---
apiVersion: gatehouse.dev/v1alpha1
kind: BodyPolicy
metadata: {name: masked, namespace: bookshop}
spec:
  response:
    body: {delivery: whole, fields: [{path: $.card, action: mask, when: request.auth.claims.role != 'support'}]}
`;

let both: BothServices | undefined;
afterEach(async () => {
  await both?.stop();
  both = undefined;
});

async function start(text: string, isForwarded = false): Promise<BothServices> {
  both = await startBothServices({ "policies.yaml": text.replace("FORWARD", String(isForwarded)) });
  return both;
}

const bearer = (claims = {}): Described => ({
  headers: [["authorization", `Bearer ${signer.token(claims)}`]],
});

/** As both filters see one request; `behind`: what is left of it when ext_proc is asked. */
async function through(
  { authz, proc }: BothServices,
  described: Described,
  behind = described,
): Promise<{ readonly authz: Said; readonly proc: Said }> {
  const first = await authz(described);
  expect(first.denial).toBeUndefined();
  return { authz: first, proc: await proc(behind, { authorized: first.metadata }) };
}

/** How much every quota has taken, by the record of one more request. */
async function taken({ authz }: BothServices): Promise<readonly number[]> {
  const { metadata } = await authz(bearer());
  const facts = (metadata["gatehouse"] as JsonObject)["quota"] as readonly JsonObject[];
  // That one request takes 1, too.
  return facts.flatMap(({ remaining }) => (remaining === undefined ? [] : [99 - Number(remaining)]));
}

describe("a request that ext_authz and ext_proc are asked about", () => {
  it("is decided and charged once, from the first on, where there is no BodyPolicy", async () => {
    const services = await start(`${identity}${quota("all")}`);
    // Envoy has taken the token out, as the decision says.
    const { proc } = await through(services, bearer(), {});
    expect(proc.denial).toBeUndefined();
    expect(await taken(services)).toEqual([1]);
  });

  it("is charged again where what ext_authz left is not there, or is of another request", async () => {
    const services = await start(`${identity}${quota("all")}`, true);
    const { metadata } = await services.authz(bearer());
    expect((await services.proc(bearer())).denial).toBeUndefined();
    const { headers = [] } = bearer();
    const other: Described = { headers: [...headers, ["x-request-id", "r-2"]] };
    expect((await services.proc(other, { authorized: metadata })).denial).toBeUndefined();
    expect(await taken(services)).toEqual([3]);
  });

  it("is charged once by each of more quotas than the record has room for", async () => {
    const names = Array.from({ length: 12 }, (_, i) => `${"q".repeat(40)}-${i}`);
    const services = await start(`${identity}${names.map(quota).join("")}`);
    const { proc } = await through(services, bearer(), {});
    expect(proc.denial).toBeUndefined();
    const counts = await taken(services);
    expect(new Set(counts)).toEqual(new Set([1]));
    expect(counts.length).toBeGreaterThan(1);
  });

  it("is charged once where the token is too long to come along and is looked at again", async () => {
    const services = await start(`${identity}${quota("all")}${reading}`, true);
    const long = bearer({ note: "x".repeat(4000) });
    const { proc } = await through(services, long);
    expect(proc.denial).toBeUndefined();
    expect((proc.metadata["gatehouse"] as JsonObject)["carried"]).toBeUndefined();
    expect(await taken(services)).toEqual([1]);
    const { proc: short } = await through(services, bearer());
    expect((short.metadata["gatehouse"] as JsonObject)["carried"]).toBe(true);
  });
});
