import { readFileSync } from "node:fs";
import { type Logger, pino } from "pino";
import { formatDiagnostic, GatehouseError } from "../diagnostics/index.js";
import { InvalidConfigError, type RunningServer, type ServerOptions, startServer } from "../server/index.js";
import { cacheDirOf } from "./cache-dir.js";
import { clockOffsetOf, rateLimitSettingsOf } from "./rate-limit-settings.js";
import { keyOf, resolveSettings, type Values } from "./settings.js";
import { type ExitCode, exit, type Streams } from "./streams.js";

const LOG_LEVELS = ["fatal", "error", "warn", "info", "debug", "trace", "silent"];

/**
 * Serves until a signal ends it. Prints one JSON line with the addresses on standard output, logs on standard
 * error.
 */
export async function serve(flags: Readonly<Record<string, unknown>>, streams: Streams): Promise<ExitCode> {
  const bootstrap = flags["bootstrap"] ?? streams.env["GATEHOUSE_BOOTSTRAP"];
  const values = resolveSettings({
    flag: (setting) => flags[keyOf(setting)],
    environment: streams.env,
    file: typeof bootstrap === "string" ? await readBootstrap(bootstrap) : {},
  });
  const logger = createLogger(String(values.get("log-level")));
  let server: RunningServer;
  try {
    server = await startServer(toOptions(values, streams.env), {
      logger,
      now: Date.now,
      environment: streams.env,
    });
  } catch (error) {
    if (!(error instanceof InvalidConfigError)) throw error;
    for (const diagnostic of error.state.diagnostics) streams.err(`${formatDiagnostic(diagnostic)}\n`);
    streams.err(`error: ${error.message}\n`);
    return exit.findings;
  }
  const { grpcAddress, adminAddress, metricsAddress } = server;
  // Whoever reads the line may send a signal at once.
  const ended = untilSignal(server, logger);
  const line = { event: "listening", grpc: grpcAddress, admin: adminAddress, metrics: metricsAddress };
  streams.out(`${JSON.stringify(line)}\n`);
  return ended;
}

function untilSignal(server: RunningServer, logger: Logger): Promise<ExitCode> {
  return new Promise((resolve, reject) => {
    let ending = false;
    const end = (signal: NodeJS.Signals): void => {
      if (ending) return;
      ending = true;
      logger.info({ signal }, "draining");
      server.drain().then((finished) => {
        if (finished) logger.info("drained");
        else logger.warn("drain timeout is over, calls under way were ended");
        resolve(exit.fine);
      }, reject);
    };
    process.on("SIGTERM", end);
    process.on("SIGINT", end);
    process.on("SIGHUP", () => {
      logger.info("reloading on SIGHUP");
      server.reload();
    });
  });
}

function createLogger(level: string): Logger {
  if (!LOG_LEVELS.includes(level)) {
    throw new GatehouseError("bad_flag", `unknown log level \`${level}\`, expected ${LOG_LEVELS.join(", ")}`);
  }
  return pino({ level }, pino.destination(2));
}

async function readBootstrap(file: string): Promise<Record<string, unknown>> {
  const { parse } = await import("yaml");
  let content: unknown;
  try {
    content = parse(readFileSync(file, "utf8"));
  } catch (cause) {
    throw new GatehouseError("bad_flag", `cannot read the bootstrap file \`${file}\``, { cause });
  }
  if (content === null) return {};
  if (typeof content !== "object" || Array.isArray(content)) {
    throw new GatehouseError("bad_flag", `the bootstrap file \`${file}\` is not a mapping`);
  }
  return content as Record<string, unknown>;
}

