import {
  createHttpClient,
  createRemoteKeys,
  type HttpClient,
  type KeyEvent,
  type KeyState,
  keyOfLocator,
} from "../adapters/index.js";
import type { KeySources, RemoteKeys } from "../authn/index.js";
import { meshOf, type Resource } from "../config/index.js";
import type { RequestAuthentication } from "../istio/index.js";
import type { Metrics } from "../telemetry/index.js";
import type { ConfigChange, Install } from "./configuration.js";
import type { KeysMessage } from "./messages.js";
import type { ServerPorts } from "./options.js";

/** What workers get from whoever owns the keys. */
export interface KeyExchange {
  /** All that a worker which knows nothing has to know, and then each change. */
  messages(): readonly KeysMessage[];
  onMessage(listener: (message: KeysMessage) => void): void;
  /**
   * Fetches as `KeySource.refresh` does, for the source of that name. Resolves when the fetch has ended with the
   * milliseconds in which another one would not come about.
   */
  refresh(name: string): Promise<number>;
}

/** The keys of all issuers that the configuration names: one owner, whatever the number of workers. */
export interface Keys {
  readonly sources: KeySources;
  readonly exchange: KeyExchange;
  /** Puts a change in force. Its keys are being fetched from the beginning of it, and never waited for. */
  install(change: ConfigChange, put: Install): Promise<void>;
  states(): readonly KeyState[];
  /** Why no traffic should come yet: only in the first seconds. */
  notReady(): readonly string[];
  warnings(): readonly string[];
  /** Brings the gauges up to date. */
  measure(): void;
  /** Resolves when the first fetch of each source has ended, at the latest after `timeoutMs`. */
  settled(timeoutMs: number): Promise<void>;
  close(): Promise<void>;
}

/** What an owner of keys takes from its surroundings. */
export interface KeyOwnerPorts extends Pick<ServerPorts, "now" | "keyTimes" | "firstKeysMs"> {
  readonly logger: Pick<ServerPorts["logger"], "info" | "warn" | "error">;
  readonly metrics: Pick<Metrics, "keysFetched" | "keysMeasured">;
}

/** So long readiness waits for the first keys, unless the owner is told otherwise. */
const FIRST_KEYS_MS = 5_000;
/** Fetches under way when the rules of egress change. */
const GRACE_MS = 10_000;
/** Of failures in a row the first and each one of so many are logged. */
const LOGGED_FAILURES = 10;

/** Makes an owner that knows no issuer; egress is the Mesh's. */
export function createKeys({
  logger,
  metrics,
  now,
  keyTimes,
  firstKeysMs = FIRST_KEYS_MS,
}: KeyOwnerPorts): Keys {
  let egress = JSON.stringify(meshOf([]).egress);
  let client: HttpClient = createHttpClient({ egress: meshOf([]).egress });
  let inForce: ReadonlyMap<string, Resource> = new Map();
  let firstInstall: number | undefined;
  let listener: (message: KeysMessage) => void = () => {};
  let wanted: ReadonlyMap<string, RemoteKeys> = new Map();

  const pool = createRemoteKeys({
    send: (question) => client.send(question),
    now: () => performance.now(),
    wall: now,
    ...(keyTimes && { times: keyTimes }),
    schedule(ms, callback) {
      const timer = setTimeout(callback, ms).unref();
      return () => clearTimeout(timer);
    },
    random: Math.random,
    onEvent(event) {
      report(event, logger);
      const { kind, locator } = event;
      if (kind !== "expired") metrics.keysFetched(locator.issuer, kind === "fetched" ? "ok" : "failed");
      const name = keyOfLocator(locator);
      if (kind === "fetched" && event.changed) listener({ type: "keys", name, jwks: event.text });
      if (kind === "expired") listener({ type: "keys", name, jwks: undefined });
    },
  });

  /** By the egress of the last one, the keys of all. */
  const want = (...configurations: readonly ReadonlyMap<string, Resource>[]): void => {
    const mesh = meshOf(configurations.at(-1)?.values() ?? []);
    const next = JSON.stringify(mesh.egress);
    if (next !== egress) {
      void client.close(GRACE_MS);
      client = createHttpClient({ egress: mesh.egress });
      egress = next;
      pool.retry();
    }
    const locators = configurations.flatMap((resources) => locatorsOf(resources));
    const named = configurations.flatMap((resources) => namedIn(resources));
    wanted = new Map(locators.map((locator) => [keyOfLocator(locator), locator]));
    // Copies of what was wanted once may still be there.
    const fresh = new Set(pool.retain(locators, named).map(keyOfLocator));
    for (const message of messages()) if (fresh.has(message.name)) listener(message);
  };
  const messages = (): readonly KeysMessage[] =>
    pool.texts().map(({ locator, text }) => ({ type: "keys", name: keyOfLocator(locator), jwks: text }));
  const withoutKeys = (): readonly KeyState[] => pool.states().filter(({ state }) => state === "missing");

  return {
    sources: pool.source,
    exchange: {
      messages,
      onMessage(given) {
        listener = given;
      },
      async refresh(name) {
        const locator = wanted.get(name);
        if (locator === undefined) return GRACE_MS;
        await pool.source(locator).refresh();
        return pool.opensInMs(locator);
      },
    },
    async install(change, put) {
      const next = after(inForce, change);
      want(inForce, next);
      firstInstall ??= performance.now();
      try {
        await put(change);
        inForce = next;
      } finally {
        want(inForce);
      }
    },
    states: pool.states,
    notReady() {
      if (firstInstall === undefined || performance.now() - firstInstall >= firstKeysMs) return [];
      const issuers = new Set(withoutKeys().map(({ issuer }) => issuer));
      return issuers.size === 0 ? [] : [`keys of ${issuers.size} issuers have not arrived`];
    },
    warnings: () =>
      withoutKeys().map(({ issuer, lastError }) => {
        const why = lastError === undefined ? "" : ` (${lastError.reason})`;
        return `no keys of issuer \`${issuer}\`${why}: its tokens are refused, see /keys`;
      }),
    measure: () => metrics.keysMeasured(pool.states().map(gaugesOf)),
    settled: pool.settled,
    close() {
      pool.close();
      return client.close();
    },
  };
}

