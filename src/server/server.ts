import { setImmediate as nextTurn } from "node:timers/promises";
import { GatehouseError } from "../diagnostics/index.js";
import { createMetrics, metricPieces } from "../telemetry/index.js";
import { formatAddress, isLoopback, parseAddress } from "./address.js";
import { type PageServer, servePages } from "./admin.js";
import { createAdminGuard } from "./admin-guard.js";
import { startConfigThread } from "./config-thread.js";
import { type ConfigState, createConfiguration } from "./configuration.js";
import { openStore } from "./counters.js";
import { survive } from "./crash-net.js";
import { createKeys } from "./keys.js";
import { defaults, type ServerOptions, type ServerPorts } from "./options.js";
import { createOutput } from "./output.js";
import { adminActions, adminPages, type Observable, publicPages } from "./pages.js";
import { createQuotaDesk } from "./quota-desk.js";
import { recordKey } from "./record-key.js";
import { packageVersion } from "./version.js";

/** A server that answers. Addresses have the ports that were chosen. */
export interface RunningServer {
  readonly grpcAddress: string;
  readonly adminAddress: string;
  readonly metricsAddress: string | undefined;
  /** The configuration in force and what is wrong with the one on disk. */
  configuration(): ConfigState;
  /** Opens files of logs again, and reads the configuration; what comes of it shows in `configuration()`. */
  reload(): void;
  /** Health says NOT_SERVING, calls under way are finished, at most for the drain timeout. True: all were. */
  drain(): Promise<boolean>;
  /** Drains without waiting. */
  close(): Promise<void>;
}

/** The first configuration has errors. */
export class InvalidConfigError extends GatehouseError {
  readonly state: ConfigState;

  constructor(state: ConfigState) {
    super("source", state.lastError ?? "the configuration has errors");
    this.name = "InvalidConfigError";
    this.state = state;
  }
}

/** What sinks still have to write or send when the server ends, in milliseconds. */
const OUTPUT_CLOSE_MS = 3_000;

/**
 * The composition root: everything is put together here. Resolves when requests are answered by the first
 * configuration. Rejects with InvalidConfigError, or with a coded error when an address, a file or a flag
 * cannot be used; then nothing is left running.
 */
