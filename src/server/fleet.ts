import type { MetricObject } from "prom-client";
import type { CounterStore } from "../quota/index.js";
import {
  createDecisionRing,
  type DecisionFilter,
  type DecisionRingOptions,
  type JoinedRecord,
  type Metrics,
} from "../telemetry/index.js";
import type { ListenAddress } from "./address.js";
import type { ConfigChange, Install } from "./configuration.js";
import type { Keys } from "./keys.js";
import { type ServerOptions, type ServerPorts, servingOptionsOf } from "./options.js";
import type { Outlet } from "./outlet.js";
import { createServing } from "./serving.js";

/** Whoever answers checks: this process, or worker processes. */
export interface Fleet {
  readonly install: Install;
  listen(address: ListenAddress): Promise<ListenAddress>;
  setServing(serving: boolean): void;
  notReady(): readonly string[];
  /** Of the other processes. */
  metrics(): Promise<readonly (readonly MetricObject[])[]>;
  decisions(filter: DecisionFilter): Promise<readonly JoinedRecord[]>;
  drain(timeoutMs: number): Promise<boolean>;
}

interface FleetPorts extends ServerPorts {
  readonly metrics: Metrics;
  readonly keys: Pick<Keys, "sources" | "exchange">;
  /** Of this process; workers ask it too, unless the counters stand in Redis. */
  readonly store: CounterStore;
  readonly inForce: () => ConfigChange | undefined;
  /** Of this process, which owns all sinks. */
  readonly outlet: Outlet;
}

/** One worker is this process itself; more are processes of their own. */
export function createFleet(options: ServerOptions, ports: FleetPorts): Promise<Fleet> {
  return options.workers === 1 ? Promise.resolve(alone(options, ports)) : together(options, ports);
}

function alone(options: ServerOptions, ports: FleetPorts): Fleet {
  const decisions = createDecisionRing(options.decisions, alarmsOf(ports));
  const serving = createServing(options, { ...ports, keys: ports.keys.sources, decisions });
  return {
    async install(change) {
      await serving.build(change);
      serving.switch();
    },
    listen: serving.listen,
    setServing: serving.setServing,
    notReady: () => [],
    metrics: async () => [serving.series()],
    decisions: async (filter) => decisions.list(filter),
    drain: serving.drain,
  };
}

async function together(options: ServerOptions, ports: FleetPorts): Promise<Fleet> {
  // Only whoever asks for workers pays for loading node:cluster.
  const [{ startWorkers }, { forkWorker }] = await Promise.all([
    import("./workers.js"),
    import("./worker-link.js"),
  ]);
  const ring = createDecisionRing(options.decisions, alarmsOf(ports));
  const pool = await startWorkers({
    ...ports,
    keys: ports.keys.exchange,
    count: options.workers,
    fork: forkWorker,
    serving: servingOptionsOf(options),
    onDecisions: ({ records, amendments, served }) => {
      for (const record of records) ring.push(record);
      // Before what proxies say: they may not have been told what was carried out.
      for (const amendment of amendments) ring.amend(amendment);
      for (const record of served) ring.served(record);
    },
  });
  return {
    install: pool.install,
    listen: pool.listen,
    setServing: pool.setServing,
    notReady: () => (pool.readyCount() === 0 ? ["no worker is ready"] : []),
    metrics: pool.collect,
    async decisions(filter) {
      // Whoever follows comes again, and collecting fetches every worker's metrics.
      if (filter.after === undefined) await pool.collect();
      return ring.list(filter);
    },
    drain: pool.drain,
  };
}

/** Somebody has to look: what was refused has been answered by an upstream, or what was asked for was not done. */
function alarmsOf({
  logger,
}: Pick<FleetPorts, "logger">): Required<Pick<DecisionRingOptions, "onAlarm" | "onUnmet">> {
  return {
    onAlarm: ({ decision_id, policy, rule, host, response }) =>
      logger.error(
        { decision_id, policy, rule, host, status: response?.response_code },
        "a request that was refused has been served: Envoy did not ask, or did not obey, this check",
      ),
    onUnmet: ({ decision_id, policy, rule, host, unmet, response }) =>
      logger.error(
        { decision_id, policy, rule, host, unmet, status: response?.response_code },
        "a request has been served without the body policies that its decision asks for: nobody carried them out",
      ),
  };
}
