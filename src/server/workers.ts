import { type AddressInfo, createServer } from "node:net";
import { setImmediate as nextTurn, setTimeout as sleep } from "node:timers/promises";
import type { MetricObject } from "prom-client";
import { GatehouseError } from "../diagnostics/index.js";
import type { CounterStore } from "../quota/index.js";
import type { Metrics } from "../telemetry/index.js";
import type { ListenAddress } from "./address.js";
import type { ConfigChange } from "./configuration.js";
import type { KeyExchange } from "./keys.js";
import type { FromWorker } from "./messages.js";
import type { ServerPorts, ServingOptions } from "./options.js";
import type { Outlet, StoreQuestion } from "./outlet.js";
import { hostStore } from "./store-host.js";
import { type Conversation, converse, type WorkerLink } from "./worker-link.js";

/** The worker processes, as one. */
export interface WorkerPool {
  /** All workers build, then all switch; when one cannot, none does and this rejects. */
  install(change: ConfigChange): Promise<void>;
  /** All workers listen on one address; gives it with its port. */
  listen(address: ListenAddress): Promise<ListenAddress>;
  setServing(serving: boolean): void;
  /** Metrics of every worker that answers in time; their decisions arrive before this resolves. */
  collect(): Promise<readonly (readonly MetricObject[])[]>;
  readyCount(): number;
  /** True when every worker finished its calls. */
  drain(timeoutMs: number): Promise<boolean>;
}

interface PoolOptions extends ServerPorts {
  readonly count: number;
  readonly serving: ServingOptions;
  readonly metrics: Pick<Metrics, "workerDied" | "workersReady" | "failed">;
  /** Starts a worker process. */
  readonly fork: () => WorkerLink;
  /** What a new worker has to build first; undefined: there is no configuration. */
  readonly inForce: () => ConfigChange | undefined;
  readonly onDecisions: (message: Extract<FromWorker, { type: "decisions" }>) => void;
  /** Where workers' lines and spans go. */
  readonly outlet: Outlet;
  readonly keys: KeyExchange;
  /** One ledger for all workers, unless each reaches Redis by itself. */
  readonly store: CounterStore;
}

interface Member extends Conversation {
  /** Takes part in rounds. */
  admitted: boolean;
  /** Parts of metrics that came before their `collected`, by its id. */
  readonly series: Map<number, MetricObject[]>;
}

const START_MS = 15_000;
const BUILD_MS = 120_000;
const COLLECT_MS = 2_000;
/** So many resources in one message: reading it must not hold up a worker's requests. */
const BATCH = 100;
/**
 * A worker that died is replaced after this time, doubled for each that died young, up to the second number.
 */
const RESTART_MS = [100, 5_000] as const;
const YOUNG_MS = 10_000;