export async function startServer(
  given: Partial<ServerOptions> & Pick<ServerOptions, "configPaths">,
  ports: ServerPorts,
): Promise<RunningServer> {
  const options: ServerOptions = { ...defaults, recordKey: recordKey(given.recordKeyFile), ...given };
  const { logger } = ports;
  const addresses = readAddresses(options);
  const guard = createAdminGuard({
    address: addresses.admin,
    hosts: options.adminHosts,
    tokenFile: options.adminTokenFile,
  });
  const warnings = [...securityWarnings(options), ...unlimitedWarnings(options)];
  for (const warning of warnings) logger.warn(warning);

  const closers: (() => unknown)[] = [];
  const closeAll = async (): Promise<void> => {
    for (const close of closers.splice(0).reverse()) await close();
  };
  try {
    const metrics = createMetrics({ processMetrics: true });
    const keys = createKeys({ ...ports, metrics });
    closers.push(keys.close);
    const store = openStore(options, { ...ports, metrics });
    closers.push(() => store.close());
    const output = createOutput({ ...ports, metrics });
    closers.push(() => output.close(OUTPUT_CLOSE_MS));
    const source = startConfigThread({
      paths: options.configPaths,
      allowEmpty: options.allowEmpty,
      rego: options.regoPaths,
      rateLimit: options.rateLimitPaths,
      rateLimitSettings: options.rateLimit,
      cacheDir: options.cacheDir,
      ...(ports.environment && { environment: ports.environment }),
    });
    closers.push(() => source.close());
    let draining = false;
    // The gRPC library is loaded, and workers start, while the configuration is read; the two meet in
    // `install`.
    const starting = import("./fleet.js").then(({ createFleet }) =>
      createFleet(options, {
        ...ports,
        metrics,
        keys,
        store,
        outlet: output,
        inForce: () => configuration.inForce(),
      }),
    );
    const configuration = createConfiguration({
      ...ports,
      source,
      metrics,
      install: (change) =>
        keys.install(change, async () => {
          const fleet = await starting;
          await fleet.install(change);
          // In the same turn as the switch: no line comes in between.
          output.configure(change);
          if (!draining) fleet.setServing(true);
        }),
    });
    const [fleet, first] = await Promise.all([starting, configuration.first]);
    closers.push(() => fleet.drain(0));
    if (first.generation === 0 && !options.allowInvalidStart) throw new InvalidConfigError(first);

    const observable: Observable = {
      configuration: configuration.state,
      notReady: () => [
        ...(configuration.state().generation === 0 ? ["no valid configuration, everything is denied"] : []),
        ...(draining ? ["draining"] : []),
        ...fleet.notReady(),
        ...keys.notReady(),
      ],
      warnings: () => [...warnings, ...staleness(configuration.state()), ...keys.warnings()],
      keys: keys.states,
      async metrics() {
        keys.measure();
        return metricPieces([await metrics.values(), ...(await fleet.metrics())], nextTurn);
      },
      decisions: fleet.decisions,
      quota: createQuotaDesk({
        resources: () => [...configuration.state().resources.values()].map(({ resource }) => resource),
        store,
        settings: options.rateLimit,
        now: () => ports.now() + options.clockOffsetMs,
      }),
      version: packageVersion(),
    };
    const serve = async (address: typeof addresses.admin, isPublic: boolean): Promise<PageServer> => {
      const server = await servePages({
        address,
        pages: isPublic ? publicPages(observable) : adminPages(observable),
        ...(!isPublic && { actions: adminActions(observable) }),
        guard: isPublic ? () => undefined : guard,
        onError: (err) => logger.error({ err }, "admin page failed"),
      });
      closers.push(server.close);
      return server;
    };
    const admin = await serve(addresses.admin, false);
    const metricsPort = addresses.metrics === undefined ? undefined : await serve(addresses.metrics, true);
    const grpcAddress = await fleet.listen(addresses.grpc);
    closers.push(survive({ logger, metrics }));
    return {
      grpcAddress: formatAddress(grpcAddress),
      adminAddress: formatAddress(admin.address),
      metricsAddress: metricsPort === undefined ? undefined : formatAddress(metricsPort.address),
      configuration: configuration.state,
      reload() {
        output.reopen();
        source.reload();
      },
      async drain() {
        draining = true;
        const finished = await fleet.drain(options.drainTimeoutMs);
        await closeAll();
        return finished;
      },
      close: closeAll,
    };
  } catch (error) {
    await closeAll();
    throw error;
  }
}

type Addresses = Record<"grpc" | "admin", ReturnType<typeof parseAddress>> & {
  readonly metrics: ReturnType<typeof parseAddress> | undefined;
};

function readAddresses({ grpcAddress, adminAddress, metricsAddress }: ServerOptions): Addresses {
  return {
    grpc: parseAddress(grpcAddress),
    admin: parseAddress(adminAddress),
    metrics: metricsAddress === undefined ? undefined : parseAddress(metricsAddress),
  };
}

/** Whoever can call the gRPC port is trusted as an Envoy: it names peers and workloads. */
function securityWarnings(options: ServerOptions): string[] {
  if (isLoopback(parseAddress(options.grpcAddress)) || options.tls?.clientCaFile !== undefined) return [];
  return [
    "the gRPC address can be reached from other machines and asks for no client certificate: whoever can call it is" +
      " trusted as an Envoy; set --tls-cert, --tls-key and --tls-client-ca",
  ];
}

/** Variables of names as general as these may stand in an environment for another program's sake. */
function unlimitedWarnings({ rateLimit, clockOffsetMs }: ServerOptions): string[] {
  const isSet: readonly (readonly [string, boolean])[] = [
    ["SHADOW_MODE", rateLimit.shadowMode],
    ["QUOTA_MODE", rateLimit.quotaMode],
  ];
  const unlimited = isSet.flatMap(([name, isOn]) =>
    isOn ? [`${name} is set: the rate limit service counts, and refuses nothing`] : [],
  );
  if (clockOffsetMs === 0) return unlimited;
  return [...unlimited, "GATEHOUSE_CLOCK_OFFSET_MS is set: the rate limit service counts in other windows"];
}

function staleness({ lastReload }: ConfigState): string[] {
  if (lastReload === undefined || lastReload.result === "ok") return [];
  return ["the configuration on disk was rejected, see /config"];
}
