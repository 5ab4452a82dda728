import { randomUUID } from "node:crypto";
import grpc from "@grpc/grpc-js";
import type { Attributes } from "../attributes/index.js";
import { createTokenCache, createTokenVerifier, type KeySources } from "../authn/index.js";
import type { Decision, Snapshot } from "../engine/index.js";
import { createAuthorization, createRateLimitService } from "../envoy/index.js";
import type { CounterStore } from "../quota/index.js";
import { createDecisionRing, type DecisionRing, type Metrics } from "../telemetry/index.js";
import type { ListenAddress } from "./address.js";
import { refuseUnlisted } from "./allow-client.js";
import { createBuilder } from "./builder.js";
import type { ConfigChange } from "./configuration.js";
import { createCounters } from "./counters.js";
import { createTransport } from "./grpc.js";
import { createObserver } from "./observe.js";
import type { ServerPorts, ServingOptions } from "./options.js";
import { loadProtos } from "./protos.js";
import { createRegoPorts } from "./rego.js";
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
  readonly decisions: DecisionRing;
}

/** What a serving process takes from its surroundings. */
export interface ServingPorts extends ServerPorts {
  readonly metrics: Metrics;
  readonly keys: KeySources;
  /** Where quotas and rate limits are counted; whoever made it closes it. */
  readonly store: CounterStore;
}

/** Makes the serving part of this process. Throws `tls` when the certificate files cannot be used. */
export function createServing(options: ServingOptions, ports: ServingPorts): Serving {
  const { logger, metrics, now, keys } = ports;
  let current: Snapshot | undefined;
  let next: Snapshot | undefined;
  const decisions = createDecisionRing(options.decisions);
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
  const { responseSerialize: encode } = loadProtos().check;
  const note = createObserver({ metrics, decisions, logger });
  const observe = (decision: Decision, attributes: Attributes | undefined, durationMs: number): void =>
    note({ decision, attributes, now: now(), durationMs });
  const onError = (where: "decode" | "check" | "rate_limit", err: unknown): void => {
    metrics.failed(where);
    const what = where === "rate_limit" ? "rate limit call" : "check";
    logger.error({ err, where }, `${what} could not be answered, refused`);
  };
  const transport = createTransport({
    authorization: createAuthorization({
      current: () => (options.decides ? current : undefined),
      decisionId: randomUUID,
      encode,
      now: () => performance.now(),
      wallClock: now,
      observe,
      onError: (error) => onError("check", error),
    }),
    rateLimit: createRateLimitService({
      current: () => current?.rateLimits,
      now: () => performance.now(),
      observe: metrics.rateLimited,
      onError: (error) => onError("rate_limit", error),
    }),
    credentials: tls?.credentials ?? grpc.ServerCredentials.createInsecure(),
    refusePeer: options.allowClients.length === 0 ? undefined : refuseUnlisted(options.allowClients),
    maxMessageBytes: options.maxMessageBytes,
    reflection: options.reflection,
    onError,
  });
  return {
    async build(change) {
      next = undefined;
      next = await builder.build(change);
    },
    switch() {
      if (next === undefined) return;
      current = next;
      next = undefined;
      builder.settle();
    },
    listen: transport.listen,
    setServing: transport.setServing,
    async drain(timeoutMs) {
      const finished = await transport.drain(timeoutMs);
      tls?.close();
      await builder.close();
      await counters.close();
      return finished;
    },
    decisions,
  };
}
