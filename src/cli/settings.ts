import { availableParallelism } from "node:os";
import { GatehouseError } from "../diagnostics/index.js";
import { defaults } from "../server/index.js";

/**
 * How the text of a setting is read. `size`: bytes; `count`: a number from 0 on; `duration`: to milliseconds;
 * `workers`: a number or `auto`.
 */
export type SettingKind = "text" | "list" | "flag" | "size" | "count" | "duration" | "workers";

/** One setting of `serve`: a flag, an environment variable and a key of the bootstrap file. */
export interface Setting {
  /** As in `--name`; `GATEHOUSE_NAME` with `_` in the environment, lowerCamel in the bootstrap file. */
  readonly name: string;
  readonly kind: SettingKind;
  /** What stands for the value in the help. */
  readonly value?: string;
  readonly help: string;
  readonly fallback?: string;
}

/** Every setting of `serve`; `docs/operations.md` has a line for each. */
export const settings: readonly Setting[] = [
  { name: "config", kind: "list", value: "PATH", help: "file or folder of YAML, may be repeated" },
  {
    name: "rego",
    kind: "list",
    value: "DIR",
    help: "folder of .rego and data files: a RegoPolicy for the whole mesh, may be repeated",
  },
  {
    name: "ratelimit-config",
    kind: "list",
    value: "DIR",
    help: "config files of envoyproxy/ratelimit for the rate limit service, may be repeated",
  },
  {
    name: "ratelimit-shared-keys",
    kind: "flag",
    help: "counter keys byte by byte as envoyproxy/ratelimit's, to share a Redis with it",
  },
  {
    name: "redis-url",
    kind: "list",
    value: "URL",
    help: "where counters stand, redis:// or rediss://; of a cluster some nodes (default: in memory)",
  },
  { name: "redis-cluster", kind: "flag", help: "the Redis is a cluster" },
  { name: "redis-username", kind: "text", value: "NAME", help: "ACL user, if not in the URL" },
  {
    name: "redis-password-file",
    kind: "text",
    value: "FILE",
    help: "file with the password of Redis, if not in the URL",
  },
  { name: "redis-tls-ca", kind: "text", value: "FILE", help: "PEM authorities of a rediss:// server" },
  { name: "redis-tls-cert", kind: "text", value: "FILE", help: "PEM client certificate for Redis" },
  { name: "redis-tls-key", kind: "text", value: "FILE", help: "PEM private key for Redis" },
  {
    name: "redis-timeout",
    kind: "duration",
    value: "TIME",
    help: "for one operation of Redis",
    fallback: "150ms",
  },
  {
    name: "max-counters",
    kind: "count",
    value: "N",
    help: "counters that memory holds",
    fallback: `${defaults.maxCounters}`,
  },
  {
    name: "cache-dir",
    kind: "text",
    value: "DIR",
    help: "where compiled policies are kept between starts, or none (default: gatehouse in the user's cache)",
  },
  {
    name: "grpc-address",
    kind: "text",
    value: "ADDRESS",
    help: "where Envoy asks: HOST:PORT or unix:/PATH",
    fallback: defaults.grpcAddress,
  },
  {
    name: "admin-address",
    kind: "text",
    value: "ADDRESS",
    help: "admin pages; beyond loopback only with a token",
    fallback: defaults.adminAddress,
  },
  {
    name: "metrics-address",
    kind: "text",
    value: "ADDRESS",
    help: "metrics and health only, for other machines",
  },
  {
    name: "admin-host",
    kind: "list",
    value: "NAME",
    help: "Host header that admin accepts, may be repeated",
  },
  {
    name: "admin-token-file",
    kind: "text",
    value: "FILE",
    help: "file with the bearer token of the admin pages",
  },
  {
    name: "record-key-file",
    kind: "text",
    value: "FILE",
    help: "key, 32 bytes and more, by which ext_proc knows decisions of ext_authz (default: random per start)",
  },
  { name: "tls-cert", kind: "text", value: "FILE", help: "PEM certificate chain of the gRPC port" },
  { name: "tls-key", kind: "text", value: "FILE", help: "PEM private key of the gRPC port" },
  {
    name: "tls-client-ca",
    kind: "text",
    value: "FILE",
    help: "PEM authorities; clients must show a certificate",
  },
  {
    name: "allow-client",
    kind: "list",
    value: "SPIFFE_OR_SAN",
    help: "name in a client's certificate that may ask, may be repeated",
  },
  {
    name: "workers",
    kind: "workers",
    value: "N",
    help: "processes that answer, or auto",
    fallback: `${defaults.workers}`,
  },
  {
    name: "drain-timeout",
    kind: "duration",
    value: "TIME",
    help: "for calls under way at the end",
    fallback: `${defaults.drainTimeoutMs / 1000}s`,
  },
  {
    name: "max-message-bytes",
    kind: "size",
    value: "N",
    help: "largest message that is received",
    fallback: `${defaults.maxMessageBytes}`,
  },
  {
    name: "max-held-bytes",
    kind: "size",
    value: "N",
    help: "bytes of bodies that each process keeps at one time; what comes then is refused",
    fallback: `${defaults.maxHeldBytes}`,
  },
  {
    name: "token-cache",
    kind: "count",
    value: "N",
    help: "verified tokens that each process remembers, 0 for none",
    fallback: `${defaults.tokenCache}`,
  },
  { name: "reflection", kind: "flag", help: "serve gRPC reflection" },
  { name: "allow-empty", kind: "flag", help: "a configuration path that is missing or empty is no error" },
  { name: "allow-invalid-start", kind: "flag", help: "start with an invalid configuration and deny all" },
  {
    name: "log-level",
    kind: "text",
    value: "LEVEL",
    help: "fatal, error, warn, info, debug, trace or silent",
    fallback: "info",
  },
];

