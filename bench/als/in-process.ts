import { randomUUID } from "node:crypto";
import type { Attributes } from "../../src/attributes/index.js";
import type * as Config from "../../src/config/index.js";
import type { Decision } from "../../src/engine/index.js";
import type * as Envoy from "../../src/envoy/index.js";
import type * as Quotas from "../../src/quota/index.js";
import type * as RateLimits from "../../src/ratelimit/index.js";
import type * as Series from "../../src/series/index.js";
import type * as Observing from "../../src/server/observe.js";
import { loadProtos } from "../../src/server/protos.js";
import type * as Reporting from "../../src/server/reporting.js";
import type * as Telemetry from "../../src/telemetry/index.js";
import { fastest } from "../micro/fastest.js";
import { benchConfig } from "../policies.js";
import { benchRequest } from "../request.js";
import { logConfigs } from "./configs.js";
import { numbered, proxyLog } from "./entries.js";

/** As it is built: what runs the sources for a benchmark makes every function made per request dearer. */
const built = <Module>(name: string): Promise<Module> =>
  import(new URL(`../../dist/${name}.js`, import.meta.url).href) as Promise<Module>;
const { createAssembler, createCatalog } = await built<typeof Config>("config/index");
const { createAccessLogService, createAuthorization } = await built<typeof Envoy>("envoy/index");
const { createDecisionRing, createMetrics } = await built<typeof Telemetry>("telemetry/index");
const { createLedger, createMemoryStore } = await built<typeof Quotas>("quota/index");
const { defaultRateLimitSettings } = await built<typeof RateLimits>("ratelimit/index");
const { createSeriesStore } = await built<typeof Series>("series/index");
const { createReporting } = await built<typeof Reporting>("server/reporting");
const { createObserver } = await built<typeof Observing>("server/observe");

/** What one thing costs without transport: the best of many short batches, in microseconds. */
export interface InProcess {
  readonly name: string;
  readonly micros: number;
}

const pause = async (): Promise<void> => {};
const nothing = (): void => {};
const never = (): never => {
  throw new Error("not asked for here");
};
const rethrow = (error: unknown): never => {
  throw error;
};
const metrics = createMetrics({ processMetrics: false });
const store = createMemoryStore({ now: Date.now });
/** As many as a server remembers. */
const REMEMBERED = 1_000;

function readWhole(stream: Envoy.AccessLogStream, message: Uint8Array): void {
  const reading = stream.read(message);
  while (reading.next().done !== true);
}

async function assembled(mesh: object, documents: readonly string[]): Promise<Config.Assembled> {
  const text = [...benchConfig({ applicable: 10, loaded: 10 }, mesh), ...documents].join("---\n");
  const files = [{ path: "bench.yaml", text, root: "." }];
  const update = await createCatalog({ pause }).update({ files, diagnostics: [], roots: [] });
  const errors = update.diagnostics.filter(({ severity }) => severity === "error");
  if (errors.length > 0) throw new Error(errors.map(({ message }) => message).join("; "));
  const { quotas } = metrics;
  return createAssembler({
    pause,
    providers: () => undefined,
    jwt: { keys: never, verifier: { known: never, verify: never } },
    introspection: never,
    onAuthenticated: nothing,
    rego: never,
    quota: { ledger: createLedger({ store, local: store, observer: quotas }), observer: quotas },
    rateLimit: {
      settings: defaultRateLimitSettings,
      store,
      now: Date.now,
      random: Math.random,
      observer: metrics.rateLimits,
      localCache: undefined,
    },
    telemetry: {
      series: createSeriesStore({ now: Date.now }),
      environment: () => undefined,
      observer: metrics.expressions,
      ruleFailed: nothing,
    },
  }).apply(update);
}

const outlet = { write: nothing, export: nothing, store: async (): Promise<void> => {} };

