import { setTimeout as sleep } from "node:timers/promises";
import { pino } from "pino";
import type { MetricObject } from "prom-client";
import { afterEach, describe, expect, it, vi } from "vitest";
import type { CounterStore } from "../../../src/quota/index.js";
import type { ConfigChange } from "../../../src/server/configuration.js";
import type { KeyExchange } from "../../../src/server/keys.js";
import type { FromWorker, KeysMessage, ToWorker } from "../../../src/server/messages.js";
import { defaults, type ServingOptions, servingOptionsOf } from "../../../src/server/options.js";
import type { WorkerLink } from "../../../src/server/worker-link.js";
import { startWorkers, type WorkerPool } from "../../../src/server/workers.js";
import { createLinePair, type LinePair } from "../../support/line-pair.js";

/** A worker that does what it is told at once, and remembers it. */
interface FakeWorker extends WorkerLink {
  readonly received: ToWorker[];
  /** Its way to the ledger; the primary's end is the near one. */
  readonly ledger: LinePair;
  /** What it answers to a build: nothing, a reason, or dying. */
  onBuild: "builds" | "dies" | { readonly fails: string };
  say(message: FromWorker): void;
  die(): void;
}

function fakeWorker(): FakeWorker {
  const messages: ((message: FromWorker) => void)[] = [];
  const exits: ((why: { code: number | null; signal: string | null }) => void)[] = [];
  const say = (message: FromWorker): void => {
    queueMicrotask(() => {
      for (const listener of messages) listener(message);
    });
  };
  const ledger = createLinePair();
  const worker: FakeWorker = {
    pid: 1,
    lines: ledger.near,
    ledger,
    received: [],
    onBuild: "builds",
    say,
    send(message) {
      worker.received.push(message);
      if (message.type === "build") {
        if (worker.onBuild === "dies") worker.die();
        else {
          const error = worker.onBuild === "builds" ? undefined : worker.onBuild.fails;
          say({ type: "built", generation: message.generation, error });
        }
      }
      if (message.type === "listen") say({ type: "listening", address: message.address, error: undefined });
      if (message.type === "collect") say({ type: "collected", id: message.id, metrics: [] });
      if (message.type === "drain") {
        say({ type: "drained", finished: true });
        queueMicrotask(() => worker.die());
      }
    },
    onMessage: (listener) => void messages.push(listener),
    onExit: (listener) => void exits.push(listener),
    kill: () => worker.die(),
    die() {
      for (const listener of exits.splice(0)) listener({ code: 1, signal: null });
    },
  };
  say({ type: "hello" });
  return worker;
}

function change(generation: number, resources = 0): ConfigChange {
  return { generation, full: false, upserts: new Array(resources).fill({}), removed: [] };
}

/** An owner of keys that does nothing. */
interface FakeKeys extends KeyExchange {
  readonly known: KeysMessage[];
  tell(message: KeysMessage): void;
}

function fakeKeys(): FakeKeys {
  const known: KeysMessage[] = [];
  let listener: (message: KeysMessage) => void = () => {};
  return {
    known,
    messages: () => known,
    onMessage(given) {
      listener = given;
    },
    tell: (message) => listener(message),
    refresh: async (name) => name.length,
  };
}

interface Fixture {
  readonly pool: WorkerPool;
  readonly workers: FakeWorker[];
  readonly deaths: () => number;
  readonly keys: FakeKeys;
  inForce: ConfigChange | undefined;
  /** Set: the next workers say nothing, and this is told when they are killed. */
  silent?: () => void;
}