/** Settings by name; absent ones are not in it. */
export type Values = ReadonlyMap<string, SettingValue>;
/** After reading: `size`, `duration` (milliseconds) and `workers` are numbers, a flag is a boolean. */
export type SettingValue = string | number | boolean | readonly string[];

/** Where a setting's value was found; `undefined` where it was not. */
export interface SettingSources {
  readonly flag: (setting: Setting) => unknown;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** The bootstrap file's content. */
  readonly file: Readonly<Record<string, unknown>>;
}

/** Flags win over the environment, the environment over the file. Throws `bad_flag`. */
export function resolveSettings({ flag, environment, file }: SettingSources): Values {
  rejectUnknown(file);
  const values = new Map<string, SettingValue>();
  for (const setting of settings) {
    const variable = variableOf(setting);
    const candidates: readonly (readonly [raw: unknown, where: string])[] = [
      [flag(setting), `--${setting.name}`],
      [environment[variable] === "" ? undefined : environment[variable], variable],
      [Object.hasOwn(file, keyOf(setting)) ? file[keyOf(setting)] : undefined, keyOf(setting)],
      [setting.fallback, setting.name],
    ];
    const found = candidates.find(([raw]) => raw !== undefined && raw !== null);
    if (found !== undefined) values.set(setting.name, readSetting(setting, found[0], found[1]));
  }
  return values;
}

/** `--grpc-address` is GATEHOUSE_GRPC_ADDRESS. */
export function variableOf(setting: Setting): string {
  return `GATEHOUSE_${setting.name.toUpperCase().replaceAll("-", "_")}`;
}

/** `--grpc-address` is `grpcAddress` in the bootstrap file. */
export function keyOf(setting: Setting): string {
  return setting.name.replace(/-([a-z])/g, (_, letter: string) => letter.toUpperCase());
}

function rejectUnknown(file: Readonly<Record<string, unknown>>): void {
  const known = new Set(settings.map(keyOf));
  for (const key of Object.keys(file)) {
    if (!known.has(key)) {
      throw new GatehouseError("bad_flag", `unknown key \`${key}\` in the bootstrap file`);
    }
  }
}

/** In the environment a list is separated by commas. */
function readSetting({ kind }: Setting, raw: unknown, where: string): SettingValue {
  const text = typeof raw === "number" || typeof raw === "boolean" ? String(raw) : raw;
  if (kind === "list") {
    const items = typeof text === "string" ? text.split(",").map((item) => item.trim()) : text;
    if (Array.isArray(items) && items.every((item) => typeof item === "string" && item !== "")) return items;
    throw bad(where, raw, "a list of texts");
  }
  if (typeof text !== "string" || text === "") throw bad(where, raw, "a text");
  if (kind === "text") return text;
  return readTyped(kind, text, where);
}

function readTyped(kind: Exclude<SettingKind, "text" | "list">, text: string, where: string): SettingValue {
  switch (kind) {
    case "flag":
      if (text !== "true" && text !== "false") throw bad(where, text, "true or false");
      return text === "true";
    case "size":
      if (!/^[1-9]\d{0,9}$/.test(text)) throw bad(where, text, "a number of bytes");
      return Number(text);
    case "count":
      if (!/^\d{1,7}$/.test(text)) throw bad(where, text, "a number from 0 to 9999999");
      return Number(text);
    case "duration": {
      const match = /^(\d{1,7})(ms|s|m)$/.exec(text);
      if (match === null) throw bad(where, text, "a time like 500ms, 10s or 1m");
      return Number(match[1]) * { ms: 1, s: 1000, m: 60_000 }[match[2] as "ms" | "s" | "m"];
    }
    case "workers":
      if (text === "auto") return availableParallelism();
      if (!/^[1-9]\d{0,2}$/.test(text)) throw bad(where, text, "a number from 1 on, or auto");
      return Number(text);
  }
}

function bad(where: string, raw: unknown, expected: string): GatehouseError {
  return new GatehouseError(
    "bad_flag",
    `bad value \`${String(raw)}\` for \`${where}\`, expected ${expected}`,
  );
}
