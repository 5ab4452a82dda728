import { describe, expect, it } from "vitest";
import type { Workload } from "../../../src/attributes/index.js";
import type { AuthnOutcome, KeySource } from "../../../src/authn/index.js";
import { createAssembler, createCatalog } from "../../../src/config/index.js";
import type { Snapshot } from "../../../src/engine/index.js";
import { authnOptions, jwtPorts } from "../../support/authn.js";
import { aRequest, aWorkload, type RequestBuilder } from "../../support/request.js";
import { aSigner, keySet, nowMs, nowSeconds } from "../../support/tokens.js";

const signer = aSigner("k");

interface World {
  /** The snapshot of these documents and no others. */
  load(...documents: unknown[]): Promise<Snapshot>;
  /** Which keys were asked for. */
  readonly asked: string[];
}

function world(): World {
  const pause = async (): Promise<void> => {};
  const asked: string[] = [];
  const current = keySet(signer);
  const source: KeySource = { current: () => current, refresh: () => undefined };
  const catalog = createCatalog({ pause });
  const keys = (locator: { readonly issuer: string }): KeySource => {
    asked.push(locator.issuer);
    return source;
  };
  const assembler = createAssembler({
    pause,
    providers: () => undefined,
    ...authnOptions,
    jwt: { ...jwtPorts, keys },
    introspection: () => ({
      introspect: async () => ({ body: undefined, failure: "connect" }),
      observe: () => {},
    }),
  });
  return {
    asked,
    async load(...documents) {
      const text = documents.map((document) => `${JSON.stringify(document)}\n`).join("---\n");
      const update = await catalog.update({ files: [{ path: "a.yaml", text }], diagnostics: [] });
      expect(update.diagnostics.filter(({ severity }) => severity === "error")).toEqual([]);
      return assembler.apply(update);
    },
  };
}

const tokens = (namespace: string, name: string, issuer: string, more: object = {}): unknown => ({
  apiVersion: "security.istio.io/v1",
  kind: "RequestAuthentication",
  metadata: { namespace, name },
  spec: { jwtRules: [{ issuer, jwksUri: "https://keys.test/" }], ...more },
});
const mesh = (spec: object): unknown => ({
  apiVersion: "gatehouse.dev/v1alpha1",
  kind: "Mesh",
  metadata: { name: "mesh" },
  spec,
});

const bearer = (claims: object): RequestBuilder =>
  aRequest().header("authorization", `Bearer ${signer.token({ ...claims })}`);

/** Who a token is of, or why there is nobody; `nobody asks` without authentication. */
async function caller(
  { plan }: Snapshot,
  workload: Workload | undefined,
  request = bearer({}),
): Promise<unknown> {
  const { request: http } = request.build();
  const outcome: AuthnOutcome | undefined = http && (await plan(workload).http.authn?.(http, nowMs));
  if (outcome === undefined) return "nobody asks";
  return outcome.refusal?.reason ?? outcome.record?.principal ?? "anonymous";
}

const web = aWorkload({ namespace: "shop", labels: new Map([["app", "web"]]) });
const db = aWorkload({ namespace: "shop", labels: new Map([["app", "db"]]) });
const elsewhere = aWorkload({ namespace: "other" });
const forWeb = { selector: { matchLabels: { app: "web" } } };

describe("RequestAuthentication", () => {
  it("is asked for the workloads that it selects, and for no others", async () => {
    const snapshot = await world().load(tokens("shop", "web", "https://a", forWeb));
    expect(snapshot.scoped).toBe(true);
    expect(await caller(snapshot, web)).toBe("https://a/alice");
    expect(await caller(snapshot, db)).toBe("nobody asks");
    expect(await caller(snapshot, elsewhere)).toBe("nobody asks");
    expect(await caller(snapshot, undefined)).toBe("nobody asks");
  });

  it("of the root namespace is asked for all", async () => {
    const snapshot = await world().load(tokens("istio-system", "all", "https://a"));
    expect(snapshot.scoped).toBe(false);
    for (const workload of [web, elsewhere, undefined]) {
      expect(await caller(snapshot, workload)).toBe("https://a/alice");
    }
  });

  it("is not asked about connections", async () => {
    const snapshot = await world().load(tokens("istio-system", "all", "https://a"));
    expect(snapshot.plan(web).tcp.authn).toBeUndefined();
  });

  it("has its rules in the order of issuers, whatever document they stand in", async () => {
    const snapshot = await world().load(
      tokens("shop", "first", "https://c"),
      tokens("shop", "second", "https://a"),
      tokens("istio-system", "third", "https://b"),
    );
    const { request } = bearer({ iss: "https://x" }).build();
    const outcome = request && (await snapshot.plan(web).http.authn?.(request, nowMs));
    expect(outcome?.record?.refused.map(({ issuer }) => issuer)).toEqual([
      "https://a",
      "https://b",
      "https://c",
    ]);
  });

  it("is not asked where Envoy's own verification is trusted", async () => {
    const rules = tokens("shop", "web", "https://a");
    const trusting = await world().load(rules, mesh({ trustEnvoyJwt: { enabled: true } }));
    expect(await caller(trusting, web)).toBe("nobody asks");
    expect(trusting.mesh.envoyJwtPayloadKey).toBe("payload");
    const distrusting = await world().load(rules, mesh({ trustEnvoyJwt: { enabled: false } }));
    expect(await caller(distrusting, web)).toBe("https://a/alice");
    expect(distrusting.mesh.envoyJwtPayloadKey).toBeUndefined();
  });
});

