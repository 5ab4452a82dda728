import { setImmediate as nextTurn } from "node:timers/promises";
import type { AuthnObserver, JwtPorts } from "../authn/index.js";
import {
  type Assembled,
  type Assembler,
  type BodyPorts,
  createAssembler,
  type Mesh,
  meshOf,
  type QuotaPorts,
  type TelemetryPorts,
} from "../config/index.js";
import type { RateLimitPorts } from "../ratelimit/index.js";
import { createRegoProvider, type RegoPorts } from "../rego/index.js";
import type { Metrics } from "../telemetry/index.js";
import type { ConfigChange } from "./configuration.js";
import { createIntrospectionPool } from "./introspection.js";
import { createProviderPool } from "./providers.js";

/** Compiles configurations to snapshots, in the process that uses them. */
export interface Builder {
  /**
   * Keeps the compiled form of what did not change, and yields to requests in between. One after the other.
   */
  build(change: ConfigChange): Promise<Assembled>;
  /** The snapshot built last is in force: connections that only older ones used are closed after a while. */
  settle(): void;
  close(): Promise<void>;
}

/** What a builder takes from its surroundings. */
export interface BuilderPorts {
  readonly metrics: Pick<Metrics, "providerAsked" | "introspected">;
  readonly jwt: JwtPorts;
  readonly onAuthenticated: AuthnObserver;
  readonly rego: RegoPorts;
  readonly quota: QuotaPorts;
  readonly rateLimit: RateLimitPorts;
  readonly telemetry: TelemetryPorts;
  /** Absent: what responses cost is not charged. */
  readonly bodies?: BodyPorts;
}

/** No request that began under an older snapshot is still under way after this time. */
const RETIRE_MS = 60_000;

/** Makes a builder that knows no configuration yet. */
export function createBuilder({
  metrics,
  jwt,
  onAuthenticated,
  rego,
  quota,
  rateLimit,
  telemetry,
  bodies,
}: BuilderPorts): Builder {
  const pool = createProviderPool(metrics);
  const introspection = createIntrospectionPool(metrics);
  const fresh = (): Assembler =>
    createAssembler({
      pause: () => nextTurn(),
      providers: pool.provide,
      jwt,
      introspection: introspection.provide,
      rego: (policy) => createRegoProvider(policy, rego),
      onAuthenticated,
      quota,
      rateLimit,
      telemetry,
      bodies,
    });
  let assembler = fresh();
  let wanted: Mesh = meshOf([]);
  let settled = wanted;
  return {
    async build(change) {
      if (change.full) assembler = fresh();
      const { upserts, removed } = change;
      if (touchesMesh(change)) wanted = meshOf(upserts);
      const snapshot = await assembler.apply({
        ok: true,
        upserts,
        removed,
        diagnostics: [],
        worst: undefined,
      });
      // Each process counts by itself; the record must name the generation that all of them share.
      return { ...snapshot, generation: change.generation };
    },
    settle() {
      if (settled === wanted) return;
      settled = wanted;
      const retain = (): void => {
        pool.retain([settled, wanted]);
        introspection.retain([settled, wanted]);
      };
      setTimeout(retain, RETIRE_MS).unref();
    },
    async close() {
      await Promise.all([pool.close(), introspection.close()]);
    },
  };
}

/** Whether a step can have another Mesh: then it is among its upserts, or there is none any more. */
export function touchesMesh({ full, upserts, removed }: ConfigChange): boolean {
  return full || upserts.some(({ kind }) => kind === "Mesh") || removed.some((id) => id.includes("/Mesh/"));
}
