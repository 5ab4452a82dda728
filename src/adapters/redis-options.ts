import { readFileSync } from "node:fs";
import { isIP } from "node:net";
import { GatehouseError } from "../diagnostics/index.js";

/** Where counters stand. Plain data that can be sent to a worker. */
export interface RedisStoreOptions {
  /**
   * `redis://[USER[:PASSWORD]@]HOST[:PORT][/DB]`, `rediss://` with TLS. One server, or some nodes of a
   * cluster, which tell of the others.
   */
  readonly urls: readonly string[];
  readonly cluster: boolean;
  /** ACL user; wins over the URL's. */
  readonly username?: string | undefined;
  /** A file that holds the password; wins over the URL's, and is read again for each connection. */
  readonly passwordFile?: string | undefined;
  /** PEM files; only with `rediss://`. */
  readonly tls?: RedisTls | undefined;
  /**
   * For one operation, in milliseconds; default 150: a hundred times what a Redis nearby needs, so that a pause of this
   * process or of Redis (a fork) is no failure, and less than Envoy's default of 200 for the whole of ext_authz.
   */
  readonly timeoutMs?: number | undefined;
  /** Before every key of a Quota's counter; default `gatehouse:`. Holds no braces. */
  readonly keyPrefix?: string | undefined;
}

/** What TLS to Redis takes from files. */
export interface RedisTls {
  readonly caFile?: string | undefined;
  readonly certFile?: string | undefined;
  readonly keyFile?: string | undefined;
  /** The name that the certificate must have, if not the URL's host. */
  readonly servername?: string | undefined;
}

/** One server. */
export interface RedisAddress {
  /** A name or an address, IPv6 without brackets. */
  readonly host: string;
  readonly port: number;
}

/** Options as they are used: read, checked and complete. */
export interface RedisTarget {
  readonly addresses: readonly RedisAddress[];
  readonly isCluster: boolean;
  readonly db: number;
  readonly username: string | undefined;
  /** As it is now. */
  readonly password: () => string | undefined;
  /** Undefined: no TLS. */
  readonly tls: RedisTlsMaterial | undefined;
  readonly timeoutMs: number;
  readonly keyPrefix: string;
  /** For people: no user, no password. */
  readonly where: string;
}

/** TLS as Node takes it. */
export interface RedisTlsMaterial {
  readonly ca?: Buffer;
  readonly cert?: Buffer;
  readonly key?: Buffer;
  readonly servername?: string;
}

/** Throws `bad_flag` for what cannot be used; no text of it holds a password. */
export function readRedisOptions(options: RedisStoreOptions): RedisTarget {
  const urls = options.urls.map(parseUrl);
  const [first] = urls;
  if (first === undefined) throw bad("no url of a redis server");
  if (!options.cluster && urls.length > 1) {
    throw bad(`${urls.length} redis urls, expected one unless it is a cluster`);
  }
  for (const url of urls) {
    if (url.isTls !== first.isTls) throw bad("some redis urls are `rediss` and some are not");
    if (options.cluster && url.db !== 0)
      throw bad(`database ${url.db} in a redis url, a cluster has only database 0`);
  }
  const { passwordFile, timeoutMs = 150, keyPrefix = "gatehouse:" } = options;
  if (!Number.isInteger(timeoutMs) || timeoutMs < 1 || timeoutMs > 60_000) {
    throw bad(`bad timeout \`${timeoutMs}\` for redis, expected milliseconds from 1 to 60000`);
  }
  if (/[{}]/.test(keyPrefix)) throw bad(`bad key prefix \`${keyPrefix}\` for redis, braces choose the slot`);
  if (!first.isTls && options.tls !== undefined && Object.values(options.tls).some(Boolean)) {
    throw bad("tls files for redis, but its url is not `rediss`");
  }
  const password =
    passwordFile === undefined ? (): string | undefined => first.password : fromFile(passwordFile);
  password();
  return {
    addresses: urls.map(({ host, port }) => ({ host, port })),
    isCluster: options.cluster,
    db: first.db,
    username: options.username ?? first.username,
    password,
    tls: first.isTls ? readTls(options.tls ?? {}, options.cluster ? "" : first.host) : undefined,
    timeoutMs,
    keyPrefix,
    where: urls.map(({ host, port }) => `${isIP(host) === 6 ? `[${host}]` : host}:${port}`).join(","),
  };
}

interface ParsedUrl extends RedisAddress {
  readonly isTls: boolean;
  readonly username: string | undefined;
  readonly password: string | undefined;
  readonly db: number;
}

function parseUrl(text: string): ParsedUrl {
  const expected = "expected redis://[user[:password]@]host[:port][/db] or rediss://";
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || (url.protocol !== "redis:" && url.protocol !== "rediss:") || url.hostname === "") {
    // The text itself may hold a password.
    throw bad(`bad redis url, ${expected}`);
  }
  const where = `redis url of \`${url.host}\``;
  if (!/^(\/\d{0,5})?$/.test(url.pathname) || url.search !== "" || url.hash !== "") {
    throw bad(`bad ${where}, ${expected}`);
  }
  return {
    host: url.hostname.replace(/^\[|\]$/g, ""),
    port: url.port === "" ? 6379 : Number(url.port),
    isTls: url.protocol === "rediss:",
    username: decoded(url.username, where),
    password: decoded(url.password, where),
    db: Number(url.pathname.slice(1)),
  };
}

function decoded(text: string, where: string): string | undefined {
  try {
    return text === "" ? undefined : decodeURIComponent(text);
  } catch {
    throw bad(`bad percent-encoding in the user or password of the ${where}`);
  }
}

function fromFile(file: string): () => string {
  return () => {
    const text = read(file, "password").toString("utf8").trim();
    if (text === "") throw bad(`the password file \`${file}\` of redis is empty`);
    return text;
  };
}

function readTls(tls: RedisTls, host: string): RedisTlsMaterial {
  if ((tls.certFile === undefined) !== (tls.keyFile === undefined)) {
    throw bad("a client certificate for redis needs both its certificate and its key");
  }
  // RFC 6066 section 3: an address is no server name. Of a cluster each node has its own.
  const servername = tls.servername ?? (host === "" || isIP(host) !== 0 ? undefined : host);
  return {
    ...(tls.caFile === undefined ? {} : { ca: read(tls.caFile, "ca") }),
    ...(tls.certFile === undefined ? {} : { cert: read(tls.certFile, "certificate") }),
    ...(tls.keyFile === undefined ? {} : { key: read(tls.keyFile, "key") }),
    ...(servername === undefined ? {} : { servername }),
  };
}

function read(file: string, what: string): Buffer {
  try {
    return readFileSync(file);
  } catch (cause) {
    throw new GatehouseError("bad_flag", `cannot read the ${what} file \`${file}\` of redis`, { cause });
  }
}

function bad(text: string): GatehouseError {
  return new GatehouseError("bad_flag", text);
}