/** From the bytes of a message to metrics, lines and spans, per entry; `only`: configs whose names contain it. */
export async function measureReading(only: string): Promise<InProcess[]> {
  const runs: Record<string, () => unknown> = {};
  const logs = [proxyLog(0, 10), proxyLog(1, 10)];
  let entries = 0;
  // More entries than anything here remembers.
  const messages = Array.from({ length: 8 }, () =>
    logs.flatMap((log) =>
      log.messages.map((message) => {
        entries += message.entries;
        return numbered(message, entries).subarray(5);
      }),
    ),
  ).flat();
  for (const { name, mesh, documents, sampled } of logConfigs("/tmp", 4317)) {
    if (!name.includes(only) || sampled !== 10) continue;
    const current = await assembled(mesh, documents);
    const decisions = createDecisionRing(REMEMBERED);
    const service = createAccessLogService({
      current: () => current,
      report: createReporting({ current: () => current.telemetry, decisions, metrics, outlet }),
      now: Date.now,
      onSkipped: never,
      onError: rethrow,
    });
    const streams = logs.map(({ first }) => {
      const stream = service.open();
      readWhole(stream, first.subarray(5));
      return stream;
    });
    let turn = 0;
    runs[name] = () => {
      const message = messages[turn % messages.length] ?? never();
      const proxy = Math.floor(turn / (messages.length / 16)) % streams.length;
      turn += 1;
      readWhole(streams[proxy] ?? never(), message);
    };
  }
  const of = fastest(runs, 1_500, 6);
  return Object.keys(runs).map((name) => ({ name, micros: (of(name) * messages.length) / entries }));
}

/** What keeping a decision costs, by what is kept of it. */
export async function measureObserving(): Promise<InProcess[]> {
  const bytes = loadProtos().check.requestSerialize(benchRequest({ certificate: true, headers: "raw" }));
  const logs: readonly (readonly [name: string, mesh: object])[] = [
    ["no decision log", {}],
    [
      "decision log to a file",
      { decisionLog: { sinks: [{ name: "file", file: { path: "decisions.log" } }] } },
    ],
    [
      "decision log with headers, claims and query, and the audit file",
      {
        decisionLog: {
          sinks: [{ name: "file", file: { path: "decisions.log" } }],
          include: { requestHeaders: ["*"], query: true, claims: true },
        },
        audit: { path: "audit.log" },
      },
    ],
  ];
  const runs: Record<string, () => unknown> = {};
  for (const [name, mesh] of logs) {
    const current = await assembled(mesh, []);
    const seen: [Decision, Attributes | undefined][] = [];
    const authorization = createAuthorization({
      current: () => current,
      decisionId: randomUUID,
      encode: loadProtos().check.responseSerialize,
      now: () => performance.now(),
      wallClock: Date.now,
      observe: (decision, attributes) => {
        seen.push([decision, attributes]);
        return undefined;
      },
      onError: rethrow,
    });
    // More than are remembered: an id that is known already would cost less.
    for (let i = 0; i < REMEMBERED * 3; i++) {
      await authorization.check(loadProtos().check.requestDeserialize(bytes), bytes);
    }
    for (const when of ["answer", "line"] as const) {
      if (when === "line" && mesh === logs[0]?.[1]) continue;
      let after = nothing;
      const observe = createObserver({
        metrics,
        decisions: createDecisionRing(REMEMBERED),
        logger: { warn: nothing, error: nothing },
        log: () => current.telemetry.decisionLog,
        outlet,
        soon: (callback) => {
          after = callback;
        },
      });
      let turn = 0;
      const note = (): void => {
        const [decision, attributes] = seen[turn++ % seen.length] ?? never();
        observe({ decision, attributes, now: Date.now(), durationMs: 0.1 });
      };
      if (when === "answer") {
        // The lines of a batch are thrown away at its end: they are not what is measured.
        runs[`${name}: until the answer`] = note;
      } else {
        runs[`${name}: with the line`] = () => {
          note();
          after();
        };
      }
    }
  }
  const of = fastest(runs, 300, 200);
  return Object.keys(runs).map((name) => ({ name, micros: of(name) }));
}