/** Starts `count` workers and waits until each runs. Rejects with `worker` when one does not. */
export async function startWorkers(options: PoolOptions): Promise<WorkerPool> {
  const { logger, metrics, inForce, store } = options;
  const members = new Set<Member>();
  let address: ListenAddress | undefined;
  let serving = false;
  let draining = false;
  let youngDeaths = 0;
  let collections = 0;

  /** Rounds and admissions, one after the other, so that a worker joins between two generations. */
  let queue: Promise<unknown> = Promise.resolve();
  const inOrder = <T>(task: () => Promise<T>): Promise<T> => {
    const result = queue.then(task);
    queue = result.catch(() => {});
    return result;
  };
  const admitted = (): Member[] => [...members].filter((member) => member.admitted);

  const start = async (): Promise<Member> => {
    const member: Member = { ...converse(options.fork()), admitted: false, series: new Map() };
    const { link } = member;
    const started = performance.now();
    members.add(member);
    link.onMessage((message) => {
      if (message.type === "decisions") options.onDecisions(message);
      if (message.type === "output") {
        for (const line of message.batch.lines) options.outlet.write(line);
        for (const span of message.batch.spans) options.outlet.export(span);
      }
      if (message.type === "series") member.series.get(message.id)?.push(...message.metrics);
      if (message.type === "store") void storeFor(link, message.questions, options.outlet);
      if (message.type === "refresh_keys") void refreshKeys(link, message.name, options.keys);
    });
    if (options.serving.redis === undefined) {
      const onError = (err: unknown): void => {
        metrics.failed("worker");
        logger.error({ err, worker: link.pid }, "a worker's charge could not be carried out");
      };
      hostStore({ link: link.lines, store, onError });
    }
    link.onExit((why) => {
      members.delete(member);
      metrics.workersReady(admitted().length);
      if (draining) return;
      metrics.workerDied();
      logger.error({ worker: link.pid, ...why }, "worker died, starting another");
      youngDeaths = performance.now() - started < YOUNG_MS ? youngDeaths + 1 : 0;
      void replace();
    });
    try {
      await member.next("hello", START_MS);
    } catch (error) {
      // One that hangs never exits by itself, and only an exit starts another.
      link.kill();
      throw error;
    }
    // A copy: what the process itself has there cannot be sent.
    const environment = { ...options.environment };
    link.send({ type: "init", options: options.serving, logLevel: logger.level, environment });
    for (const message of options.keys.messages()) link.send(message);
    return member;
  };

  const admit = async (member: Member): Promise<void> => {
    const change = inForce();
    if (change !== undefined) {
      await build(member, change);
      member.link.send({ type: "switch" });
    }
    if (address !== undefined) await listenOn(member, address);
    member.link.send({ type: "serving", serving });
    member.admitted = true;
    metrics.workersReady(admitted().length);
    logger.info({ worker: member.link.pid }, "worker joined");
  };

  const replace = async (): Promise<void> => {
    await sleep(Math.min(RESTART_MS[0] * 2 ** youngDeaths, RESTART_MS[1]), undefined, { ref: false });
    if (draining) return;
    let member: Member | undefined;
    try {
      const started = await start();
      member = started;
      await inOrder(() => admit(started));
    } catch (err) {
      metrics.failed("worker");
      logger.error({ err }, "worker could not be started");
      // Its exit starts another.
      member?.link.kill();
    }
  };

  options.keys.onMessage((message) => {
    for (const { link } of members) link.send(message);
  });
  try {
    const first = await Promise.all(Array.from({ length: options.count }, start));
    await inOrder(() => Promise.all(first.map(admit)));
  } catch (error) {
    draining = true;
    for (const { link } of members) link.kill();
    throw error;
  }

  return {
    install(change) {
      const installed = inOrder(async () => {
        const round = admitted();
        // One that dies meanwhile has not failed: what replaces it builds what is in force then.
        await Promise.all(
          round.map((member) =>
            build(member, change).catch((error: unknown) => {
              if (members.has(member)) throw error;
            }),
          ),
        );
        for (const { link } of round) link.send({ type: "switch" });
      });
      // The caller takes note of the change before a worker that waits to join asks what is in force.
      void inOrder(() => nextTurn());
      return installed;
    },
    listen: (wanted) =>
      inOrder(async () => {
        const chosen = await choosePort(wanted);
        await Promise.all(admitted().map((member) => listenOn(member, chosen)));
        address = chosen;
        return chosen;
      }),
    setServing(value) {
      serving = value;
      for (const { link } of admitted()) link.send({ type: "serving", serving });
    },
    async collect() {
      collections += 1;
      const id = collections;
      const answers = await Promise.allSettled(
        admitted().map(async (member) => {
          const series: MetricObject[] = [];
          member.series.set(id, series);
          const collected = member.next("collected", COLLECT_MS, (message) => message.id === id);
          member.link.send({ type: "collect", id });
          try {
            return [...(await collected).metrics, ...series];
          } finally {
            member.series.delete(id);
          }
        }),
      );
      return answers.flatMap((result) => (result.status === "fulfilled" ? [result.value] : []));
    },
    readyCount: () => admitted().length,
    async drain(timeoutMs) {
      draining = true;
      const finished = await Promise.all([...members].map((member) => drainOne(member, timeoutMs)));
      return finished.every(Boolean);
    },
  };
}

async function build({ link, next }: Member, change: ConfigChange): Promise<void> {
  const { generation, full, removed, upserts } = change;
  const built = next("built", BUILD_MS, (message) => message.generation === generation);
  for (let i = 0; i < upserts.length; i += BATCH) {
    link.send({ type: "upserts", resources: upserts.slice(i, i + BATCH) });
  }
  link.send({ type: "build", generation, full, removed });
  const { error } = await built;
  if (error !== undefined) throw new GatehouseError("worker", `a worker could not build: ${error}`);
}

/** Answers for all at once: they were written at once, too. */
async function storeFor(
  link: WorkerLink,
  questions: readonly StoreQuestion[],
  outlet: Outlet,
): Promise<void> {
  const results = await Promise.allSettled(questions.map(({ line }) => outlet.store(line)));
  const ids = questions.map(({ id }) => id);
  const failed = ids.filter((_, i) => results[i]?.status === "rejected");
  link.send({ type: "stored", ids, failed });
}

async function refreshKeys(link: WorkerLink, name: string, keys: KeyExchange): Promise<void> {
  link.send({ type: "keys_refreshed", name, closedMs: await keys.refresh(name) });
}

async function listenOn({ link, next }: Member, address: ListenAddress): Promise<void> {
  const listening = next("listening", START_MS);
  link.send({ type: "listen", address });
  const { error } = await listening;
  if (error !== undefined) throw new GatehouseError("worker", error);
}

/**
 * Turns port 0 into a port that is free now. Workers share a port by its number, and one that joins later
 * must find the same even when all others have died.
 */
async function choosePort(address: ListenAddress): Promise<ListenAddress> {
  if (address.kind === "unix" || address.port !== 0) return address;
  const probe = createServer();
  await new Promise<void>((resolve, reject) => {
    probe.once("error", reject);
    probe.listen({ host: address.host, port: 0 }, resolve);
  });
  const { port } = probe.address() as AddressInfo;
  await new Promise((resolve) => probe.close(resolve));
  return { ...address, port };
}

async function drainOne({ link, next }: Member, timeoutMs: number): Promise<boolean> {
  const exited = new Promise<void>((resolve) => link.onExit(() => resolve()));
  const drained = next("drained", timeoutMs + 1000).then(
    ({ finished }) => finished,
    () => false,
  );
  link.send({ type: "drain", timeoutMs });
  const finished = await drained;
  if (!finished) link.kill();
  await exited;
  return finished;
}
