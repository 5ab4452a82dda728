import { describe, expect, it } from "vitest";
import { settle } from "../../support/fake-time.js";
import { type FakeEndpoints, jwksOf, makeKey } from "../../support/key-endpoint.js";
import {
  breakDown,
  endpoints,
  events,
  hour,
  kids,
  locator,
  minute,
  pool,
  poolForEach,
  publish,
  time,
  uri,
} from "./remote-key-pool.js";

const [one, two, three] = [makeKey("one"), makeKey("two"), makeKey("three")];

poolForEach();

describe("the first fetch", () => {
  it("begins as soon as a locator is wanted, with a GET for JSON, a size limit and the locator's timeout", async () => {
    publish(jwksOf(one));
    pool.retain([locator]);
    expect(endpoints.asked).toHaveLength(1);
    const { question } = endpoints.asked[0] as FakeEndpoints["asked"][number];
    expect(question).toMatchObject({ method: "GET", path: "/jwks", timeoutMs: 5000, maxBytes: 262_144 });
    expect(question.headers.get("accept")).toBe("application/json");
    expect(kids()).toBeUndefined();
    await settle();
    expect(kids()).toEqual(["one"]);
  });

  it("is one for equal locators, which have the same source", () => {
    publish(jwksOf(one));
    expect(pool.source(locator)).toBe(pool.source({ ...locator }));
    expect(pool.source({ ...locator, timeoutMs: 1 })).not.toBe(pool.source(locator));
    expect(endpoints.asked).toEqual([]);
    pool.retain([locator, { ...locator }]);
    pool.retain([locator]);
    expect(endpoints.asked).toHaveLength(1);
  });

  it("is waited for by settled, also when it fails, but not for ever", async () => {
    publish(jwksOf(one));
    pool.retain([locator]);
    await pool.settled(5000);
    expect(kids()).toEqual(["one"]);
    const failing = { ...locator, jwksUri: "https://keys.test/none" };
    pool.retain([failing]);
    await pool.settled(5000);
    expect(kids(failing)).toBeUndefined();
    endpoints.answers.set("https://keys.test/hangs", () => new Promise(() => {}));
    pool.retain([{ ...locator, jwksUri: "https://keys.test/hangs" }]);
    let isOver = false;
    const waiting = pool.settled(5000).then(() => {
      isOver = true;
    });
    await time.advance(4999);
    expect(isOver).toBe(false);
    await time.advance(1);
    await waiting;
    expect(isOver).toBe(true);
  });
});

describe("a source that nobody wants any more", () => {
  it("is fetched no longer, and nothing is left behind", async () => {
    publish(jwksOf(one));
    pool.retain([locator]);
    await settle();
    const source = pool.source(locator);
    pool.retain([]);
    expect(pool.states()).toEqual([]);
    expect(time.waiting()).toBe(0);
    expect(source.refresh()).toBeUndefined();
    expect(source.current()?.keys).toHaveLength(1);
    await time.advance(48 * hour);
    expect(endpoints.asked).toHaveLength(1);
  });

  it("comes back behind the same handle, with the keys that it had, and is fetched at once", async () => {
    publish(jwksOf(one));
    const source = pool.source(locator);
    pool.retain([locator]);
    await settle();
    pool.retain([], [locator]);
    await time.advance(hour);
    publish(jwksOf(two));
    expect(pool.retain([locator])).toEqual([locator]);
    expect(source.current()?.keys.map(({ kid }) => kid)).toEqual(["one"]);
    await settle();
    expect(source.current()?.keys.map(({ kid }) => kid)).toEqual(["two"]);
    expect(pool.retain([locator])).toEqual([]);
  });

  it("is forgotten when no configuration names it, but for requests that are under way", async () => {
    publish(jwksOf(one));
    const source = pool.source(locator);
    pool.retain([locator]);
    await settle();
    pool.retain([]);
    expect(source.current()?.keys.map(({ kid }) => kid)).toEqual(["one"]);
    expect(pool.source(locator)).not.toBe(source);
    expect(pool.source(locator).current()).toBeUndefined();
    expect(pool.opensInMs(locator)).toBe(0);
  });

  it("gives its keys to one with another timeout, but not for longer than it might have kept them", async () => {
    publish(jwksOf(one));
    pool.retain([locator]);
    await settle();
    breakDown();
    const slower = { ...locator, timeoutMs: 9000 };
    pool.retain([slower]);
    expect(kids(slower)).toEqual(["one"]);
    await time.advance(24 * hour + 20 * minute - 1);
    expect(kids(slower)).toEqual(["one"]);
    await time.advance(1);
    expect(kids(slower)).toBeUndefined();
    expect(kids({ ...locator, issuer: "https://other.test" })).toBeUndefined();
  });

  it("takes no notice of what comes late", async () => {
    let answer = (): void => {};
    endpoints.answers.set(
      uri,
      () =>
        new Promise((resolve) => {
          answer = () => resolve({ body: jwksOf(three) });
        }),
    );
    pool.retain([locator]);
    pool.close();
    answer();
    await settle();
    expect(events).toEqual([]);
    expect(time.waiting()).toBe(0);
  });
});

it("states show keys without their material, and addresses without query", async () => {
  const hostile = `<script>\u0000\u202e${"x".repeat(100)}`;
  const jwksUri = `${uri}?api-key=secret`;
  endpoints.answers.set(jwksUri, {
    body: JSON.stringify({ keys: [one.jwk, { ...two.jwk, kid: hostile }] }),
  });
  pool.retain([{ ...locator, jwksUri }]);
  await settle();
  await time.advance(1500);
  const shown = pool.states();
  expect(shown).toEqual([
    {
      issuer: "https://issuer.test",
      jwksUri: uri,
      state: "fresh",
      keys: [
        { kid: "one", kty: "EC", alg: "ES256" },
        { kid: `<script>??${"x".repeat(54)}`, kty: "EC", alg: "ES256" },
      ],
      fetchedAt: 1_000_000,
      ageMs: 1500,
      nextFetchInMs: 0.76 * 20 * minute - 1500,
      lastError: undefined,
      failures: 0,
    },
  ]);
  expect(JSON.stringify([shown, events.map((event) => event.kind === "fetched" && event.kids)])).not.toMatch(
    /secret|"x":|"y":/,
  );
});
