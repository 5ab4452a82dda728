import { Socket } from "node:net";
import { setImmediate as nextTurn } from "node:timers/promises";
import { pino } from "pino";
import type { MetricObject } from "prom-client";
import type { Resource } from "../config/index.js";
import type { CounterStore } from "../quota/index.js";
import type { SeriesMetric } from "../series/index.js";
import { createDecisionRing, createMetrics, type Metrics } from "../telemetry/index.js";
import { openStore } from "./counters.js";
import { survive } from "./crash-net.js";
import { createKeyMirror, type KeyMirror } from "./key-mirror.js";
import { createLineLink, LINES_FD } from "./line-link.js";
import type { FromWorker, ToWorker } from "./messages.js";
import type { ServerPorts } from "./options.js";
import { createOutletLink, type OutletLink } from "./outlet.js";
import { createServing, type Serving } from "./serving.js";
import { createStoreLink } from "./store-link.js";

/** How often decisions go to the primary, in milliseconds. */
const DECISIONS_EVERY_MS = 1000;
/** How long lines and spans are gathered before they go to the primary, in milliseconds. */
const OUTPUT_EVERY_MS = 50;

type Init = Extract<ToWorker, { type: "init" }>;

/** A worker process: it decides, and does what the primary says, message by message. */
function runWorker(init: Init): (message: ToWorker) => Promise<void> {
  const logger = pino({ level: init.logLevel, base: { worker: process.pid } }, pino.destination(2));
  const ports: ServerPorts & { metrics: Metrics } = {
    logger,
    now: Date.now,
    environment: init.environment,
    metrics: createMetrics({ processMetrics: true }),
  };
  survive(ports);
  const mirror = createKeyMirror({
    ask: (name) => send({ type: "refresh_keys", name }),
    now: () => performance.now(),
    schedule,
  });
  const store = init.options.redis === undefined ? reachLedger() : openStore(init.options, ports);
  const outlet = createOutletLink({
    send: (batch, sent) => send({ type: "output", batch }, sent),
    ask: (questions) => send({ type: "store", questions }),
    later: (callback) => void schedule(OUTPUT_EVERY_MS, callback),
    soon: (callback) => void setImmediate(callback),
    schedule,
    onDropped: (name) => ports.metrics.sinks.dropped(name, "worker_queue", 1),
  });
  const decisions = createDecisionRing(init.options.decisions, { forwards: true });
  const serving = createServing(init.options, { ...ports, store, keys: mirror.sources, decisions, outlet });
  const sendDecisions = (): void => {
    const records = decisions.takeNew();
    const amendments = decisions.takeNewAmendments();
    const served = decisions.takeNewServed();
    if (records.length + amendments.length + served.length > 0) {
      send({ type: "decisions", records, amendments, served });
    }
  };
  setInterval(sendDecisions, DECISIONS_EVERY_MS).unref();
  return follow({ serving, mirror, outlet, metrics: ports.metrics, sendDecisions });
}

/** The primary's counters. A worker that has lost them ends, and another takes its place. */
function reachLedger(): CounterStore {
  const link = createLineLink(new Socket({ fd: LINES_FD, readable: true, writable: true }));
  link.onEnd(() => process.exit(1));
  return createStoreLink({
    link,
    now: () => performance.now(),
    schedule,
    soon: (callback) => void setImmediate(callback),
  });
}

function schedule(ms: number, callback: () => void): () => void {
  const timer = setTimeout(callback, ms);
  return () => clearTimeout(timer);
}

interface Parts {
  readonly serving: Serving;
  readonly mirror: KeyMirror;
  readonly metrics: Metrics;
  readonly outlet: OutletLink;
  readonly sendDecisions: () => void;
}

function follow({
  serving,
  mirror,
  outlet,
  metrics,
  sendDecisions,
}: Parts): (message: ToWorker) => Promise<void> {
  let upserts: Resource[] = [];
  return async (message) => {
    switch (message.type) {
      case "init":
        return;
      case "keys":
      case "keys_refreshed":
        mirror.receive(message);
        return;
      case "upserts":
        upserts.push(...message.resources);
        return;
      case "build": {
        const change = { ...message, upserts };
        upserts = [];
        const error = await outcome(serving.build(change));
        send({ type: "built", generation: message.generation, error });
        return;
      }
      case "switch":
        serving.switch();
        return;
      case "listen": {
        const listening = serving.listen(message.address);
        const error = await outcome(listening);
        send({ type: "listening", address: error === undefined ? await listening : undefined, error });
        return;
      }
      case "serving":
        serving.setServing(message.serving);
        return;
      case "stored":
        outlet.stored(message.ids, message.failed);
        return;
      case "collect":
        sendDecisions();
        for (const part of partsOf(serving.series())) {
          send({ type: "series", id: message.id, metrics: part });
          await nextTurn();
        }
        send({ type: "collected", id: message.id, metrics: await metrics.values() });
        return;
      case "drain": {
        const finished = await serving.drain(message.timeoutMs);
        sendDecisions();
        outlet.flush();
        send({ type: "drained", finished }, () => process.exit(0));
        return;
      }
    }
  };
}

/** So many series in one message: to write it takes a few milliseconds. */
const SERIES = 500;

/** Metrics in parts, the series of a large one in several. */
function* partsOf(metrics: readonly MetricObject[]): Generator<readonly MetricObject[]> {
  for (const metric of metrics as readonly unknown[] as readonly SeriesMetric[]) {
    for (let i = 0; i < metric.rows.length; i += SERIES) {
      yield [{ ...metric, rows: metric.rows.slice(i, i + SERIES) } as unknown as MetricObject];
    }
  }
}

/** Why a promise rejected, undefined when it did not. */
async function outcome(promise: Promise<unknown>): Promise<string | undefined> {
  try {
    await promise;
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

function send(message: FromWorker, sent?: () => void): void {
  process.send?.(message, undefined, undefined, sent);
}

/** Signals go to the whole process group, but only the primary decides what they mean. */
function ignoreSignals(): void {
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => {});
}

ignoreSignals();
process.on("disconnect", () => process.exit(1));
let handle: ((message: ToWorker) => Promise<void>) | undefined;
process.on("message", (message: ToWorker) => {
  if (message.type === "init") handle = runWorker(message);
  else void handle?.(message);
});
send({ type: "hello" });