function after(before: ReadonlyMap<string, Resource>, change: ConfigChange): ReadonlyMap<string, Resource> {
  const next = new Map(change.full ? [] : before);
  for (const id of change.removed) next.delete(id);
  for (const resource of change.upserts) {
    if (resource.kind === "Mesh" || resource.kind === "RequestAuthentication")
      next.set(resource.id, resource);
  }
  return next;
}

/** None when the keys would verify nothing, since Envoy has verified the tokens. */
function locatorsOf(resources: ReadonlyMap<string, Resource>): readonly RemoteKeys[] {
  return meshOf(resources.values()).settings.envoyJwtPayloadKey === undefined ? namedIn(resources) : [];
}

/** Rules that are not evaluated now stay compiled, and hold on to their sources. */
function namedIn(resources: ReadonlyMap<string, Resource>): readonly RemoteKeys[] {
  return [...resources.values()]
    .filter(({ kind }) => kind === "RequestAuthentication")
    .flatMap(({ spec }) => (spec as RequestAuthentication).rules)
    .flatMap(({ keys }) => (keys.kind === "remote" ? [keys] : []));
}

function gaugesOf({
  issuer,
  ageMs,
  keys,
  fetchedAt,
}: KeyState): Parameters<Metrics["keysMeasured"]>[0][number] {
  return {
    issuer,
    ageSeconds: ageMs === undefined ? undefined : ageMs / 1000,
    keys: keys.length,
    lastSuccess: fetchedAt === undefined ? undefined : fetchedAt / 1000,
  };
}

function report(event: KeyEvent, logger: KeyOwnerPorts["logger"]): void {
  const { issuer } = event.locator;
  if (event.kind === "expired") {
    logger.error({ issuer }, "keys were stale for too long, tokens of the issuer are refused");
    return;
  }
  if (event.kind === "failed") {
    const { failure, failures, hasKeys } = event;
    if (failures !== 1 && failures % LOGGED_FAILURES !== 0) return;
    logger.warn(
      { issuer, ...failure, failures },
      hasKeys
        ? "keys could not be fetched, the last good ones stay"
        : "keys could not be fetched, there are none",
    );
    return;
  }
  const { kids, changed, isFirst, failuresBefore } = event;
  if (failuresBefore > 0) logger.info({ issuer, failures: failuresBefore }, "keys can be fetched again");
  if (isFirst) logger.info({ issuer, kids }, "keys arrived");
  else if (changed) logger.info({ issuer, kids }, "keys changed");
}
