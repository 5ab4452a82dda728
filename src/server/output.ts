import type { Logger } from "pino";
import { createHttpClient, createSinks, createSpanExporters } from "../adapters/index.js";
import { type Mesh, meshOf, sinksOfMesh } from "../config/index.js";
import type { Metrics } from "../telemetry/index.js";
import { touchesMesh } from "./builder.js";
import type { ConfigChange } from "./configuration.js";
import type { Outlet } from "./outlet.js";

interface OutputPorts {
  readonly logger: Pick<Logger, "info" | "warn">;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  readonly environment?: Readonly<Record<string, string | undefined>> | undefined;
  readonly metrics: Pick<Metrics, "sinks">;
}

/** Everything that leaves the first process as a line or a span. */
export interface Output extends Outlet {
  /** Opens and closes what the configuration asks for after a step. */
  configure(change: ConfigChange): void;
  /** Opens files again, after they were moved away. */
  reopen(): void;
  /** Writes and sends what is queued, at most until the deadline, in milliseconds. */
  close(deadlineMs: number): Promise<void>;
}

/** A strict record that is not on disk by then refuses its check: well before Envoy gives up by itself. */
const STORE_MS = 1_000;

/** What an exporter has under way when the limits of egress change is let finish, in milliseconds. */
const CLIENT_GRACE_MS = 10_000;

/** Makes the sinks of the server; there are none until a configuration asks for them. */
export function createOutput({ logger, now, environment, metrics }: OutputPorts): Output {
  let mesh: Mesh = meshOf([]);
  let client = createHttpClient({ egress: mesh.egress });
  const ports = {
    logger,
    now,
    observer: metrics.sinks,
    storeTimeoutMs: STORE_MS,
    http: () => client,
    egress: () => mesh.egress,
  };
  const sinks = createSinks(ports);
  const exporters = createSpanExporters(ports);
  return {
    configure(change) {
      if (!touchesMesh(change)) return;
      const wanted = meshOf(change.upserts);
      if (JSON.stringify(wanted.egress) !== JSON.stringify(mesh.egress)) {
        void client.close(CLIENT_GRACE_MS);
        client = createHttpClient({ egress: wanted.egress });
      }
      mesh = wanted;
      const specs = sinksOfMesh(mesh, (name) => environment?.[name]);
      sinks.configure(specs.sinks);
      exporters.configure(specs.exporters);
    },
    write: sinks.write,
    store: sinks.store,
    export: exporters.export,
    reopen: sinks.reopen,
    async close(deadlineMs) {
      await Promise.all([sinks.close(deadlineMs), exporters.close(deadlineMs)]);
      await client.close();
    },
  };
}