async function setUp(count = 2, serving: Partial<ServingOptions> = {}): Promise<Fixture> {
  const workers: FakeWorker[] = [];
  const keys = fakeKeys();
  let deaths = 0;
  const fixture: Pick<Fixture, "inForce" | "silent"> = { inForce: undefined };
  const pool = await startWorkers({
    count,
    serving: { ...servingOptionsOf({ ...defaults, configPaths: [] }), ...serving },
    store: { reset: (keys) => keys.length } as CounterStore,
    metrics: {
      workerDied: () => {
        deaths += 1;
      },
      workersReady: () => {},
      failed: () => {},
    },
    fork: () => {
      const { silent } = fixture;
      const worker = fakeWorker();
      if (silent !== undefined) return { ...worker, onMessage: () => {}, kill: silent };
      workers.push(worker);
      return worker;
    },
    inForce: () => fixture.inForce,
    onDecisions: () => {},
    outlet: { write: () => {}, export: () => {}, store: async () => {} },
    keys,
    logger: pino({ level: "silent" }),
    now: () => 0,
  });
  return Object.assign(fixture, { pool, workers, keys, deaths: () => deaths });
}

const typesOf = (worker: FakeWorker | undefined): string[] => worker?.received.map(({ type }) => type) ?? [];

afterEach(() => {
  vi.useRealTimers();
});

