import { randomUUID } from "node:crypto";
import grpc from "@grpc/grpc-js";
import type { MetricObject } from "prom-client";
import type { Attributes } from "../attributes/index.js";
import { createTokenCache, createTokenVerifier, type KeySources } from "../authn/index.js";
import { createBodyBudget } from "../body/index.js";
import type { Assembled, TelemetryInForce } from "../config/index.js";
import type { Decision } from "../engine/index.js";
import {
  createAuthorization,
  createExchanges,
  createExtProcService,
  createHandover,
  createRateLimitService,
} from "../envoy/index.js";
import type { CounterStore } from "../quota/index.js";
import { createSeriesStore } from "../series/index.js";
import type { DecisionRing, Metrics } from "../telemetry/index.js";
import { createAccessLogs } from "./access-log.js";
import type { ListenAddress } from "./address.js";
import { refuseUnlisted } from "./allow-client.js";
import { createBuilder } from "./builder.js";
import type { ConfigChange } from "./configuration.js";
import { createCounters } from "./counters.js";
import { watchEventLoop } from "./event-loop.js";
import { createFailures } from "./failures.js";
import { createTransport } from "./grpc.js";
import { createObserver, type Observe } from "./observe.js";
import { createBodyObserver } from "./observe-body.js";
import type { ServerPorts, ServingOptions } from "./options.js";
import type { Outlet } from "./outlet.js";
import { loadProtos } from "./protos.js";
import { createRegoPorts } from "./rego.js";
import { createReporting } from "./reporting.js";
import { createRotatingTls } from "./tls.js";

/** One process's part in serving: a gRPC server and the snapshot that it decides by. */
export interface Serving {
  /** Makes the next snapshot without using it; a rejection leaves everything as it was. */
  build(change: ConfigChange): Promise<void>;
  /** Puts what `build` made last in force: one assignment, between two requests. */
  switch(): void;
  listen(address: ListenAddress): Promise<ListenAddress>;
  setServing(serving: boolean): void;
  /** Ends the gRPC server; true when all calls finished within `timeoutMs`. */
  drain(timeoutMs: number): Promise<boolean>;
  /** Metrics of what proxies report, see `renderMetrics`. */
  series(): readonly MetricObject[];
}

/** What a serving process takes from its surroundings. */
export interface ServingPorts extends ServerPorts {
  readonly metrics: Metrics;
  readonly keys: KeySources;
  /** Where quotas and rate limits are counted; whoever made it closes it. */
  readonly store: CounterStore;
  /** Where decisions and their reports are held. */
  readonly decisions: Pick<DecisionRing, "push" | "served" | "amend">;
  readonly outlet: Outlet;
}

const FORGET_SERIES_MS = 60_000;

