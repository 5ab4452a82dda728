import { beforeEach, describe, expect, it } from "vitest";
import { keyOfLocator } from "../../../src/adapters/index.js";
import type { RemoteKeys } from "../../../src/authn/index.js";
import { createKeyMirror, type KeyMirror } from "../../../src/server/key-mirror.js";
import { createFakeTime, type FakeTime } from "../../support/fake-time.js";
import { jwksOf, makeKey } from "../../support/key-endpoint.js";

const locator: RemoteKeys = {
  kind: "remote",
  issuer: "https://issuer.test",
  jwksUri: undefined,
  timeoutMs: 5000,
};
const name = keyOfLocator(locator);
const [one, two] = [makeKey("one"), makeKey("two")];

let time: FakeTime;
let mirror: KeyMirror;
let asked: string[];

beforeEach(() => {
  time = createFakeTime();
  asked = [];
  mirror = createKeyMirror({ ask: (what) => asked.push(what), now: time.now, schedule: time.schedule });
});

const publish = (jwks: string | undefined): void => mirror.receive({ type: "keys", name, jwks });
const answer = (closedMs: number): void => mirror.receive({ type: "keys_refreshed", name, closedMs });
const kids = (): string[] | undefined =>
  mirror
    .sources(locator)
    .current()
    ?.keys.map(({ kid }) => kid);

describe("keys in a worker", () => {
  it("are those that the primary told last, also before a rule wants them", () => {
    publish(jwksOf(one));
    expect(kids()).toEqual(["one"]);
    publish(jwksOf(one, two));
    expect(kids()).toEqual(["one", "two"]);
    publish(undefined);
    expect(kids()).toBeUndefined();
  });

  it("stay the same object while the text is the same", () => {
    publish(jwksOf(one));
    const before = mirror.sources(locator).current();
    publish(jwksOf(one));
    expect(mirror.sources(locator).current()).toBe(before);
  });

  it("reach rules that were compiled before them", () => {
    const source = mirror.sources(locator);
    expect(source).toBe(mirror.sources({ ...locator }));
    publish(undefined);
    publish(jwksOf(two));
    expect(source.current()?.keys).toHaveLength(1);
  });
});

describe("refresh in a worker", () => {
  it("asks the primary once for all who wait, and resolves with its answer", async () => {
    const source = mirror.sources(locator);
    const waiting = [source.refresh(), source.refresh(), source.refresh()];
    expect(new Set(waiting).size).toBe(1);
    expect(asked).toEqual([name]);
    publish(jwksOf(two));
    answer(10_000);
    await Promise.all(waiting);
    expect(kids()).toEqual(["two"]);
    expect(time.waiting()).toBe(0);
  });

  it("ends with the locator's timeout when no answer comes, and may be asked again", async () => {
    const source = mirror.sources(locator);
    let ended = false;
    void source.refresh()?.then(() => {
      ended = true;
    });
    await time.advance(4999);
    expect(ended).toBe(false);
    await time.advance(1);
    expect(ended).toBe(true);
    expect(source.refresh()).toBeDefined();
    expect(asked).toHaveLength(2);
  });

  it("comes to nothing while the primary would not fetch, but tells it once that newer keys are wanted", async () => {
    const source = mirror.sources(locator);
    const first = source.refresh();
    answer(10_000);
    await first;
    for (let i = 0; i < 100; i += 1) expect(source.refresh()).toBeUndefined();
    expect(asked).toHaveLength(2);
    answer(9_000);
    await time.advance(8_999);
    expect(source.refresh()).toBeUndefined();
    expect(asked).toHaveLength(2);
    await time.advance(1);
    expect(source.refresh()).toBeDefined();
    expect(asked).toHaveLength(3);
  });
});