function toOptions(
  values: Values,
  environment: Streams["env"],
): Partial<ServerOptions> & Pick<ServerOptions, "configPaths"> {
  const text = (name: string): string | undefined => values.get(name) as string | undefined;
  const list = (name: string): readonly string[] => (values.get(name) as readonly string[] | undefined) ?? [];
  const flag = (name: string): boolean => values.get(name) === true;
  const configPaths = list("config");
  const regoPaths = list("rego");
  const rateLimitPaths = list("ratelimit-config");
  const decides = configPaths.length > 0 || regoPaths.length > 0;
  if (!decides && rateLimitPaths.length === 0) {
    const expected = "--config PATH, --rego DIR or --ratelimit-config DIR";
    throw new GatehouseError("bad_flag", `no configuration is named, expected ${expected}`);
  }
  return {
    configPaths,
    regoPaths,
    rateLimitPaths,
    decides,
    rateLimit: { ...rateLimitSettingsOf(environment), sharedKeys: flag("ratelimit-shared-keys") },
    clockOffsetMs: clockOffsetOf(environment),
    redis: toRedis(values),
    maxCounters: toMaxCounters(Number(values.get("max-counters"))),
    cacheDir: cacheDirOf(text("cache-dir"), environment),
    grpcAddress: String(text("grpc-address")),
    adminAddress: String(text("admin-address")),
    metricsAddress: text("metrics-address"),
    adminHosts: list("admin-host"),
    adminTokenFile: text("admin-token-file"),
    recordKeyFile: text("record-key-file"),
    tls: toTls(text("tls-cert"), text("tls-key"), text("tls-client-ca")),
    allowClients: toAllowed(list("allow-client"), text("tls-client-ca")),
    workers: Number(values.get("workers")),
    drainTimeoutMs: Number(values.get("drain-timeout")),
    maxMessageBytes: Number(values.get("max-message-bytes")),
    maxHeldBytes: Number(values.get("max-held-bytes")),
    tokenCache: Number(values.get("token-cache")),
    reflection: flag("reflection"),
    allowEmpty: flag("allow-empty"),
    allowInvalidStart: flag("allow-invalid-start"),
  };
}

function toMaxCounters(count: number): number {
  if (count > 0) return count;
  throw new GatehouseError("bad_flag", "bad value `0` for `--max-counters`, expected a number from 1 on");
}

function toRedis(values: Values): ServerOptions["redis"] {
  const text = (name: string): string | undefined => values.get(name) as string | undefined;
  const urls = (values.get("redis-url") as readonly string[] | undefined) ?? [];
  if (urls.length === 0) {
    // Of these only the deadline has a default, and a flag may say that it is not set.
    const given = [...values].find(
      ([name, value]) => name.startsWith("redis-") && name !== "redis-timeout" && value !== false,
    )?.[0];
    if (given === undefined) return undefined;
    throw new GatehouseError("bad_flag", `--${given} without --redis-url`);
  }
  return {
    urls,
    cluster: values.get("redis-cluster") === true,
    username: text("redis-username"),
    passwordFile: text("redis-password-file"),
    tls: { caFile: text("redis-tls-ca"), certFile: text("redis-tls-cert"), keyFile: text("redis-tls-key") },
    timeoutMs: Number(values.get("redis-timeout")),
  };
}

function toTls(
  certFile: string | undefined,
  keyFile: string | undefined,
  clientCaFile: string | undefined,
): ServerOptions["tls"] {
  if (certFile !== undefined && keyFile !== undefined) return { certFile, keyFile, clientCaFile };
  if (certFile === undefined && keyFile === undefined && clientCaFile === undefined) return undefined;
  throw new GatehouseError("bad_flag", "TLS is set in part, expected --tls-cert and --tls-key together");
}

/**
 * Without a client CA no certificate is asked for, so a list of names would refuse everybody or protect
 * nobody.
 */
function toAllowed(names: readonly string[], clientCaFile: string | undefined): readonly string[] {
  if (names.length > 0 && clientCaFile === undefined) {
    throw new GatehouseError(
      "bad_flag",
      "--allow-client needs client certificates, expected --tls-client-ca FILE",
    );
  }
  return names;
}