describe("the worker pool", () => {
  it("lets all build before it lets any switch", async () => {
    const { pool, workers } = await setUp();
    await pool.install(change(1));
    for (const worker of workers) expect(typesOf(worker)).toEqual(["init", "serving", "build", "switch"]);
  });

  it("sends resources in parts", async () => {
    const { pool, workers } = await setUp(1);
    await pool.install(change(1, 250));
    const sizes = workers[0]?.received.flatMap((message) =>
      message.type === "upserts" ? [message.resources.length] : [],
    );
    expect(sizes).toEqual([100, 100, 50]);
  });

  it("lets none switch when one cannot build", async () => {
    const { pool, workers } = await setUp();
    (workers[1] as FakeWorker).onBuild = { fails: "no memory" };
    await expect(pool.install(change(1))).rejects.toThrow("a worker could not build: no memory");
    for (const worker of workers) expect(typesOf(worker)).not.toContain("switch");
  });

  it("goes on without a worker that dies in the middle", async () => {
    const { pool, workers } = await setUp();
    (workers[1] as FakeWorker).onBuild = "dies";
    await pool.install(change(1));
    expect(typesOf(workers[0])).toContain("switch");
    expect(pool.readyCount()).toBe(1);
  });

  it("gives a new worker the configuration in force and the port before it takes part", async () => {
    const fixture = await setUp(1);
    const { pool, workers } = fixture;
    await pool.listen({ kind: "tcp", host: "127.0.0.1", port: 7 });
    fixture.inForce = change(5, 1);
    workers[0]?.die();
    expect(pool.readyCount()).toBe(0);
    await vi.waitFor(() => expect(pool.readyCount()).toBe(1));
    expect(typesOf(workers[1])).toEqual(["init", "upserts", "build", "switch", "listen", "serving"]);
    expect(fixture.deaths()).toBe(1);
  });

  it("gives a worker that joins behind a change that change too", async () => {
    const fixture = await setUp(2);
    const { pool, workers } = fixture;
    const [slow, dying] = workers as [FakeWorker, FakeWorker];
    const send = slow.send;
    let finishBuild = (): void => {};
    slow.send = (message) => {
      if (message.type === "build") finishBuild = () => send(message);
      else send(message);
    };
    fixture.inForce = change(1);
    const caller = async (): Promise<void> => {
      await pool.install(change(2));
    };
    const noted = caller().then(() => {
      fixture.inForce = change(2);
    });
    dying.die();
    await vi.waitFor(() => expect(typesOf(workers[2])).toContain("init"));
    finishBuild();
    await noted;
    await vi.waitFor(() => expect(pool.readyCount()).toBe(2));
    const builds = workers[2]?.received.flatMap((m) => (m.type === "build" ? [m.generation] : []));
    expect(builds).toEqual([2]);
  });

  it("gives a new worker the keys before it builds, and all workers those that come later", async () => {
    const fixture = await setUp(1);
    const { keys, pool, workers } = fixture;
    const first: KeysMessage = { type: "keys", name: "issuer", jwks: "first" };
    const second: KeysMessage = { ...first, jwks: "second" };
    keys.known.push(first);
    fixture.inForce = change(5);
    workers[0]?.die();
    await vi.waitFor(() => expect(pool.readyCount()).toBe(1));
    keys.tell(second);
    expect(typesOf(workers[1])).toEqual(["init", "keys", "build", "switch", "serving", "keys"]);
    expect(workers[1]?.received.filter(({ type }) => type === "keys")).toEqual([first, second]);
  });

  it("answers a worker that asks for newer keys, and no other", async () => {
    const { workers } = await setUp(2);
    workers[0]?.say({ type: "refresh_keys", name: "four" });
    await vi.waitFor(() => expect(typesOf(workers[0])).toContain("keys_refreshed"));
    expect(workers[0]?.received.at(-1)).toEqual({ type: "keys_refreshed", name: "four", closedMs: 4 });
    expect(typesOf(workers[1])).not.toContain("keys_refreshed");
  });

  it("ends a worker that never says hello, so that another takes its place", async () => {
    const fixture = await setUp(1);
    vi.useFakeTimers();
    let killed = 0;
    fixture.silent = () => {
      killed += 1;
    };
    fixture.workers[0]?.die();
    await sleep(300);
    await vi.advanceTimersByTimeAsync(16_000);
    expect(killed).toBe(1);
  });

  it("replaces workers that die young more and more slowly", async () => {
    const { workers } = await setUp(1);
    const lived: number[] = [];
    for (let i = 0; i < 3; i += 1) {
      const died = performance.now();
      workers.at(-1)?.die();
      await vi.waitFor(() => expect(workers).toHaveLength(i + 2), { timeout: 3000, interval: 5 });
      lived.push(performance.now() - died);
    }
    expect(lived[0]).toBeGreaterThanOrEqual(190);
    expect(lived[1]).toBeGreaterThanOrEqual(390);
    expect(lived[2]).toBeGreaterThanOrEqual(790);
  });

  it("carries out what each worker asks of the ledger, also a worker that came later", async () => {
    const { workers } = await setUp(2);
    workers[0]?.die();
    await vi.waitFor(() => expect(workers).toHaveLength(3), { timeout: 2000 });
    for (const { ledger } of workers.slice(1)) {
      const answers: string[] = [];
      ledger.far.onLine((line) => answers.push(line));
      ledger.far.send('[[0,"reset",[["shop","a"],["shop","b"]]]]');
      ledger.deliver();
      expect(answers).toEqual(["[[0,2]]"]);
    }
  });

  it("leaves the ledger to the workers when it stands in Redis", async () => {
    const redis = { urls: ["redis://127.0.0.1:1"], cluster: false };
    const { workers } = await setUp(1, { redis });
    const { ledger } = workers[0] as FakeWorker;
    const answers: string[] = [];
    ledger.far.onLine((line) => answers.push(line));
    ledger.far.send('[[0,"reset",[]]]');
    ledger.deliver();
    expect(answers).toEqual([]);
  });

  it("drains all and starts no other", async () => {
    const { pool, workers, deaths } = await setUp();
    expect(await pool.drain(100)).toBe(true);
    expect(workers).toHaveLength(2);
    expect(deaths()).toBe(0);
  });

  it("puts together what a worker tells of its series in parts", async () => {
    const { pool, workers } = await setUp(1);
    const part = (name: string) => [{ name }] as unknown as MetricObject[];
    const [worker] = workers;
    if (worker === undefined) throw new Error("expected a worker");
    const answer = worker.send;
    worker.send = (message) => {
      if (message.type === "collect") {
        worker.say({ type: "series", id: message.id - 1, metrics: part("late") });
        worker.say({ type: "series", id: message.id, metrics: part("one") });
        worker.say({ type: "series", id: message.id, metrics: part("two") });
      }
      answer(message);
    };
    expect(await pool.collect()).toEqual([[{ name: "one" }, { name: "two" }]]);
  });

  it("does not wait for a worker that gives no metrics", async () => {
    vi.useFakeTimers();
    const { pool, workers } = await setUp();
    (workers[0] as FakeWorker).send = () => {};
    const collected = pool.collect();
    await vi.advanceTimersByTimeAsync(3000);
    expect(await collected).toEqual([[]]);
  });
});