/** Makes the serving part of this process. Throws `tls` when the certificate files cannot be used. */
export function createServing(options: ServingOptions, ports: ServingPorts): Serving {
  const { logger, metrics, now, keys } = ports;
  let current: Assembled | undefined;
  let next: Assembled | undefined;
  const { decisions, outlet } = ports;
  const series = createSeriesStore({ now });
  const counters = createCounters(options, ports);
  const builder = createBuilder({
    metrics,
    jwt: {
      keys,
      verifier: createTokenVerifier(createTokenCache(options.tokenCache, () => performance.now())),
    },
    onAuthenticated: metrics.authenticated,
    rego: createRegoPorts(ports),
    quota: counters.quota,
    rateLimit: counters.rateLimit,
    telemetry: {
      series,
      environment: (name) => ports.environment?.[name],
      observer: metrics.expressions,
      ruleFailed: (place) => metrics.expressions.ruleFailed("decisionLog", place),
    },
    bodies: {
      usage: metrics.usageSettled,
      now: () => performance.now(),
      budget: createBodyBudget(options.maxHeldBytes, metrics.bodiesHeld),
    },
  });
  const tls =
    options.tls === undefined
      ? undefined
      : createRotatingTls(options.tls, {
          onRotated: () => logger.info("certificates rotated"),
          onFailed: (err) => {
            metrics.failed("tls");
            logger.error({ err }, "certificates changed but cannot be used, the old ones stay");
          },
        });
  const { requestSerialize: encodeCheckRequest, responseSerialize: encode } = loadProtos().check;
  const lag = watchEventLoop((seconds) => metrics.eventLoopLagged(seconds));
  const soon = (callback: () => void): void => void setImmediate(callback);
  const log = (): TelemetryInForce["decisionLog"] => current?.telemetry.decisionLog;
  const note = createObserver({
    metrics,
    decisions,
    logger,
    log,
    outlet,
    soon,
  });
  const amend = createBodyObserver({ metrics, decisions, logger, log, outlet, now, soon });
  const observe = (
    decision: Decision,
    attributes: Attributes | undefined,
    durationMs: number,
  ): ReturnType<Observe> => note({ decision, attributes, now: now(), durationMs });
  const accessLog = createAccessLogs({
    metrics,
    logger,
    now,
    soon,
    current: () => current,
    report: createReporting({
      current: () => current?.telemetry,
      decisions,
      metrics,
      outlet,
    }),
  });
  const onError = createFailures({ metrics, logger, now });
  const handover = createHandover({ key: Buffer.from(options.recordKey, "base64"), wallClock: now });
  const deciding = {
    decisionId: randomUUID,
    now: () => performance.now(),
    wallClock: now,
    observe,
    onError: (error: unknown) => onError("check", error),
  };
  const inForce = (): Assembled | undefined => (options.decides ? current : undefined);
  const exchanges = createExchanges({
    ...deciding,
    current() {
      const snapshot = inForce();
      return snapshot && { snapshot, bodies: snapshot.bodies };
    },
    encodeCheckRequest,
    handover,
    amend,
  });
  const transport = createTransport({
    authorization: createAuthorization({
      ...deciding,
      current: inForce,
      encode,
      // Also where there is no BodyPolicy: Envoy does not tell here whether ext_proc comes after, where a second decision
      // would charge again, and would miss what the first one took out of the request.
      carry: (decision) =>
        handover.carry(decision, current?.bodies(decision.workload)?.readsIdentity === true),
    }),
    extProc: createExtProcService({
      exchange: exchanges.open,
      observer: metrics.extProc,
      onError: (error) => onError("check", error),
    }),
    rateLimit: createRateLimitService({
      current: () => current?.rateLimits,
      now: () => performance.now(),
      observe: metrics.rateLimited,
      onError: (error) => onError("rate_limit", error),
    }),
    accessLog,
    credentials: tls?.credentials ?? grpc.ServerCredentials.createInsecure(),
    refusePeer: options.allowClients.length === 0 ? undefined : refuseUnlisted(options.allowClients),
    maxMessageBytes: options.maxMessageBytes,
    reflection: options.reflection,
    onError,
  });
  let forgetting: NodeJS.Timeout | undefined;
  /**
   * What no definition asks for any more goes, but late: plans are made when a proxy's first report arrives, and a series
   * that is wanted again must not begin at 0.
   */
  const forgetSeries = (): void => {
    clearTimeout(forgetting);
    forgetting = setTimeout(() => {
      if (current !== undefined) series.retain(current.telemetry.series);
    }, FORGET_SERIES_MS).unref();
  };
  return {
    async build(change) {
      next = undefined;
      next = await builder.build(change);
    },
    switch() {
      if (next === undefined) return;
      current = next;
      next = undefined;
      forgetSeries();
      builder.settle();
    },
    listen: transport.listen,
    setServing: transport.setServing,
    async drain(timeoutMs) {
      const finished = await transport.drain(timeoutMs);
      accessLog.flush();
      tls?.close();
      lag.close();
      await builder.close();
      await counters.close();
      return finished;
    },
    series: () => series.values(),
  };
}
