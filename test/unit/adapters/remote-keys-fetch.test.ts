import { describe, expect, it } from "vitest";
import { HttpFailure } from "../../../src/adapters/http-failure.js";
import type { RemoteKeys } from "../../../src/authn/index.js";
import { GatehouseError } from "../../../src/diagnostics/index.js";
import { settle } from "../../support/fake-time.js";
import { jwksOf, makeKey } from "../../support/key-endpoint.js";
import {
  endpoints,
  events,
  hour,
  kids,
  locator,
  pool,
  poolForEach,
  publish,
  stateOf,
  time,
  uri,
} from "./remote-key-pool.js";

const [one, two] = [makeKey("one"), makeKey("two")];

poolForEach();

describe("an answer that brings no keys", () => {
  const symmetric = JSON.stringify({ keys: [{ kty: "oct", k: "c2VjcmV0" }] });

  it.each([
    ["another status than 200", { status: 302, body: jwksOf(one) }, "status", 302],
    ["HTML", { body: "<html>maintenance</html>" }, "not_json", undefined],
    ["JSON that is no JWKS", { body: '{"error": "none"}' }, "not_jwks", undefined],
    ["a JWKS without a key", { body: '{"keys": []}' }, "no_usable_key", undefined],
    ["symmetric keys only", { body: symmetric }, "no_usable_key", undefined],
    ["more than 100 keys", { body: jwksOf(...Array(101).fill(two)) }, "too_many_keys", undefined],
  ])("by %s has failed, and the old keys stay", async (_what, answer, reason, status) => {
    publish(jwksOf(one));
    pool.retain([locator]);
    await settle();
    const before = pool.source(locator).current();
    endpoints.answers.set(uri, answer);
    await pool.source(locator).refresh();
    expect(pool.source(locator).current()).toBe(before);
    expect(stateOf()).toMatchObject({
      state: "fresh",
      failures: 1,
      lastError: { reason, status, at: 1_000_000 },
    });
  });

  it.each([
    [new GatehouseError("timeout", "t"), "timeout"],
    [new HttpFailure("connect", "c"), "connect"],
    [new HttpFailure("egress", "e"), "egress"],
    [new HttpFailure("too_large", "l"), "too_large"],
    [new GatehouseError("bad_request", "b"), "bad_url"],
  ])("by %s is told by a code", async (error, reason) => {
    endpoints.answers.set(uri, () => {
      throw error;
    });
    pool.retain([locator]);
    await settle();
    expect(stateOf()).toMatchObject({ state: "missing", lastError: { reason } });
    expect(events).toMatchObject([{ kind: "failed", failures: 1, hasKeys: false }]);
  });

  it.each(["ftp://keys.test/jwks", "https://user:secret@keys.test/jwks", "keys.test/jwks", ""])(
    "by the address `%s` is never asked for",
    async (jwksUri) => {
      pool.retain([{ ...locator, jwksUri }]);
      await settle();
      expect(endpoints.asked).toEqual([]);
      expect(stateOf()).toMatchObject({ lastError: { reason: "bad_url" } });
      expect(JSON.stringify(pool.states())).not.toContain("secret");
    },
  );
});

describe("discovery", () => {
  const found: RemoteKeys = { ...locator, jwksUri: undefined };
  const document = "https://issuer.test/.well-known/openid-configuration";
  const describe_ = (members: object): void => {
    endpoints.answers.set(document, {
      body: JSON.stringify({ issuer: "https://issuer.test", jwks_uri: uri, ...members }),
    });
  };

  it("finds the keys where the issuer's document says", async () => {
    describe_({});
    publish(jwksOf(one));
    pool.retain([found]);
    await settle();
    expect(endpoints.asked.map(({ url }) => url)).toEqual([document, uri]);
    expect(kids(found)).toEqual(["one"]);
    expect(stateOf().jwksUri).toBe(uri);
  });

  it("appends to the path of an issuer that has one", () => {
    pool.retain([{ ...found, issuer: "https://issuer.test:8443/realms/shop/" }]);
    expect(endpoints.asked[0]?.url).toBe(
      "https://issuer.test:8443/realms/shop/.well-known/openid-configuration",
    );
  });

  it.each([
    ["another issuer", { issuer: "https://evil.test" }, "issuer_mismatch"],
    ["the issuer with a slash more", { issuer: "https://issuer.test/" }, "issuer_mismatch"],
    ["no issuer", { issuer: undefined }, "issuer_mismatch"],
    ["no jwks_uri", { jwks_uri: undefined }, "bad_url"],
    ["a relative jwks_uri", { jwks_uri: "/jwks" }, "bad_url"],
    ["a jwks_uri without encryption", { jwks_uri: "http://keys.test/jwks" }, "bad_url"],
    ["a jwks_uri of another scheme", { jwks_uri: "file:///etc/keys" }, "bad_url"],
    ["a jwks_uri that is no text", { jwks_uri: [uri] }, "bad_url"],
  ])("with %s asks nobody for keys", async (_what, members, reason) => {
    describe_(members);
    pool.retain([found]);
    await settle();
    expect(endpoints.asked.map(({ url }) => url)).toEqual([document]);
    expect(stateOf()).toMatchObject({ state: "missing", lastError: { reason } });
  });

  it("at an http issuer may lead to http", async () => {
    const plain = { ...found, issuer: "http://issuer.test" };
    endpoints.answers.set("http://issuer.test/.well-known/openid-configuration", {
      body: JSON.stringify({ issuer: plain.issuer, jwks_uri: "http://keys.test:8080/jwks" }),
    });
    endpoints.answers.set("http://keys.test:8080/jwks", { body: jwksOf(one) });
    pool.retain([plain]);
    await settle();
    expect(kids(plain)).toEqual(["one"]);
  });

  it("follows a jwks_uri that moves", async () => {
    describe_({});
    publish(jwksOf(one));
    pool.retain([found]);
    await settle();
    describe_({ jwks_uri: "https://keys.test/v2" });
    endpoints.answers.set("https://keys.test/v2", { body: jwksOf(two) });
    await pool.source(found).refresh();
    expect(kids(found)).toEqual(["two"]);
  });

  it("that fails later uses the jwks_uri that is known, and says so", async () => {
    describe_({});
    publish(jwksOf(one));
    pool.retain([found]);
    await settle();
    endpoints.answers.set(document, { status: 503 });
    publish(jwksOf(two));
    await pool.source(found).refresh();
    expect(kids(found)).toEqual(["two"]);
    expect(stateOf()).toMatchObject({ failures: 0, lastError: { reason: "status", status: 503 } });
    await time.advance(25 * hour);
    expect(stateOf().failures).toBeGreaterThan(0);
  });

  it("and keys together take no longer than the locator's timeout", async () => {
    endpoints.answers.set(document, async () => {
      await time.advance(3_000);
      return { body: JSON.stringify({ issuer: found.issuer, jwks_uri: uri }) };
    });
    pool.retain([found]);
    await pool.settled(5000);
    expect(endpoints.asked.map(({ question }) => question.timeoutMs)).toEqual([5000, 2000]);
  });
});
