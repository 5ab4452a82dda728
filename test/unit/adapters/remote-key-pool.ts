import { beforeEach } from "vitest";
import { HttpFailure } from "../../../src/adapters/http-failure.js";
import { createRemoteKeys, type RemoteKeyPool } from "../../../src/adapters/remote-keys.js";
import type { KeyEvent } from "../../../src/adapters/remote-keys-source.js";
import type { RemoteKeys } from "../../../src/authn/index.js";
import { createFakeTime, type FakeTime } from "../../support/fake-time.js";
import { createFakeEndpoints, type FakeEndpoints } from "../../support/key-endpoint.js";

export const uri: string = "https://keys.test/jwks";
export const locator: RemoteKeys = {
  kind: "remote",
  issuer: "https://issuer.test",
  jwksUri: uri,
  timeoutMs: 5000,
};
export const minute: number = 60_000;
export const hour: number = 60 * minute;

export let time: FakeTime;
export let endpoints: FakeEndpoints;
export let pool: RemoteKeyPool;
export let events: KeyEvent[];

/** Gives each test a pool of its own. */
export function poolForEach(): void {
  beforeEach(() => {
    time = createFakeTime();
    endpoints = createFakeEndpoints(time);
    events = [];
    pool = createRemoteKeys({
      send: endpoints.send,
      now: time.now,
      wall: () => 1_000_000 + time.now(),
      schedule: time.schedule,
      random: () => 0.5,
      onEvent: (event) => events.push(event),
    });
  });
}

export const publish = (body: string, headers: readonly (readonly [string, string])[] = []): void => {
  endpoints.answers.set(uri, { body, headers });
};
export const breakDown = (): void => {
  endpoints.answers.set(uri, () => {
    throw new HttpFailure("connect", "refused");
  });
};
export const kids = (given: RemoteKeys = locator): string[] | undefined =>
  pool
    .source(given)
    .current()
    ?.keys.map(({ kid }) => kid);
export const stateOf = (): ReturnType<RemoteKeyPool["states"]>[number] => {
  const [state] = pool.states();
  if (state === undefined) throw new Error("no source");
  return state;
};
