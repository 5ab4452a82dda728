import { describe, expect, test } from "vitest";
import { factsOf } from "../../../src/cli/policy-facts.js";
import type { Resource } from "../../../src/config/index.js";

const resource = (kind: string, spec: unknown): Resource => ({
  id: `g/${kind}/shop/one`,
  kind,
  namespace: "shop",
  name: "one",
  origin: { file: "one.yaml", line: 1 },
  hash: "",
  spec,
});

const facts = (kind: string, spec: unknown): ReturnType<typeof factsOf> => factsOf([resource(kind, spec)]);

describe("what policies need of Envoy", () => {
  test("is nothing when there are none", () => {
    expect(factsOf([])).toEqual({
      readsHeaders: new Set(),
      readsAnyHeader: false,
      readsSourceIp: false,
      readsPeer: false,
      hasBodyPolicies: false,
      bodyPolicies: [],
      maxBodyBytes: undefined,
      maxResponseBytes: undefined,
      trustsEnvoyJwt: false,
      xff: { useRemoteAddress: false, numTrustedHops: 0 },
    });
  });

  test("names headers of conditions and of expressions, in lower case", () => {
    const when = [{ key: "request.headers[X-Tenant]", values: ["a"] }];
    expect(facts("AuthorizationPolicy", { rules: [{ when }] }).readsHeaders).toEqual(new Set(["x-tenant"]));
    const expression = {
      dimensions: [{ value: "request.headers[\"x-plan\"] + request.headers['X-Region']" }],
    };
    expect(facts("Quota", expression).readsHeaders).toEqual(new Set(["x-plan", "x-region"]));
  });

  test("names the places of tokens", () => {
    const spec = { jwtRules: [{ fromHeaders: [{ name: "X-Token", prefix: "" }] }] };
    expect(facts("RequestAuthentication", spec).readsHeaders).toEqual(new Set(["authorization", "x-token"]));
  });

  test("says whether the peer's address and identity are read", () => {
    const from = (source: object): object => ({ rules: [{ from: [source] }] });
    expect(facts("AuthorizationPolicy", from({ ipBlocks: ["192.0.2.0/24"] }))).toMatchObject({
      readsSourceIp: true,
      readsPeer: false,
    });
    expect(facts("AuthorizationPolicy", from({ principals: ["a"], ipBlocks: [] }))).toMatchObject({
      readsSourceIp: false,
      readsPeer: true,
    });
    expect(facts("BodyPolicy", { match: 'source.ip == "192.0.2.1"' }).readsSourceIp).toBe(true);
  });

  test("knows that `remote.ip` comes from the peer or from x-forwarded-for", () => {
    const read = { readsSourceIp: true, readsHeaders: new Set(["x-forwarded-for"]) };
    const rules = [{ from: [{ notRemoteIpBlocks: ["192.0.2.0/24"] }] }];
    expect(facts("AuthorizationPolicy", { rules })).toMatchObject(read);
    expect(facts("Quota", { dimensions: [{ value: "ipPrefix(remote.ip, 24, 64)" }] })).toMatchObject(read);
    expect(facts("EnvoyRbac", { rules: { principals: [{ remoteIp: { prefixLen: 8 } }] } })).toMatchObject(
      read,
    );
  });

  test("is everything for Rego, which sees the request as it came", () => {
    expect(facts("RegoPolicy", {})).toMatchObject({
      readsAnyHeader: true,
      readsSourceIp: true,
      readsPeer: true,
    });
  });

  test("knows the longest body that is seen whole", () => {
    const spec = {
      request: { body: { limits: { maxBytes: 1000 } } },
      response: { body: { delivery: "streamed", limits: { maxBytes: 5000 } } },
    };
    expect(facts("BodyPolicy", spec)).toMatchObject({ hasBodyPolicies: true, maxBodyBytes: 1000 });
    const whole = { response: { body: { delivery: "whole", limits: { maxBytes: 5000 } } } };
    expect(facts("BodyPolicy", whole)).toMatchObject({ maxBodyBytes: 0, maxResponseBytes: 5000 });
  });

  test("names body policies that are in force", () => {
    const one = { namespace: "shop", name: "one", dryRun: false, obligationOnly: false };
    const inForce = (spec: object): unknown => facts("BodyPolicy", spec).bodyPolicies;
    expect(inForce(one)).toEqual([{ name: "shop/one", onObligation: false }]);
    expect(inForce({ ...one, obligationOnly: true })).toEqual([{ name: "shop/one", onObligation: true }]);
    expect(inForce({ ...one, dryRun: true })).toEqual([]);
  });

  test("survives names of object prototypes and depth", () => {
    let deep: unknown = "request.headers[x-deep]";
    for (let i = 0; i < 10_000; i++) deep = [deep];
    const spec = JSON.parse('{"__proto__": {"constructor": ["request.headers[__proto__]"]}}') as object;
    expect(facts("Quota", { deep, ...spec, spec }).readsHeaders).toEqual(new Set(["__proto__"]));
  });
});