describe("a reload", () => {
  const rules = tokens("shop", "web", "https://a");

  it("keeps the rules that did not change", async () => {
    const { load, asked } = world();
    await load(rules);
    await load(rules, tokens("shop", "more", "https://b"));
    expect(asked).toEqual(["https://a", "https://b"]);
  });

  it("judges by the Mesh's settings as they are then", async () => {
    const { load } = world();
    const late = bearer({ exp: nowSeconds - 30 });
    expect(await caller(await load(rules), web, late)).toBe("https://a/alice");
    const exact = await load(rules, mesh({ jwt: { clockSkew: "0s" } }));
    expect(await caller(exact, web, late)).toBe("jwt_expired");
    const strict = await load(rules, mesh({ jwt: { strict: true } }));
    expect(await caller(strict, web, late)).toBe("https://a/alice");
    expect(await caller(strict, web, bearer({ exp: undefined }))).toBe("jwt_without_expiration");
  });

  it("asks no more where the rules are gone", async () => {
    const { load } = world();
    await load(rules);
    expect(await caller(await load(tokens("other", "web", "https://a")), web)).toBe("nobody asks");
  });
});

describe("API keys", () => {
  it("are asked for beside tokens, for the workloads that they are for", async () => {
    const keys = {
      apiVersion: "gatehouse.dev/v1alpha1",
      kind: "ApiKeys",
      metadata: { namespace: "shop", name: "partners" },
      spec: { fromHeaders: [{ name: "x-key" }], keys: [] },
    };
    const snapshot = await world().load(tokens("istio-system", "all", "https://a"), keys);
    const both = bearer({}).header("x-key", "rubbish");
    expect(await caller(snapshot, web, both)).toBe("token_malformed");
    expect(await caller(snapshot, elsewhere, both)).toBe("https://a/alice");
  });

  it("and introspection are attached as RequestAuthentication is: to gateways and waypoints by name", async () => {
    const gateway = { group: "gateway.networking.k8s.io", kind: "Gateway", name: "front" };
    const labels = new Map([["gateway.networking.k8s.io/gateway-name", "front"]]);
    const services = [{ name: "orders", namespace: "shop", host: "" }];
    const at = (type: Workload["type"]): Workload => aWorkload({ namespace: "shop", type, labels, services });
    const [front, waypoint] = [at("gateway"), at("waypoint")];
    const kinds = [
      ["ApiKeys", {}],
      ["TokenIntrospection", { endpoint: "https://login.test/introspect" }],
    ] as const;
    const attachments = [
      { attached: {}, applies: [true, true, false] },
      { attached: { targetRefs: [gateway] }, applies: [false, true, true] },
      { attached: { targetRef: gateway }, applies: [false, true, true] },
      { attached: { targetRefs: [{ kind: "Service", name: "orders" }] }, applies: [false, false, true] },
      { attached: { targetRefs: [{ kind: "Service", name: "others" }] }, applies: [false, false, false] },
    ];
    for (const [kind, own] of kinds) {
      for (const { attached, applies } of attachments) {
        const snapshot = await world().load({
          apiVersion: "gatehouse.dev/v1alpha1",
          kind,
          metadata: { namespace: "shop", name: "partners" },
          spec: { ...own, ...attached },
        });
        const asked = [web, front, waypoint].map((one) => snapshot.plan(one).http.authn !== undefined);
        expect([kind, attached, asked]).toEqual([kind, attached, applies]);
      }
    }
  });
});
